"""The text of a snapshot that lets go of what is old, beside one that does not."""

from __future__ import annotations

from syncchat.core.clock import ms_of, stamp
from syncchat.core.journal import Volume
from syncchat.core.keeping import DAY_MS
from syncchat.core.snapshots import LettingGo, content_of, encode_snapshot, export_of, without
from syncchat.ids import Stamp


def letting_go(newest: Stamp, volume: Volume) -> dict[str, str]:
    """Return the text of a snapshot of a volume that lets go of all, and what it is made of."""
    made = stamp(ms_of(newest) + 2 * DAY_MS)
    content = content_of(0, encode_snapshot(newest, volume.export()), [])
    empty = without(content, content.entries, LettingGo(made, newest))
    export = export_of(empty)
    return {
        "made": made,
        "cutoff": newest,
        "export_of_all": export_of(content).hex(),
        "export": export.hex(),
        "text": encode_snapshot(newest, export, empty.letting_go).hex(),
    }

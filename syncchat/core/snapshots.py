"""Snapshots: a whole volume as one text, to stand for the updates that it came from.

The text is the stamp of the volume's newest entry, current or not, then the export of the journal's
document (``reader.read_snapshot``). Who has the updates compares the two before they let them go.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ..errors import UpdateRefused
from ..ids import STAMP_CHARS, Stamp, base32_from_int, int_from_base32
from .clock import ZERO
from .reader import Change, VolumeState, read_snapshot, read_update
from .values import Root

_STAMP_BYTES = 8


class Content(NamedTuple):
    """Is all of a volume: its state, its current entries, the stamp of the newest ever written."""

    state: VolumeState
    entries: dict[int, Change]
    stamp: Stamp


def encode_snapshot(stamp: Stamp, export: bytes) -> bytes:
    """Return the text of a snapshot."""
    return int_from_base32(stamp, bits=64).to_bytes(_STAMP_BYTES) + export


def decode_snapshot(text: bytes, number: int) -> Content:
    """Return what the snapshot of volume ``number`` holds; raises ``UpdateRefused``."""
    stamp = stamp_in(text)
    state, live = read_snapshot(text[_STAMP_BYTES:], number)
    stamps = [*(change.at for change in live), stamp]
    if any(one > other for one, other in pairwise(stamps)) or len({*stamps[:-1]}) < len(live):
        raise UpdateRefused("a snapshot's entries are not in the order of their stamps")
    return Content(state, {change.clock: change for change in live}, stamp)


def stamp_in(text: bytes) -> Stamp:
    """Return the stamp that a snapshot's text begins with; raises ``UpdateRefused``."""
    if len(text) < _STAMP_BYTES:
        raise UpdateRefused("the snapshot is cut off")
    return Stamp(base32_from_int(int.from_bytes(text[:_STAMP_BYTES]), chars=STAMP_CHARS))


def export_in(text: bytes) -> bytes:
    """Return the document's export in a snapshot that was read before."""
    return text[_STAMP_BYTES:]


def content_of(number: int, base: bytes | None, updates: Sequence[bytes]) -> Content:
    """Return what a volume holds by a snapshot's text, if there is one, and the updates after it.

    All were read before. Raises ``UpdateRefused`` all the same where they do not fit.
    """
    if base is None:
        content = Content(VolumeState(number), {}, ZERO)
    else:
        content = decode_snapshot(base, number)
    state, entries, stamp = content
    for update in updates:
        is_erasure = update[:1] == b"\0"  # the only form that a closed volume takes
        changes = read_update(update, state, after=ZERO, is_closed=is_erasure)
        for change in changes:
            entries.pop(state.clocks.get((change.root, change.key), -1), None)
            if change.raw is not None:
                entries[change.clock] = change
                stamp = Stamp(max(stamp, change.at))
        state.apply(changes)
    return Content(state, entries, stamp)


def news_in(snapshot: Content, known: Content) -> list[Change]:
    """Return what a snapshot says beyond what is known of its volume, erasures included.

    ``known`` is all of the volume, or its beginning. Raises ``UpdateRefused`` where the snapshot
    says another thing than its writer said before.
    """
    for clock, change in known.entries.items():
        there = snapshot.entries.get(clock)
        if there is not None and _essence(there) != _essence(change):
            raise UpdateRefused("the snapshot tells of an entry what its writer never wrote")
    upto = known.state.clock
    if any(clock < upto and clock not in known.entries for clock in snapshot.entries):
        raise UpdateRefused("the snapshot brings back what its writer had taken away")
    if snapshot.state.clock < upto or snapshot.stamp < known.stamp:
        raise UpdateRefused("the snapshot ends before what its writer wrote")
    lost = [change for clock, change in known.entries.items() if clock not in snapshot.entries]
    replaced = {(change.root, change.key) for change in snapshot.entries.values()}
    gone = [
        Change(change.root, change.key, change.clock, ZERO, None, None)
        for change in lost
        if (change.root, change.key) not in replaced
    ]
    new = [change for clock, change in sorted(snapshot.entries.items()) if clock >= upto]
    return gone + new


def is_same(snapshot: Content, known: Content) -> bool:
    """Tell whether a snapshot says just what is known of its volume."""
    return (
        snapshot.state.clock == known.state.clock
        and snapshot.stamp == known.stamp
        and snapshot.entries.keys() == known.entries.keys()
        and all(_essence(known.entries[at]) == _essence(e) for at, e in snapshot.entries.items())
    )


def _essence(change: Change) -> tuple[Root, str, str | None]:
    return change.root, change.key, change.raw

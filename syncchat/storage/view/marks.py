"""Entries about something: edits, deletions, reactions, fields; and how they are found again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...core.fold import Mark
from ...core.refusals import Refusal
from ...core.values import Root, decode_value
from ...ids import DeviceId
from ..database import Database

_CHUNK = 500


def marks_about(
    db: Database, room: int, targets: Sequence[str], *, me: DeviceId
) -> dict[str, list[Mark]]:
    """Return every entry about each target, the outbox's included."""
    found: dict[str, list[Mark]] = {}
    for chunk in chunks(targets):
        places = ",".join("?" * len(chunk))
        for target, root, key, device, at, raw in db.rows(
            "select target, root, key, device, at, value from mark "
            f"where room = ? and target in ({places}) union all "
            "select target, root, key, ?, at, raw from op "
            f"where room = ? and root <> {int(Root.MESSAGES)} and raw is not null "
            f"and refusal is not '{Refusal.INVALID}' "
            f"and target in ({places})",
            (room, *chunk, me, room, *chunk),
        ):
            kind = Root(root)
            mark = Mark(kind, key, device, at, decode_value(kind, raw))
            found.setdefault(target, []).append(mark)
    return found


def blank_edits(db: Database, room: int, targets: Sequence[str]) -> None:
    """Take the texts out of edits of messages that are deleted or gone, and out of the outbox.

    The rows stay: they say what stands in which place of a journal.
    """
    blank = """'["' || at || '",""]'"""
    for chunk in chunks(targets):
        places = ",".join("?" * len(chunk))
        values = (room, int(Root.EDITS), *chunk)
        found = f"where room = ? and root = ? and target in ({places})"
        blanked = db.execute(
            f"update mark set value = {blank} {found} and value <> {blank}", values
        )
        dropped = db.execute(f"delete from op {found} and raw is not null", values)
        if blanked.rowcount or dropped.rowcount:
            db.wipe()


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield ids in pieces that one statement takes."""
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]

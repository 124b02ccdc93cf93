"""Entries about something: edits, deletions, reactions, fields; and how they are found again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from ...core.fold import Mark
from ...core.refusals import Refusal
from ...core.values import Root, decode_value
from ...ids import DeviceId
from ..database import Database

_CHUNK = 500

_KNOWN = f"""
select message from message where room = ?1 and message in {{0}}
union all select target from mark where room = ?1 and target in {{0}}
union all select target from op
    where room = ?1 and root <> {int(Root.MESSAGES)} and target in {{0}}
union all select message from hidden where room = ?1 and message in {{0}}
union all select message from removed_message where room = ?1 and message in {{0}}
union all select reply_to from message where room = ?1 and reply_to in {{0}}
"""
"""Finds messages of which something is here; the last, because what answers them quotes them."""


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


def known_of(db: Database, room: int, ids: Sequence[str]) -> set[str]:
    """Return those of the messages of which anything is here: their row, or what was said of them.

    Of most that come nothing is, and this is one question instead of five.
    """
    found: set[str] = set()
    for chunk in chunks(ids):
        found.update(message for (message,) in db.rows(_known(len(chunk)), (room, *chunk)))
    return found


@lru_cache(maxsize=64)
def _known(count: int) -> str:
    return _KNOWN.format(f"({', '.join(f'?{2 + place}' for place in range(count))})")


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

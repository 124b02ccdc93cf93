"""Messages that went, and come back: as deleted ones, or for good.

The erasure of a message may be here before its tombstone: in a snapshot, which is told ahead of its
place. And what was shown ahead of its chain may be taken back before that brings it. Who reads
events has heard of the message, so what comes back is a change and nothing new.
"""

from __future__ import annotations

from typing import Any

from ...ids import MessageId
from ..database import Database
from .marks import chunks


def note(db: Database, room: int, message: MessageId) -> None:
    """Keep under which number a message was added that is about to be removed."""
    db.execute(
        "insert or replace into removed_message "
        "select room, message, added from message where room = ? and message = ?",
        (room, message),
    )


def note_previews(db: Database, room: int) -> None:
    """Keep the numbers of messages that are shown ahead, which no chain here brings back yet."""
    db.execute(
        "insert or replace into removed_message select message.room, message, added "
        "from preview join message using (chain, volume, clock) where preview.room = ?",
        (room,),
    )


def put_back(db: Database, room: int, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows of messages to add, those that were here before under their old numbers.

    A row is as it is inserted: the second field is the message, the one before the last the number.
    """
    before: dict[str, int] = {}
    for chunk in chunks([row[1] for row in rows]):
        places = ",".join("?" * len(chunk))
        found = f"removed_message where room = ? and message in ({places})"
        known = dict(db.rows(f"select message, added from {found}", (room, *chunk)))
        if known:
            db.execute(f"delete from {found}", (room, *chunk))
            before |= known
    if not before:
        return rows
    return [(*row[:-2], before.get(row[1], row[-2]), row[-1]) for row in rows]

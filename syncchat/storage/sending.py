"""Messages that must be sent once however often a program tries: found again by a key."""

from __future__ import annotations

from ..ids import MessageId
from .database import Database

SENT_ONCE_MAX = 10_000
"""Keys that are remembered for each room, the last ones."""


def find_sent(db: Database, room: int, once: str) -> MessageId | None:
    """Return the message that was sent with a key, or None."""
    row = db.row("select message from sent_once where room = ? and once = ?", (room, once))
    return None if row is None else MessageId(row[0])


def note_sent(db: Database, room: int, once: str, message: MessageId) -> None:
    """Remember which message was sent with a key, and forget the oldest keys."""
    db.execute(
        "insert or replace into sent_once (room, once, message) values (?, ?, ?)",
        (room, once, message),
    )
    (count,) = db.execute("select count(*) from sent_once where room = ?", (room,)).fetchone()
    if count > SENT_ONCE_MAX:
        db.execute(
            "delete from sent_once where id = (select min(id) from sent_once where room = ?)",
            (room,),
        )

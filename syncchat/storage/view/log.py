"""What the room's log says that the view needs: who the admins are, and what they have hidden."""

from __future__ import annotations

from collections.abc import Sequence, Set

from ...ids import MemberId, MessageId
from ..database import Database
from .marks import chunks


def admins_of(db: Database, room: int) -> frozenset[MemberId]:
    """Return whose word counts on what only admins may say of a room."""
    rows = db.rows("select member from admin where room = ?", (room,))
    return frozenset(MemberId(member) for (member,) in rows)


def set_admins(db: Database, room: int, admins: Set[MemberId]) -> bool:
    """Store whose word counts; tell whether it was somebody else's before."""
    if admins == admins_of(db, room):
        return False
    db.execute("delete from admin where room = ?", (room,))
    db.executemany(
        "insert into admin (room, member) values (?, ?)", [(room, each) for each in sorted(admins)]
    )
    return True


def rooms_without_admins(db: Database) -> list[int]:
    """Return rooms with a log of which an earlier version did not store who the admins are."""
    return [
        room
        for (room,) in db.rows(
            "select id from room where standing = 'member' "
            "and not exists (select 1 from admin where admin.room = room.id)"
        )
    ]


def hidden_of(db: Database, room: int, ids: Sequence[str]) -> set[MessageId]:
    """Return those of the messages that an admin has hidden."""
    found: set[MessageId] = set()
    for chunk in chunks(ids):
        places = ",".join("?" * len(chunk))
        found.update(
            MessageId(message)
            for (message,) in db.rows(
                f"select message from hidden where room = ? and message in ({places})",
                (room, *chunk),
            )
        )
    return found


def set_hidden(db: Database, room: int, hidden: Set[MessageId]) -> list[MessageId]:
    """Store what is hidden; return the messages for which that is new."""
    rows = db.rows("select message from hidden where room = ?", (room,))
    before = {MessageId(message) for (message,) in rows}
    db.executemany(
        "delete from hidden where room = ? and message = ?",
        [(room, message) for message in sorted(before - hidden)],
    )
    db.executemany(
        "insert into hidden (room, message) values (?, ?)",
        [(room, message) for message in sorted(hidden - before)],
    )
    return sorted(before ^ hidden)

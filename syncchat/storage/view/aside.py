"""Flags anew what is unread where a person sets messages or people aside, or takes them back."""

from __future__ import annotations

from collections.abc import Iterable

from ...ids import DeviceId, MessageId
from ..aside import BLOCK_FIELD, GONE_FIELD
from ..database import Database
from ..members import Owners
from .unread import Unread, find_room


def follow_aside(db: Database, keys: Iterable[str], *, me: DeviceId, change: int) -> None:
    """Take note that fields of the personal room have changed which set something aside."""
    for key in sorted(keys):
        if key.startswith(BLOCK_FIELD):
            member = key[len(BLOCK_FIELD) :]
            for (room,) in db.rows("select distinct room from device where member = ?", (member,)):
                _flag(
                    db,
                    room,
                    "substr(message, 14) in (select device from device where room = ? "
                    "and member = ?)",
                    (room, member),
                    me=me,
                    change=change,
                )
        elif key.startswith(GONE_FIELD):
            text, _, message = key[len(GONE_FIELD) :].partition("/")
            found = find_room(db, text)
            if found is not None:
                _flag(db, found, "message = ?", (message,), me=me, change=change)


def _flag(
    db: Database, room: int, which: str, values: tuple[object, ...], *, me: DeviceId, change: int
) -> None:
    unread = Unread(db, room, Owners(db, room), me=me)
    changed = []
    for id_, message, thread, before in db.rows(
        "select id, message, thread, unread from message "
        f"where room = ? and deleted = 0 and gone = 0 and hidden = 0 and {which}",
        (room, *values),
    ):
        now = unread.is_unread(MessageId(message), thread)
        if now != bool(before):
            changed.append((now, id_))
    db.executemany("update message set unread = ? where id = ?", changed)
    # Whoever shows the room is to look at it anew.
    db.execute("update room set change = ? where id = ?", (change, room))

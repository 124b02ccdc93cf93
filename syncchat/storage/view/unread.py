"""What is unread: what follows from read markers, the person's own marks, and who wrote it.

A message of somebody else is unread while no read marker of the person covers it, neither one that
others may see (in the room) nor one that they may not (in the personal room), or where the person
has marked it as unread since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from ...core.fold import Shown
from ...core.markers import marker_key
from ...core.values import Root
from ...errors import DecodeError
from ...ids import (
    DeviceId,
    MemberId,
    MessageId,
    Stamp,
    author_device,
    room_bytes,
    room_text,
    stamp_of,
)
from .. import rooms
from ..aside import is_aside, shown_condition
from ..database import Database
from ..members import Owners

MARK_FIELD = "unread/"
"""Begins the key of the personal room's field that says that a message is marked as unread; behind
it stands the message's id, and the value is the text of the room's id."""

_AFTER_MARKS = MARK_FIELD[:-1] + chr(ord(MARK_FIELD[-1]) + 1)


class Unread:
    """Tells what is unread in one room; what it looks up it keeps, so it serves one moment."""

    def __init__(self, db: Database, room: int, owners: Owners, *, me: DeviceId) -> None:
        self.me: MemberId = owners[me]
        self._db = db
        self._room = room
        self._owners = owners
        self._place: tuple[int | None, str] | None = None
        self._uptos: dict[tuple[DeviceId, str | None], Stamp] = {}
        self._marked: frozenset[str] | None = None
        self._shown: str | None = None

    def is_unread(self, message: MessageId, thread: str | None) -> bool:
        """Tell whether a message that is not deleted is unread."""
        writer = author_device(message)
        if self._owners[writer] == self.me or self._is_aside(message):
            return False
        return message in self.marked or stamp_of(message) > self.upto(writer, thread)

    def _is_aside(self, message: MessageId) -> bool:
        if self._shown is None:
            self._shown = shown_condition(self._db, self._room)
        return is_aside(self._db, self._shown, message)

    def is_mention(self, shown: Shown) -> bool:
        """Tell whether a message of somebody else mentions the person now."""
        return self.me in shown.mentions and self._owners[author_device(shown.id)] != self.me

    def upto(self, writer: DeviceId, thread: str | None) -> Stamp:
        """Return up to which stamp the person has read a device in a timeline."""
        found = self._uptos.get((writer, thread))
        if found is None:
            found = self._uptos[writer, thread] = self._find_upto(writer, thread)
        return found

    @property
    def marked(self) -> frozenset[str]:
        """Return the messages that the person has marked as unread."""
        if self._marked is None:
            home, text = self._said_at()
            self._marked = frozenset(marked_in(self._db, home, text) if home is not None else ())
        return self._marked

    def _said_at(self) -> tuple[int | None, str]:
        """Return the personal room, and by which text it names this room."""
        if self._place is None:
            room_id = rooms.load_room(self._db, self._room).room_id
            self._place = home_of(self._db), room_text(room_id)
        return self._place

    def _find_upto(self, writer: DeviceId, thread: str | None) -> Stamp:
        home, text = self._said_at()
        place = marker_key(writer, MessageId(thread) if thread else None)
        (found,) = self._db.execute(
            "select max(upto) from (select upto from read_to where room = ? and place = ? "
            "and member = ? union all select upto from read_to where room = ? and place = ?)",
            (self._room, place, self.me, home, f"{text}/{place}"),
        ).fetchone()
        return Stamp(found or "")


def home_of(db: Database) -> int | None:
    """Return the row of the personal room, None where there is none."""
    row = db.row("select home from identity")
    return None if row is None else row[0]


def marked_in(db: Database, home: int, room: str) -> list[str]:
    """Return the messages of a room that the person has marked as unread."""
    return [
        key[len(MARK_FIELD) :]
        for (key,) in db.rows(
            "select key from field where room = ? and root = ? and member = '' and key >= ? "
            "and key < ? and value = ? order by key",
            (home, int(Root.ROOM), MARK_FIELD, _AFTER_MARKS, msgspec.json.encode(room).decode()),
        )
    ]


def clear_read(
    db: Database, room: int, unread: Unread, uptos: Mapping[tuple[DeviceId, str | None], Stamp]
) -> None:
    """Flag as read what markers of the person now cover."""
    read: list[tuple[int]] = []
    for thread in sorted({thread for _, thread in uptos}, key=lambda thread: thread or ""):
        last = max(upto for (_, where), upto in uptos.items() if where == thread)
        read += [
            (row,)
            for row, message in db.rows(
                "select id, message from message "
                "where room = ? and thread is ? and unread = 1 and message < ?",
                (room, thread, last + "~"),
            )
            if stamp_of(message) <= uptos.get((author_device(message), thread), "")
            and message not in unread.marked
        ]
    db.executemany("update message set unread = 0 where id = ?", read)


def follow_marks(
    db: Database, marks: Iterable[tuple[str, str]], *, me: DeviceId, change: int
) -> None:
    """Flag messages anew that the person has marked as unread, or whose mark is gone.

    ``marks`` are message ids with the texts of their rooms' ids.
    """
    for room, messages in _by_room(db, marks).items():
        unread = Unread(db, room, Owners(db, room), me=me)
        for message in sorted(messages):
            row = db.row(
                "select id, thread, deleted or gone or hidden, unread from message "
                "where room = ? and message = ?",
                (room, message),
            )
            if row is None:
                continue  # it is looked at when the message comes
            id_, thread, is_away, before = row
            now = not is_away and unread.is_unread(MessageId(message), thread)
            if now != before:
                db.execute(
                    "update message set unread = ?, change = ? where id = ?", (now, change, id_)
                )


def _by_room(db: Database, marks: Iterable[tuple[str, str]]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for message, text in marks:
        room = find_room(db, text)
        if room is not None:
            found.setdefault(room, set()).add(message)
    return found


def find_room(db: Database, text: str) -> int | None:
    """Return the row of the room whose id ``text`` is, None where it is not here."""
    try:
        row = rooms.find_by_id(db, room_bytes(text))
    except DecodeError:
        return None
    return None if row is None else row.id

"""What changed, in one order that readers can go on in from any place, also after a restart.

Every transaction that changes what is shown has a number, greater than all before. A place names
one thing that a reader is told: the number, what it is, and of which room and message. A message
has two places, one where it was added, which never moves, and one where it changed last. So of
many changes only the last is told, and that a message is new is told once, however late it is
read and whatever became of it meanwhile.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

from ..errors import ValidationError
from ..ids import MessageId, Stamp
from .database import Database

_KEY_CHARS_MAX = 200


class What(IntEnum):
    """Says what is told at a place; of one transaction in this order."""

    ROOM = 1
    ADDED = 2
    CHANGED = 3
    READ = 4
    FILE = 5
    END = 9
    """Behind everything that the transaction changed."""


class Place(NamedTuple):
    """Is where one thing is told; ``room`` is a row; ``key`` names what it is about."""

    change: int
    what: int
    room: int
    key: str


class Cursor(NamedTuple):
    """Is up to where somebody was told: events up to ``place``, and notifications.

    Of these, of what came up to the change ``notified``; and of what came after it up to
    ``upto``, those up to a message, room by room.
    """

    place: Place
    notified: int
    upto: int = 0
    room: int = 0
    message: str = ""


def cursor_at(change: int) -> Cursor:
    """Return the cursor of who was told of everything up to a change number."""
    return Cursor(end_of(change), change)


def write_cursor(cursor: Cursor) -> str:
    """Return a cursor as the text that programs store."""
    place = write_place(cursor.place)
    if cursor.upto:
        return f"{place}~{cursor.notified}~{cursor.upto}~{cursor.room}~{cursor.message}"
    if cursor == cursor_at(cursor.notified):
        return place
    return f"{place}~{cursor.notified}"


def read_cursor(text: str, *, last: int) -> Cursor:
    """Return the cursor in what ``write_cursor`` gave; raises ``ValidationError``."""
    place, *rest = text.split("~") if isinstance(text, str) else [""]
    found = read_place(place, last=last)
    numbers = rest[:3]
    is_whole = len(rest) in (0, 1, 4) and all(
        each.isdecimal() and each.isascii() and len(each) < 19 for each in numbers
    )
    if not is_whole:
        raise ValidationError(f"{text[:60]!r} is no cursor of events; it was changed or cut off")
    notified, upto, room = (*map(int, numbers), 0, 0, 0)[:3]
    message = rest[3][:_KEY_CHARS_MAX] if len(rest) == 4 else ""
    return Cursor(found, notified if rest else found.change, upto, room, message)


def end_of(change: int) -> Place:
    """Return the place behind everything up to a change number."""
    return Place(change, What.END, 0, "")


def write_place(place: Place) -> str:
    """Return a place as the text that programs store."""
    if place.what == What.END:
        return str(place.change)
    return f"{place.change}-{place.what}-{place.room}-{place.key}"


def read_place(text: str, *, last: int) -> Place:
    """Return the place in what ``write_place`` gave; raises ``ValidationError``.

    ``last`` is the greatest change number that may have been given.
    """
    change, *rest = text.split("-", 3) if isinstance(text, str) else [""]
    is_whole = not rest or (len(rest) == 3 and rest[0].isdecimal() and rest[1].isdecimal())
    if not (change.isdecimal() and change.isascii() and len(change) < 19 and is_whole):
        raise ValidationError(
            f"{str(text)[:40]!r} is no cursor of events; give one that an event had, or the "
            "peer's own"
        )
    if int(change) > last:
        raise ValidationError(
            "this cursor is ahead of the database: it is another's, or of one that was there "
            "before a backup was restored; go on from the peer's own cursor"
        )
    if not rest:
        return end_of(int(change))
    return Place(int(change), int(rest[0]), int(rest[1]), rest[2][:_KEY_CHARS_MAX])


def places_after(db: Database, place: Place, *, limit: int) -> list[Place]:
    """Return the places that follow one, in order, at most ``limit``."""
    parts = (
        _places(db, What.ROOM, _ROOMS, place, limit),
        _places(db, What.ADDED, _ADDED, place, limit),
        _places(db, What.CHANGED, _CHANGED, place, limit),
        _places(db, What.READ, _READS, place, limit),
        _places(db, What.FILE, _FILES, place, limit),
    )
    return list(heapq.merge(*parts))[:limit]


def still_at(db: Database, room: int, places: Iterable[Place]) -> Iterator[MessageId]:
    """Yield the messages of a room that have not changed once more since their places."""
    for place in places:
        row = db.row("select change from message where room = ? and message = ?", (room, place.key))
        if row is not None and row[0] == place.change:
            yield MessageId(place.key)


def is_gone(db: Database, place: Place, *, told: int) -> bool:
    """Tell whether a message has disappeared, and nothing has changed about it since its place.

    One that was not there at the change ``told`` has never been told of, and is no news.
    """
    row = db.row(
        "select 1 from message where room = ? and message = ? and gone > 0 and change = ? "
        "and added <= ?",
        (place.room, place.key, place.change, told),
    )
    return row is not None


def read_at(db: Database, place: Place) -> Stamp | None:
    """Return up to where was read what is told at a place; None if it is told later by now."""
    member, _, marker = place.key.partition("/")
    row = db.row(
        "select upto from read_to where room = ? and member = ? and place = ? and change = ?",
        (place.room, member, marker, place.change),
    )
    return None if row is None else Stamp(row[0])


def file_at(db: Database, place: Place) -> tuple[MessageId, int] | None:
    """Return of which message, and which of its files, a place tells; None if later by now."""
    message, _, number = place.key.partition("/")
    row = db.row(
        "select 1 from attachment join file on file.id = attachment.file where "
        "attachment.room = ? and message = ? and place = ? and change = ?",
        (place.room, message, int(number), place.change),
    )
    return None if row is None else (MessageId(message), int(number))


_ROOMS = (
    "select change, room, '' as key from (select change, id as room from room where change >= ? "
    "union select change, room from field where change >= ?) "
    "where (change, room, '') > (?, ?, ?) order by change, room limit ?"
)
_ADDED = (
    "select added, room, message from message where added >= ? "
    "and (added, room, message) > (?, ?, ?) order by added, room, message limit ?"
)
_CHANGED = (
    "select change, room, message from message where change >= ? and change > added "
    "and (change, room, message) > (?, ?, ?) order by change, room, message limit ?"
)
_READS = (
    "select change, room, member || '/' || place as key from read_to where change >= ? "
    "and (change, room, member || '/' || place) > (?, ?, ?) order by change, room, key limit ?"
)
_FILES = (
    "select file.change, attachment.room, attachment.message || '/' || attachment.place as key "
    "from file join attachment on attachment.file = file.id where file.change >= ? and "
    "(file.change, attachment.room, attachment.message || '/' || attachment.place) > (?, ?, ?) "
    "order by file.change, attachment.room, key limit ?"
)


def _places(db: Database, what: What, sql: str, after: Place, limit: int) -> list[Place]:
    if what == after.what:
        room, key = after.room, after.key
    else:  # all of that transaction, or none of it
        room, key = (-1, "") if what > after.what else (2**62, "")
    first = (after.change,) * (2 if what is What.ROOM else 1)
    return [
        Place(change, what, row, text)
        for change, row, text in db.rows(sql, (*first, after.change, room, key, limit))
    ]

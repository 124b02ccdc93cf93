"""Rows about this peer and its rooms: keys, titles, cursors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from msgspec import Struct

from ..core import clock
from ..core.keeping import Keep
from ..errors import NotFoundError, ValidationError
from ..ids import MemberId, RoomId, Stamp, room_text
from .database import Database

NO_INCARNATION = bytes(8)
NO_FINGERPRINT = bytes(8)

NOTES_TITLE = "Notes"
"""What the personal room is called, whatever it was called when it was made."""


class Standing(StrEnum):
    """Is what this peer is in a room."""

    MEMBER = "member"
    JOINING = "joining"
    """An invite is here, and the room's log does not show the member yet."""
    ASKING = "asking"
    """The invite needs approval, or the request for it waits."""
    COMPARING = "comparing"
    """Asks as a device by a code, and takes no answer before the emoji were compared here."""
    RECOVERING = "recovering"
    """The recovery phrase was given; this device is to be certified in the room's log."""
    RETURNING = "returning"
    """The relay lets this member in no longer, or has lost who they are; the invite is tried."""
    REMOVED = "removed"
    LEFT = "left"
    REFUSED = "refused"
    """The invite lets nobody in; ``refusal`` says why."""
    OLD = "old"
    """The room was made before rooms had logs; it can be read, and no more."""

    @property
    def is_coming(self) -> bool:
        """Tell whether this peer comes in by an invite, and is not in yet."""
        return self in (Standing.JOINING, Standing.ASKING, Standing.COMPARING)


@dataclass(frozen=True, slots=True)
class Local:
    """Is this peer: its secret seed, and the person's name."""

    seed: bytes
    name: str


class RoomRow(Struct, frozen=True):
    """Is one room as stored; ``id`` is the row, ``room_id`` its name everywhere.

    A ``Struct``, as are others of which each envelope loads some: it is made in a tenth of the
    time that a frozen dataclass takes.
    """

    id: int
    room_id: RoomId
    title: str
    relay: str
    epoch: int
    incarnation: bytes
    cursor: int
    fingerprint: bytes
    head: int
    standing: Standing
    invite: bytes | None
    is_personal: bool
    is_doubted: bool
    direct: MemberId
    """With whom it is a direct room, empty for any other."""


_COLUMNS = (
    "id, room_id, title, relay, epoch, incarnation, cursor, fingerprint, head, standing, invite, "
    "is_personal, is_doubted, direct"
)


def load_local(db: Database) -> Local | None:
    """Return this peer, or None in a new database."""
    row = db.row("select seed, name from local")
    return None if row is None else Local(*row)


def create_local(db: Database, local: Local, *, now_ms: int) -> None:
    """Store this peer in a new database; does nothing where one is stored already."""
    db.execute(
        "insert into local (id, seed, name, last_stamp, change, created_ms) "
        "values (1, ?, ?, ?, 0, ?) on conflict do nothing",
        (local.seed, local.name, clock.ZERO, now_ms),
    )


def rename_local(db: Database, name: str) -> None:
    """Store the person's new name."""
    db.execute("update local set name = ?", (name,))


def next_stamp(db: Database, now_ms: int) -> Stamp:
    """Return a reading after every one given before, by any process; inside a transaction."""
    (last,) = db.execute("select last_stamp from local").fetchone()
    stamp = clock.tick(last, now_ms)
    db.execute(
        "update local set last_stamp = ?, change = max(change, ?)", (stamp, _first_change(now_ms))
    )
    return stamp


def begin_write(db: Database, last: Stamp, change: int, now_ms: int) -> tuple[Stamp, int]:
    """Return a local write's reading and the number of its changes, after the last ones given."""
    stamp, number = clock.tick(last, now_ms), max(change, _first_change(now_ms)) + 1
    db.execute("update local set last_stamp = ?, change = ?", (stamp, number))
    return stamp, number


def observe_stamp(db: Database, seen: Stamp, now_ms: int) -> None:
    """Let the clock follow a reading of another device, within limits."""
    (last,) = db.execute("select last_stamp from local").fetchone()
    moved = clock.observe(last, seen, now_ms)
    if moved != last:
        db.execute("update local set last_stamp = ?", (moved,))


def follow_own_stamp(db: Database, seen: Stamp) -> None:
    """Move the clock past a reading that this device gave in a life that was restored away."""
    db.execute("update local set last_stamp = max(last_stamp, ?)", (seen,))


def next_change(db: Database) -> int:
    """Return the number of this transaction's changes, greater than all before."""
    (change,) = db.execute("update local set change = change + 1 returning change").fetchone()
    return int(change)


def skip_changes(db: Database, now_ms: int) -> None:
    """Number what follows anew, above all that may have been given before; in a transaction.

    A power loss takes back what was received last, and with it the numbers: a reader may already
    have been told what had them.
    """
    db.execute("update local set change = max(change, ?)", (_first_change(now_ms),))


def last_change(db: Database) -> int:
    """Return the number of the latest changes."""
    (change,) = db.execute("select change from local").fetchone()
    return int(change)


def _first_change(now_ms: int) -> int:
    """Return a number that no database has reached before this moment, if clocks are right: there
    are fewer transactions than milliseconds."""
    return now_ms


def add_room(
    db: Database,
    room_id: RoomId,
    *,
    title: str,
    relay: str,
    standing: Standing,
    invite: bytes | None = None,
    is_personal: bool = False,
    direct: str = "",
    now_ms: int,
) -> RoomRow:
    """Store a room, or return it as it is when it is here already."""
    found = find_by_id(db, room_id)
    if found is not None:
        return found
    db.execute(
        "insert into room (room_id, title, relay, epoch, incarnation, cursor, fingerprint, "
        "head, change, joined_ms, standing, invite, is_personal, direct) "
        "values (?, ?, ?, 0, ?, 0, ?, 0, ?, ?, ?, ?, ?, ?)",
        (
            room_id,
            title,
            relay,
            NO_INCARNATION,
            NO_FINGERPRINT,
            next_change(db),
            now_ms,
            standing,
            invite,
            is_personal,
            direct,
        ),
    )
    added = find_by_id(db, room_id)
    assert added is not None
    return added


def all_rooms(db: Database) -> list[RoomRow]:
    """Return every room, in the order in which they were added."""
    return [_room(row) for row in db.rows(f"select {_COLUMNS} from room order by id")]


def load_room(db: Database, room: int) -> RoomRow:
    """Return the room of a row id."""
    row = db.row(f"select {_COLUMNS} from room where id = ?", (room,))
    if row is None:
        raise NotFoundError("the room is gone from this database")
    return _room(row)


def find_by_id(db: Database, room_id: bytes) -> RoomRow | None:
    """Return the room with this id, or None."""
    row = db.row(f"select {_COLUMNS} from room where room_id = ?", (room_id,))
    return None if row is None else _room(row)


def find_room(db: Database, name: str) -> RoomRow:
    """Return the room with this title or whose id starts with ``name``.

    Raises ``NotFoundError``, or ``ValidationError`` when several fit.
    """
    rooms = [row for row in all_rooms(db) if not row.is_personal]
    found = [r for r in rooms if r.title == name]
    found = found or [r for r in rooms if r.title.casefold() == name.casefold()]
    if not found and name.casefold() == NOTES_TITLE.casefold():
        found = [row for row in all_rooms(db) if row.is_personal]
    if not found and len(name) >= 4:
        found = [r for r in rooms if room_text(r.room_id).startswith(name.upper())]
    if not found:
        known = ", ".join(repr(r.title or room_text(r.room_id)[:8]) for r in rooms) or "none yet"
        raise NotFoundError(f"no room {name!r} here; rooms: {known}")
    if len(found) > 1:
        ids = ", ".join(room_text(r.room_id)[:8] for r in found)
        raise ValidationError(f"several rooms are called {name!r}; use an id: {ids}")
    return found[0]


def direct_rooms(db: Database, member: str) -> list[RoomRow]:
    """Return the direct rooms with a person, in order of id."""
    rows = db.rows(f"select {_COLUMNS} from room where direct = ? order by room_id", (member,))
    return [_room(row) for row in rows]


def set_direct(db: Database, room: int, member: str) -> None:
    """Store with whom a room is a direct one."""
    db.execute("update room set direct = ? where id = ?", (member, room))


def room_key(db: Database, room: int, epoch: int) -> bytes | None:
    """Return the room key of an epoch, or None when it is not here."""
    row = db.row("select key from room_key where room = ? and epoch = ?", (room, epoch))
    return None if row is None else bytes(row[0])


def add_room_keys(db: Database, room: int, keys: Mapping[int, bytes]) -> None:
    """Store room keys by epoch; those that are here stay."""
    db.executemany(
        "insert into room_key (room, epoch, key) values (?, ?, ?) on conflict do nothing",
        [(room, epoch, key) for epoch, key in keys.items()],
    )


def lost_keys(db: Database, room: int, epoch: int) -> list[bytes]:
    """Return the keys of an epoch's number that lost a fork of the room's log."""
    rows = db.rows("select key from lost_key where room = ? and epoch = ?", (room, epoch))
    return [bytes(key) for (key,) in rows]


def add_lost_key(db: Database, room: int, epoch: int, key: bytes) -> None:
    """Store a key that lost a fork; it is no epoch's key any more."""
    place = (room, epoch, key)
    db.execute("insert or ignore into lost_key (room, epoch, key) values (?, ?, ?)", place)
    db.execute("delete from room_key where room = ? and epoch = ? and key = ?", place)


def set_standing(db: Database, room: int, standing: Standing, *, epoch: int) -> None:
    """Store what this peer is in a room, and the room's key epoch in force."""
    db.execute(
        "update room set standing = ?, epoch = ? where id = ? and (standing, epoch) <> (?, ?)",
        (standing, epoch, room, standing, epoch),
    )


def set_relay(db: Database, room: int, relay: str) -> None:
    """Store where a room that had no relay meets from now on."""
    db.execute("update room set relay = ? where id = ?", (relay, room))


def use_invite(db: Database, room: int, standing: Standing, invite: bytes) -> None:
    """Try to come into a room by another invite."""
    db.execute(
        "update room set standing = ?, invite = ?, refusal = '' where id = ?",
        (standing, invite, room),
    )


def refuse_standing(db: Database, room: int, reason: str) -> None:
    """Store that an invite lets nobody in, and why."""
    db.execute(
        "update room set standing = ?, refusal = ? where id = ?", (Standing.REFUSED, reason, room)
    )


def refusal(db: Database, room: int) -> str:
    """Return why an invite let nobody in, empty where it did not come to that."""
    (found,) = db.execute("select refusal from room where id = ?", (room,)).fetchone()
    return str(found)


def position_of(db: Database, room: int) -> tuple[bytes, int]:
    """Return which log of a room is read here, by its relay's incarnation, and up to where."""
    incarnation, cursor = db.execute(
        "select incarnation, cursor from room where id = ?", (room,)
    ).fetchone()
    return bytes(incarnation), int(cursor)


def set_position(
    db: Database, room: int, *, incarnation: bytes, cursor: int, fingerprint: bytes
) -> None:
    """Store how far the room's log at the relay is applied."""
    db.execute(
        "update room set incarnation = ?, cursor = ?, fingerprint = ? where id = ?",
        (incarnation, cursor, fingerprint, room),
    )


def set_head(db: Database, room: int, head: int) -> None:
    """Store the last seq that the relay is known to have."""
    db.execute("update room set head = ? where id = ? and head <> ?", (head, room, head))


def set_doubted(db: Database, room: int, is_doubted: bool) -> None:
    """Store whether the relay last delivered other bytes than it says to have."""
    db.execute("update room set is_doubted = ? where id = ?", (is_doubted, room))


def owes_refill(db: Database, room: int) -> bool:
    """Tell whether the relay may lack envelopes that are here, others' included."""
    (owes,) = db.execute("select refill from room where id = ?", (room,)).fetchone()
    return bool(owes)


def set_refill(db: Database, room: int, owes: bool) -> None:
    """Store whether the relay may lack envelopes that are here."""
    db.execute("update room set refill = ? where id = ?", (owes, room))


class KeepRow(NamedTuple):
    """Says how long a room keeps messages, and before which id they are over, as swept so far."""

    room: int
    keep: Keep
    cutoff: str


def set_keep(db: Database, room: int, keep: Keep) -> None:
    """Store how long a room keeps its messages."""
    db.execute("update room set keep_ms = ?, floor_ms = ? where id = ?", (*keep, room))


def set_cutoff(db: Database, room: int, cutoff: str) -> None:
    """Store before which message of a room all are over."""
    db.execute("update room set cutoff = ? where id = ?", (cutoff, room))


def keep_row(db: Database, room: int) -> KeepRow:
    """Return how long a room keeps its messages."""
    row = db.row("select keep_ms, floor_ms, cutoff from room where id = ?", (room,))
    assert row is not None
    return KeepRow(room, Keep(row[0], row[1]), row[2])


def kept(db: Database, room: int) -> tuple[RoomId, Keep]:
    """Return the id of a room, and how long it keeps its messages."""
    row = db.row("select room_id, keep_ms, floor_ms from room where id = ?", (room,))
    if row is None:
        raise NotFoundError("the room is gone from this database")
    return RoomId(row[0]), Keep(row[1], row[2])


def cutoff_now(db: Database, room: int, now_ms: int) -> Stamp:
    """Return the stamp before which messages of a room are over at a moment."""
    return keep_row(db, room).keep.cutoff(now_ms)


def kept_conditions(db: Database, now_ms: int) -> list[str]:
    """Return SQL conditions for rows of ``message`` that rooms keep, where some are not swept."""
    return [
        f"(message.room <> {row.room} or message.message >= '{cutoff}')"
        for row in keeping_rooms(db)
        if (cutoff := row.keep.cutoff(now_ms)) > row.cutoff
    ]


def keeping_rooms(db: Database) -> list[KeepRow]:
    """Return the rooms that do not keep all, or did not lately."""
    rows = db.rows(
        "select id, keep_ms, floor_ms, cutoff from room "
        "where keep_ms > 0 or floor_ms > 0 or cutoff > '0000000000000' order by id"
    )
    return [
        KeepRow(room, Keep(keep_ms, floor_ms), cutoff) for room, keep_ms, floor_ms, cutoff in rows
    ]


def _room(row: tuple[Any, ...]) -> RoomRow:
    id_, room_id, title, relay, epoch, incarnation, cursor, fingerprint, head = row[:9]
    return RoomRow(
        id_,
        RoomId(room_id),
        NOTES_TITLE if row[11] else title,
        relay,
        epoch,
        incarnation,
        cursor,
        fingerprint,
        head,
        Standing(row[9]),
        row[10],
        bool(row[11]),
        bool(row[12]),
        MemberId(row[13]),
    )

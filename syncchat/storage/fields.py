"""Fields: small named values of a room, or of a member's profile in it; the last one wins."""

from __future__ import annotations

from typing import Any

import msgspec

from ..core.keeping import Keep, keep_in
from ..core.values import (
    EXPIRES_MS_MAX,
    KEEP_FIELD,
    PIN_FIELD,
    TIMER_FIELD,
    FieldValue,
    Root,
    decode_value,
    encode_value,
)
from ..ids import DeviceId, MemberId, MessageId
from . import outbox, rooms, view
from .database import Database
from .outbox import Op

NOBODY = MemberId("")
"""Whose the room's own fields are."""


def find_field(db: Database, room: int, root: Root, key: str, member: MemberId = NOBODY) -> Any:
    """Return the value of a field, None where there is none."""
    row = db.row(
        "select value from field where room = ? and root = ? and member = ? and key = ?",
        (room, int(root), member, key),
    )
    return None if row is None else msgspec.json.decode(row[0])


def fields_of(db: Database, room: int, prefix: str = "") -> dict[str, Any]:
    """Return the room's own fields whose key begins with ``prefix``, in order of key."""
    rows = db.rows(
        "select key, value from field "
        "where room = ? and root = ? and member = '' and key >= ? and substr(key, 1, ?) = ? "
        "order by key",
        (room, int(Root.ROOM), prefix, len(prefix), prefix),
    )
    return {key: msgspec.json.decode(value) for key, value in rows}


def timer_seconds(db: Database, room: int) -> int:
    """Return after how many seconds what is written in a room disappears, 0 for never."""
    return seconds_of(find_field(db, room, Root.ROOM, TIMER_FIELD))


def seconds_of(said: Any) -> int:
    """Return the seconds that a room's timer says, 0 for never."""
    is_one = isinstance(said, int) and not isinstance(said, bool)
    return said if is_one and 0 < said <= EXPIRES_MS_MAX // 1_000 else 0


def keep_of(db: Database, room: int) -> Keep:
    """Return how long a room keeps its messages."""
    return keep_in(find_field(db, room, Root.ROOM, KEEP_FIELD))


def pinned_before(
    db: Database, room: int, before: MessageId | None, *, limit: int, now_ms: int
) -> list[MessageId]:
    """Return the last pinned messages that are there, those before one if it is given."""
    rows = db.rows(
        "select message from field join message on message.room = field.room "
        "and message.message = substr(field.key, ?) "
        "where field.room = ? and field.root = ? and field.member = '' "
        "and field.key >= ? and field.key < ? and field.value = 'true' and deleted = 0 "
        "and gone = 0 and (expires_ms is null or expires_ms > ?) "
        "order by field.key desc limit ?",
        (
            len(PIN_FIELD) + 1,
            room,
            int(Root.ROOM),
            PIN_FIELD + rooms.cutoff_now(db, room, now_ms),
            PIN_FIELD + (before or "~"),
            now_ms,
            limit,
        ),
    )
    return [MessageId(message) for (message,) in rows]


def last_sealed(db: Database, room: int, root: Root, target: str, *, me: DeviceId) -> Any:
    """Return this device's last entry about a message that others may have seen, or None."""
    row = db.row(
        "select value from mark where room = ? and target = ? and root = ? and device = ? "
        "order by at desc limit 1",
        (room, target, int(root), me),
    )
    return None if row is None else decode_value(root, row[0])


def profile_fields(
    db: Database, room: int, prefix: str, *, after: int = -1
) -> list[tuple[MemberId, str, Any]]:
    """Return members' fields whose key begins with ``prefix`` and that changed after a change."""
    rows = db.rows(
        "select member, key, value from field where change > ? and +room = ? and +root = ? "
        "and key >= ? and key < ? order by change, member, key",
        (after, room, int(Root.PROFILE), prefix, prefix + "~"),
    )
    return [(MemberId(member), key, msgspec.json.decode(value)) for member, key, value in rows]


def put_field(
    db: Database, room: int, root: Root, key: str, value: Any, *, me: DeviceId, now_ms: int
) -> None:
    """Write a field, of the room's or of the own profile; inside a transaction.

    Raises ``ValidationError`` for what has no JSON form or is too long.
    """
    stamp = rooms.next_stamp(db, now_ms)
    field = FieldValue(stamp, value)
    outbox.put(db, room, Op(root, key, stamp, encode_value(field)), device=me)
    batch = view.ViewBatch(db, room, me=me)
    batch.note(root, key, field)
    batch.flush()

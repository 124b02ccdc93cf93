"""Fields: small named values of a room, or of a member's profile in it; the last one wins."""

from __future__ import annotations

from typing import Any

import msgspec

from ..core.values import FieldValue, Root, encode_value
from ..ids import DeviceId, MemberId
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

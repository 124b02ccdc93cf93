"""The personal room's journal: which rooms a person has, for their other devices to follow.

A field ``room/<id>`` of the personal room says where a room is, ``device/<id>`` what a device is
called. A device that meets a room there which it does not have takes it up; it is let in when the
room's log has its certificate, which another device of the person's, or this one with the root
key, brings there.
"""

from __future__ import annotations

from typing import Any

from ..core.values import NAME_CHARS_MAX, TITLE_CHARS_MAX, Root, is_label
from ..errors import DecodeError
from ..ids import DeviceId, MemberId, RoomId, room_bytes, room_text
from ..storage import history, identity, members, rooms
from ..storage.database import Database
from ..storage.fields import fields_of, put_field
from ..storage.rooms import RoomRow, Standing
from ..trust.person import member_text, user_of

ROOM_FIELD = "room/"
DEVICE_FIELD = "device/"
BLOCK_FIELD = "block/"
RELAY_CHARS_MAX = 500


def room_entry(row: RoomRow) -> tuple[str, list[str]]:
    """Return the field that tells other devices of a room."""
    told = [row.relay, row.title, row.direct] if row.direct else [row.relay, row.title]
    return ROOM_FIELD + room_text(row.room_id), told


def tell_home(db: Database, *, me: DeviceId, now_ms: int) -> None:
    """Note in the personal room's journal what rooms are here; inside a transaction."""
    who = identity.load_identity(db)
    if who is None or who.home is None:
        return
    home = rooms.load_room(db, who.home)
    if home.standing is not Standing.MEMBER:
        return
    said = fields_of(db, home.id)
    for each in rooms.all_rooms(db):
        key, value = room_entry(each)
        if not each.is_personal and said.get(key) != value:
            put_field(db, home.id, Root.ROOM, key, value, me=me, now_ms=now_ms)


def follow_home(db: Database, home: RoomRow, *, me: DeviceId, now_ms: int) -> bool:
    """Take up the rooms and the name of a personal room; tell whether anything was new.

    Inside a transaction; again is harmless.
    """
    is_new = False
    for key, value in fields_of(db, home.id).items():
        place = _place_of(key, value)
        if place is None or rooms.find_by_id(db, place[0]) is not None:
            continue
        room_id, relay, title, direct = place
        row = rooms.add_room(
            db,
            room_id,
            title=title,
            relay=relay,
            standing=Standing.RECOVERING,
            direct=direct,
            now_ms=now_ms,
        )
        members.set_owners(db, row.id, [(me, _me(db))])
        is_new = True
    name = history.names_of(db, home.id).get(_me(db), "")
    local = rooms.load_local(db)
    if local is not None and is_label(name, NAME_CHARS_MAX) and name != local.name:
        rooms.rename_local(db, name)
        is_new = True
    return is_new


def _me(db: Database) -> MemberId:
    who = identity.load_identity(db)
    assert who is not None
    return member_text(user_of(who.root))


def _place_of(key: str, value: Any) -> tuple[RoomId, str, str, str] | None:
    if not key.startswith(ROOM_FIELD) or not isinstance(value, list) or len(value) < 2:
        return None
    relay, title = value[:2]
    direct = value[2] if len(value) > 2 and isinstance(value[2], str) else ""
    if not isinstance(relay, str) or len(relay) > RELAY_CHARS_MAX or not isinstance(title, str):
        return None
    try:
        room = room_bytes(key[len(ROOM_FIELD) :])
    except DecodeError:
        return None
    return room, relay, title if is_label(title, TITLE_CHARS_MAX) else "", direct

"""Letters that came in: somebody has made a direct room with this person."""

from __future__ import annotations

from ..core.values import LETTER_FIELD, Root
from ..ids import DeviceId, MemberId, RoomId, member_bytes
from ..storage import history, identity, members, rooms
from ..storage.database import Database
from ..storage.fields import find_field, profile_fields, put_field
from ..storage.rooms import RoomRow, Standing
from ..trust.letters import DirectRoom, open_letter
from ..trust.person import member_text, user_of
from .homing import BLOCK_FIELD, tell_home

DIRECT_ROOMS_MAX = 4
"""Direct rooms that one person may open with this one; more than one come of a coincidence."""


def take_letters(db: Database, room: RoomRow, *, after: int, me: DeviceId, now_ms: int) -> bool:
    """Take up the direct rooms in letters that came after a change; tell whether there were any.

    Inside the transaction that brought them. A direct room must be at the relay of the room that
    told of it: nobody makes this peer call at addresses of their choice.
    """
    found = profile_fields(db, room.id, LETTER_FIELD, after=after)
    if not found:
        return False
    secrets = identity.user_secrets(db)
    who = identity.load_identity(db)
    assert who is not None
    mine = member_text(user_of(who.root))
    is_new = False
    for member, _, value in found:
        writer = member_bytes(member)
        if member == mine or writer is None:
            continue
        letter = open_letter(value, room=room.room_id, writer=writer, secrets=secrets)
        if isinstance(letter, DirectRoom) and _is_welcome(db, room, member, letter):
            _take_up(db, room, member, letter, me=me, mine=mine, now_ms=now_ms)
            is_new = True
    return is_new


def _is_welcome(db: Database, room: RoomRow, member: MemberId, letter: DirectRoom) -> bool:
    who = identity.load_identity(db)
    home = None if who is None else who.home
    is_blocked = home is not None and find_field(db, home, Root.ROOM, BLOCK_FIELD + member)
    return (
        len(letter.room) == len(room.room_id)
        and letter.relay == room.relay
        and not is_blocked
        and rooms.find_by_id(db, letter.room) is None
        and len(rooms.direct_rooms(db, member)) < DIRECT_ROOMS_MAX
    )


def _take_up(
    db: Database,
    room: RoomRow,
    member: MemberId,
    letter: DirectRoom,
    *,
    me: DeviceId,
    mine: MemberId,
    now_ms: int,
) -> None:
    name = history.names_of(db, room.id).get(member) or member[:6]
    row = rooms.add_room(
        db,
        RoomId(letter.room),
        title=name,
        relay=letter.relay,
        standing=Standing.RECOVERING,
        direct=member,
        now_ms=now_ms,
    )
    members.set_owners(db, row.id, [(me, mine)])
    local = rooms.load_local(db)
    assert local is not None
    put_field(db, row.id, Root.PROFILE, "name", local.name, me=me, now_ms=now_ms)
    tell_home(db, me=me, now_ms=now_ms)

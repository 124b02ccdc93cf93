"""What a local write stands on: all that it has to know before it writes, asked at once.

Each question costs little, and a write has a dozen: asked one by one they cost more than it does.
"""

from __future__ import annotations

from typing import NamedTuple

from ..core.values import TIMER_FIELD, Root
from ..errors import NotFoundError
from ..ids import DeviceId, MemberId, RoomId, Stamp
from .database import Database
from .rooms import Standing

_FOOTING = f"""
select room_id, standing, cutoff, identity.root, last_stamp, local.change,
    (select coalesce(max(id), 0) from record where record.room = room.id),
    coalesce(device.member, ?2), name.value,
    (select value from field where field.room = room.id and field.root = {int(Root.ROOM)}
        and field.member = '' and field.key = '{TIMER_FIELD}'),
    exists (select 1 from room where keep_ms > 0 or floor_ms > 0 or cutoff > '0000000000000'),
    (select min(expires_ms) from message where gone = 0 and expires_ms is not null)
from room, identity, local
left join device on device.room = room.id and device.device = ?2
left join field as name on name.room = room.id and name.root = {int(Root.PROFILE)}
    and name.member = coalesce(device.member, ?2) and name.key = 'name'
where room.id = ?1
"""


class Footing(NamedTuple):
    """Is what one moment's write in a room stands on.

    ``root`` is the person's root key, ``last_record`` the row of the record that came last, 0 for
    none. ``name`` and ``timer`` are the JSON of fields: what this person is called, and after how
    many seconds what is written disappears; None where nobody has said. Of the whole database are
    ``last_stamp``, ``last_change``, whether any room keeps messages for a time only, and when the
    next message disappears.
    """

    room_id: RoomId
    standing: Standing
    cutoff: str
    root: bytes
    last_stamp: Stamp
    last_change: int
    last_record: int
    member: MemberId
    name: str | None
    timer: str | None
    is_keeping: bool
    due_ms: int | None

    def may_fade(self, now_ms: int) -> bool:
        """Tell whether there may be messages whose time is over."""
        return self.is_keeping or (self.due_ms is not None and self.due_ms <= now_ms)


def footing_in(db: Database, room: int, *, me: DeviceId) -> Footing:
    """Return what a write of this device in a room stands on now."""
    row = db.row(_FOOTING, (room, me))
    if row is None:
        raise NotFoundError("the room is gone from this database")
    room_id, standing, *rest = row
    return Footing(room_id, Standing(standing), *rest)

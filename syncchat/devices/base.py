"""What every part of a person's devices stands on: the home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import NotAllowedError, ValidationError
from ..ids import RoomId
from ..storage import rooms
from ..storage.rooms import RoomRow, Standing

if TYPE_CHECKING:
    from ..peer import Peer


class DevicesPart:
    """Is a handle's foundation: whose devices, and where their home is."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._db = peer._db
        self._keys = peer._keys
        self._membership = peer._membership

    @property
    def home(self) -> str:
        """Return the address of the relay that has the personal room, empty without one."""
        row = self._home()
        return "" if row is None else row.relay

    @property
    def home_room(self) -> RoomId | None:
        """Return the id of the personal room, None without one; for ``Peer.room``."""
        row = self._home()
        return None if row is None else row.room_id

    def _home(self) -> RoomRow | None:
        return self._peer._personal.row()

    def _need_home(self) -> RoomRow:
        row = self._home()
        if row is None or not row.relay:
            raise NotAllowedError("you have no home yet; choose a relay for it first (set_home)")
        return row

    def _add_home(
        self, room: RoomId, relay: str, standing: Standing, invite: bytes | None
    ) -> RoomRow:
        return rooms.add_room(
            self._db,
            room,
            title=rooms.NOTES_TITLE,
            relay=relay,
            standing=standing,
            invite=invite,
            is_personal=True,
            now_ms=self._peer.now_ms(),
        )

    def _check_unused(self) -> None:
        if rooms.all_rooms(self._db):
            raise ValidationError(
                "this database is somebody's already: it has rooms; use a new database"
            )

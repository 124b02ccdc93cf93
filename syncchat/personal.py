"""What a person keeps to themselves, on every device of theirs: fields of the personal room.

The personal room has only the person in it. It is made when it is first needed; while no relay is
its home (``Devices.set_home``) it stays on this device, and syncs from its beginning afterwards.
A field's last value by (stamp, device) wins, as in any room. A key has at most 64 characters.

=====================================  ========================================================
field                                  value
=====================================  ========================================================
``room/<room>``                        ``[relay, title]`` of a room, and of a direct one with whom
                                       it is (``exchange.homing``)
``draft/<room>/<thread or nothing>``   ``{text, reply_to, edits, attachments, saved}``
``star/<room>/<message>``              when it was marked, ms since 1970
``gone/<room>/<message>``              true for a message that was deleted for oneself
``block/<member>``                     true for who is blocked
``plan/<plan>``                        a message that is to be sent (``peer.later``)
``sent/<plan>/<device>``               ``[room, message, at]`` of a planned message that was sent
``remind/<reminder>``                  what to be reminded of (``peer.later``)
``me/status``, ``me/invisible``        what is said about oneself; true for who is not seen
``device/<device>``                    what a device is called (``exchange.homing``)
``set/<room>``                         object: level, muted_until, receipts, archived, favourite
                                       (``room.settings``)
``receipts/up-to``                     the most members of a room where receipts are public unless
                                       it is set otherwise (``Peer.receipts_up_to``)
``unread/<message>``                   the room in which it is marked as unread (``room.unread``)
``avatar``                             this person's picture (``peer.talks``)
=====================================  ========================================================

Its journal's root ``reads`` also says what was read in rooms where others are not to know
(``core.markers``).
"""

from __future__ import annotations

from typing import Any

from .core.values import Root
from .ids import DeviceId
from .membership import Membership
from .ports import Clock
from .storage import identity, rooms
from .storage.database import Database
from .storage.fields import fields_of, find_field, put_field
from .storage.rooms import RoomRow

SETTINGS_FIELD = "set/"


class Personal:
    """Reads and writes the personal room's fields."""

    def __init__(
        self, db: Database, membership: Membership, *, device: DeviceId, clock: Clock
    ) -> None:
        self._db = db
        self._membership = membership
        self._device = device
        self._clock = clock

    def row(self) -> RoomRow | None:
        """Return the personal room, None while there is none."""
        who = identity.load_identity(self._db)
        if who is None or who.home is None:
            return None
        return rooms.load_room(self._db, who.home)

    def make(self, relay: str = "") -> RoomRow:
        """Return the personal room; inside a transaction.

        It is made here if need be. One that has no relay yet gets this one.
        """
        row = self.row()
        if row is None:
            row = self._membership.create(rooms.NOTES_TITLE, relay, is_personal=True)
            identity.set_home(self._db, row.id)
            local = rooms.load_local(self._db)
            assert local is not None
            self._put(row.id, Root.PROFILE, "name", local.name)
        elif relay and not row.relay:
            rooms.set_relay(self._db, row.id, relay)
            row = rooms.load_room(self._db, row.id)
        return row

    def get(self, key: str) -> Any:
        """Return a field's value, None for one that was never set or was cleared."""
        row = self.row()
        return None if row is None else find_field(self._db, row.id, Root.ROOM, key)

    def all(self, prefix: str) -> dict[str, Any]:
        """Return the fields whose key begins with ``prefix``, without those that were cleared."""
        row = self.row()
        found = {} if row is None else fields_of(self._db, row.id, prefix)
        return {key: value for key, value in found.items() if value is not None}

    def put(self, key: str, value: Any) -> None:
        """Set a field, or clear it with None; inside a transaction.

        What is so already is not written again. Raises ``ValidationError`` for what has no JSON
        form or is too long.
        """
        if self.get(key) != value:
            self._put(self.make().id, Root.ROOM, key, value)

    def _put(self, row: int, root: Root, key: str, value: Any) -> None:
        put_field(self._db, row, root, key, value, me=self._device, now_ms=self._clock.now_ms())

"""Where a batch works: one transaction in one room, for one device."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ...ids import DeviceId, MemberId
from .. import rooms
from ..aside import blocked
from ..database import Database
from ..footing import Footing
from ..members import Owners
from .log import admins_of
from .unread import home_of


class Scope:
    """Is what all parts of one batch share."""

    def __init__(
        self,
        db: Database,
        room: int,
        *,
        me: DeviceId,
        footing: Footing | None = None,
        change: int | None = None,
    ) -> None:
        """``footing`` is what the transaction stands on, ``change`` the number of its changes,
        where they are known already."""
        self.db = db
        self.room = room
        self.me = me
        self.owners = Owners(db, room)
        self._admins: frozenset[MemberId] | None = None
        self._change = change
        self._cutoff = None if footing is None else footing.cutoff
        if footing is not None:
            self.owners[me] = footing.member
        self._is_home: bool | None = None
        self._blocked: frozenset[MemberId] | None = None

    @property
    def blocked(self) -> frozenset[MemberId]:
        """Return of whom this person is told nothing."""
        if self._blocked is None:
            self._blocked = blocked(self.db)
        return self._blocked

    @property
    def admins(self) -> frozenset[MemberId]:
        """Return whose word counts on what only admins may say of a room."""
        if self._admins is None:
            self._admins = admins_of(self.db, self.room)
        return self._admins

    def forget_admins(self) -> None:
        """Look anew who they are."""
        self._admins = None

    @property
    def cutoff(self) -> str:
        """Return before which id messages are older than the room keeps them, as swept so far."""
        if self._cutoff is None:
            self._cutoff = rooms.keep_row(self.db, self.room).cutoff
        return self._cutoff

    @property
    def change(self) -> int:
        """Return the number under which this transaction's changes are found."""
        if self._change is None:
            self._change = rooms.next_change(self.db)
        return self._change

    @property
    def is_home(self) -> bool:
        """Tell whether this is the personal room, which says things about other rooms."""
        if self._is_home is None:
            self._is_home = home_of(self.db) == self.room
        return self._is_home


def json_text(value: Iterable[Any]) -> str:
    """Return the one JSON text of a value."""
    return msgspec.json.encode(value, order="deterministic").decode()

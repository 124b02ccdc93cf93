"""Where a batch works: one transaction in one room, for one device."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ...ids import DeviceId
from .. import rooms
from ..database import Database
from ..members import Owners


class Scope:
    """Is what all parts of one batch share."""

    def __init__(self, db: Database, room: int, *, me: DeviceId) -> None:
        self.db = db
        self.room = room
        self.me = me
        self.owners = Owners(db, room)
        self._change: int | None = None

    @property
    def change(self) -> int:
        """Return the number under which this transaction's changes are found."""
        if self._change is None:
            self._change = rooms.next_change(self.db)
        return self._change


def json_text(value: Iterable[Any]) -> str:
    """Return the one JSON text of a value."""
    return msgspec.json.encode(value, order="deterministic").decode()

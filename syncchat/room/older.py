"""Older history: whether all of a room is kept here, or what is recent, and the rest on demand."""

from __future__ import annotations

from functools import partial

from ..errors import NotConnected, ValidationError
from ..exchange.state import Phase
from ..storage import absent, tallies
from .base import RoomPart, checked_limit

KEPT = ("all", "recent")
"""How much of a room's history is kept on this device."""


class RoomOlder(RoomPart):
    """Is what a room's handle can do about history that is left at the relay; part of ``Room``."""

    __slots__ = ()

    @property
    def history_kept(self) -> str:
        """Return how much of this room is kept on this device: "all" or "recent"."""
        return "recent" if absent.is_light(self._peer._db, self._row) else "all"

    def keep_history(self, kept: str) -> None:
        """Say how much of this room is kept on this device: "all" of it, or what is "recent".

        With "recent" old history that is not here yet is left at the relay from the next connection
        on, until ``fetch_older``; nothing that is here goes. "all" fetches what is missing. The
        personal room is always kept whole. Raises ``ValidationError``.
        """
        if kept not in KEPT:
            raise ValidationError(f"kept is one of {', '.join(KEPT)}, not {kept!r}")
        row = self._load()
        if row.is_personal and kept != "all":
            raise ValidationError("the personal room is kept whole on each of your devices")
        with self._peer._db.atomic():
            absent.set_light(self._peer._db, self._row, kept == "recent")
        self._peer._ring()

    @property
    def has_older(self) -> bool:
        """Tell whether old history of this room is at the relay, and not here."""
        return absent.count(self._peer._db, self._row) > 0

    async def fetch_older(self, limit: int = 100) -> int:
        """Fetch older history from the relay, the newest of it first, until so many messages more
        are here, or there is no more; return how many have come.

        It comes in parts of up to a thousand messages of one device, so that more may come than
        asked for, and between messages that are here. Where nothing has come though ``has_older``
        is true, the relay has none of it now. Raises ``NotConnected`` while there is no connection.
        """
        checked_limit(limit)
        db = self._peer._db
        before = self._messages_here()
        refused: list[int] = []
        while self._messages_here() - before < limit:
            with db.atomic(durable=False):
                stub = absent.want_newest(db, self._row, but=refused)
            if stub is None:
                break
            refused.append(stub.place)
            self._peer._ring()
            await self._peer._until(partial(self._is_settled, stub))
        return self._messages_here() - before

    def _is_settled(self, stub: absent.Absent) -> bool:
        """Tell whether contents have come, or cannot be had now.

        Raises ``NotConnected`` where they will not come for that reason.
        """
        if not absent.is_wanted(self._peer._db, stub):
            return True
        relay = self._load().relay
        state = self._peer.connections.get(relay, "")
        if state.startswith(f"{Phase.OFFLINE} (") or (state == Phase.OFFLINE and self._is_alone()):
            raise NotConnected(f"old history is at {relay}, and that is not reached: {state}")
        return False

    def _is_alone(self) -> bool:
        """Tell whether this process does not connect, so that another would have to."""
        return self._peer._driver is None

    def _messages_here(self) -> int:
        return tallies.message_count(self._peer._db, self._row)

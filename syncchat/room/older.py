"""Older history: whether all of a room is kept here, or what is recent, and the rest on demand."""

from __future__ import annotations

from functools import partial

from ..core.message import Message
from ..errors import NotConnected, NotFoundError, ValidationError
from ..exchange.state import Phase
from ..ids import MessageId, author_device
from ..storage import absent, chains, previews, tallies
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

    @property
    def older_before(self) -> MessageId | None:
        """Return the message before which others may be at the relay, and not here.

        None where all is here, and where nothing tells: what a device left there is older than
        what is here of what it wrote next, and what still comes is older than what is shown ahead.
        """
        with self._peer._db.reading():
            left = absent.horizon(self._peer._db, self._row)
            ahead = previews.first_ahead(self._peer._db, self._row)
        return MessageId(max(left, ahead or "")) or None

    @property
    def shows_ahead(self) -> bool:
        """Tell whether newest messages are shown before what is between them and the rest has come.

        It comes by itself while there is a connection.
        """
        return previews.first_ahead(self._peer._db, self._row) is not None

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

    async def fetch_message(self, message: str) -> Message:
        """Return a message by its whole id, fetched from the relay where it is not here.

        With it come up to a thousand others of its device, and some more until it is found. Raises
        ``NotFoundError`` where it is neither here nor there, or the relay does not have it now,
        and ``NotConnected`` while there is no connection.
        """
        id_, db = self._checked_id(message), self._peer._db
        tried: set[int] = set()
        while (found := self._reading().one(id_)) is None:
            chain = chains.find_chain(db, self._row, author_device(id_))
            stubs = [] if chain is None else absent.around(db, chain.id, id_)
            left = [stub for stub in stubs if stub.place not in tried]
            if not left:
                where = "the relay does not have it now" if stubs else "nor at the relay"
                raise NotFoundError(f"message {id_} is not here, {where}")
            stub = left[len(left) // 2]  # what is in there tells on which side to go on
            tried.add(stub.place)
            with db.atomic(durable=False):
                absent.set_wanted(db, stub, True)
            self._peer._ring()
            await self._peer._until(partial(self._is_settled, stub))
        return found

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

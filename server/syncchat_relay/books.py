"""The hub's books: who is connected, which rooms they have open, and what is to be done.

Everything that the hub does comes down to a few entries here: bytes for a connection, work for the
log with a ticket that its answer brings back, a connection that ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from syncchat.wire.codes import ErrorCode
from syncchat.wire.frames import Error, Live, encode

from . import access
from .asking import read_effect
from .config import Config
from .connection import Ask, Backlog, Connection, Pace, Pending, PendingRead, Room, Subscription
from .cursors import unsaved
from .effects import Close, Effect, SaveCursors, Send
from .fanout import learn_head

if TYPE_CHECKING:
    from .transfers import PendingBlobs


class Books:
    """Keeps what the hub knows, and what it wants done until somebody takes it."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._connections: dict[int, Connection] = {}
        self._rooms: dict[bytes, Room] = {}
        self._moved: dict[bytes, Room] = {}
        """Those with cursors that are to be saved or passed on."""
        self._pending: dict[int, Pending] = {}
        self._pending_blobs: dict[int, PendingBlobs] = {}
        self._blob_bytes = 0
        self._next_alias = 1
        self._next_ticket = 1
        self._backlog = Backlog()
        self._out: list[Effect] = []

    def _pump(self, connection: Connection) -> None:
        """Ask the log for what a connection waits for, as far as it has room for answers."""
        while (
            connection.asks
            and connection.unsent_bytes <= self._config.unsent_bytes_low
            and connection.reads_in_flight < self._config.reads_in_flight_max
            and connection.conn in self._connections
        ):
            ask, alias = next(iter(connection.asks))
            del connection.asks[ask, alias]
            subscription = connection.subscriptions.get(alias)
            if subscription is None:
                continue
            is_of_log = ask in (Ask.ENVELOPES, Ask.NEWEST)
            if is_of_log and subscription.pace is not Pace.READING:
                continue  # asked for before the room was opened anew
            if ask is Ask.ENVELOPES and subscription.is_telling:
                continue  # asked for again when that is told
            subscription.is_telling |= ask is Ask.NEWEST
            connection.reads_in_flight += 1
            ticket = self._ticket(PendingRead(subscription, ask))
            if ask is Ask.CURSORS:
                self._save_cursors([subscription.room])
            self._out.append(read_effect(ask, subscription, ticket, self._config))

    def _room(self, name: bytes, head: int) -> Room:
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = Room(name, self._next_alias, head)
            self._next_alias += 1
        self._learn_head(room, head)
        return room

    def _learn_head(self, room: Room, seq: int) -> None:
        if seq > room.head:  # a commit whose answer has not come, or never will
            learn_head(room, seq)
            self._pump_room(room)

    def _pump_room(self, room: Room) -> None:
        live = Pace.LIVE
        for subscription in room.subscriptions.values():
            if subscription.pace is not live:
                self._pump(subscription.connection)

    def _is_current(self, subscription: Subscription) -> bool:
        connection = subscription.connection
        return (
            connection.conn in self._connections
            and connection.subscriptions.get(subscription.room.alias) is subscription
        )

    def _ticket(self, pending: Pending) -> int:
        ticket = self._next_ticket
        self._next_ticket += 1
        self._pending[ticket] = pending
        return ticket

    def _save_cursors(self, rooms: Iterable[Room]) -> None:
        entries = [entry for room in rooms for entry in unsaved(room)]
        if entries:
            self._out.append(SaveCursors(tuple(entries)))

    def _say_live(self, subscription: Subscription, fingerprint: bytes) -> None:
        if subscription.owes_live_frame:
            subscription.owes_live_frame = False
            frame = Live(subscription.room.alias, subscription.position, fingerprint)
            self._send(subscription.connection, encode(frame))

    def _send(self, connection: Connection, data: bytes) -> None:
        if connection.conn in self._connections:
            connection.unsent_bytes += len(data)
            self._out.append(Send((connection.conn,), data))

    def _error(
        self, connection: Connection, code: ErrorCode, text: str, retry_after_ms: int = 0
    ) -> None:
        self._send(connection, encode(Error(code, retry_after_ms, text)))

    def _refuse(
        self, connection: Connection, code: ErrorCode, text: str, retry_after_ms: int = 0
    ) -> None:
        self._error(connection, code, text, retry_after_ms)
        self._close(connection, text)

    def _close(self, connection: Connection, reason: str) -> None:
        if connection.conn in self._connections:
            self._forget(connection)
            self._out.append(Close(connection.conn, reason))

    def _forget(self, connection: Connection) -> None:
        del self._connections[connection.conn]
        for subscription in connection.subscriptions.values():
            room = subscription.room
            del room.subscriptions[connection.conn]
            if not room.subscriptions:
                self._save_cursors([room])
                del self._rooms[room.name]
                self._moved.pop(room.name, None)
        connection.subscriptions.clear()
        connection.asks.clear()
        connection.loads.clear()

    def _effects(self) -> list[Effect]:
        effects, self._out = self._out, []
        return effects

    def _check(self, room: Room) -> None:
        """Ask the log who may read a room, and hold back what is new until it has answered."""
        pending = access.hold(room, is_open=self._config.is_open)
        self._out.append(access.check_of(self._ticket(pending), pending))

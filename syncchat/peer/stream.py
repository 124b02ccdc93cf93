"""The stream of what happens."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from typing import TYPE_CHECKING

from ..core.clock import ms_of
from ..events import (
    ConnectionChanged,
    Event,
    MessageAdded,
    MessageChanged,
    ReadMoved,
    RoomChanged,
    ring_or_time,
)
from ..storage import history as stored_history
from ..storage import rooms
from .base import PeerPart

if TYPE_CHECKING:
    pass

_CONNECTION_EVENTS_MAX = 100


class PeerEvents(PeerPart):
    """Is what a peer tells of as it happens; part of ``Peer``."""

    def events(self) -> AsyncGenerator[Event, None]:
        """Yield what happens from this call on, in this process or another on the same database.

        A slow reader loses none of it, but sees only the latest of what changed repeatedly.
        """
        return self._events_after(rooms.last_change(self._db))

    async def _events_after(self, seen: int) -> AsyncGenerator[Event, None]:
        connection: deque[ConnectionChanged] = deque(maxlen=_CONNECTION_EVENTS_MAX)
        bell = asyncio.Event()
        self._bells.add(bell)
        self._connection_events[bell] = connection
        try:
            while True:
                while connection:
                    yield connection.popleft()
                upto = rooms.last_change(self._db)
                if upto > seen:
                    for event in self._between(seen, upto):
                        yield event
                    seen = upto
                await ring_or_time(bell)
        finally:
            self._bells.discard(bell)
            del self._connection_events[bell]

    def _between(self, after: int, upto: int) -> Iterator[Event]:
        """Yield what changed after one change number, up to another."""
        handles = {row.id: self._handle(row.id) for row in rooms.all_rooms(self._db)}
        ids = {row.id: row.room_id for row in rooms.all_rooms(self._db)}
        for room in stored_history.changed_rooms(self._db, after, upto):
            yield RoomChanged(ids[room])
        for changed in stored_history.changed_messages(self._db, after, upto):
            message = handles[changed.room]._reading().one(changed.message)
            if message is not None:
                kind = MessageAdded if changed.new else MessageChanged
                yield kind(ids[changed.room], message)
        for moved in stored_history.moved_reads(self._db, after, upto):
            yield ReadMoved(ids[moved.room], moved.member, moved.writer, ms_of(moved.upto))

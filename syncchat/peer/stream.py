"""The stream of what happens."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator

from ..core.clock import ms_of
from ..events import (
    Event,
    MessageAdded,
    MessageChanged,
    PresenceChanged,
    ReadMoved,
    RoomChanged,
    TypingChanged,
    ring_or_time,
)
from ..ids import MessageId, RoomId
from ..storage import history as stored_history
from ..storage import rooms
from ..sync import nearby
from .base import PeerPart

_PASSING_EVENTS_MAX = 100


class PeerEvents(PeerPart):
    """Is what a peer tells of as it happens; part of ``Peer``."""

    def events(self) -> AsyncGenerator[Event, None]:
        """Yield what happens from this call on, in this process or another on the same database.

        A slow reader loses none of it, but sees only the latest of what changed repeatedly.
        """
        return self._events_after(rooms.last_change(self._db))

    async def _events_after(self, seen: int) -> AsyncGenerator[Event, None]:
        passing: deque[Event] = deque(maxlen=_PASSING_EVENTS_MAX)
        bell = asyncio.Event()
        self._bells.add(bell)
        self._passing_events[bell] = passing
        unlisten = self._nearby.listen(lambda change: passing.append(_event_of(change)))
        try:
            while True:
                while passing:
                    yield passing.popleft()
                upto = rooms.last_change(self._db)
                if upto > seen:
                    for event in self._between(seen, upto):
                        yield event
                    seen = upto
                await ring_or_time(bell)
        finally:
            unlisten()
            self._bells.discard(bell)
            del self._passing_events[bell]

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


def _event_of(change: nearby.NearbyChange) -> Event:
    match change:
        case nearby.HereChanged(room, member):
            return PresenceChanged(RoomId(room), member)
        case nearby.TypingChanged(room, member, thread, is_typing):
            where = MessageId(thread) if thread else None
            return TypingChanged(RoomId(room), member, where, is_typing)

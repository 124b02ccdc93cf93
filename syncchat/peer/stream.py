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
    Notification,
    PresenceChanged,
    ReadMoved,
    ReminderDue,
    RoomChanged,
    TypingChanged,
    ring_or_time,
)
from ..exchange.state import Phase
from ..ids import MessageId, RoomId, room_bytes
from ..storage import history as stored_history
from ..storage import rooms
from ..storage.aside import blocked
from ..sync import nearby
from .notifying import PeerNotifying
from .online import PeerOnline

_PASSING_EVENTS_MAX = 100

LOOK_SECONDS = 1.0
"""How often reminders are looked for."""

HELD_SECONDS_MAX = 5.0
"""How long notifications wait, at most, while a relay is catching up."""


class PeerEvents(PeerOnline, PeerNotifying):
    """Is what a peer tells of as it happens; part of ``Peer``."""

    def events(self) -> AsyncGenerator[Event, None]:
        """Yield what happens from this call on, in this process or another on the same database.

        A slow reader loses none of it, but sees only the latest of what changed repeatedly. While
        a relay is catching up, notifications wait a few seconds, so that what came during an
        absence is told together.
        """
        return self._events_after(rooms.last_change(self._db))

    async def _events_after(self, seen: int) -> AsyncGenerator[Event, None]:
        passing: deque[Event] = deque(maxlen=_PASSING_EVENTS_MAX)
        notified, held_since = seen, self._clock.monotonic()
        told: set[str] = set()
        looked = 0.0
        bell = asyncio.Event()
        self._bells.add(bell)
        self._passing_events[bell] = passing
        unlisten = self._nearby.listen(lambda change: passing.append(_event_of(change)))
        try:
            while True:
                while passing:
                    event = passing.popleft()
                    if getattr(event, "member", None) not in blocked(self._db):
                        yield event
                if self._clock.monotonic() - looked >= LOOK_SECONDS:
                    looked = self._clock.monotonic()
                    for reminder in self._due(told):
                        yield reminder
                notifications: list[Notification] = []
                upto = rooms.last_change(self._db)
                if upto == notified:
                    held_since = self._clock.monotonic()
                elif not self._is_catching_up(held_since):
                    # First, so that what the reader of these events marks as read counts, too.
                    notifications, upto = self._notifications(notified)
                    notified = upto
                if upto > seen:
                    for event in self._between(seen, upto):
                        yield event
                    seen = upto
                for notification in notifications:
                    yield notification
                await ring_or_time(bell)
        finally:
            unlisten()
            self._bells.discard(bell)
            del self._passing_events[bell]

    def _due(self, told: set[str]) -> list[ReminderDue]:
        """Return the reminders whose time has come and that were not told yet."""
        due = [r for r in self.reminders() if r.at_ms <= self.now_ms() and r.id not in told]
        told.update(r.id for r in due)
        return [ReminderDue(r.id, r.at_ms, r.room_id, r.message_id, r.note) for r in due]

    def _is_catching_up(self, since: float) -> bool:
        """Tell whether a relay is giving this peer what it has missed, and not for too long."""
        return self._clock.monotonic() - since < HELD_SECONDS_MAX and any(
            words.startswith(Phase.CATCHING_UP.value) for words in self.connections.values()
        )

    def _between(self, after: int, upto: int) -> Iterator[Event]:
        """Yield what changed after one change number, up to another."""
        handles = {row.id: self._handle(row.id) for row in rooms.all_rooms(self._db)}
        ids = {row.id: row.room_id for row in rooms.all_rooms(self._db)}
        silent = blocked(self._db)
        for room in stored_history.changed_rooms(self._db, after, upto):
            yield RoomChanged(ids[room])
        for changed in stored_history.changed_messages(self._db, after, upto):
            message = handles[changed.room]._reading().one(changed.message)  # none of the blocked
            if message is not None:
                kind = MessageAdded if changed.new else MessageChanged
                yield kind(ids[changed.room], message)
        for moved in stored_history.moved_reads(self._db, after, upto):
            # What the personal room says of a room that is not here (yet) is of no use to anybody.
            room_id = room_bytes(moved.elsewhere) if moved.elsewhere else ids[moved.room]
            if room_id in ids.values() and moved.member not in silent:
                yield ReadMoved(
                    room_id, moved.member, moved.writer, ms_of(moved.upto), moved.thread
                )


def _event_of(change: nearby.NearbyChange) -> Event:
    match change:
        case nearby.HereChanged(room, member):
            return PresenceChanged(RoomId(room), member)
        case nearby.TypingChanged(room, member, thread, is_typing):
            where = MessageId(thread) if thread else None
            return TypingChanged(RoomId(room), member, where, is_typing)

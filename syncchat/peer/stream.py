"""The stream of what happens."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from dataclasses import replace

from ..core.clock import ms_of
from ..core.markers import parse_marker
from ..core.message import Message
from ..errors import NotFoundError
from ..events import (
    Event,
    FileProgress,
    MessageAdded,
    MessageChanged,
    MessageGone,
    PresenceChanged,
    ReadMoved,
    ReminderDue,
    RoomChanged,
    TypingChanged,
    ring_or_time,
)
from ..exchange.state import Phase
from ..ids import MemberId, MessageId, RoomId, room_bytes
from ..storage import changes, rooms
from ..storage.aside import blocked
from ..storage.changes import Cursor, Place, What
from ..storage.view import home_of
from ..sync import nearby
from .notifying import Notice, PeerNotifying
from .online import PeerOnline

_PASSING_EVENTS_MAX = 100

LOOK_SECONDS = 1.0
"""How often reminders are looked for."""
_ANY = 2**62

HELD_SECONDS_MAX = 5.0
"""How long notifications wait, at most, while a relay is catching up."""

_PLACES_MAX = 2_000
"""Places that are looked up at once; all that a reader far behind has in memory."""

_PAGE = 20
"""Events that are read at once: an event shows its message as it was that many events ago."""


class PeerEvents(PeerOnline, PeerNotifying):
    """Is what a peer tells of as it happens; part of ``Peer``."""

    @property
    def cursor(self) -> str:
        """Return the cursor from which ``events`` tells what happens from now on."""
        return changes.write_cursor(changes.cursor_at(rooms.last_change(self._db)))

    def events(self, *, after: str | None = None) -> AsyncGenerator[Event, None]:
        """Yield what happens from this call on, in this process or another on the same database.

        With ``after``, the cursor of an event, go on behind that one: what happened since then
        comes first, also if that was before the last start. So who stores the cursor of each event
        that was dealt with misses none and repeats at most the one that was being dealt with. A
        slow reader loses none, but is told of a message that changed repeatedly only once more,
        as it is by then. While a relay is catching up, notifications wait a few seconds, so that
        what came during an absence is told together. Raises ``ValidationError`` for what is no
        cursor of this database.
        """
        last = rooms.last_change(self._db)
        if after is None:
            return self._events_after(changes.cursor_at(last))
        return self._events_after(changes.read_cursor(after, last=max(last, self.now_ms())))

    def happened(self, after: str) -> Iterator[Event]:
        """Yield what happened since a cursor, and end: ``events`` for programs that do not wait.

        Notifications are not among it; ``events`` goes on with those. Raises ``ValidationError``
        for what is no cursor of this database.
        """
        last = max(rooms.last_change(self._db), self.now_ms())
        feed = _Feed(self, changes.read_cursor(after, last=last))
        while True:
            yield from feed.read()
            if feed.is_at_end:
                return

    async def _events_after(self, cursor: Cursor) -> AsyncGenerator[Event, None]:
        feed = _Feed(self, cursor)
        passing: deque[Event] = deque(maxlen=_PASSING_EVENTS_MAX)
        held_since = self._clock.monotonic()
        told: set[str] = set()
        looked = 0.0
        bell = asyncio.Event()
        self._bells.add(bell)
        self._passing_events[bell] = passing
        unlisten = self._nearby.listen(lambda change: passing.append(_event_of(change)))
        try:
            while True:
                self._fade()
                if self._clock.monotonic() - looked >= LOOK_SECONDS:
                    looked = self._clock.monotonic()
                    passing.extend(self._due(told))
                notices: list[Notice] = []
                upto = rooms.last_change(self._db)
                is_due = feed.cursor.notified < upto and not self._is_catching_up(held_since)
                if is_due:
                    # First, so that what the reader of these events marks as read counts, too.
                    notices, upto = self._notices(feed.cursor)
                elif feed.cursor.notified >= upto:
                    held_since = self._clock.monotonic()
                feed.is_at_end = False
                while not feed.is_at_end:
                    while passing:
                        event = passing.popleft()
                        if getattr(event, "member", None) not in blocked(self._db):
                            yield replace(event, cursor=changes.write_cursor(feed.told))
                    for event in feed.read():
                        yield event
                        feed.told = changes.read_cursor(event.cursor, last=_ANY)
                    await asyncio.sleep(0)  # others have work to do while this one catches up
                for notice in notices:
                    if (notification := self._notification(notice)) is not None:
                        here = notice.behind._replace(place=feed.cursor.place)
                        yield replace(notification, cursor=changes.write_cursor(here))
                if is_due:
                    feed.note_notified(upto)
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


class _Feed:
    """Reads what happened, a bounded part at a time; ``cursor`` is behind what was read."""

    def __init__(self, peer: PeerEvents, cursor: Cursor) -> None:
        self._peer = peer
        self.cursor = self.told = cursor
        self._ahead: deque[Place] = deque()
        self._seen = -1
        self.is_at_end = False

    def note_notified(self, change: int) -> None:
        """Note that all notifications up to a change number were told."""
        self.cursor = self.told = Cursor(self.cursor.place, change)

    def read(self) -> list[Event]:
        """Return the next events; ``is_at_end`` says whether that was all."""
        db = self._peer._db
        with db.reading():
            if not self._ahead:
                last = rooms.last_change(db)
                if last != self._seen:
                    found = changes.places_after(db, self.cursor.place, limit=_PLACES_MAX)
                    self._ahead.extend(found)
                    self._seen = -1 if found else last
            self.is_at_end = not self._ahead
            start = self.cursor.place.change
            page = [self._ahead.popleft() for _ in range(min(_PAGE, len(self._ahead)))]
            if page:
                self.cursor = self.cursor._replace(place=page[-1])
            return list(self._told(page, start))

    def _told(self, page: list[Place], start: int) -> Iterator[Event]:
        """Yield the events of places, but for those that are told later, as they are by then."""
        shown = {row: _Shown(self._peer, row, page) for row in {place.room for place in page}}
        for place in page:
            there = shown[place.room]
            cursor = changes.write_cursor(self.cursor._replace(place=place))
            message = there.messages.get(MessageId(place.key))
            match place.what:
                case What.ROOM:
                    yield RoomChanged(there.room_id, cursor=cursor)
                case What.ADDED if message is not None:
                    yield MessageAdded(there.room_id, message, cursor=cursor)
                case What.CHANGED if message is not None and message.id in there.unmoved:
                    yield MessageChanged(there.room_id, message, cursor=cursor)
                case What.CHANGED if changes.is_gone(self._peer._db, place, told=start):
                    yield MessageGone(there.room_id, MessageId(place.key), cursor=cursor)
                case What.READ:
                    yield from self._read_moved(there, place, cursor)
                case What.FILE:
                    yield from self._file_moved(there, place, cursor)

    def _file_moved(self, there: _Shown, place: Place, cursor: str) -> Iterator[Event]:
        found = changes.file_at(self._peer._db, place)
        if found is not None and found[0] in there.messages:
            with suppress(NotFoundError):  # its message may have gone meanwhile
                yield FileProgress(there.room_id, there.room.file(*found), cursor=cursor)

    def _read_moved(self, there: _Shown, place: Place, cursor: str) -> Iterator[Event]:
        upto = changes.read_at(self._peer._db, place)
        member, _, key = place.key.partition("/")
        marker = parse_marker(key)
        if upto is None or marker is None or member in blocked(self._peer._db):
            return
        if marker.room and place.room != home_of(self._peer._db):
            return  # nobody else can tell what was read in another room
        room_id: RoomId | None = there.room_id
        if marker.room:  # the personal room may say so of a room that is not here (yet)
            row = rooms.find_by_id(self._peer._db, room_bytes(marker.room))
            room_id = None if row is None else row.room_id
        if room_id is not None:
            who = MemberId(member), marker.writer
            yield ReadMoved(room_id, *who, ms_of(upto), marker.thread, cursor=cursor)


class _Shown:
    """Is what a room shows of the messages of a page."""

    def __init__(self, peer: PeerEvents, row: int, page: list[Place]) -> None:
        here = [place for place in page if place.room == row]
        about = (What.ADDED, What.CHANGED, What.FILE)
        added = [MessageId(p.key.partition("/")[0]) for p in here if p.what in about]
        self.room = peer._handle(row)
        found = self.room._reading().many(list(dict.fromkeys(added))) if added else []
        self.room_id: RoomId = rooms.load_room(peer._db, row).room_id
        self.messages: dict[MessageId, Message] = {message.id: message for message in found}
        moved = [place for place in here if place.what == What.CHANGED]
        self.unmoved = set(changes.still_at(peer._db, row, moved))


def _event_of(change: nearby.NearbyChange) -> Event:
    match change:
        case nearby.HereChanged(room, member):
            return PresenceChanged(RoomId(room), member)
        case nearby.TypingChanged(room, member, thread, is_typing):
            where = MessageId(thread) if thread else None
            return TypingChanged(RoomId(room), member, where, is_typing)

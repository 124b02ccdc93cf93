"""The chat itself: lines in, events out, and a look at the clock now and then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from ....core.message import Message, Status
from ....core.safe import safe_name
from ....errors import SyncchatError
from ....events import Event, MessageAdded, MessageChanged, ReadMoved, RoomChanged
from ....ids import MessageId
from ..members import cautions_in
from ..online import connection, until
from ..options import counted
from ..people import caution_line
from ..show import MARKS
from .commands import Commands
from .lines import Lines
from .screen import Screen
from .states import OwnStates, ranges

if TYPE_CHECKING:
    from ....peer import Peer
    from ....room import Room

TICK_SECONDS = 0.05
"""How often the screen is brought up to date; what comes within one tick is sorted first."""

GRACE_SECONDS = 0.15
"""How long an own message may wait for the relay's ack before it is printed as queued."""

READ_SECONDS = 0.5
"""How often, at most, the room is marked as read."""

LINGER_SECONDS = 2.0
"""How long leaving waits for the outbox while there is a connection."""

UNREAD_SHOWN_MAX = 200
"""Messages printed at once, when the chat starts or after being offline."""

_WAITING_MAX = 1_000


class Chat:
    """Runs a chat in one room until the lines end."""

    def __init__(self, peer: Peer, room: Room, lines: Lines, screen: Screen) -> None:
        self._peer = peer
        self._room = room
        self._room_id = room.id
        self._title = room.title
        self._lines = lines
        self._screen = screen
        self._states = OwnStates()
        self._commands = Commands(peer, room, screen)
        self._new: dict[MessageId, Message] = {}
        self._changed: dict[MessageId, Message] = {}
        self._skipped = 0
        self._new_since = 0.0
        self._read_upto: dict[MessageId | None, MessageId] = {}
        self._read_at = 0.0
        self._reads_moved = False
        self._people_changed = False
        self._connection = ""
        self._was_live: bool | None = None
        self._problem = ""
        self._obstacle = ""
        self.toolbar = ""

    async def run(self, *, last: int) -> None:
        """Show the last messages, then chat; returns when the lines end."""
        async with aclosing(self._peer.events()) as events, self._peer.online():
            self._begin(last)
            async with asyncio.TaskGroup() as tasks:
                background = [
                    tasks.create_task(self._follow(events)),
                    tasks.create_task(self._keep_up_to_date()),
                ]
                await self._listen()
                await self._linger()
                for task in background:
                    task.cancel()
            self._update(leaving=True)

    def _begin(self, last: int) -> None:
        room = self._room
        counts = room.unread_counts()
        unread = counts.messages + counts.in_threads
        count = max(last, min(unread, UNREAD_SHOWN_MAX))
        if unread > count:
            self._screen.note(f"not shown: {counted(unread - count, 'earlier unread message')}")
        self._screen.note(f"{safe_name(self._title)}, as {safe_name(self._peer.name)}; /help")
        if count:
            for message in room.messages(limit=count, threads=True):
                self._show(message)
        for caution in cautions_in(self._peer, room):
            self._screen.note(f"warning: {caution_line(caution)}; see 'syncchat verify'")

    def _look_at_standing(self) -> None:
        obstacle = self._room.obstacle
        if obstacle != self._obstacle:
            self._obstacle = obstacle
            self._screen.note(obstacle or "you are a member of this room")

    async def _listen(self) -> None:
        while (line := await self._lines.next()) is not None:
            try:
                if not self._commands.run(line):
                    return
            except SyncchatError as exc:
                self._screen.note(f"not done: {exc}")

    async def _linger(self) -> None:
        """Give what was just written a moment to reach the relay."""
        room = self._room
        if room.relay:
            await until(
                lambda: self._is_offline() or room.outbox_count() == 0, seconds=LINGER_SECONDS
            )
        left = [item for item in room.outbox() if item.what == "messages"]
        if left:
            count = counted(len(left), "message")
            self._screen.note(f"kept here for the relay: {count}; 'syncchat sync' sends them")

    def _is_offline(self) -> bool:
        return self._connection.startswith("offline (")

    def typed(self, text: str) -> None:
        """Take note of what the line being typed is now."""
        if text and not text.startswith("/"):
            self._room.typing()
        elif not text:
            self._room.typing(is_typing=False)

    # What happens

    async def _follow(self, events: AsyncGenerator[Event, None]) -> None:
        async for event in events:
            match event:
                case MessageAdded(room_id=room, message=message) if room == self._room_id:
                    self._added(message)
                case MessageChanged(room_id=room, message=message) if room == self._room_id:
                    if message.id in self._new:
                        self._new[message.id] = message
                    else:
                        self._changed[message.id] = message
                case ReadMoved(room_id=room, member=member) if room == self._room_id:
                    self._reads_moved = self._reads_moved or member != self._peer.id
                case RoomChanged(room_id=room) if room == self._room_id:
                    self._people_changed = True

    def _added(self, message: Message) -> None:
        if self._screen.is_shown(message.id):
            self._changed[message.id] = message
            return
        if not self._new:
            self._new_since = self._time()
        self._new[message.id] = message
        if len(self._new) > _WAITING_MAX:
            del self._new[min(self._new)]
            self._skipped += 1

    # Keeping the screen up to date

    async def _keep_up_to_date(self) -> None:
        while True:
            try:
                self._update()
            except SyncchatError as exc:
                if str(exc) != self._problem:  # told once, not at every tick
                    self._problem = str(exc)
                    self._screen.note(f"trouble: {exc}")
            await asyncio.sleep(TICK_SECONDS)

    def _update(self, *, leaving: bool = False) -> None:
        self._look_at_connection()
        self._look_at_standing()
        if self._people_changed:
            self._people_changed = False
            self._screen.people_changed()
            if self._room.title != self._title:
                self._title = self._room.title
                self._screen.note(f"the room is now called {safe_name(self._title)}")
        if self._new and (leaving or self._is_time_to_show()):
            self._show_new()
        self._show_changes()
        self._tell_states(all_now=leaving)
        self._mark_read(now=leaving)
        self._refresh_toolbar()

    def _look_at_connection(self) -> None:
        state = connection(self._peer, self._room)
        if state == self._connection:
            return
        self._connection = state
        if state == "live" and self._was_live is not True:
            self._was_live = True
            self._screen.note(f"connected to {self._room.relay}")
        elif self._is_offline() and self._was_live is not False:
            self._was_live = False
            self._screen.note(f"{state}; what you write is kept and goes out later")
        elif state == "no relay" and self._was_live is None:
            self._was_live = False
            self._screen.note("this room has no relay; it stays on this device")

    def _is_time_to_show(self) -> bool:
        """Tell whether to print now: not while catching up, nor just before an own ack."""
        if self._connection.startswith("catching up"):
            return False
        if self._connection != "live" or self._time() - self._new_since >= GRACE_SECONDS:
            return True
        new = self._new.values()
        return any(not m.mine for m in new) or all(m.status is not Status.QUEUED for m in new)

    def _show_new(self) -> None:
        new = [self._new[message] for message in sorted(self._new)]
        self._new.clear()
        left_out = max(0, len(new) - UNREAD_SHOWN_MAX)
        skipped, self._skipped = self._skipped + left_out, 0
        if skipped:
            words = counted(skipped, "message")
            self._screen.note(f"{words} came that are not shown; see 'syncchat history'")
        for message in new[left_out:]:
            if not message.deleted:
                self._show(message)

    def _show(self, message: Message) -> None:
        self._screen.add(message)
        self._states.shown(message)
        if not message.mine:
            before = self._read_upto.get(message.thread, message.id)
            self._read_upto[message.thread] = max(before, message.id)

    def _show_changes(self) -> None:
        if self._reads_moved:
            self._reads_moved = False
            for own in self._states.unread():
                self._changed.setdefault(own, self._room.message(own))
        changed, self._changed = self._changed, {}
        for message in changed.values():
            self._screen.change(message)
            self._states.changed(message, at=self._time())

    def _tell_states(self, *, all_now: bool) -> None:
        for status, messages in self._states.settled(at=self._time(), all_now=all_now).items():
            numbers = [n for n in map(self._screen.number_of, messages) if n is not None]
            mark = MARKS[status].split()[0]
            self._screen.note(f"{mark} {status.value} {ranges(numbers)}")

    def _mark_read(self, *, now: bool) -> None:
        if not self._read_upto or (self._time() - self._read_at < READ_SECONDS and not now):
            return
        read, self._read_upto, self._read_at = self._read_upto, {}, self._time()
        for thread, upto in read.items():
            if self._room.unread(thread=thread):
                self._room.mark_read(upto)

    def _refresh_toolbar(self) -> None:
        state = "offline, trying again" if self._is_offline() else self._connection
        parts = [state, f"{safe_name(self._peer.name)} in {safe_name(self._title)}"]
        if typists := self._room.typists():
            parts.append(_typing([self._screen.names.of(member) for member in typists]))
        if queued := self._states.queued():
            parts.append(f"{queued:,} queued")
        if (last := self._states.last()) is not None:
            parts.append(f"last message {last.value}")
        toolbar = " " + " · ".join(parts)
        if toolbar != self.toolbar:
            self.toolbar = toolbar
            self._lines.refresh()

    def _time(self) -> float:
        return asyncio.get_running_loop().time()


def _typing(names: list[str]) -> str:
    """Return who is typing, for a line on the screen."""
    if len(names) > 2:
        return f"{len(names)} are typing"
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} typing"

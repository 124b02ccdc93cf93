"""The chat itself: lines in, events out, and a look at the clock now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

from ....core.message import Message, Status
from ....core.safe import safe_name
from ....errors import SyncchatError
from ....events import Event, MessageAdded, MessageChanged, ReadMoved, RoomChanged
from ....ids import MessageId
from ..members import cautions_in
from ..online import connection, is_catching_up, is_offline, until
from ..options import counted
from ..people import caution_line
from ..show import MARKS
from .commands import Commands
from .lines import Lines
from .older import Older
from .screen import Screen
from .states import OwnStates, ranges

if TYPE_CHECKING:
    from ....peer import Peer
    from ....room import Room

TICK_SECONDS = 0.05
"""How often the screen is brought up to date; what comes within one tick is sorted first."""

GRACE_SECONDS = 0.15
"""How long an own message may wait for the relay's ack before it is printed as queued."""

AHEAD_SECONDS = 0.5
"""How long catching up may take before the newest are looked for, and how often they are then."""

AHEAD_COUNT = 50
"""How many of the newest are shown then; a relay tells at least so many ahead of its log."""

OLD_SHOWN_MAX = 20
"""Messages of before what is on the screen that are printed; of more it is said how many came."""

CALM_SECONDS = 1.0
"""How long nothing much of before has come when that is over."""

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
        self._older = Older(peer, room, screen, partial(self._show, is_news=False))
        self._commands = Commands(peer, room, screen, self._older, self._added)
        self._new: dict[MessageId, Message] = {}
        self._old: dict[MessageId, Message] = {}
        self._changed: dict[MessageId, Message] = {}
        self._skipped = 0
        self._top = self._floor = MessageId("")
        self._cursor = ""
        self._skips = 0
        self._looked = (0, 0)
        self._is_skipping = self._is_told = self._has_said_ahead = False
        self._looked_at = self._catching_up_since = self._calm_at = float("-inf")
        self._here = self._counted = self._news = 0
        self._new_since = self._old_at = 0.0
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
        self._cursor = self._peer.cursor
        async with self._peer.online():
            self._begin(last)
            async with asyncio.TaskGroup() as tasks:
                background = {
                    tasks.create_task(self._follow()),
                    tasks.create_task(self._keep_up_to_date()),
                }

                def beside(work: Coroutine[Any, Any, None]) -> None:
                    task = tasks.create_task(work)
                    background.add(task)
                    task.add_done_callback(background.discard)

                self._older.spawn = beside
                await self._listen()
                await self._linger()
                self._older.spawn = None
                for task in background:
                    task.cancel()
            self._update(leaving=True)

    def _begin(self, last: int) -> None:
        room = self._room
        counts = room.unread_counts()
        unread = counts.messages + counts.in_threads
        count = max(last, min(unread, UNREAD_SHOWN_MAX))
        if unread > count:
            words = counted(unread - count, "earlier unread message")
            self._screen.note(f"not shown: {words}; /older shows them")
        self._screen.note(f"{safe_name(self._title)}, as {safe_name(self._peer.name)}; /help")
        if count:
            for message in room.messages(limit=count, threads=True):
                self._show(message)
        self._floor = max([m.id for m in room.messages(limit=1, threads=True)], default=self._floor)
        self._here, self._news = room.count(), 0
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
        return is_offline(self._connection)

    def back(self) -> None:
        """Show earlier messages, as ``/older`` does."""
        try:
            self._older.back()
        except SyncchatError as exc:
            self._screen.note(f"not done: {exc}")

    def typed(self, text: str) -> None:
        """Take note of what the line being typed is now."""
        if text and not text.startswith("/"):
            self._room.typing()
        elif not text:
            self._room.typing(is_typing=False)

    # What happens

    async def _follow(self) -> None:
        """Take note of what happens, but for what comes of before, of which there may be much:
        behind that the events are taken up anew, and what is on the screen is looked at again."""
        while True:
            left_out = self._left_out
            async with aclosing(self._peer.events(after=self._cursor)) as events:
                async for event in events:
                    if self._left_out != left_out:
                        break
                    self._take(event)
            while self._looked != self._left_out:  # noqa: ASYNC110 - it is, with some tick
                await asyncio.sleep(TICK_SECONDS)

    @property
    def _left_out(self) -> tuple[int, int]:
        """Return a mark that is another one whenever something began to be left out."""
        return self._skips, self._older.fetches

    def _take(self, event: Event) -> None:
        match event:
            case MessageAdded(room_id=room, message=message) if room == self._room_id:
                self._added(message)
            case MessageChanged(room_id=room, message=message) if room == self._room_id:
                waiting = self._old if message.id in self._old else self._new
                if message.id in waiting:
                    waiting[message.id] = message
                else:
                    self._changed[message.id] = message
            case ReadMoved(room_id=room, member=member) if room == self._room_id:
                self._reads_moved = self._reads_moved or member != self._peer.id
            case RoomChanged(room_id=room) if room == self._room_id:
                self._people_changed = True

    def _added(self, message: Message) -> None:
        if self._screen.has_seen(message.id):
            self._changed[message.id] = message
            return
        if message.id < self._top and not message.mine:
            self._old[message.id] = message
            self._old_at = self._time()
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
        self._skip_what_is_old()
        if self._new and (leaving or self._is_time_to_show()):
            self._show_new()
        if self._old and (leaving or self._time() - self._old_at >= AHEAD_SECONDS):
            self._show_old()
        self._show_changes()
        self._tell_states(all_now=leaving)
        self._mark_read(now=leaving)
        self._refresh_toolbar()

    def _look_at_connection(self) -> None:
        state = connection(self._peer, self._room)
        if state == self._connection:
            return
        if not self._is_catching_up():
            self._catching_up_since = self._time()
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
        """Tell whether to print now: not in a short catching up, nor just before an own ack."""
        if self._is_catching_up() and not self._is_skipping:
            return False
        if self._connection != "live" or self._time() - self._new_since >= GRACE_SECONDS:
            return True
        new = self._new.values()
        return any(not m.mine for m in new) or all(m.status is not Status.QUEUED for m in new)

    def _is_catching_up(self) -> bool:
        return is_catching_up(self._connection)

    def _skip_what_is_old(self) -> None:
        """Leave out what comes of before, while it is much, and show the newest meanwhile."""
        now = self._time()
        is_long = now - self._catching_up_since >= AHEAD_SECONDS
        is_ahead = self._is_catching_up() and is_long
        is_new = not self._is_skipping and self._looked != self._left_out
        if is_ahead or is_new or self._older.is_fetching:
            self._calm_at = now + CALM_SECONDS
        if len(self._old) > OLD_SHOWN_MAX:
            self._is_told, self._calm_at = True, now + CALM_SECONDS
        if now >= self._calm_at:
            if self._is_skipping:
                self._is_skipping = False
                self._cursor = self._peer.cursor
                self._look_again()
                self._looked = self._left_out
            return
        self._is_told = self._is_told or is_ahead
        if not self._is_skipping:
            self._is_skipping = True
            self._skips += 1
            self._new = {id_: message for id_, message in self._new.items() if message.mine}
            self._old.clear()
            self._looked_at = float("-inf")
        if now - self._looked_at >= AHEAD_SECONDS:
            self._looked_at, before = now, self._counted
            self._counted = self._room.count()
            if self._counted - before > OLD_SHOWN_MAX:
                self._calm_at = now + CALM_SECONDS
            words = f"the newest first, the rest follows: {self._connection}"
            self._show_newest(AHEAD_COUNT, words if is_ahead else "")

    def _show_newest(self, count: int, words: str = "") -> None:
        """Show the newest that are here and came since the chat began, up to what others said last
        on the screen."""
        fresh: list[Message] = []
        for message in reversed(self._room.messages(limit=count, threads=True)):
            is_seen = self._screen.has_seen(message.id)
            if message.id <= self._floor or (is_seen and not message.mine):
                break
            if not is_seen and not message.deleted and message.id not in self._new:
                fresh.append(message)
        if fresh and words and not self._has_said_ahead:
            self._has_said_ahead = True
            self._screen.note(words)
        for message in reversed(fresh):
            self._show(message)

    def _look_again(self) -> None:
        """Bring the screen up to date after something was left out, and say how much it was."""
        self._show_newest(UNREAD_SHOWN_MAX)
        for message in self._room.messages(limit=UNREAD_SHOWN_MAX, threads=True):
            if self._screen.is_shown(message.id):
                self._changed[message.id] = message
        self._reads_moved = self._people_changed = True
        left = self._room.count() - self._here - self._news
        if self._is_told and left > 0:
            words = counted(left, "earlier message")
            self._screen.note(f"{words} came that are not shown; /older shows them")
        self._here, self._news = self._room.count(), 0
        self._is_told = self._has_said_ahead = False

    def _show_new(self) -> None:
        new = [self._new[message] for message in sorted(self._new)]
        self._new.clear()
        left_out = max(0, len(new) - UNREAD_SHOWN_MAX)
        skipped, self._skipped = self._skipped + left_out, 0
        if skipped:
            words = counted(skipped, "message")
            self._screen.note(f"{words} came that are not shown; /older shows them")
            self._news += skipped
        for message in new[left_out:]:
            if not message.deleted and not self._screen.has_seen(message.id):
                self._show(message)

    def _show_old(self) -> None:
        """Print what others wrote before what is on the screen, once no more of it comes."""
        old = [self._old[message] for message in sorted(self._old)]
        self._old.clear()
        for message in old[-OLD_SHOWN_MAX:]:
            if not message.deleted and not self._screen.has_seen(message.id):
                self._show(message)

    def _show(self, message: Message, *, is_news: bool = True) -> None:
        self._screen.add(message, is_news=is_news)
        self._news += is_news
        self._states.shown(message)
        if not message.mine:
            self._top = min(self._top or message.id, message.id)
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
        if self._is_catching_up() and not now:
            return  # what is shown ahead cannot be marked before the rest is here
        read, self._read_upto, self._read_at = self._read_upto, {}, self._time()
        for thread, upto in read.items():
            if self._room.unread(thread=thread):
                self._room.mark_read(upto)

    def _refresh_toolbar(self) -> None:
        state = "offline, trying again" if self._is_offline() else self._connection
        parts = [state, f"{safe_name(self._peer.name)} in {safe_name(self._title)}"]
        if typists := self._room.typists():
            parts.append(_typing([self._screen.names.of(member) for member in typists]))
        if self._older.is_fetching:
            parts.append("fetching older messages")
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

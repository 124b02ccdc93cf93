"""Going back in the chat: earlier messages, also those that are at the relay and not here.

What was printed stays where it is; earlier messages are printed below, under a line that says so.
What has been shown once does not come again. Before messages of a time of which something is
still at the relay, that is fetched, in the background and once at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from ....core.message import Message
from ....errors import NotConnected, NotFoundError, SyncchatError, ValidationError
from ....ids import MessageId, is_message_id
from ..online import connection, is_catching_up, is_offline
from ..options import counted
from .screen import Screen

if TYPE_CHECKING:
    from ....peer import Peer
    from ....room import Room

COUNT = 20
COUNT_MAX = 200
"""Earlier messages that are shown at a time, when nobody says how many, and at most."""

SEEN_MAX = 20_000
"""Messages that may be on the screen before the chat does not go back any further."""

PARTS_MAX = 64
"""Parts of history that are fetched at most for one page of it."""

AROUND = 3
"""Messages that are shown before one that was asked for, and behind it."""

_PAGE = 200

Spawn = Callable[[Coroutine[Any, Any, None]], object]


class Older:
    """Shows what came before, in one room; ``show`` prints a message and takes note of it."""

    def __init__(
        self, peer: Peer, room: Room, screen: Screen, show: Callable[[Message], None]
    ) -> None:
        self._peer = peer
        self._room = room
        self._screen = screen
        self._show = show
        self.spawn: Spawn | None = None
        """Runs something beside the chat; None while nothing may be begun."""
        self.is_fetching = False
        """Whether something is being fetched, which is not news when it comes."""
        self.fetches = 0
        """How often something was fetched."""

    def back(self, count: int = COUNT) -> None:
        """Show so many earlier messages; those that are not here follow when they have come."""
        if self._is_busy():
            return
        if self._screen.seen_count >= SEEN_MAX:
            self._screen.note("the chat goes back no further; 'syncchat history --before' does")
            return
        page, sure = self._unseen(count), self._room.older_before or ""
        whole = [message for message in page if message.id >= sure]
        self._print(whole)
        if len(whole) == count:
            self._tell_end(False)
        elif self._room.shows_ahead and not self._is_offline():
            self._tell_coming()
        elif not self._room.shows_ahead and not self._room.has_older:
            self._tell_end(True)
        elif self._may_fetch("older messages are"):
            self._screen.note("fetching older messages from the relay; go on meanwhile")
            self._begin(self._fetch(count - len(whole)))
        elif len(whole) < len(page):
            self._screen.note("of what is here, with gaps:")
            self._print(page[: len(page) - len(whole)])

    def go_to(self, wanted: str) -> None:
        """Show a message with what is around it, of one that answers, what it answers.

        It is fetched where it is not here. Raises ``NotFoundError`` and ``ValidationError``.
        """
        given = wanted.strip("[]#").upper()
        target = MessageId(given) if is_message_id(given) else self._answered(wanted)
        try:
            self._room.message(target)
        except NotFoundError:
            if not self._room.has_older:
                raise NotFoundError("that message is not here, and not at the relay") from None
            if not self._is_busy() and self._may_fetch("that message may be"):
                self._screen.note("it is not here; looking for it at the relay, go on meanwhile")
                self._begin(self._fetch_one(target))
            return
        self._print_around(target)

    # Inside

    def _answered(self, wanted: str) -> MessageId:
        found = self._screen.message(wanted)
        try:
            return self._room.message(found).reply_to or found
        except NotFoundError:
            return found

    def _unseen(self, count: int) -> list[Message]:
        """Return the last messages that are here and were not shown yet, in display order."""
        found: list[Message] = []
        before: str | None = None
        while len(found) < count:
            page = self._room.messages(before=before, limit=_PAGE, threads=True)
            if not page:
                break
            before = page[0].id
            new = [m for m in page if not m.deleted and not self._screen.has_seen(m.id)]
            found = new + found
        return found[-count:]

    async def _fetch(self, count: int) -> None:
        """Fetch until a page is whole, and show it; or say why it is not."""
        room, problem = self._room, ""
        for _ in range(PARTS_MAX):
            page = self._unseen(count)
            sure = room.older_before or ""
            if not room.has_older or (len(page) == count and page[0].id >= sure):
                break
            try:
                if not await room.fetch_older(1) and room.has_older:
                    problem = "the relay does not have older messages now"
                    break
            except NotConnected:
                problem = f"older messages are at the relay ({connection(self._peer, room)})"
                break
        page = self._unseen(count)
        self._print(page)
        if problem:
            self._screen.note(f"{problem}; /older tries again")
        else:
            self._tell_end(len(page) < count)

    async def _fetch_one(self, target: MessageId) -> None:
        try:
            await self._room.fetch_message(target)
        except NotConnected:
            state = connection(self._peer, self._room)
            self._screen.note(f"the relay is not reached ({state}); /show tries again")
        except NotFoundError as exc:
            self._screen.note(f"not found: {exc}")
        else:
            self._print_around(target)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        async def watched() -> None:
            try:
                await work
            except SyncchatError as exc:
                self._screen.note(f"not done: {exc}")
            finally:
                self.is_fetching = False

        if self.spawn is None:
            work.close()
            return
        self.is_fetching = True
        self.fetches += 1
        self.spawn(watched())

    def _is_busy(self) -> bool:
        if self.is_fetching:
            self._screen.note("older messages are being fetched already")
        return self.is_fetching

    def _may_fetch(self, what: str) -> bool:
        """Tell whether the relay can be asked; else say so."""
        if self._is_offline():
            state = connection(self._peer, self._room)
            self._screen.note(
                f"{what} at the relay, and that is not reached: {state}; try again when it is"
            )
        return not self._is_offline()

    def _is_offline(self) -> bool:
        return is_offline(connection(self._peer, self._room))

    def _print(self, page: list[Message]) -> None:
        if page:
            self._screen.note(f"{counted(len(page), 'earlier message')}:")
            for message in page:
                self._show(message)

    def _print_around(self, target: MessageId) -> None:
        self._screen.note("here it is, with what is around it:")
        for message in self._room.window(target, before=AROUND, after=AROUND):
            self._show(message)

    def _tell_end(self, is_short: bool) -> None:
        if not is_short:
            self._screen.note("up to here; /older shows more")
            return
        if is_catching_up(connection(self._peer, self._room)):
            self._tell_coming()
        elif self._room.has_older:
            self._screen.note("older messages are at the relay; /older fetches more")
        else:
            self._screen.note("this is the beginning of the room")

    def _tell_coming(self) -> None:
        state = connection(self._peer, self._room)
        how_far = f": {state}" if is_catching_up(state) else ""
        self._screen.note(f"earlier messages are still coming{how_far}; /older shows them then")


def count_of(text: str) -> int:
    """Return how many messages are asked for; raises ``ValidationError``."""
    if not text:
        return COUNT
    if not text.isdecimal() or not 0 < int(text) <= COUNT_MAX:
        raise ValidationError(f"say how many messages, 1 to {COUNT_MAX}: /older {COUNT}")
    return int(text)

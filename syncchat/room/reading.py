"""Reading a room: pages of messages, and what they come to."""

from __future__ import annotations

from ..core.message import Message
from ..errors import ValidationError
from ..storage import history, tallies
from .base import RoomPart, checked_limit


class RoomReading(RoomPart):
    """Is what a room's handle can do to show messages; part of ``Room``."""

    __slots__ = ()

    def messages(
        self,
        *,
        before: str | None = None,
        after: str | None = None,
        limit: int = 50,
        thread: str | None = None,
        threads: bool = False,
        hidden: bool = False,
    ) -> list[Message]:
        """Return messages in display order: the last ``limit``, or those next to an id.

        ``before`` gives the ones just before that id, ``after`` those just after it; ``thread``
        only replies of that thread (of the message, or of the thread that it is in), ``threads``
        also the replies of all threads among the others; ``hidden`` also what others said in
        messages that an admin has hidden. Raises ``ValidationError`` for a limit outside 1 to
        1,000.
        """
        checked_limit(limit)
        ids = [None if i is None else self._checked_id(i) for i in (before, after)]
        with self._peer._db.reading():
            root = None if thread is None else self._thread_of(thread)
            return self._reading(shows_hidden=hidden).page(
                before=ids[0], after=ids[1], thread=root, threads=threads, limit=limit
            )

    def window(self, message: str, *, before: int = 25, after: int = 25) -> list[Message]:
        """Return a message with those just before and after it in its timeline, in display order.

        Fewer where the room begins or ends; the ids of the first and the last page on with
        ``messages``. Raises ``NotFoundError``, and ``ValidationError`` where more than 1,000
        messages are asked for.
        """
        if before < 0 or after < 0 or before + after + 1 > history.PAGE_MAX:
            raise ValidationError(
                f"before and after must be 0 or more, and with the message {history.PAGE_MAX}"
            )
        with self._peer._db.reading():
            middle = self.message(message)
            reading, thread = self._reading(), middle.thread
            first = last = []
            if before:
                first = reading.page(before=middle.id, after=None, limit=before, thread=thread)
            if after:
                last = reading.page(before=None, after=middle.id, limit=after, thread=thread)
            return [*first, middle, *last]

    def count(self) -> int:
        """Return how many messages the room shows, replies in threads included.

        Deleted and hidden ones do not count.
        """
        db = self._peer._db
        over = tallies.overdue(db, self._peer.now_ms(), self._row).get(self._row, [])
        return tallies.message_count(db, self._row) - len(over)

    def digest(self) -> str:
        """Return 64 hex digits that are equal on every peer whose room shows the same."""
        return tallies.digest_of(self._peer._db, self._row).hex()

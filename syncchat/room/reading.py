"""Reading a room: pages of messages, counts, what is read."""

from __future__ import annotations

from ..core.message import Message
from ..core.values import (
    ReadValue,
    Root,
    encode_value,
)
from ..errors import ValidationError
from ..storage import history, rooms
from ..storage.outbox import Op
from .base import RoomPart


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
    ) -> list[Message]:
        """Return messages in display order: the last ``limit``, or those next to an id.

        ``before`` gives the ones just before that id, ``after`` those just after it; ``thread``
        only replies of that thread. Raises ``ValidationError`` for a limit outside 1 to 1,000.
        """
        if not 0 < limit <= history.PAGE_MAX:
            raise ValidationError(f"limit must be 1 to {history.PAGE_MAX}")
        ids = [None if i is None else self._checked_id(i) for i in (before, after, thread)]
        with self._peer._db.reading():
            return self._reading().page(before=ids[0], after=ids[1], thread=ids[2], limit=limit)

    def mark_read(self, message: str | None = None) -> None:
        """Mark a message and everything shown before it as read; without one, everything.

        Raises ``NotFoundError``.
        """
        with self._writing() as (stamp, batch):
            upto = None if message is None else self.message(message).id
            latest = history.last_stamps(self._peer._db, self._row, upto)
            at = stamp
            for writer, last in sorted(latest.items()):
                read = ReadValue(at, last)
                self._queue(Op(Root.READS, writer, at, encode_value(read)))
                batch.note(Root.READS, writer, read)
                at = rooms.next_stamp(self._peer._db, self._peer.now_ms())

    def unread(self) -> int:
        """Return how many messages are unread."""
        return history.unread_count(self._peer._db, self._row)

    def count(self) -> int:
        """Return how many messages the room shows."""
        return history.message_count(self._peer._db, self._row)

    def digest(self) -> str:
        """Return 64 hex digits that are equal on every peer whose room shows the same."""
        return rooms.digest(self._peer._db, self._row).hex()

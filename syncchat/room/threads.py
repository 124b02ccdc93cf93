"""Threads: replies beside the main timeline, one level deep."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.message import Message
from ..errors import NotFoundError
from ..ids import MessageId
from ..storage import tallies
from ..storage.tallies import ThreadRow
from .base import RoomPart, checked_limit


@dataclass(frozen=True, slots=True)
class Thread:
    """Is what was replied to one message, beside the main timeline.

    ``id`` is that message's, ``root`` the message itself, None while it is not here. ``last`` is
    the last of the ``replies``, a deleted one too; None where there is none. The ``mentions`` of
    this person are among the ``unread``.
    """

    id: MessageId
    root: Message | None
    replies: int
    unread: int
    mentions: int
    last: Message | None


class RoomThreads(RoomPart):
    """Is what a room's handle can do about threads; part of ``Room``."""

    __slots__ = ()

    def threads(self, *, before: str | None = None, limit: int = 50) -> list[Thread]:
        """Return the threads with replies, the one with the newest first.

        ``before`` is the ``last`` message of the last thread of the page before. Raises
        ``ValidationError`` for a limit outside 1 to 1,000.
        """
        checked_limit(limit)
        upto = None if before is None else self._checked_id(before)
        with self._peer._db.reading():
            rows = tallies.thread_rows(self._peer._db, self._row, before=upto, limit=limit)
            return self._threads(rows)

    def thread(self, message: str) -> Thread:
        """Return the thread of a message, or the one that a reply is in; it may be empty.

        Raises ``NotFoundError`` where neither the message nor a reply to it is here.
        """
        with self._peer._db.reading():
            root = self._thread_of(self._full_id(message))
            (found,) = self._threads([tallies.thread_row(self._peer._db, self._row, root)])
        if found.root is None and found.last is None:
            raise NotFoundError(f"no message {message[:40]!r} in this room")
        return found

    def _full_id(self, message: str) -> MessageId:
        return self._checked_id(message) if len(message) >= 26 else self.message(message).id

    def _threads(self, rows: list[ThreadRow]) -> list[Thread]:
        wanted = {id_ for row in rows for id_ in (row.thread, row.last) if id_}
        here = {message.id: message for message in self._reading().many(sorted(wanted))}
        return [
            Thread(
                row.thread,
                here.get(row.thread),
                row.messages,
                row.unread,
                row.mentions,
                here.get(row.last),
            )
            for row in rows
        ]

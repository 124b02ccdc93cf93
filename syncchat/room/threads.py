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
            return [thread for thread in self._threads(rows) if thread.replies]

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
        db, now_ms = self._peer._db, self._peer.now_ms()
        over = tallies.overdue(db, now_ms, self._row).get(self._row, [])
        found = []
        for row in rows:
            gone = [each for each in over if each.thread == row.thread]
            found.append(
                Thread(
                    row.thread,
                    here.get(row.thread),
                    row.messages - len(gone),
                    row.unread - sum(each.is_unread for each in gone),
                    row.mentions - sum(each.is_mention for each in gone),
                    here.get(row.last),
                )
            )
        return found

"""What is read and what is not: marking, counting, finding where to read on."""

from __future__ import annotations

from ..core.markers import parse_marker
from ..core.message import Message
from ..errors import NotFoundError, ValidationError
from ..ids import MessageId, Stamp, room_text
from ..storage import tallies
from ..storage.members import Owners
from ..storage.receipts import put_receipts
from ..storage.tallies import UnreadCounts
from ..storage.view.unread import MARK_FIELD, Unread, marked_in
from .settings import RoomSettings

MARKED_MAX = 500
"""Messages of a room that may be marked as unread at one time."""


class RoomUnread(RoomSettings):
    """Is what a room's handle can do about what is read; part of ``Room``."""

    __slots__ = ()

    def mark_read(self, message: str | None = None, *, thread: str | None = None) -> None:
        """Mark a message as read, and everything shown before it in its timeline.

        The timeline is the message's thread, or what is outside of threads. Without a message all
        of ``thread`` is read; without both, all of the room. Others see it where ``receipts`` is
        "public", one's own devices always. Raises ``NotFoundError``, ``ValidationError``.
        """
        if message is not None and thread is not None:
            raise ValidationError("give a message or a thread: a message says where it is")
        db = self._peer._db
        with db.atomic():
            upto: MessageId | None = None
            timeline: tuple[MessageId | None] | None = None
            if thread is not None:
                timeline = (self._thread_of(thread),)
            elif message is not None:
                last = self.message(message)
                upto, timeline = last.id, (last.thread,)
            latest, messages = tallies.unread_upto(db, self._row, upto=upto, timeline=timeline)
            unread = self._unread()
            self._put_receipts(
                {place: stamp for place, stamp in latest.items() if stamp > _upto(unread, place)}
            )
            for marked in sorted(unread.marked.intersection(messages)):
                self._peer._personal.put(MARK_FIELD + marked, None)
        self._peer._ring()

    def mark_unread(self, message: str | None = None) -> Message:
        """Mark a message of somebody else as unread, for oneself; without one, the last.

        It stays so until it is marked as read. Others see nothing of it. Returns the message;
        raises ``NotFoundError``, ``ValidationError``.
        """
        db = self._peer._db
        with db.atomic():
            wanted = message or tallies.last_theirs(
                db, self._row, self._unread().me, now_ms=self._peer.now_ms()
            )
            if wanted is None:
                raise NotFoundError("nobody else has written in this room yet")
            found = self.message(wanted)
            if found.mine or found.deleted:
                raise ValidationError("only what others wrote, and have not deleted, can be unread")
            if not found.unread:
                text = room_text(self._load().room_id)
                if len(marked_in(db, self._peer._personal.make().id, text)) >= MARKED_MAX:
                    raise ValidationError(
                        f"{MARKED_MAX} messages are marked as unread; mark some as read first"
                    )
                self._peer._personal.put(MARK_FIELD + found.id, text)
        self._peer._ring()
        return self.message(found.id)

    def unread(self, *, thread: str | None = None) -> int:
        """Return how many messages are unread outside of threads, or in one thread."""
        timeline = "" if thread is None else self._thread_of(thread)
        db = self._peer._db
        over = tallies.overdue(db, self._peer.now_ms(), self._row).get(self._row, [])
        less = sum(each.is_unread for each in over if (each.thread or "") == timeline)
        return tallies.thread_row(db, self._row, timeline).unread - less

    def unread_counts(self) -> UnreadCounts:
        """Return how many messages are unread, and how many of them mention this person."""
        return tallies.unread_of(self._peer._db, self._row, now_ms=self._peer.now_ms())

    def first_unread(self, *, thread: str | None = None) -> Message | None:
        """Return where to read on: the unread message that is shown first, None for none."""
        timeline = None if thread is None else self._thread_of(thread)
        with self._peer._db.reading():
            now_ms = self._peer.now_ms()
            found = tallies.first_unread(self._peer._db, self._row, timeline, now_ms=now_ms)
            return None if found is None else self.message(found)

    # Inside

    def _put_receipts(self, uptos: dict[str, Stamp]) -> None:
        """Note what was read where others see it, or where only the own devices do."""
        if not uptos:
            return
        peer, row = self._peer, self._load()
        home, where = self._row, uptos
        if self.receipts == "private" or peer._membership.may_write(self._row):
            home = peer._personal.make().id
            where = {f"{room_text(row.room_id)}/{place}": upto for place, upto in uptos.items()}
        put_receipts(peer._db, home, where, me=peer.device, now_ms=peer.now_ms())

    def _unread(self) -> Unread:
        db = self._peer._db
        return Unread(db, self._row, Owners(db, self._row), me=self._peer.device)


def _upto(unread: Unread, place: str) -> Stamp:
    marker = parse_marker(place)
    assert marker is not None
    return unread.upto(marker.writer, marker.thread)

"""A batch: what one transaction changes in one room, settled at once.

Rows of journal entries are written, everything touched is folded anew, and the room's digest moves
by the difference. Pending ops of the outbox count as entries of the own journal, so what a person
writes shows at once and is not shown differently when it is sealed later.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from ...core import digest
from ...core.reader import Change
from ...core.values import ABOUT_MESSAGES, MessageValue, Root
from ...ids import DeviceId, MemberId, MessageId, Stamp, message_id
from .. import rooms
from ..database import Database
from . import log
from .fields import Fields
from .marks import blank_edits
from .messages import PENDING, Messages, Place
from .reads import Reads
from .scope import Scope


class ViewBatch:
    """Collects what one transaction changes in one room; ``flush`` ends it."""

    def __init__(self, db: Database, room: int, *, me: DeviceId) -> None:
        self._scope = Scope(db, room, me=me)
        self._messages = Messages(self._scope)
        self._reads = Reads(self._scope)
        self._fields = Fields(self._scope)
        self._marks: dict[tuple[int, Root, str, int], tuple[Any, ...] | None] = {}
        self.bare: list[MessageId] = []
        """Messages that are deleted or gone: all that belongs to them must go."""

    @property
    def change(self) -> int:
        """Return the number under which this transaction's changes are found."""
        return self._scope.change

    def add(
        self, *, chain: int, device: DeviceId, volume: int, seq: int, changes: Sequence[Change]
    ) -> None:
        """Add what one envelope changed."""
        for root, key, clock, at, raw, value in changes:
            if root is Root.MESSAGES:
                message = message_id(Stamp(key), device)
                if raw is None:
                    self._messages.erase(message)
                else:
                    self._messages.put(message, Place(chain, volume, clock, seq), raw, value)
                continue
            target = key[:26] if root in ABOUT_MESSAGES else key
            self._marks[chain, root, key, volume] = (
                None if raw is None else (self._scope.room, target, device, clock, at, raw)
            )
            self._note(root, key, device, value)

    def write(self, message: MessageId, raw: str, value: MessageValue) -> None:
        """Add, or replace, an own message that is not sealed yet."""
        self._messages.put(message, PENDING, raw, value)

    def withdraw(self, message: MessageId) -> None:
        """Remove an own message that was never sealed, unless one of the same id has come."""
        self._messages.withdraw(message)

    def end(self, message: MessageId) -> None:
        """Let a message disappear, because its time is over."""
        self._messages.end(message)

    def follow(self, *, admins: Set[MemberId], hidden: Set[MessageId]) -> None:
        """Take over what the room's log says: who the admins are, and what they have hidden."""
        if log.set_admins(self._scope.db, self._scope.room, admins):
            self._scope.forget_admins()
            self._fields.touch_admins()
        for message in log.set_hidden(self._scope.db, self._scope.room, hidden):
            self._messages.touch(message)

    def note(self, root: Root, key: str, value: Any) -> None:
        """Say that an own op about something was queued or taken back."""
        self._note(root, key, self._scope.me, value)

    def flush(self) -> None:
        """Write everything; the batch is empty then."""
        self._write_marks()
        delta = self._reads.settle() + self._fields.settle() + self._messages.settle()
        db, room = self._scope.db, self._scope.room
        if delta:
            rooms.set_digest(db, room, digest.add(rooms.digest(db, room), delta))
        bare, self._messages.bare = list(self._messages.bare), {}
        if bare:
            blank_edits(db, room, bare)
            self.bare += bare

    def _note(self, root: Root, key: str, device: DeviceId, value: Any) -> None:
        if root in ABOUT_MESSAGES:
            self._messages.touch(MessageId(key[:26]))
        elif root is Root.READS:
            self._reads.note(device, key, Stamp(value.upto))
        else:
            self._fields.touch(root, key)

    def _write_marks(self) -> None:
        written = [key + row for key, row in self._marks.items() if row is not None]
        erased = [key for key, row in self._marks.items() if row is None]
        if written:
            self._scope.db.executemany(
                "insert or replace into mark (chain, root, key, volume, room, target, device, "
                "clock, at, value) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                written,
            )
        if erased:
            self._scope.db.executemany(
                "delete from mark where chain = ? and root = ? and key = ? and volume = ?", erased
            )
        self._marks.clear()

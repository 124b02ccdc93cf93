"""A batch: what one transaction changes in one room, settled at once.

Rows of journal entries are written, everything touched is folded anew, and the room's digest moves
by the difference. Pending ops of the outbox count as entries of the own journal, so what a person
writes shows at once and is not shown differently when it is sealed later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Any

from ...core.reader import Change
from ...core.values import ABOUT_MESSAGES, MessageValue, Root
from ...ids import DeviceId, MemberId, MessageId, Stamp, message_id
from .. import previews, tallies
from ..database import Database
from ..footing import Footing
from ..members import Owners
from ..previews import Preview
from . import log
from .fields import Fields
from .marks import blank_edits
from .messages import PENDING, Messages, Place
from .reads import Reads
from .scope import Scope

_SHOWN_AHEAD = frozenset({Root.PROFILE, Root.MESSAGES, *ABOUT_MESSAGES} - {Root.DELETES})


class ViewBatch:
    """Collects what one transaction changes in one room; ``flush`` ends it."""

    def __init__(
        self,
        db: Database,
        room: int,
        *,
        me: DeviceId,
        footing: Footing | None = None,
        change: int | None = None,
    ) -> None:
        self._scope = Scope(db, room, me=me, footing=footing, change=change)
        self._messages = Messages(self._scope)
        self._reads = Reads(self._scope)
        self._fields = Fields(self._scope)
        self._marks: dict[tuple[int, Root, str, int], tuple[Any, ...] | None] = {}
        self._ahead: set[Preview] | None = None
        self._confirmed: list[Preview] = []
        self.bare: list[MessageId] = []
        """Messages that are deleted or gone: all that belongs to them must go."""

    @property
    def _previews(self) -> set[Preview]:
        """Return what is shown ahead; what a person writes need not know."""
        if self._ahead is None:
            self._ahead = previews.all_previews(self._scope.db, self._scope.room)
        return self._ahead

    @property
    def owners(self) -> Owners:
        """Return whose devices are whose in the room."""
        return self._scope.owners

    @property
    def change(self) -> int:
        """Return the number under which this transaction's changes are found."""
        return self._scope.change

    def add(
        self, *, chain: int, device: DeviceId, volume: int, seq: int, changes: Sequence[Change]
    ) -> None:
        """Add what one envelope changed."""
        if self._previews:
            self._confirm(chain, volume, changes)
        self._add(chain, device, volume, seq, changes)

    def _add(
        self, chain: int, device: DeviceId, volume: int, seq: int, changes: Sequence[Change]
    ) -> None:
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

    def add_ahead(
        self, *, chain: int, device: DeviceId, volume: int, seq: int, changes: Sequence[Change]
    ) -> None:
        """Add what one envelope changed to which its chain has not come yet: messages, what is
        said about them, and what people are called; what cannot be taken back stays out of it.
        """
        shown = [
            change
            for change in changes
            if change.root in _SHOWN_AHEAD and not self._is_there(chain, device, volume, change)
        ]
        self._add(chain, device, volume, seq, shown)
        new = {Preview(chain, volume, change.clock, change.root, change.key) for change in shown}
        previews.add(self._scope.db, self._scope.room, sorted(new))
        self._previews.update(new)

    def _is_there(self, chain: int, device: DeviceId, volume: int, change: Change) -> bool:
        """Tell whether the chain has brought an entry for the same thing, which stands."""
        db = self._scope.db
        if change.root is Root.MESSAGES:
            row = db.row(
                "select volume, clock from message where room = ? and message = ? "
                "and clock is not null",
                (self._scope.room, message_id(Stamp(change.key), device)),
            )
        else:
            row = db.row(
                "select volume, clock from mark where chain = ? and root = ? and key = ? "
                "and volume = ?",
                (chain, int(change.root), change.key, volume),
            )
        if row is None:
            return False
        there = Preview(chain, row[0], row[1], change.root, change.key)
        return there not in self._previews

    def hide_ahead(self, messages: Set[MessageId]) -> None:
        """Show messages no more that are shown ahead, because they are deleted."""
        for preview in sorted(self._previews):
            message = self._message_of(preview)
            if message is not None and message in messages:
                self._messages.erase(message)
                self._previews.discard(preview)
                self._confirmed.append(preview)

    def take_back(self, *, but: Set[tuple[int, int]] = frozenset()) -> None:
        """Take back what was shown ahead and that its chain did not bring.

        Not in the (chain, volume) of ``but``, of which a peer that keeps little has the rest yet
        to fetch.
        """
        left = {preview for preview in self._previews if preview[:2] in but}
        for preview in sorted(self._previews - left):
            chain, volume, clock, root, key = preview
            if root is Root.MESSAGES:
                if (message := self._message_of(preview)) is not None:
                    self._messages.erase(message)
                continue
            row = self._scope.db.row(
                "select device from mark where chain = ? and root = ? and key = ? and volume = ? "
                "and clock = ?",
                (chain, int(root), key, volume, clock),
            )
            if row is None:
                continue
            self._marks[chain, root, key, volume] = None
            if root is Root.PROFILE:
                self._fields.take_back(root, key, row[0])
            else:
                self._messages.touch(MessageId(key[:26]))
        self._confirmed += sorted(self._previews - left)
        self._ahead = left

    def _message_of(self, preview: Preview) -> MessageId | None:
        """Return the message that is shown by a preview, None where it is shown by its chain."""
        row = None
        if preview.root is Root.MESSAGES:
            row = self._scope.db.row(
                "select message from message where room = ? and chain = ? and volume = ? "
                "and clock = ? and substr(message, 1, ?) = ?",
                (self._scope.room, *preview[:3], len(preview.key), preview.key),
            )
        return None if row is None else MessageId(row[0])

    def _confirm(self, chain: int, volume: int, changes: Sequence[Change]) -> None:
        """Take note that a chain has come to entries that were shown ahead."""
        found = {
            Preview(chain, volume, change.clock, change.root, change.key) for change in changes
        } & self._previews
        self._previews.difference_update(found)
        self._confirmed += sorted(found)

    def write(self, message: MessageId, raw: str, value: MessageValue) -> None:
        """Add, or replace, an own message that is not sealed yet."""
        self._messages.put(message, PENDING, raw, value)

    def withdraw(self, message: MessageId) -> None:
        """Remove an own message that was never sealed, unless one of the same id has come."""
        self._messages.withdraw(message)

    def end(self, message: MessageId) -> None:
        """Let a message disappear, because its time is over."""
        self._messages.end(message)

    def review(self, messages: Iterable[MessageId]) -> None:
        """Look anew at messages that may be older than the room keeps them, or no longer are."""
        for message in messages:
            self._messages.touch(message)

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
        if self._confirmed:
            previews.drop(self._scope.db, self._scope.room, sorted(self._confirmed))
            self._confirmed.clear()
        self._write_marks()
        delta = self._reads.settle() + self._fields.settle() + self._messages.settle()
        db, room = self._scope.db, self._scope.room
        counted, self._messages.counted = self._messages.counted, []
        if counted or delta:
            tallies.move_on(db, room, counted, delta)
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

"""What of a room is still to go out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..core.refusals import Refusal
from ..core.values import ROOT_NAMES, Root
from ..errors import NotAllowedError, NotFoundError, ValidationError
from ..ids import MessageId, is_message_id
from ..membership import why_no_member
from ..storage import chains, history, members, outbox, rooms, view
from ..storage.chains import ChainRow
from ..storage.outbox import Waiting
from ..storage.rooms import Standing
from .base import RoomPart

_DISCARDABLE = (Root.MESSAGES, Root.EDITS, Root.REACTIONS)


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """Is something written here that the relay has not acknowledged.

    ``id`` names it for ``retry`` and ``discard``. ``what`` is the kind of entry ("messages",
    "edits", …), ``message_id`` the message it is about, if any. ``refusal`` and ``reason`` say why
    it does not go out, as a kind and in words; None and empty while it just waits.
    """

    id: str
    what: str
    message_id: MessageId | None
    text: str
    reason: str
    refusal: Refusal | None


class RoomOutbox(RoomPart):
    """Is what a room's handle can do about what is not at the relay yet; part of ``Room``."""

    __slots__ = ()

    def outbox(self, *, after: str | None = None, limit: int = 1_000) -> list[OutboxItem]:
        """Return what is not acknowledged by the relay yet: first sent first.

        At most ``limit`` (1 to 1,000), the first, or those after the item with an id;
        ``outbox_count`` counts all. Raises ``ValidationError``.
        """
        if not 0 < limit <= history.PAGE_MAX:
            raise ValidationError(f"limit must be 1 to {history.PAGE_MAX}")
        db = self._peer._db
        with db.reading():
            own = chains.find_chain(db, self._row, self._peer.device)
            items: list[OutboxItem] = []
            if own is not None and (after is None or is_message_id(after) or after == _CHANGES):
                items += self._sealed(own, "" if after is None else after, limit)
            if len(items) < limit:
                last = int(after) if after is not None and after.isdecimal() else 0
                items += self._pending(own, last, limit - len(items))
            return items

    def outbox_count(self) -> int:
        """Return how many items the outbox has."""
        db = self._peer._db
        with db.reading():
            own = chains.find_chain(db, self._row, self._peer.device)
            sealed = 0
            if own is not None and own.seq > own.acked:
                sealed = max(1, history.unacked_count(db, own.id, own.acked))
            return sealed + outbox.count(db, self._row)

    def retry(self, item: OutboxItem | str | None = None) -> None:
        """Try again to send one item, or all that was refused; see ``outbox`` for the reasons.

        All are also the ``pending_changes`` that the relay refused and the room's log would take.
        What is sealed is bound to what was sealed before it, so it is all tried again. A message
        that was parked alone gets a new id where others were sent after it: it goes behind them.
        Raises ``NotFoundError`` for an item that is not in the outbox.
        """
        db = self._peer._db
        with db.atomic():
            only = None if item is None else self._waiting(item)
            if item is None:
                members.reopen_intents(db, self._row)
            if only is None:
                self._retry_sealed()
            for each in outbox.parked(db, self._row):
                if item is None or only == each:
                    self._unpark(each)
        self._peer._ring()

    def discard(self, item: OutboxItem | str) -> None:
        """Take an item out of the outbox: a message that then was never written, an edit, a
        reaction.

        Raises ``NotFoundError`` for an item that is not there any more, and ``NotAllowedError``
        for what is sealed, which the relay may have by now, and for what cannot be taken back.
        """
        db = self._peer._db
        with db.atomic():
            found = self._waiting(item)
            if found is None:
                raise NotAllowedError(
                    "this was sealed to be sent and may be at the relay already; delete or edit "
                    "the message instead"
                )
            op = found.op
            if op.root not in _DISCARDABLE or op.raw is None:
                raise NotAllowedError("only messages, edits and reactions can be discarded")
            batch = view.ViewBatch(db, self._row, me=self._peer.device)
            if op.root is Root.MESSAGES:
                about = outbox.target_of(op.root, op.key, self._peer.device)
                outbox.drop_about(db, self._row, about)
                batch.withdraw(MessageId(about))
            else:
                outbox.drop(db, self._row, op.root, op.key)
                batch.note(op.root, op.key, None)
            batch.flush()
        self._peer._ring()

    async def synced(self) -> None:
        """Wait until the outbox is empty and all that the relay has is here.

        A reader's outbox does not count, as no relay takes it, nor does an item that is parked
        alone.

        Waits for ever while there is no connection; bound it with ``asyncio.timeout``. Raises
        ``NotAllowedError`` when the relay has refused this room's outbox for good.
        """
        await self._peer._until(self._is_synced)

    # Inside

    def _sealed(self, own: ChainRow, after: str, limit: int) -> Iterator[OutboxItem]:
        """Yield what is sealed and not acknowledged."""
        if own.seq <= own.acked or after == _CHANGES:
            return
        db = self._peer._db
        refusal, reason = chains.refusal_of(db, own.id), own.frozen or ""
        found = history.unacked(db, own.id, own.acked, after=after, limit=limit)
        what = ROOT_NAMES[Root.MESSAGES]
        for message in self._reading(is_whole=True).many(found):
            yield OutboxItem(message.id, what, message.id, message.text, reason, refusal)
        if not found and not after:
            yield OutboxItem(_CHANGES, "changes", None, "", reason, refusal)

    def _pending(self, own: ChainRow | None, after: int, limit: int) -> Iterator[OutboxItem]:
        """Yield what is not sealed yet."""
        db, me = self._peer._db, self._peer.device
        refusal, reason = None, ""
        if own is not None and own.frozen is not None:
            refusal, reason = chains.refusal_of(db, own.id), own.frozen
        elif self._load().standing is not Standing.OLD:
            reason = self._peer._membership.may_write(self._row)
            refusal = Refusal.NO_MEMBER if reason else None
        waiting = outbox.waiting(db, self._row, after=after, limit=limit)
        targets = [outbox.target_of(each.op.root, each.op.key, me) for each in waiting]
        said = [
            MessageId(target)
            for each, target in zip(waiting, targets, strict=True)
            if each.op.root is Root.MESSAGES and each.op.raw
        ]
        texts = {message.id: message.text for message in self._reading(is_whole=True).many(said)}
        for each, target in zip(waiting, targets, strict=True):
            about = MessageId(target) if is_message_id(target) else None
            text = texts.get(about, "") if about is not None else ""
            is_text = each.op.root is Root.MESSAGES and each.op.raw
            yield OutboxItem(
                str(each.id),
                ROOT_NAMES[each.op.root],
                about,
                text if is_text else "",
                each.why or reason,
                each.refusal or refusal,
            )

    def _waiting(self, item: OutboxItem | str) -> Waiting | None:
        """Return the op that an item is, None for one that is sealed; raises ``NotFoundError``."""
        id_ = item.id if isinstance(item, OutboxItem) else str(item)
        db = self._peer._db
        if id_.isdecimal() and id_.isascii() and len(id_) < 19:
            found = outbox.find_waiting(db, self._row, int(id_))
            if found is not None:
                return found
        own = chains.find_chain(db, self._row, self._peer.device)
        if own is not None and own.seq > own.acked:
            is_message = is_message_id(id_) and history.is_unacked(db, own.id, own.acked, id_)
            if is_message or id_ == _CHANGES:
                return None
        raise NotFoundError(f"no item {id_[:40]!r} in the outbox of this room")

    def _retry_sealed(self) -> None:
        db = self._peer._db
        own = chains.find_chain(db, self._row, self._peer.device)
        if own is not None and own.frozen is not None:
            chains.freeze(db, own.id, None)
            change = rooms.next_change(db)
            history.touch_own(db, own.id, after_seq=own.acked, upto_seq=own.seq, change=change)

    def _is_synced(self) -> bool:
        db = self._peer._db
        row = self._load()
        own = chains.find_chain(db, self._row, self._peer.device)
        if own is not None and own.frozen is not None:
            raise NotAllowedError(own.frozen)
        if row.standing in (Standing.REMOVED, Standing.LEFT, Standing.REFUSED, Standing.OLD):
            raise NotAllowedError(why_no_member(db, row))
        is_sent = not outbox.pending(db, self._row, limit=1)
        return (
            row.standing is Standing.MEMBER
            and not members.intents(db, self._row, is_open=True)
            and not members.unsent_records(db, self._row)
            and (is_sent or bool(self._peer._membership.may_write(row.id)))
            and (own is None or own.seq == own.acked)
            and row.cursor >= row.head
            and self._peer._is_live(row)
        )


_CHANGES = "changes"
"""The item that stands for sealed entries that are no messages."""

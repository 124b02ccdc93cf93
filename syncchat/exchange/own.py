"""The own chain, when it comes from the relay: a restored backup meets what it had sent since.

What waits in the outbox is compared with what a former life of the database has sent already,
given later stamps where it would stand before it, and shown again.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..core.reader import Change
from ..core.refusals import Refusal
from ..core.values import ABOUT_MESSAGES, ReadValue, Root, decode_value
from ..ids import DeviceId, Stamp, message_id
from ..storage import chains, history, outbox, rooms
from ..storage.chains import ChainRow
from ..storage.database import Database
from ..storage.outbox import Op
from ..storage.view import ViewBatch
from .volumes import Volumes


class OwnChain:
    """Is the part of one transaction in one room that concerns the own chain."""

    def __init__(
        self,
        db: Database,
        volumes: Volumes,
        view: ViewBatch,
        room: int,
        *,
        me: DeviceId,
        now_ms: int,
    ) -> None:
        self._db = db
        self._volumes = volumes
        self._view = view
        self._room = room
        self._me = me
        self._now_ms = now_ms

    def meet(self, changes: Sequence[Change]) -> None:
        """Drop pending ops that a former life of this database had already sent, or outdone."""
        for change in changes:
            op = outbox.find(self._db, self._room, change.root, change.key)
            if op is not None and (_is_same(op, change) or _has_read_more(op, change)):
                outbox.drop(self._db, self._room, change.root, change.key)
            if change.root is Root.DELETES:  # a deletion is final, and written once
                outbox.drop(self._db, self._room, Root.DELETES, change.key)
                outbox.drop(self._db, self._room, Root.EDITS, change.key)

    def follow(self, row: ChainRow, seq: int, last_stamp: Stamp) -> None:
        """Go on after what a former life of this database wrote: clock, stamps, documents."""
        self._volumes.forget_documents(row.id)
        chains.set_acked(self._db, row.id, seq)
        rooms.follow_own_stamp(self._db, last_stamp)
        first = outbox.waiting(self._db, self._room, limit=1)
        if not first or first[0].op.at > last_stamp:
            return
        before = [each.op for each in outbox.waiting(self._db, self._room, limit=2**31)]
        for op in before:
            if op.root is Root.MESSAGES and op.raw is not None:
                self._view.withdraw(message_id(Stamp(op.key), self._me))
        self._view.flush()
        outbox.restamp(self._db, self._room, device=self._me, after=last_stamp, now_ms=self._now_ms)
        for op in before:  # what was about a message under its old id is so no longer
            if op.root in ABOUT_MESSAGES:
                self._view.note(op.root, op.key, None)
        self.show_outbox()

    def show_outbox(self) -> None:
        """Show what the outbox holds."""
        for each in outbox.waiting(self._db, self._room, limit=2**31):
            op = each.op
            if op.raw is None or each.refusal is Refusal.INVALID:
                continue
            value = decode_value(op.root, op.raw)
            if op.root is Root.MESSAGES:
                self._view.write(message_id(Stamp(op.key), self._me), op.raw, value)
            else:
                self._view.note(op.root, op.key, value)

    def note_acked(self, own: ChainRow, known: list[tuple[int, int]]) -> None:
        """Note that the relay has own envelopes whose Ack was lost."""
        chains.set_relay_seqs(self._db, own.id, known)
        first, upto = min(known)[0], max(known)[0]
        chains.release(self._db, self._room, own.device, first, upto)
        if upto > own.acked:
            chains.set_acked(self._db, own.id, upto)
            history.touch_own(
                self._db, own.id, after_seq=own.acked, upto_seq=upto, change=self._view.change
            )


def _is_same(op: Op, change: Change) -> bool:
    return (op.at, op.raw) == (change.at, change.raw)


def _has_read_more(op: Op, change: Change) -> bool:
    """Tell whether a read marker would go back with an op: they never do, in no journal."""
    if change.root is not Root.READS or op.raw is None:
        return False
    pending: ReadValue = decode_value(Root.READS, op.raw)
    sent: ReadValue = change.value
    return pending.upto <= sent.upto

"""Recording: what this peer puts on the rooms' logs at a relay, one record at a time.

A relay takes a record only on top of a log's head. When somebody else was faster it says so
(``STALE``); their record arrives, and what was wanted is made anew on top of it, if it is still
wanted (``duties``). What the relay lost of a log it gets again.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ports import Random
from ..storage import lease, members, rooms
from ..storage.database import Database
from ..storage.rooms import RoomRow
from ..sync.session import Session
from ..trust.changes import Kind
from ..trust.records import decode_record
from ..trust.rules import refusal_of
from ..wire.codes import ItemStatus
from ..wire.limits import ENVELOPES_PER_PUSH_MAX
from .duties import Duties, Duty
from .groups import Groups
from .progress import Progress

RECORD_BYTES_PER_PUSH_MAX = 245_760
"""Bytes of records in one Push. A branch that a relay lost, and the Merge on top of it, must go in
one; only a branch of more than this, of two key epochs for 1,000 members, is not given back."""

RECORDS_RETRY_MS = 2_000
"""When to try again at the latest, after somebody else was faster to put a record on a room's log;
as a rule their record comes and says when."""

ROTATE_AFTER_MS = (20, 500)
"""How long after a record of another this peer waits with a new key, so that not all who are
online do the same thing at once."""

_ENTRIES = frozenset((Kind.JOIN, Kind.REQUEST))


class Recorder:
    """Pushes records over one connection; every method raises as the exchange does."""

    def __init__(
        self,
        db: Database,
        session: Session,
        groups: Groups,
        duties: Duties,
        *,
        random: Random,
        holder: str,
    ) -> None:
        self._db = db
        self._session = session
        self._groups = groups
        self._duties = duties
        self._random = random
        self._holder = holder

    def push_lost(self, progress: Progress) -> bool:
        """Push what the relay lacks of a room's log; tell whether there was something."""
        if progress.is_refused or self._session.pushes_of(progress.room):
            return False
        unsent: list[bytes] = []
        size = 0
        for raw in members.unsent_records(self._db, progress.row)[:ENVELOPES_PER_PUSH_MAX]:
            size += len(raw)
            if unsent and size > RECORD_BYTES_PER_PUSH_MAX:
                break
            unsent.append(raw)
        if unsent:
            self._session.push(progress.room, unsent)
        return bool(unsent)

    def push_to_closed(self, progress: Progress) -> None:
        """Offer the log of a room that the relay does not let this device read.

        It may have lost the room, which looks just as if this device were not let in. Its first
        record tells: who is not let in gets it refused.
        """
        if self.push_lost(progress) or progress.is_offered:
            return
        progress.is_offered = True
        first = members.records_of(self._db, progress.row)[:1]
        if first and not progress.is_refused:
            self._session.push(progress.room, first)

    def push_due(self, progress: Progress, room: RoomRow, *, now_ms: int) -> bool:
        """Push what is due on a room's log; tell whether there was something."""
        group = self._groups.of(room.id)
        is_one_chain = group is None or len(group.heads) == 1
        if is_one_chain and members.unsent_records(self._db, room.id):
            return self.push_lost(progress)
        if group is None or now_ms < progress.records_due_ms:
            return False
        if not self._duties.is_any(room, group):
            return False
        with self._db.atomic():
            lease.check(self._db, self._holder)
            may_rotate = now_ms >= progress.rotate_due_ms
            duty = self._duties.next(room, group, may_rotate=may_rotate)
        if duty is None:
            return False
        progress.duty = duty
        self._session.push(progress.room, [record.raw for record in duty.records])
        return True

    def came(self, progress: Progress, *, now_ms: int) -> None:
        """Take note that the log has grown by records of others."""
        low, high = ROTATE_AFTER_MS
        progress.rotate_due_ms = now_ms + round(self._random.uniform(low, high))
        progress.records_due_ms = 0

    def acked(
        self,
        progress: Progress,
        raws: tuple[bytes, ...],
        statuses: Sequence[ItemStatus],
        *,
        now_ms: int,
    ) -> None:
        """Take note of what became of records: made, to be made anew, or refused."""
        duty = progress.duty
        if duty is not None and raws == tuple(record.raw for record in duty.records):
            progress.duty = None
        else:
            duty = None
        refused = [s for s in statuses if s not in (ItemStatus.STORED, ItemStatus.KNOWN)]
        if not refused:
            if progress.is_closed and len(raws) == 1 and duty is None:
                self._was_lost(progress, raws[0])
            if duty is not None and duty.intent is not None:
                with self._db.atomic():
                    members.drop_intent(self._db, duty.intent)
            return
        if progress.is_closed and refused[0] in (ItemStatus.STALE, ItemStatus.GAP):
            progress.is_refused = True
        if refused[0] is ItemStatus.FORBIDDEN:
            if duty is not None:
                self._refused(progress, duty)
            progress.is_refused = duty is None
        if duty is None or not self._has_moved(progress, duty):
            progress.records_due_ms = now_ms + RECORDS_RETRY_MS

    def _was_lost(self, progress: Progress, raw: bytes) -> None:
        """Push all of a room's log anew, if its first record was new to the relay."""
        if decode_record(raw).prevs or not progress.is_offered:
            return
        with self._db.atomic(durable=False):
            lease.check(self._db, self._holder)
            members.forget_record_seqs(self._db, progress.row)

    def _has_moved(self, progress: Progress, duty: Duty) -> bool:
        """Tell whether the room's log has grown since a record was made for it."""
        group = self._groups.of(progress.row)
        return group is not None and group.heads != duty.records[-1].prevs

    def _refused(self, progress: Progress, duty: Duty) -> None:
        """Keep why a change cannot be, where it can be said; it is not tried again."""
        with self._db.atomic():
            lease.check(self._db, self._holder)
            room = rooms.load_room(self._db, progress.row)
            group = self._groups.of(room.id)
            record = duty.records[-1]
            reason = "" if group is None else refusal_of(group, record)
            reason = reason or members.RELAY_FORBIDS
            if duty.intent is not None:
                members.refuse_intent(self._db, duty.intent, reason)
            elif room.standing.is_coming and record.kind in _ENTRIES:
                rooms.refuse_standing(self._db, room.id, reason)

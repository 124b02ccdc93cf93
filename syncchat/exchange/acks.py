"""Acks: what the relay says of the own chain, and of others' progress on it.

A stored envelope moves the own chain's acknowledged seq, and the cursor where it is the next one
of the log: an Ack stands for the delivery to its own sender. A refusal for now only sets back what
counts as pushed. A refusal for good parks the room's outbox with its reason, but only when the
relay repeats it on the next connection: the first one may have been damaged on its way.

What was acknowledged stays so, whatever a relay says later, with one exception: it refuses for
good what it has lost, and the room's log, which no relay can make up, says that this device's chain
ended before. That counts nowhere any more; to show it as sent would be a lie.
"""

from __future__ import annotations

from ..core.clock import ms_of
from ..core.refusals import Refusal
from ..ids import DeviceId, device_text
from ..ports import Clock
from ..storage import arrivals, chains, history, lease, members, rooms
from ..storage.chains import ChainRow
from ..storage.database import Database
from ..storage.members import Owners
from ..trust.chain import next_fingerprint
from ..trust.keys import DeviceKeys
from ..trust.membership import fold_group
from ..trust.records import Record, decode_record, is_record
from ..wire.codes import ItemStatus
from ..wire.envelope import decode_envelope
from .progress import Progress
from .receiving import Receiver

LOST = (
    "the relay lost this before anybody else read it, and takes it no more, because what you "
    "could write here ended before it"
)

PAUSE_MS = 1_000
"""How long a room's pushes rest after the relay said that it is full, or lacks what lets this
device write."""

ASKED_MS = 7 * 24 * 3_600_000
"""For how long after the last writing it is asked for each member whether they have it."""

_WORDS = {
    Refusal.COPIED: (
        "another copy of this database has written in this room; use only one copy, "
        "and start the other with a new database"
    ),
    Refusal.FORBIDDEN: "the relay does not let this device write here",
    Refusal.LOST: LOST,
    Refusal.MALFORMED: "the relay found the envelope invalid",
}


class Acks:
    """Stores what the relay says of pushed envelopes; every method raises as the exchange does."""

    def __init__(
        self, db: Database, keys: DeviceKeys, clock: Clock, holder: str, receiver: Receiver
    ) -> None:
        self._db = db
        self._clock = clock
        self._receiver = receiver
        self._keys = keys
        self._holder = holder

    def take(
        self,
        progress: Progress,
        incarnation: bytes,
        envelopes: tuple[bytes, ...],
        items: tuple[tuple[ItemStatus, int], ...],
        *,
        now_ms: int,
    ) -> tuple[bool, str]:
        """Store what became of pushed envelopes.

        Returns whether the room's cursor moved, and a refusal to be asked about again, or "".
        """
        own = chains.find_chain(self._db, progress.row, self._keys.device)
        acked = 0
        places: dict[int, list[tuple[int, int]]] = {}
        moved = None
        doubt = ""
        records: list[tuple[Record, int | None]] = []
        for raw, (status, seq) in zip(envelopes, items, strict=True):
            if _is_nowhere(status, seq, progress.cursor):
                doubt = doubt or "the relay says that it has stored something where it cannot be"
                continue
            if is_record(raw):
                if status in (ItemStatus.STORED, ItemStatus.KNOWN):
                    records.append((decode_record(raw), seq))
                    moved = self._moved_cursor(progress, moved, raw, status, seq)
                continue
            _, header = decode_envelope(raw)
            device = device_text(header.device)
            is_own = own is not None and device == own.device
            if status in (ItemStatus.STORED, ItemStatus.KNOWN):
                moved = self._moved_cursor(progress, moved, raw, status, seq)
                if is_own and own is not None:
                    acked = max(acked, header.seq)
                    places.setdefault(own.id, []).append((header.seq, seq))
            elif is_own and status is ItemStatus.GAP and (seq + 1 >= header.seq or seq < acked):
                doubt = doubt or "the relay says that it lacks what it has"
            elif is_own:
                refusal = self._not_stored(progress, header.seq, status, seq, now_ms=now_ms)
                if refusal is not None and not doubt:
                    doubt = self._refused(progress, device, header.seq, refusal, raw, now_ms=now_ms)
        with self._db.atomic(durable=False):
            lease.check(self._db, self._holder)
            if records:
                self._receiver.take_records(progress.row, records)
            for chain, found in places.items():
                chains.set_relay_seqs(self._db, chain, found)
            if own is not None and acked > own.acked:
                self._move_acked(own, acked)
            if own is not None and own.id in places:
                stored = [seq for seq, _ in places[own.id]]
                chains.release(self._db, progress.row, own.device, min(stored), max(stored))
            if moved is not None:
                cursor, fingerprint = moved
                chains.release_log(
                    self._db, progress.row, progress.cursor + 1, cursor, but=frozenset()
                )
                rooms.set_position(
                    self._db,
                    progress.row,
                    incarnation=incarnation,
                    cursor=cursor,
                    fingerprint=fingerprint,
                )
                rooms.set_head(self._db, progress.row, cursor)
        if moved is None:
            return False, doubt
        progress.cursor = moved[0]
        progress.head = max(progress.head, progress.cursor)
        return True, doubt

    def block(self, progress: Progress, refusal: Refusal) -> None:
        """Write no further on the own chain of one room; its outbox is kept, with the reason."""
        with self._db.atomic():
            lease.check(self._db, self._holder)
            own = chains.add_chain(self._db, progress.row, self._keys.device, self._keys.public)
            if own.frozen is None:
                end = self._receiver.end_of(progress.row, own)
                is_lost = end < own.acked
                if is_lost:
                    chains.set_back_acked(self._db, own.id, end)
                why = Refusal.LOST if is_lost else refusal
                chains.freeze(self._db, own.id, _WORDS[why], refusal=why)
                self._touch(own, min(end, own.acked), own.seq)

    def wants_cursors(self, progress: Progress, own: ChainRow, upto: int) -> bool:
        """Tell whether to ask who has what: of what was written lately, or nobody else has yet."""
        is_late = ms_of(own.last_stamp) + ASKED_MS > self._clock.now_ms()
        return own.delivered < upto or (
            is_late and arrivals.is_somebody_behind(self._db, progress.row, own)
        )

    def cursors_seen(self, progress: Progress, cursors: tuple[tuple[DeviceId, int], ...]) -> None:
        """Store how far other members' devices are; the furthest is the state *delivered*."""
        owners = Owners(self._db, progress.row)
        me = owners[self._keys.device]
        others = [(device, seq) for device, seq in cursors if owners[device] != me]
        furthest = max((seq for _, seq in others), default=0)
        own = chains.find_chain(self._db, progress.row, self._keys.device)
        if own is None or not furthest:
            return
        with self._db.atomic(durable=False):
            lease.check(self._db, self._holder)
            arrivals.note(self._db, progress.row, own, others, now_ms=self._clock.now_ms())
            if chains.set_delivered(self._db, own.id, furthest):
                self._touch(own, own.delivered, own.seq)

    def _move_acked(self, own: ChainRow, seq: int) -> None:
        chains.set_acked(self._db, own.id, seq)
        self._touch(own, own.acked, seq)

    def _touch(self, own: ChainRow, after_seq: int, upto_seq: int) -> None:
        change = rooms.next_change(self._db)
        history.touch_own(self._db, own.id, after_seq=after_seq, upto_seq=upto_seq, change=change)

    def _moved_cursor(
        self,
        progress: Progress,
        moved: tuple[int, bytes] | None,
        raw: bytes,
        status: ItemStatus,
        seq: int,
    ) -> tuple[int, bytes] | None:
        """Return the log position after a stored envelope, if it is the next one."""
        if moved is None:
            room = rooms.load_room(self._db, progress.row)
            at, fingerprint = room.cursor, room.fingerprint
        else:
            at, fingerprint = moved
        if status is not ItemStatus.STORED or seq != at + 1:
            return moved
        return seq, next_fingerprint(fingerprint, raw)

    def _not_stored(
        self, progress: Progress, chain_seq: int, status: ItemStatus, seq: int, *, now_ms: int
    ) -> Refusal | None:
        """Act on one own envelope that was not stored; return why, if it is for good."""
        match status:
            case ItemStatus.GAP:
                progress.pushed = min(progress.pushed, seq)
                progress.ahead.clear()
            case ItemStatus.FULL:
                progress.pushed = min(progress.pushed, chain_seq - 1)
                progress.resume_at_ms = now_ms + PAUSE_MS
            case ItemStatus.CONFLICT:
                return Refusal.COPIED
            case ItemStatus.FORBIDDEN if self._is_unknown_there(progress.row):
                progress.pushed = min(progress.pushed, chain_seq - 1)
                progress.resume_at_ms = now_ms + PAUSE_MS
            case ItemStatus.FORBIDDEN:
                return Refusal.FORBIDDEN
            case _:
                return Refusal.MALFORMED
        return None

    def _is_unknown_there(self, room: int) -> bool:
        """Tell whether the relay is known to lack what of the room's log lets this device write.

        A relay that lost this member's entry refuses what they write until it has it back.
        """
        here = self._receiver.group_of(room)
        if here is not None and not here.may_write(self._keys.public):
            return False
        raws = members.records_at_relay(self._db, room)
        there = fold_group(decode_record(raw) for raw in raws) if raws else None
        return there is None or not there.may_write(self._keys.public)

    def _refused(
        self,
        progress: Progress,
        device: DeviceId,
        chain_seq: int,
        refusal: Refusal,
        raw: bytes,
        *,
        now_ms: int,
    ) -> str:
        """Park the outbox if this was the relay's answer before; else return the reason."""
        with self._db.atomic(durable=False):
            lease.check(self._db, self._holder)
            is_new = chains.quarantine(
                self._db,
                progress.row,
                device,
                chain_seq,
                reason=_WORDS[refusal],
                raw=raw,
                evidence=False,
                log_seq=0,
                now_ms=now_ms,
            )
        if is_new:
            return _WORDS[refusal]
        self.block(progress, refusal)
        progress.pushed = min(progress.pushed, chain_seq - 1)
        progress.is_parked = True
        return ""


def _is_nowhere(status: ItemStatus, seq: int, cursor: int) -> bool:
    """Tell whether an Ack names a place in the log where the envelope cannot stand."""
    if status is ItemStatus.STORED:
        return seq <= cursor  # what stands there was applied, and was another
    return status is ItemStatus.KNOWN and seq == 0

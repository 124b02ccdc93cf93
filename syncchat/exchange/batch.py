"""Receiving: from delivered envelopes to rows, one transaction for a batch.

Each device's envelopes are a run that must follow its chain. The last signature proves the run,
and once a room is live, when runs are short, each one is checked; bodies are opened, read
strictly and folded; rows, chain heads, the cursor and the log's fingerprint are committed
together, so a crash replays from the cursor. What does not fit is set aside alone with its
reason, and nothing else waits for it:

* bytes that are no envelope, or whose signature fails: quarantined; the chain goes on without.
  At first sight the cursor stays where it was, so that the relay is asked again: what was only
  damaged on its way comes whole then, and what comes just the same is passed over;
* an envelope ahead of its chain: quarantined as a gap, and taken up when the gap closes;
* a signed envelope with an unreadable body: kept, and its chain is read no further;
* a second signed envelope at one place: kept as evidence, and its chain is read no further.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ..core.clock import ZERO
from ..errors import (
    ChainBroken,
    DecodeError,
    KeyMissing,
    SignatureInvalid,
    TrustError,
)
from ..ids import DeviceId, DeviceKey, Stamp, device_bytes, device_text
from ..storage import chains, members, refolding, rooms
from ..storage.chains import ChainRow, StoredEnvelope
from ..storage.database import Database
from ..storage.erasing import fade, follow_deletions, gone_in, stay_gone
from ..storage.rooms import RoomRow
from ..storage.view import ViewBatch, clear
from ..trust import chain as links
from ..trust.group import Group
from ..trust.keys import DeviceKeys, verify
from ..trust.records import Record, RecordHash, decode_record, is_record
from ..wire.envelope import Envelope, Header, decode_envelope
from .own import OwnChain
from .reading import BeforeMe, ChainReading
from .roster import Trial, checked_record, take_records
from .volumes import Volumes

GAP = "gap"
ENDED = "its device wrote this after it was removed"
NOT_LET_IN = "its device is not let in"
_REFOLD_BATCH = 512


@dataclass(slots=True)
class _Item:
    """Is one delivered envelope; ``position`` is its place in the batch, -1 for none."""

    position: int
    envelope: Envelope
    header: Header
    raw: bytes


@dataclass(slots=True)
class _Chain:
    """Is one device's part of a batch."""

    device: DeviceId
    row: ChainRow | None
    run: list[_Item] = field(default_factory=list)
    known: list[tuple[int, int]] = field(default_factory=list)

    @property
    def head_seq(self) -> int:
        """Return the seq of the last stored envelope, 0 for none."""
        return 0 if self.row is None else self.row.seq

    @property
    def expected(self) -> int:
        """Return the seq of the envelope that follows the run."""
        return self.head_seq + len(self.run) + 1


_Extend = Callable[
    [bytes, links.ChainHead | None, Sequence[tuple[Envelope, Header]]],
    tuple[list[links.ChainHead], SignatureInvalid | ChainBroken | None],
]


class Batch:
    """Is the work of one transaction in one room."""

    def __init__(
        self,
        db: Database,
        volumes: Volumes,
        room: RoomRow,
        now_ms: int,
        me: DeviceId,
        *,
        extend: _Extend = links.extend_as_far_as_valid,
    ) -> None:
        self._extend_chain = extend
        self._db = db
        self._volumes = volumes
        self._room = room
        self._now_ms = now_ms
        self._me = me
        self._view = ViewBatch(db, room.id, me=me)
        self._own = OwnChain(db, volumes, self._view, room.id, me=me, now_ms=now_ms)
        self._group = volumes.groups.of(room.id)
        self._latest = Stamp("")
        self._first_seq = 0
        self._set_aside: set[int] = set()
        self.is_doubtful = False

    def take(self, envelopes: tuple[bytes, ...], *, first_seq: int, keys: DeviceKeys) -> bytes:
        """Apply a part of the log, records first, and return the log's new fingerprint."""
        self._first_seq = first_seq
        self._take_records(envelopes, keys)
        by_device: dict[DeviceId, list[_Item]] = {}
        for position, raw in enumerate(envelopes):
            if is_record(raw):
                continue
            try:
                envelope, header = decode_envelope(raw)
            except DecodeError as exc:
                self._quarantine("", 0, str(exc), raw, position)
                continue
            item = _Item(position, envelope, header, raw)
            by_device.setdefault(device_text(header.device), []).append(item)
        for device, items in by_device.items():
            self._take_chain(device, items)
        self._flush()
        if not self.is_doubtful:
            last_seq = first_seq + len(envelopes) - 1
            chains.release_log(self._db, self._room.id, first_seq, last_seq, but=self._set_aside)
        if self._latest:
            rooms.observe_stamp(self._db, self._latest, self._now_ms)
        fingerprint = self._room.fingerprint
        for raw in envelopes:
            fingerprint = links.next_fingerprint(fingerprint, raw)
        return fingerprint

    def refold(self) -> None:
        """Read every stored envelope of the room again."""
        for row in chains.all_chains(self._db, self._room.id):
            self._refold_chain(row)
        self._own.show_outbox()
        self._view.flush()

    # The room's log

    def _take_records(self, envelopes: tuple[bytes, ...], keys: DeviceKeys) -> None:
        known: set[RecordHash] = set()
        records: list[tuple[Record, int | None]] = []
        room = self._room.id
        trial = Trial(
            self._volumes.groups.of(room),
            lambda: map(decode_record, members.records_of(self._db, room)),
        )
        for position, raw in enumerate(envelopes):
            if not is_record(raw):
                continue
            try:
                record = checked_record(raw, self._room, known, self._db)
                trial.take(record, is_here=members.has_record(self._db, self._room.id, record.hash))
            except (DecodeError, TrustError) as exc:
                self._quarantine("", 0, str(exc), raw, position)
                continue
            known.add(record.hash)
            records.append((record, self._first_seq + position))
        if not records:
            return
        group = take_records(self._db, self._volumes.groups, self._room, records, keys=keys)
        if group is not None:
            self._room = rooms.load_room(self._db, self._room.id)
            self.follow_group(group)

    def follow_group(self, group: Group) -> None:
        """End chains where the room's log ends them, and read on those that it lets in."""
        self._group = group
        self._view.follow(admins=group.admins, hidden=group.hidden_messages)
        is_cut = False
        if group.lost:
            self._volumes.forget_keys()
        for row in chains.all_chains(self._db, self._room.id):
            if row.device == self._me:
                continue
            id_ = row.key[:8]
            is_let_in = id_ in group.owners  # one that was may be no more, where a fork has ended
            pin = group.pins.get(id_)
            end = 0 if not is_let_in else row.seq if pin is None else pin.seq
            if end < row.seq:
                is_cut |= chains.set_held(self._db, row.id, end, row.seq, held=True)
                if row.waiting is None:
                    chains.wait(self._db, row.id, ENDED if is_let_in else NOT_LET_IN)
            if row.waiting is not None and row.frozen is None:
                self._read_on(row)
        self._flush()
        if is_cut:
            refold_room(self._db, self._room, me=self._me, now_ms=self._now_ms)
            self._volumes.forget_states()

    def _flush(self) -> None:
        """Settle the view; what is deleted or gone by now goes from the own journal as well."""
        self._view.flush()
        bare, self._view.bare = self._view.bare, []
        if bare:
            follow_deletions(self._db, self._room.id, bare, me=self._me, now_ms=self._now_ms)

    def _read_on(self, row: ChainRow) -> None:
        """Read what is stored of a chain and was waited with, as far as it opens now."""
        reading = self._reading(row)
        waiting: str | None = None
        upto = 0
        for seq, _, raw in chains.held_after(self._db, row.id, 0):
            envelope, header = decode_envelope(raw)
            previous = chains.link_before(self._db, row.id, seq)
            waiting = self._why_wait(row, header)
            if waiting is not None:
                break
            try:
                reading.read(envelope, header, previous=previous)
            except BeforeMe:
                continue
            except KeyMissing as exc:
                waiting = str(exc)
                break
            except (DecodeError, TrustError) as exc:
                chains.freeze(self._db, row.id, f"envelope {seq} cannot be read: {exc}")
                break
            chains.set_held(self._db, row.id, seq - 1, seq, held=False)
            upto = seq
        reading.save()
        chains.wait(self._db, row.id, waiting)
        if upto:
            chains.set_reading(
                self._db, row.id, last_stamp=reading.last_stamp, volume=reading.volume
            )
            self._latest = Stamp(max(self._latest, reading.last_stamp))
            self._view.flush()

    def _reading(self, row: ChainRow) -> ChainReading:
        reading = ChainReading(self._db, self._volumes, self._view, self._room, row)
        group = self._group
        user = None if group is None else group.owners.get(device_bytes(self._me))
        if group is not None and user in group.members:
            reading.first_epoch = group.members[user].epoch
            reading.lost_epochs = group.lost_for_good
        return reading

    def _why_wait(self, row: ChainRow, header: Header) -> str | None:
        """Return why an envelope is not read yet, or never will be; None for none."""
        if row.device == self._me:
            return None
        group = self._group
        if group is None:
            return "the room's log is not here yet"
        if group.accepts(header.device, header.seq):
            return None
        return ENDED if header.device in group.owners else NOT_LET_IN

    # One device's run

    def _take_chain(self, device: DeviceId, items: list[_Item]) -> None:
        before = len(self._set_aside)
        part = _Chain(device, chains.find_chain(self._db, self._room.id, device))
        for item in items:
            if part.head_seq < item.header.seq < part.expected:
                self._extend(part)  # a second one at a place of this very run
            if item.header.seq == part.expected:
                part.run.append(item)
            elif item.header.seq < part.expected:
                self._take_known(part, item)
            else:
                self._quarantine(device, item.header.seq, GAP, item.raw, item.position)
        if part.run:
            self._extend(part)
        if part.known and len(self._set_aside) == before:
            first, last = min(part.known)[0], max(part.known)[0]
            chains.release(self._db, self._room.id, device, first, last)
        if part.known and part.row is not None and device == self._me:
            self._own.note_acked(part.row, part.known)

    def _take_known(self, part: _Chain, item: _Item) -> None:
        """Compare a repeated envelope with the one that is here."""
        seq = item.header.seq
        assert part.row is not None
        stored = chains.envelope_at(self._db, part.row.id, seq)
        if stored is None:
            return
        if stored[1] == item.raw:
            part.known.append((seq, self._first_seq + item.position))
            return
        previous = chains.link_before(self._db, part.row.id, seq)
        context = links.context(self._room.room_id, previous, item.envelope.header)
        link = links.link_hash(context, item.envelope.body)
        try:
            verify(part.row.key, links.signed_text(link), item.envelope.signature)
        except SignatureInvalid as exc:
            self._quarantine(part.device, seq, str(exc), item.raw, item.position)
            return
        if link == stored[0]:  # the signature that is here was damaged on its way; this one is not
            chains.mend_envelope(self._db, part.row.id, seq, item.raw)
            part.known.append((seq, self._first_seq + item.position))
        else:
            reason = f"the device wrote two different envelopes at {seq}"
            self._quarantine(part.device, seq, reason, item.raw, item.position, evidence=True)
            chains.freeze(self._db, part.row.id, reason)

    def _extend(self, part: _Chain) -> None:
        """Store what is valid of the run, set the rest aside, and begin a new run."""
        row, device = part.row, part.device
        run, part.run = part.run, []
        heads, fault = self._extend_chain(
            self._room.room_id,
            None if row is None else row.head,
            [(item.envelope, item.header) for item in run],
        )
        if fault is not None:
            bad, *behind = run[len(heads) :]
            self._quarantine(device, bad.header.seq, str(fault), bad.raw, bad.position)
            for item in behind:
                self._quarantine(device, item.header.seq, GAP, item.raw, item.position)
        if not heads:
            return
        if row is None:
            key = run[0].header.key
            assert key is not None
            row = chains.add_chain(self._db, self._room.id, device, DeviceKey(key))
        part.row = self._take_waiting(self._store(row, run[: len(heads)], heads))

    def _take_waiting(self, row: ChainRow) -> ChainRow:
        """Take up quarantined envelopes that the chain has now reached; return its new state."""
        while True:
            waiting = chains.waiting_after(self._db, self._room.id, row.device, row.seq)
            found = None
            for raw in waiting:
                envelope, header = decode_envelope(raw)
                if header.seq != row.seq + 1:
                    break
                heads, fault = links.extend_as_far_as_valid(
                    self._room.room_id, row.head, [(envelope, header)]
                )
                if fault is None:
                    found = (_Item(-1, envelope, header, raw), heads)
                    break
            if found is None:
                return row
            item, heads = found
            row = self._store(row, [item], heads)

    def _store(self, row: ChainRow, run: list[_Item], heads: list[links.ChainHead]) -> ChainRow:
        """Open, read and store verified envelopes that follow ``row``; return its new state."""
        reading = self._reading(row)
        own = row.device == self._me
        frozen, waiting, link = row.frozen, row.waiting, row.link
        stored: list[StoredEnvelope] = []
        for item, head in zip(run, heads, strict=True):
            is_passed = False
            if frozen is None and waiting is None:
                waiting = self._why_wait(row, item.header)
            if frozen is None and waiting is None:
                try:
                    changes = reading.read(item.envelope, item.header, previous=link)
                except BeforeMe:
                    is_passed = True
                except KeyMissing as exc:
                    waiting = str(exc)
                except (DecodeError, TrustError) as exc:
                    frozen = f"envelope {item.header.seq} cannot be read: {exc}"
                    chains.freeze(self._db, row.id, frozen)
                    self._quarantine(
                        row.device, item.header.seq, frozen, item.raw, item.position, evidence=True
                    )
                else:
                    if own:
                        self._own.meet(changes)
            relay_seq = self._first_seq + item.position if own and item.position >= 0 else None
            stored.append(
                StoredEnvelope(
                    item.header.seq,
                    item.header.volume,
                    head.link,
                    relay_seq,
                    frozen is not None or waiting is not None or is_passed,
                    item.raw,
                )
            )
            link = head.link
        chains.add_envelopes(self._db, row.id, stored)
        if waiting != row.waiting:
            chains.wait(self._db, row.id, waiting)
        chains.release(self._db, self._room.id, row.device, row.seq + 1, heads[-1].seq)
        reading.save()
        chains.advance(
            self._db, row.id, heads[-1], last_stamp=reading.last_stamp, volume=reading.volume
        )
        self._latest = Stamp(max(self._latest, reading.last_stamp))
        if own:
            self._own.follow(row, heads[-1].seq, reading.last_stamp)
        found = chains.find_chain(self._db, self._room.id, row.device)
        assert found is not None
        return found

    # Rebuilding

    def _refold_chain(self, row: ChainRow) -> None:
        start = replace(row, seq=0, link=links.GENESIS, last_stamp=ZERO, volume=0, passed=-1)
        reading = ChainReading(self._db, self._volumes, self._view, self._room, start)
        link, after = links.GENESIS, 0
        while part := chains.readable_after(self._db, row.id, after, limit=_REFOLD_BATCH):
            for seq, stored_link, raw in part:
                envelope, header = decode_envelope(raw)
                if seq != after + 1:  # some were passed over
                    link = chains.link_before(self._db, row.id, seq)
                    reading.volume = max(reading.volume, min(row.passed, header.volume - 1))
                reading.read(envelope, header, previous=link)
                link, after = stored_link, seq
            self._view.flush()
            reading.save()
        chains.set_reading(self._db, row.id, last_stamp=reading.last_stamp, volume=reading.volume)

    def _quarantine(
        self,
        device: str,
        seq: int,
        reason: str,
        raw: bytes,
        position: int,
        *,
        evidence: bool = False,
    ) -> None:
        self._set_aside.add(self._first_seq + position)
        is_new = chains.quarantine(
            self._db,
            self._room.id,
            device,
            seq,
            reason=reason,
            raw=raw,
            evidence=evidence,
            log_seq=self._first_seq + position,
            now_ms=self._now_ms,
        )
        self.is_doubtful |= is_new and not evidence


def refold_room(db: Database, room: RoomRow, *, me: DeviceId, now_ms: int) -> None:
    """Fold a room's view anew from its stored envelopes and outbox; inside a transaction."""
    with refolding.unmoved(db, room.id):
        gone = gone_in(db, room.id)
        clear(db, room.id)
        Batch(db, Volumes(db), room, now_ms, me).refold()
        stay_gone(db, room.id, gone, me=me)
        fade(db, me=me, now_ms=now_ms)


def follow_group(db: Database, room: RoomRow, group: Group, *, me: DeviceId, now_ms: int) -> None:
    """End and read on chains as a room's log says now; inside a transaction."""
    Batch(db, Volumes(db), room, now_ms, me).follow_group(group)

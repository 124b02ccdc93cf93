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
* a snapshot ahead of its chain: verified alone and read; the chain goes on over what it covers;
* what follows in a volume whose contents are absent: kept until they are here (``absence``);
* a signed envelope with an unreadable body: kept, and its chain is read no further;
* a second signed envelope at one place: kept as evidence, and its chain is read no further.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set

from msgspec.structs import replace

from ..core.clock import ZERO
from ..errors import ChainBroken, DecodeError, KeyMissing, SignatureInvalid, TrustError
from ..ids import DeviceId, DeviceKey, Stamp, device_bytes, device_text
from ..storage import absent, chains, members, refolding, rooms, snapshots
from ..storage.chains import ChainRow, StoredEnvelope
from ..storage.database import Database
from ..storage.erasing import fade, follow_deletions, gone_in, stay_gone
from ..storage.rooms import RoomRow
from ..storage.view import ViewBatch, clear
from ..trust import chain as links
from ..trust.group import Group
from ..trust.keys import DeviceKeys, verify
from ..trust.records import Record, RecordHash, decode_record, is_record
from ..wire.envelope import Envelope, EnvelopeKind, Header, decode_envelope
from . import skipping
from .absence import Absence
from .incoming import ChainPart, Item
from .logpart import LogPart
from .own import OwnChain
from .reading import BeforeMe, ChainReading
from .refold import refold_chain
from .roster import Trial, check_record, take_records
from .volumes import Volumes

GAP = "gap"
ENDED = "its device wrote this after it was removed"
NOT_LET_IN = "its device is not let in"
_EVER = 2**53

_Extend = Callable[
    [bytes, links.ChainHead | None, Sequence[tuple[Envelope, Header]]],
    tuple[list[links.ChainHead], SignatureInvalid | ChainBroken | None],
]


class Batch(Absence):
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
        super().__init__(db, room, now_ms)
        self._extend_chain = extend
        self._volumes = volumes
        self._me = me
        self._view = ViewBatch(db, room.id, me=me)
        self._own = OwnChain(db, volumes, self._view, room.id, me=me, now_ms=now_ms)
        self._group = volumes.groups.of(room.id)
        self._latest = Stamp("")
        self._has_absent = absent.count(db, room.id) > 0
        self._newer: dict[DeviceId, None] = {}
        self._is_cut = False

    def take(self, part: LogPart, *, keys: DeviceKeys) -> None:
        """Apply a part of the log, records first; or what is told of snapshots ahead of it."""
        self._take_records(part.envelopes, keys)
        by_device: dict[DeviceId, list[Item]] = {}
        for log_seq, raw in part.envelopes:
            if is_record(raw):
                continue
            try:
                envelope, header = decode_envelope(raw)
            except DecodeError as exc:
                self._quarantine("", 0, str(exc), raw, log_seq)
                continue
            item = Item(log_seq, envelope, header, raw)
            by_device.setdefault(device_text(header.device), []).append(item)
        for device, items in by_device.items():
            self._take_chain(device, items)
        self._read_newer()
        self._flush()
        if not self.is_doubtful and part.last:
            chains.release_log(self._db, self._room.id, part.first, part.last, but=self._set_aside)
        if self._latest:
            rooms.observe_stamp(self._db, self._latest, self._now_ms)

    def refold(self) -> None:
        """Read every stored envelope of the room again."""
        for row in chains.all_chains(self._db, self._room.id):
            start = replace(row, seq=0, link=links.GENESIS, last_stamp=ZERO, volume=0, passed=-1)
            reading = ChainReading(self._db, self._volumes, self._view, self._room, start)
            refold_chain(self._db, row, reading, self._view)
        self._own.show_outbox()
        self._view.flush()

    # The room's log

    def _take_records(
        self,
        envelopes: Sequence[tuple[int, bytes]],
        keys: DeviceKeys,
        *,
        verified: Set[RecordHash] = frozenset(),
    ) -> None:
        known: set[RecordHash] = set()
        records: list[tuple[Record, int | None]] = []
        room = self._room.id
        trial = Trial(
            self._volumes.groups.of(room),
            lambda: map(decode_record, members.records_of(self._db, room)),
        )
        for log_seq, raw in envelopes:
            if not is_record(raw):
                continue
            try:
                record = decode_record(raw)
                if not members.has_record(self._db, room, record.hash):  # else it was checked
                    check_record(record, self._room, known, self._db, verified=verified)
                    trial.take(record)
            except (DecodeError, TrustError) as exc:
                self._quarantine("", 0, str(exc), raw, log_seq)
                continue
            known.add(record.hash)
            records.append((record, log_seq))
        if not records:
            return
        group = take_records(self._db, self._volumes.groups, self._room, records, keys=keys)
        if group is not None:
            self._room = rooms.load_room(self._db, self._room.id)
            self.follow_group(group, is_longer=group is self._group)

    def follow_group(self, group: Group, *, is_longer: bool = False) -> None:
        """End chains where the room's log ends them, and read on those that it lets in."""
        # A log that only got longer lets nobody out but by a pin, and nobody in who does not wait.
        self._group = group
        self._view.follow(admins=group.admins, hidden=group.hidden_messages)
        if group.lost:
            self._volumes.forget_keys()
        pinned = map(device_text, group.pins) if is_longer else None
        for row in chains.chains_of(self._db, self._room.id, waiting_or=pinned):
            if row.device == self._me:
                continue
            id_ = row.key[:8]
            is_let_in = id_ in group.owners  # one that was may be no more, where a fork has ended
            pin = group.pins.get(id_)
            end = 0 if not is_let_in else row.seq if pin is None else pin.seq
            if end < row.seq:
                self._is_cut |= chains.set_held(self._db, row.id, end, _EVER, held=True)
                if row.waiting is None:
                    chains.wait(self._db, row.id, ENDED if is_let_in else NOT_LET_IN)
            if row.waiting is not None and row.frozen is None:
                self._read_on(row)
        self._flush()

    def _flush(self) -> None:
        """Settle the view; what is deleted or gone by now goes from the own journal as well."""
        self._view.flush()
        bare, self._view.bare = self._view.bare, []
        if bare:
            follow_deletions(self._db, self._room.id, bare, me=self._me, now_ms=self._now_ms)
        if self._is_cut:
            self._is_cut = False
            refold_room(self._db, self._room, me=self._me, now_ms=self._now_ms)
            self._volumes.forget_states()

    def _read_on(self, row: ChainRow, *, only: int | None = None) -> None:
        """Read what is stored of a chain and was waited with, as far as it opens now.

        Of a frozen one ``only`` a volume whose contents have come, as far as it was read before.
        """
        self._supersede(row)
        reading = self._reading(replace(row, last_stamp=ZERO, volume=0))
        waiting: str | None = None
        upto = after = 0
        for seq, _, raw in chains.held_after(self._db, row.id, 0, upto=row.seq):
            envelope, header = decode_envelope(raw)
            previous = skipping.link_before(self._db, row.id, envelope, header)
            if self._is_deferred(row, header):
                continue
            waiting = self._why_wait(row, header)
            if waiting is not None or only not in (None, header.volume):
                break
            if seq != after + 1:  # the chain itself may be further
                skipping.go_to(self._db, reading, row, header)
            after = seq
            try:
                reading.read(envelope, header, previous=previous)
            except BeforeMe:
                continue
            except KeyMissing as exc:
                waiting = str(exc)
                break
            except (DecodeError, TrustError) as exc:
                chains.freeze(self._db, row.id, f"envelope {seq} cannot be read: {exc}")
                self._is_cut |= chains.set_held(self._db, row.id, seq, _EVER, held=True)
                break
            chains.set_held(self._db, row.id, seq - 1, seq, held=False)
            if header.kind == EnvelopeKind.SNAPSHOT:
                skipping.settle(self._db, row.id, envelope, header, reading, is_over=True)
            upto = seq
        reading.save()
        if only is None:
            chains.wait(self._db, row.id, waiting)
        if upto:
            last, volume = max(row.last_stamp, reading.last_stamp), max(row.volume, reading.volume)
            chains.set_reading(self._db, row.id, last_stamp=Stamp(last), volume=volume)
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

    def _take_chain(self, device: DeviceId, items: list[Item]) -> None:
        before = len(self._set_aside)
        part = ChainPart(device, chains.find_chain(self._db, self._room.id, device))
        for item in items:
            if item.is_snapshot and self._fill(part, item):
                continue
            if part.head_seq < item.header.seq < part.expected:
                self._extend(part)  # a second one at a place of this very run
            elif item.is_snapshot or item.header.seq > part.expected:
                self._extend(part)
                self._skip(part)
            if item.header.seq == part.expected:
                part.run.append(item)
            elif item.header.seq < part.expected:
                self._take_known(part, item)
            elif item.is_snapshot:
                self._take_ahead(part, item)
            else:
                self._quarantine(device, item.header.seq, GAP, item.raw, item.log_seq)
        self._extend(part)
        self._skip(part)
        if part.known and len(self._set_aside) == before:
            first, last = min(part.known)[0], max(part.known)[0]
            chains.release(self._db, self._room.id, device, first, last)
        if part.known and part.row is not None and device == self._me:
            self._own.note_acked(part.row, part.known)

    def _take_known(self, part: ChainPart, item: Item) -> None:
        """Compare a repeated envelope with the one that is here."""
        seq = item.header.seq
        assert part.row is not None
        stored = chains.envelope_at(self._db, part.row.id, seq)
        if stored is None:
            return
        if stored[1] == item.raw:
            part.known.append((seq, item.log_seq))
            return
        previous = skipping.link_before(self._db, part.row.id, item.envelope, item.header)
        context = links.context(self._room.room_id, previous, item.envelope.header)
        link = links.link_after(context, item.envelope, item.header)
        try:
            verify(part.row.key, links.signed_text(link), item.envelope.signature)
        except SignatureInvalid as exc:
            self._quarantine(part.device, seq, str(exc), item.raw, item.log_seq)
            return
        if link == stored[0]:  # the signature that is here was damaged on its way; this one is not
            chains.mend_envelope(self._db, part.row.id, seq, item.raw)
            part.known.append((seq, item.log_seq))
        else:
            reason = f"the device wrote two different envelopes at {seq}"
            self._quarantine(part.device, seq, reason, item.raw, item.log_seq, evidence=True)
            chains.freeze(self._db, part.row.id, reason)

    def _extend(self, part: ChainPart) -> None:
        """Store what is valid of the run, set the rest aside, and begin a new run."""
        row, device = part.row, part.device
        run, part.run = part.run, []
        if not run:
            return
        heads, fault = self._extend_chain(
            self._room.room_id,
            None if row is None else row.head,
            [(item.envelope, item.header) for item in run],
        )
        if fault is not None:
            bad, *behind = run[len(heads) :]
            self._quarantine(device, bad.header.seq, str(fault), bad.raw, bad.log_seq)
            for item in behind:
                self._quarantine(device, item.header.seq, GAP, item.raw, item.log_seq)
        if not heads:
            return
        if row is None:
            key = run[0].header.key
            assert key is not None
            row = chains.add_chain(self._db, self._room.id, device, DeviceKey(key))
        part.row = self._take_waiting(self._store(row, run[: len(heads)], heads))

    def _take_ahead(self, part: ChainPart, item: Item) -> None:
        """Keep a snapshot that comes before what it follows, in its chain or for good.

        It is read when the chain has come to it, over what it covers: in the order of its writer.
        """
        room, header = self._room, item.header
        row = part.row
        if row is not None and chains.envelope_at(self._db, row.id, header.seq) is not None:
            self._take_known(part, item)
            return
        try:
            head = links.stand_alone(room.room_id, item.envelope, header)
        except SignatureInvalid as exc:
            return self._quarantine(part.device, header.seq, str(exc), item.raw, item.log_seq)
        if row is None:
            row = chains.add_chain(self._db, room.id, part.device, head.key)
        if row.key != head.key or snapshots.newest(self._db, row.id, header.volume) > header.seq:
            return  # a newer one is here
        part.row = row
        place = item.log_seq if row.device == self._me and item.log_seq else None
        stored = StoredEnvelope(header.seq, header.volume, head.link, place, True, item.raw)
        chains.add_envelopes(self._db, row.id, [stored])
        ranges = links.coverage_of(item.envelope, header).ranges
        stamp = self._reading(row).stamp_in(item.envelope, header)
        snapshots.note(self._db, row.id, header.volume, header.seq, ranges, stamp)
        self._skip(part)

    def _skip(self, part: ChainPart) -> None:
        """Let a chain go on over what snapshots cover, and with those that came ahead of it."""
        row = before = part.row
        if row is None or before is None or not snapshots.has_any(self._db, row.id):
            return
        while True:
            row = skipping.skipped(self._db, row)
            ahead = snapshots.at(self._db, row.id, row.seq + 1)
            stub = self._stub_at(row, row.seq + 1) if ahead is None else None
            raw = ahead.raw if ahead is not None else stub.raw if stub is not None else None
            if raw is None:
                break
            envelope, header = decode_envelope(raw)
            if links.coverage_of(envelope, header).previous != row.link:
                reason = f"the device wrote two histories up to {header.seq}"
                self._quarantine(row.device, header.seq, reason, raw, 0, evidence=True)
                chains.freeze(self._db, row.id, reason)
                break
            if ahead is None:
                assert stub is not None
                absent.cover(self._db, stub)
                continue
            chains.remove_envelope(self._db, row.id, header.seq)
            item = Item(ahead.relay_seq or 0, envelope, header, ahead.raw)
            head = links.ChainHead(row.key, header.seq, ahead.link)
            before = row = self._store(row, [item], [head])
        if row is not before:
            head = links.ChainHead(row.key, row.seq, row.link)
            chains.release(self._db, self._room.id, row.device, before.seq + 1, row.seq)
            chains.advance(self._db, row.id, head, last_stamp=row.last_stamp, volume=row.volume)
            if row.device == self._me:
                self._own.follow(before, row.seq, row.last_stamp)
        found = chains.find_chain(self._db, self._room.id, row.device)
        assert found is not None
        part.row = self._take_waiting(found)
        if part.row.seq != found.seq:
            self._skip(part)

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
                    found = (Item(0, envelope, header, raw), heads)
                    break
            if found is None:
                return row
            item, heads = found
            row = self._store(row, [item], heads)

    def _store(self, row: ChainRow, run: list[Item], heads: list[links.ChainHead]) -> ChainRow:
        """Open, read and store verified envelopes that follow ``row``; return its new state."""
        reading = self._reading(row)
        own = row.device == self._me
        frozen, waiting, link = row.frozen, row.waiting, row.link
        stored: list[StoredEnvelope] = []
        for item, head in zip(run, heads, strict=True):
            is_passed = False
            if item.is_snapshot:
                chains.add_envelopes(self._db, row.id, stored)  # it is held against what is there
                stored.clear()
                link = links.coverage_of(item.envelope, item.header).previous
                self._look_again(row)
            if frozen is None and waiting is None:
                waiting = self._why_wait(row, item.header)
                is_passed = waiting is None and self._is_deferred(row, item.header)
            if is_passed:
                reading.volume = max(reading.volume, item.header.volume)
            elif frozen is None and waiting is None:
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
                        row.device, item.header.seq, frozen, item.raw, item.log_seq, evidence=True
                    )
                else:
                    if own:
                        self._own.meet(changes)
            relay_seq = item.log_seq if own and item.log_seq else None
            is_held = frozen is not None or waiting is not None or is_passed
            if item.is_snapshot and frozen is None:
                envelope, header = item.envelope, item.header
                is_over = waiting is None and not self._is_deferred(row, header)
                skipping.settle(self._db, row.id, envelope, header, reading, is_over=is_over)
            place = (item.header.seq, item.header.volume, head.link)
            stored.append(StoredEnvelope(*place, relay_seq, is_held, item.raw))
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


def refold_room(db: Database, room: RoomRow, *, me: DeviceId, now_ms: int) -> None:
    """Fold a room's view anew from its stored envelopes and outbox; inside a transaction."""
    with refolding.unmoved(db, room.id):
        gone = gone_in(db, room.id)
        own = chains.find_chain(db, room.id, me)
        seqs = [] if own is None else snapshots.kept_seqs(db, own)
        clear(db, room.id)
        Batch(db, Volumes(db), room, now_ms, me).refold()
        snapshots.keep_seqs(db, room.id, seqs)
        stay_gone(db, room.id, gone, me=me)
        fade(db, me=me, now_ms=now_ms)


def follow_group(db: Database, room: RoomRow, group: Group, *, me: DeviceId, now_ms: int) -> None:
    """End and read on chains as a room's log says now; inside a transaction."""
    Batch(db, Volumes(db), room, now_ms, me).follow_group(group)

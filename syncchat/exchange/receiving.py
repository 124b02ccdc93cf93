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
from ..errors import ChainBroken, DecodeError, SignatureInvalid, SyncchatError, TrustError
from ..ids import DeviceId, DeviceKey, Stamp, device_text
from ..ports import Clock
from ..storage import chains, history, lease, rooms
from ..storage.chains import ChainRow, StoredEnvelope
from ..storage.database import Database
from ..storage.rooms import RoomRow
from ..storage.view import ViewBatch, clear
from ..trust import chain as links
from ..trust.keys import verify
from ..wire.envelope import Envelope, Header, decode_envelope
from .own import OwnChain
from .reading import ChainReading
from .volumes import Volumes

GAP = "gap"
_REFOLD_BATCH = 512


class HoleInDelivery(SyncchatError):
    """The relay left out a part of the log; the connection is to be made anew."""


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


class Receiver:
    """Applies deliveries of all rooms of one database."""

    def __init__(
        self, db: Database, volumes: Volumes, *, me: DeviceId, clock: Clock, holder: str
    ) -> None:
        self._db = db
        self._volumes = volumes
        self._me = me
        self._clock = clock
        self._holder = holder
        self.is_doubtful = False

    def apply(
        self, room: int, after: int, envelopes: tuple[bytes, ...], *, is_live: bool
    ) -> RoomRow:
        """Apply envelopes at ``after`` + 1 and on of a room's log; return the room as it is then.

        While a room catches up (not ``is_live``) only the last signature of a run is verified;
        the log's fingerprint tells at the end whether the others are those that the relay has.
        Afterwards ``is_doubtful`` tells whether some did not hold and should be asked for again.
        Raises ``HoleInDelivery``, ``LeaseLost`` or the ``StorageError`` family; then nothing of
        the batch was stored.
        """
        try:
            with self._db.atomic(durable=False):
                lease.check(self._db, self._holder)
                row = rooms.load_room(self._db, room)
                if after > row.cursor:
                    raise HoleInDelivery(f"log goes from {row.cursor} to {after + 1}")
                fresh = envelopes[row.cursor - after :]
                batch = _Batch(
                    self._db,
                    self._volumes,
                    row,
                    self._clock.now_ms(),
                    self._me,
                    extend=links.extend_each if is_live else links.extend_as_far_as_valid,
                )
                fingerprint = batch.take(fresh, first_seq=row.cursor + 1)
                self.is_doubtful = batch.is_doubtful
                if batch.is_doubtful:
                    return row
                cursor = row.cursor + len(fresh)
                rooms.set_position(
                    self._db,
                    room,
                    incarnation=row.incarnation,
                    cursor=cursor,
                    fingerprint=fingerprint,
                )
                rooms.set_head(self._db, room, max(row.head, cursor))
        except BaseException:
            self._volumes.forget()
            raise
        return rooms.load_room(self._db, room)


def refold_room(db: Database, room: RoomRow, *, me: DeviceId, now_ms: int) -> None:
    """Fold a room's view anew from its stored envelopes and outbox; inside a transaction."""
    added = history.added_at(db, room.id)
    clear(db, room.id)
    batch = _Batch(db, Volumes(db), room, now_ms, me)
    batch.refold()
    history.set_added(db, room.id, added)


_Extend = Callable[
    [bytes, links.ChainHead | None, Sequence[tuple[Envelope, Header]]],
    tuple[list[links.ChainHead], SignatureInvalid | ChainBroken | None],
]


class _Batch:
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
        self._latest = Stamp("")
        self._first_seq = 0
        self._set_aside: set[int] = set()
        self.is_doubtful = False

    def take(self, envelopes: tuple[bytes, ...], *, first_seq: int) -> bytes:
        """Apply envelopes and return the log's new fingerprint."""
        self._first_seq = first_seq
        by_device: dict[DeviceId, list[_Item]] = {}
        for position, raw in enumerate(envelopes):
            try:
                envelope, header = decode_envelope(raw)
            except DecodeError as exc:
                self._quarantine("", 0, str(exc), raw, position)
                continue
            item = _Item(position, envelope, header, raw)
            by_device.setdefault(device_text(header.device), []).append(item)
        for device, items in by_device.items():
            self._take_chain(device, items)
        self._view.flush()
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

    # One device's run

    def _take_chain(self, device: DeviceId, items: list[_Item]) -> None:
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
        reading = ChainReading(self._db, self._volumes, self._view, self._room, row)
        own = row.device == self._me
        frozen, link = row.frozen, row.link
        stored: list[StoredEnvelope] = []
        for item, head in zip(run, heads, strict=True):
            if frozen is None:
                try:
                    changes = reading.read(item.envelope, item.header, previous=link)
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
                    frozen is not None,
                    item.raw,
                )
            )
            link = head.link
        chains.add_envelopes(self._db, row.id, stored)
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
        start = replace(row, seq=0, link=links.GENESIS, last_stamp=ZERO, volume=0)
        reading = ChainReading(self._db, self._volumes, self._view, self._room, start)
        link, after = links.GENESIS, 0
        while part := chains.readable_after(self._db, row.id, after, limit=_REFOLD_BATCH):
            for seq, stored_link, raw in part:
                envelope, header = decode_envelope(raw)
                reading.read(envelope, header, previous=link)
                link, after = stored_link, seq
            self._view.flush()
            reading.save()

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

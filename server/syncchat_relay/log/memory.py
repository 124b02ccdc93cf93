"""The log in memory: for tests, simulations and relays that may forget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from syncchat.ports import Random
from syncchat.trust.chain import EMPTY_FINGERPRINT, GENESIS, ChainHead, next_fingerprint
from syncchat.trust.group import Group
from syncchat.trust.records import Record
from syncchat.wire.coverage import Coverage, Range

from . import Append, CursorEntry, Head, Holder, Newest, Outcome, Standing, Stretch
from .gate import Gate, Rate
from .groups import holder_of, last_readable, standing_of
from .judge import Fresh
from .newest import newest


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """Is the newest snapshot of a volume: its place in the log, and in its chain."""

    seq: int
    head: ChainHead
    coverage: Coverage

    def range_at(self, chain_seq: int) -> Range | None:
        """Return the covered range that holds a chain seq."""
        for each in self.coverage.ranges:
            if each.first <= chain_seq <= each.last:
                return each
        return None


@dataclass(slots=True)
class _Room:
    """Is a room's log; also what the gate writes to, for nothing can fail half-way here."""

    name: bytes = b""
    envelopes: list[bytes | None] = field(default_factory=list)
    fingerprints: list[bytes] = field(default_factory=list)
    chains: dict[bytes, ChainHead] = field(default_factory=dict)
    places: dict[tuple[bytes, int], int] = field(default_factory=dict)
    links: dict[tuple[bytes, int], bytes] = field(default_factory=dict)
    snapshots: dict[tuple[bytes, int], _Snapshot] = field(default_factory=dict)
    cursors: dict[bytes, int] = field(default_factory=dict)
    record_seqs: dict[bytes, int] = field(default_factory=dict)
    record_octets: int = 0
    creator: bytes = b""
    group: Group | None = None

    @property
    def records(self) -> int:
        return len(self.record_seqs)

    def chain_of(self, device: bytes) -> ChainHead | None:
        return self.chains.get(device)

    def stored_at(self, device: bytes, chain_seq: int) -> tuple[int, bytes | None] | None:
        seq = self.places.get((device, chain_seq), 0)
        if seq:
            return seq, self.envelopes[seq - 1]
        for (whose, _), snapshot in self.snapshots.items():
            if whose == device and snapshot.range_at(chain_seq) is not None:
                return snapshot.seq, None
        return None

    def previous_of(self, device: bytes, chain_seq: int) -> bytes | None:
        """Return the link before a place of a chain."""
        return GENESIS if chain_seq == 1 else self.links.get((device, chain_seq - 1))

    def first_of(self, device: bytes) -> tuple[int, bytes] | None:
        """Return (seq, envelope) of what stands first in a chain."""
        found = self.stored_at(device, 1)
        if found is None or (raw := self.envelopes[found[0] - 1]) is None:
            return None
        return found[0], raw

    def record_seq(self, hash_: bytes) -> int:
        return self.record_seqs.get(hash_, 0)

    def read_records(self) -> list[bytes]:
        found = [self.envelopes[seq - 1] for seq in self.record_seqs.values()]
        return [raw for raw in found if raw is not None]

    def store_envelope(self, fresh: Fresh) -> int:
        seq = self._store(fresh.raw)
        device = fresh.device
        self.places[device, fresh.head.seq] = seq
        self.links[device, fresh.head.seq] = fresh.head.link
        if not fresh.is_ahead:
            self.chains[device] = fresh.head
        if fresh.coverage is not None:
            self._cover(fresh, seq)
        head = self.chains.get(device) or ChainHead(fresh.head.key, 0, GENESIS)
        self.chains[device] = self._skipped(device, head)
        return seq

    def _cover(self, fresh: Fresh, seq: int) -> None:
        coverage, device = fresh.coverage, fresh.device
        assert coverage is not None
        for first, last, link in coverage.ranges:
            self.links[device, last] = link
            for chain_seq in range(first, last + 1):
                place = self.places.pop((device, chain_seq), 0)
                if place:
                    self.envelopes[place - 1] = None
        older = self.snapshots.get((device, fresh.volume))
        if older is None or older.head.seq < fresh.head.seq:
            self.snapshots[device, fresh.volume] = _Snapshot(seq, fresh.head, coverage)

    def _skipped(self, device: bytes, head: ChainHead) -> ChainHead:
        """Return a chain's head where it goes on over what snapshots cover, and over those."""
        while True:
            after = None
            for (whose, _), snapshot in self.snapshots.items():
                if whose != device:
                    continue
                found = snapshot.range_at(head.seq + 1)
                if found is not None:
                    after = ChainHead(head.key, found.last, found.link)
                elif snapshot.head.seq == head.seq + 1 and snapshot.coverage.previous == head.link:
                    after = snapshot.head
            if after is None:
                return head
            head = after

    def store_record(self, record: Record) -> int:
        seq = self.record_seqs[record.hash] = self._store(record.raw)
        self.record_octets += len(record.raw)
        return seq

    def _store(self, raw: bytes) -> int:
        before = self.fingerprints[-1] if self.fingerprints else EMPTY_FINGERPRINT
        self.envelopes.append(raw)
        self.fingerprints.append(next_fingerprint(before, raw))
        return len(self.envelopes)


_NOTHING = _Room()


class MemoryLog:
    """Keeps envelopes in lists; ``is_open`` makes it an open log."""

    def __init__(self, *, random: Random, is_open: bool = True) -> None:
        self._incarnation = random.bytes(8)
        self._is_open = is_open
        self._rate = Rate()
        self._rooms: dict[bytes, _Room] = {}

    @property
    def incarnation(self) -> bytes:
        return self._incarnation

    def append(self, batch: Sequence[Append], *, now_ms: int = 0) -> list[list[Outcome]]:
        return [self._append(item, now_ms) for item in batch]

    def standing(self, room: bytes, keys: Sequence[bytes], *, now_ms: int) -> Standing:
        if self._is_open:
            return Standing.MEMBER
        return standing_of(self._room(room).group, keys, now_ms=now_ms)

    def holder(self, room: bytes, key: bytes) -> Holder | None:
        if self._is_open:
            return Holder(key[:8], True)
        return holder_of(self._room(room).group, key)

    def last_readable(
        self, room: bytes, keys: Sequence[bytes], *, verified: int, now_ms: int
    ) -> int:
        kept = self._room(room)
        records = list(zip(kept.record_seqs.values(), kept.read_records(), strict=True))
        return last_readable(records, keys, verified=verified, now_ms=now_ms)

    def find(self, invite: bytes, *, now_ms: int) -> bytes:
        found = (
            name
            for name, room in self._rooms.items()
            if room.group is not None and room.group.is_found_by(invite, now_ms)
        )
        return next(found, b"")

    def read(
        self, room: bytes, after: int, *, upto: int, envelopes_max: int, bytes_max: int
    ) -> Stretch:
        found: list[tuple[int, bytes]] = []
        size = 0
        for seq, raw in enumerate(self._room(room).envelopes[after:upto], after + 1):
            if raw is None:
                continue
            size += len(raw)
            if found and (size > bytes_max or len(found) == envelopes_max):
                return Stretch(tuple(found), found[-1][0])
            found.append((seq, raw))
        return Stretch(tuple(found), upto)

    def snapshots(
        self, room: bytes, after: int, *, upto: int, bytes_max: int
    ) -> list[tuple[int, bytes]]:
        kept = self._room(room)
        found: list[tuple[int, bytes]] = []
        size = 0
        for seq in sorted(snapshot.seq for snapshot in kept.snapshots.values()):
            raw = kept.envelopes[seq - 1]
            if not after < seq <= upto or raw is None:
                continue
            size += len(raw)
            if found and size > bytes_max:
                break
            found.append((seq, raw))
        return found

    def records(self, room: bytes, after: int) -> list[tuple[int, bytes]]:
        kept = self._room(room)
        found = zip(kept.record_seqs.values(), kept.read_records(), strict=True)
        return [(seq, raw) for seq, raw in found if seq > after]

    def newest(self, room: bytes, after: int, *, envelopes_max: int, bytes_max: int) -> Newest:
        kept = self._room(room)
        rows = ((seq, kept.envelopes[seq - 1]) for seq in range(len(kept.envelopes), after, -1))
        return newest(
            room,
            ((seq, raw) for seq, raw in rows if raw is not None),
            head=len(kept.envelopes),
            after=after,
            envelopes_max=envelopes_max,
            bytes_max=bytes_max,
            previous_of=kept.previous_of,
            first_of=kept.first_of,
        )

    def head(self, room: bytes) -> Head:
        kept = self._room(room)
        return Head(len(kept.envelopes), (kept.fingerprints or [EMPTY_FINGERPRINT])[-1])

    def fingerprint_at(self, room: bytes, seq: int) -> bytes | None:
        if seq == 0:
            return EMPTY_FINGERPRINT
        kept = self._room(room)
        return kept.fingerprints[seq - 1] if seq <= len(kept.fingerprints) else None

    def chain_seq(self, room: bytes, device: bytes) -> int:
        head = self._room(room).chains.get(device)
        return head.seq if head is not None else 0

    def chains(self, room: bytes) -> list[tuple[bytes, int]]:
        return sorted((device, head.seq) for device, head in self._room(room).chains.items())

    def set_cursors(self, entries: Sequence[CursorEntry]) -> None:
        for entry in entries:
            if entry.room in self._rooms:
                cursors = self._rooms[entry.room].cursors
                cursors[entry.device] = max(cursors.get(entry.device, 0), entry.cursor)

    def cursors(self, room: bytes) -> list[tuple[bytes, int]]:
        return sorted(self._room(room).cursors.items())

    def close(self) -> None:
        """Keep everything: what is in memory ends with the process."""

    def _room(self, room: bytes) -> _Room:
        return self._rooms.get(room, _NOTHING)

    def _append(self, item: Append, now_ms: int) -> list[Outcome]:
        kept = self._rooms.get(item.room) or _Room(item.room)
        gate = Gate(kept, kept.group, is_open=self._is_open, rate=self._rate, now_ms=now_ms)
        outcomes = gate.push(item)
        kept.group = gate.group
        if kept.envelopes:  # a room exists from its first good envelope or record
            self._rooms[item.room] = kept
        return outcomes

"""The log in memory: for tests, simulations and relays that may forget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from syncchat.ports import Random
from syncchat.trust.chain import EMPTY_FINGERPRINT, ChainHead, next_fingerprint
from syncchat.trust.group import Group
from syncchat.trust.records import Record

from . import Append, CursorEntry, Head, Holder, Outcome, Standing
from .gate import Gate, Rate
from .groups import holder_of, last_readable, standing_of
from .judge import Fresh


@dataclass(slots=True)
class _Room:
    """Is a room's log; also what the gate writes to, for nothing can fail half-way here."""

    name: bytes = b""
    envelopes: list[bytes] = field(default_factory=list)
    fingerprints: list[bytes] = field(default_factory=list)
    chains: dict[bytes, ChainHead] = field(default_factory=dict)
    places: dict[tuple[bytes, int], int] = field(default_factory=dict)
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

    def stored_at(self, device: bytes, chain_seq: int) -> tuple[int, bytes]:
        seq = self.places[device, chain_seq]
        return seq, self.envelopes[seq - 1]

    def record_seq(self, hash_: bytes) -> int:
        return self.record_seqs.get(hash_, 0)

    def read_records(self) -> list[bytes]:
        return [self.envelopes[seq - 1] for seq in self.record_seqs.values()]

    def store_envelope(self, fresh: Fresh) -> int:
        seq = self._store(fresh.raw)
        self.chains[fresh.device] = fresh.head
        self.places[fresh.device, fresh.head.seq] = seq
        return seq

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

    def read(self, room: bytes, after: int, *, envelopes_max: int, bytes_max: int) -> list[bytes]:
        found: list[bytes] = []
        size = 0
        for raw in self._room(room).envelopes[after : after + envelopes_max]:
            size += len(raw)
            if found and size > bytes_max:
                break
            found.append(raw)
        return found

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

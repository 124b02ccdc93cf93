"""The log in memory: for tests, simulations and relays that may forget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from syncchat.ports import Random
from syncchat.trust.chain import EMPTY_FINGERPRINT, ChainHead, next_fingerprint
from syncchat.wire.codes import ItemStatus

from . import Append, CursorEntry, Head, Outcome
from .judge import Fresh, judge


@dataclass(slots=True)
class _Room:
    envelopes: list[bytes] = field(default_factory=list)
    fingerprints: list[bytes] = field(default_factory=list)
    chains: dict[bytes, ChainHead] = field(default_factory=dict)
    places: dict[tuple[bytes, int], int] = field(default_factory=dict)
    cursors: dict[bytes, int] = field(default_factory=dict)


_NOTHING = _Room()


class MemoryLog:
    """Keeps envelopes in lists."""

    def __init__(self, *, random: Random) -> None:
        self._incarnation = random.bytes(8)
        self._rooms: dict[bytes, _Room] = {}

    @property
    def incarnation(self) -> bytes:
        return self._incarnation

    def append(self, batch: Sequence[Append]) -> list[list[Outcome]]:
        return [[self._append(item.room, raw) for raw in item.envelopes] for item in batch]

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

    def _append(self, room: bytes, raw: bytes) -> Outcome:
        kept = self._room(room)

        def stored_at(device: bytes, chain_seq: int) -> tuple[int, bytes]:
            seq = kept.places[device, chain_seq]
            return seq, kept.envelopes[seq - 1]

        verdict = judge(room, raw, chain_of=kept.chains.get, stored_at=stored_at)
        if not isinstance(verdict, Fresh):
            return verdict
        kept = self._rooms.setdefault(room, _Room())
        before = kept.fingerprints[-1] if kept.fingerprints else EMPTY_FINGERPRINT
        kept.envelopes.append(raw)
        kept.fingerprints.append(next_fingerprint(before, raw))
        kept.chains[verdict.device] = verdict.head
        kept.places[verdict.device, verdict.head.seq] = len(kept.envelopes)
        return Outcome(ItemStatus.STORED, len(kept.envelopes))

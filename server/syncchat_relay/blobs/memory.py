"""Blobs in memory: for tests, simulations and relays that may forget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from syncchat.wire.codes import BlobState

from . import Put, Quotas


@dataclass(slots=True)
class _Kept:
    data: bytes
    put_ms: int
    holders: set[bytes] = field(default_factory=set)


class MemoryBlobs:
    """Keeps blobs in a dict."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas
        self._kept: dict[tuple[bytes, bytes], _Kept] = {}

    def put(self, puts: Sequence[Put], *, now_ms: int = 0) -> list[BlobState]:
        return [self._put(each, now_ms) for each in puts]

    def find(self, room: bytes, names: Sequence[bytes]) -> list[bool]:
        return [(room, name) in self._kept for name in names]

    def get(self, room: bytes, name: bytes) -> bytes | None:
        kept = self._kept.get((room, name))
        return None if kept is None else kept.data

    def drop(self, room: bytes, names: Sequence[bytes], holder: bytes) -> list[bool]:
        for name in names:
            kept = self._kept.get((room, name))
            if kept is not None and holder in kept.holders:
                kept.holders.remove(holder)
                if not kept.holders:
                    del self._kept[room, name]
        return self.find(room, names)

    def expire(self, before_ms: int) -> int:
        old = [place for place, kept in self._kept.items() if kept.put_ms < before_ms]
        for place in old:
            del self._kept[place]
        return len(old)

    def room_bytes(self, room: bytes) -> int:
        return sum(len(kept.data) for (name, _), kept in self._kept.items() if name == room)

    def all_bytes(self) -> int:
        return sum(len(kept.data) for kept in self._kept.values())

    def close(self) -> None:
        """Keep everything: what is in memory ends with the process."""

    def _put(self, each: Put, now_ms: int) -> BlobState:
        place = (each.room, each.name)
        if place not in self._kept:
            if not each.is_named_truly:
                return BlobState.BAD
            refusal = self._quotas.refusal(
                room_bytes=self.room_bytes(each.room),
                all_bytes=self.all_bytes(),
                more=len(each.data),
            )
            if refusal is not None:
                return refusal
            self._kept[place] = _Kept(each.data, now_ms)
        self._kept[place].holders.add(each.holder)
        return BlobState.HERE

"""The relay's log: per room, envelopes and records at seq 1, 2, 3….

The contract, which ``tests/contracts/test_log.py`` holds every implementation to:

1. ``append`` returns after one commit of the whole batch to stable storage. Seqs of a room are
   contiguous from 1. The same envelope answers with its first seq at any later time, and the
   first envelope at a place in a device's chain is the one that stays.
2. Nothing is visible before its commit, and ``read`` is contiguous from ``after`` + 1, but for what
   is gone: a snapshot deletes the envelopes that it covers in the transaction that stores it. Their
   seqs stay taken, and the fingerprints there known. ``snapshots`` tells of those that stand for
   them. A snapshot may come ahead of its chain, which goes on over what is covered.
3. When ``append`` raises, its outcome is unknown: give the same batch again.
4. Records stand in the log among the envelopes, each on top of those before it, and say who may
   read and write (``gate``). An *open* log takes envelopes of anyone and shows them to anyone.

Where a method takes ``now_ms``, that is the wall time by which invites expire. An implementation
belongs to one thread. This module imports no store, so that the hub can know the contract without
knowing SQLite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from syncchat.wire.codes import ItemStatus


class Standing(IntEnum):
    """Is how somebody stands to a room."""

    NOBODY = 0
    """May not know whether there is such a room."""
    GUEST = 1
    """Reads the log, by an invite that is open or by the root key of a member."""
    MEMBER = 2
    """Reads the log as a member's device, and is told how far others are."""


@dataclass(frozen=True, slots=True)
class Append:
    """Is envelopes and records for the end of one room's log.

    ``pusher`` is the key of the device that pushes them, and ``may_create`` whether it may make
    the room; an open log asks for neither.
    """

    room: bytes
    envelopes: tuple[bytes, ...]
    pusher: bytes = b""
    may_create: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """Says what became of one envelope; ``seq`` is explained by ``ItemStatus``."""

    status: ItemStatus
    seq: int


@dataclass(frozen=True, slots=True)
class Head:
    """Is the end of a room's log: its last seq, 0 when empty, and the fingerprint there."""

    seq: int
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Holder:
    """Is for whom a device acts in a room: a member, or where anybody may, the device itself."""

    id: bytes
    may_write: bool


@dataclass(frozen=True, slots=True)
class CursorEntry:
    """Says how far a device has applied a room's log."""

    room: bytes
    device: bytes
    cursor: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Is a part of a room's log: what is still there up to ``last``, with its seqs."""

    envelopes: tuple[tuple[int, bytes], ...]
    last: int


@dataclass(frozen=True, slots=True)
class Placed:
    """Is an envelope at its seq, and the link that it follows: ``previous`` is None of a record,
    and of a snapshot, which says it itself."""

    seq: int
    raw: bytes
    previous: bytes | None = None


@dataclass(frozen=True, slots=True)
class Newest:
    """Is the newest of a room's log: ``envelopes`` are all that stand from ``since`` on, but for
    records and for those that nobody could place; ``introductions`` are older ones of their
    writers, at the beginnings of their chains. Each device's are in the order of its chain."""

    since: int
    introductions: tuple[Placed, ...]
    envelopes: tuple[Placed, ...]


class Log(Protocol):
    """Keeps the envelopes of every room."""

    @property
    def incarnation(self) -> bytes:
        """Return the 8 random bytes made with this log; a wiped relay has others."""

    def append(self, batch: Sequence[Append], *, now_ms: int = 0) -> list[list[Outcome]]:
        """Judge and store envelopes of any mix of rooms in one durable transaction.

        Returns one outcome per envelope, in the batch's order. Stored envelopes of one ``Append``
        get consecutive seqs. Without a time nobody gets in by an invite.
        """

    def standing(self, room: bytes, keys: Sequence[bytes], *, now_ms: int) -> Standing:
        """Return how who holds ``keys`` stands to a room; the first is the device's own."""

    def holder(self, room: bytes, key: bytes) -> Holder | None:
        """Return for whom the device with a key acts in a room, None for nobody."""

    def last_readable(
        self, room: bytes, keys: Sequence[bytes], *, verified: int, now_ms: int
    ) -> int:
        """Return the seq of the record that took from ``keys`` the right to read a room.

        To be asked for who may read no more and could up to ``verified``; 0 for no such record.
        """

    def find(self, invite: bytes, *, now_ms: int) -> bytes:
        """Return the personal room in which an invite waits for a device, empty for none.

        Only rooms that somebody has asked about, or written to, since the log was opened are known.
        """

    def read(
        self, room: bytes, after: int, *, upto: int, envelopes_max: int, bytes_max: int
    ) -> Stretch:
        """Return what there is from seq ``after`` + 1 to ``upto``, which is at most the head.

        A stretch that ends before ``upto`` ends with an envelope, and is not empty.
        """

    def snapshots(
        self, room: bytes, after: int, *, upto: int, bytes_max: int
    ) -> list[tuple[int, bytes]]:
        """Return (seq, snapshot) of those in a part of the log, the first whatever its size."""

    def records(self, room: bytes, after: int) -> list[tuple[int, bytes]]:
        """Return (seq, record) of every record behind a place of the log."""

    def newest(self, room: bytes, after: int, *, envelopes_max: int, bytes_max: int) -> Newest:
        """Return the newest of what stands behind a place of the log, in at most so many envelopes
        and bytes; introductions may take as many bytes again."""

    def head(self, room: bytes) -> Head:
        """Return the end of a room's log."""

    def fingerprint_at(self, room: bytes, seq: int) -> bytes | None:
        """Return the fingerprint of the log up to ``seq``, None where there is no such seq."""

    def chain_seq(self, room: bytes, device: bytes) -> int:
        """Return up to which chain seq a device's chain is stored, 0 for not at all."""

    def chains(self, room: bytes) -> list[tuple[bytes, int]]:
        """Return every device of a room with its chain seq, ordered by device."""

    def set_cursors(self, entries: Sequence[CursorEntry]) -> None:
        """Raise cursors of rooms that have a log; a cursor never goes back.

        May be lost in a power cut.
        """

    def cursors(self, room: bytes) -> list[tuple[bytes, int]]:
        """Return every known device cursor of a room, ordered by device."""

    def close(self) -> None:
        """Give the storage back; closing twice is fine."""

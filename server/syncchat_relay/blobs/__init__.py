"""Blobs: the sealed parts of files, per room, each under the hash of its bytes.

The contract, which ``tests/contracts/test_blobs.py`` holds every implementation to:

1. ``put`` returns after all that it answers with HERE is on stable storage. Nothing is stored
   under a name that is not the hash of its bytes.
2. A blob belongs to whoever has put it: several may have, and it goes when the last one drops it.
   Nobody drops what is another's.
3. What a room's blobs take, and all blobs together, never goes over the quotas.
4. A room's blobs are not those of another, even if their bytes are equal.

Who may put and get is not asked here: that is the log's to say (``work``). One thread may use an
implementation, and another beside it for ``get``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from syncchat.trust.files import blob_name
from syncchat.wire.codes import BlobState


@dataclass(frozen=True, slots=True)
class Put:
    """Is a blob that somebody hands over; ``holder`` is the member, or device, whose it is.

    ``true_name`` is the hash of the bytes where somebody has found it already.
    """

    room: bytes
    name: bytes
    data: bytes
    holder: bytes
    true_name: bytes = b""

    @property
    def is_named_truly(self) -> bool:
        """Tell whether the name is the hash of the bytes."""
        return (self.true_name or blob_name(self.data)) == self.name


@dataclass(frozen=True, slots=True)
class Quotas:
    """Is how many bytes blobs may take: those of one room, and all of them."""

    room_bytes_max: int
    bytes_max: int

    def refusal(self, *, room_bytes: int, all_bytes: int, more: int) -> BlobState | None:
        """Return why so many more bytes are not stored, None when they may be."""
        if all_bytes + more > self.bytes_max:
            return BlobState.RELAY_FULL
        if room_bytes + more > self.room_bytes_max:
            return BlobState.ROOM_FULL
        return None


class Blobs(Protocol):
    """Keeps the blobs of every room."""

    def put(self, puts: Sequence[Put], *, now_ms: int = 0) -> list[BlobState]:
        """Store blobs; return HERE, BAD, ROOM_FULL or RELAY_FULL for each.

        ``now_ms`` is the wall time, by which they age. Raises the ``StorageError`` family; then
        none of them counts as stored.
        """

    def find(self, room: bytes, names: Sequence[bytes]) -> list[bool]:
        """Tell of each name whether a room has its blob."""

    def get(self, room: bytes, name: bytes) -> bytes | None:
        """Return a blob's bytes, None where there is none."""

    def drop(self, room: bytes, names: Sequence[bytes], holder: bytes) -> list[bool]:
        """Take note that a holder needs blobs no more; tell of each whether it is still here."""

    def expire(self, before_ms: int) -> int:
        """Delete what was put before a wall time, whoever has it; return how many blobs went."""

    def room_bytes(self, room: bytes) -> int:
        """Return how many bytes a room's blobs take."""

    def all_bytes(self) -> int:
        """Return how many bytes all blobs take."""

    def close(self) -> None:
        """Give the storage back; closing twice is fine."""

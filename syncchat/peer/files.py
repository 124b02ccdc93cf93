"""The files of a peer: how many bytes of them are kept, and what of them is on its way."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ..core.files import File
from ..errors import NotFoundError, ValidationError
from ..storage import files
from ..storage.caching import Limits, evict_all, limits, set_limits, trim, used_bytes
from .base import PeerPart

if TYPE_CHECKING:
    from ..room import Room

BYTES_MAX = 2**62
"""Larger than any disk, and small enough for sums of it in SQLite."""

TRANSFERS_MAX = 1_000


class PeerFiles:
    """Is what a peer keeps of files, and how much."""

    def __init__(self, peer: PeerPart) -> None:
        self._peer = peer

    @property
    def limits(self) -> Limits:
        """Return how large a file comes by itself, and how many bytes of files are kept."""
        return limits(self._peer._db)

    def set_limits(
        self, *, automatic_bytes_max: int | None = None, cache_bytes_max: int | None = None
    ) -> Limits:
        """Change the limits of this device and return them.

        A file of a new message comes by itself up to the first, 0 for none. Beyond the second what
        was used least recently goes, if it can be fetched again. Raises ``ValidationError``.
        """
        db = self._peer._db
        with db.atomic():
            now = limits(db)
            new = Limits(
                _checked(automatic_bytes_max, now.automatic_bytes_max),
                _checked(cache_bytes_max, now.cache_bytes_max),
            )
            set_limits(db, new)
        trim(db)
        return new

    @property
    def used_bytes(self) -> int:
        """Return how many bytes of files are here."""
        return used_bytes(self._peer._db)

    def transfers(self) -> list[File]:
        """Return the files of all rooms that are on their way, or stopped: up to 1,000."""
        db = self._peer._db
        found: list[File] = []
        handles: dict[int, Room] = {}
        with db.reading():
            for room, message, place in files.unfinished(db, limit=TRANSFERS_MAX):
                handle = handles.setdefault(room, self._peer._handle(room))
                with suppress(NotFoundError):  # of somebody who was blocked
                    found.append(handle.file(message, place))
        return found

    def free(self) -> int:
        """Remove all bytes of files that can be fetched again; return how many went."""
        before = self.used_bytes
        evict_all(self._peer._db)
        return before - self.used_bytes


def _checked(given: int | None, now: int) -> int:
    if given is None:
        return now
    if not isinstance(given, int) or not 0 <= given <= BYTES_MAX:
        raise ValidationError("a limit of files is a number of bytes, 0 or more")
    return given

"""Own journals: the one place where CRDT documents are written.

A journal is what one device wrote in one room, in numbered volumes; each volume is a pycrdt
``Doc`` with a client id of its own (``reader.client_id``). Only the writing device holds the
documents: everyone else reads updates with the strict reader, which by a property test always
equals what pycrdt holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pycrdt import Doc, Map, TransactionEvent

from .reader import VOLUME_ENTRIES_MAX, client_id
from .values import ROOT_NAMES, Root

VOLUME_BYTES_MAX = 256 * 1024
"""Update bytes after which a volume is closed; a bigger document loads too slowly."""


class Entry(NamedTuple):
    """Is one entry to write, or to erase when ``raw`` is None."""

    root: Root
    key: str
    raw: str | None


class Volume:
    """Is one writable volume of the own journal."""

    def __init__(self, number: int, updates: Iterable[bytes] = ()) -> None:
        """Load the volume from its updates, all of which the strict reader has accepted."""
        self.number = number
        self._doc: Doc[Any] = Doc(client_id=client_id(number))
        self._maps = {root: self._doc.get(name, type=Map) for root, name in ROOT_NAMES.items()}
        for update in updates:
            self._doc.apply_update(update)

    def write(self, entries: Sequence[Entry]) -> bytes:
        """Write entries, at most one for each key, and return the update."""
        written: list[bytes] = []

        def keep(event: TransactionEvent) -> None:
            written.append(event.update)

        subscription = self._doc.observe(keep)
        try:
            with self._doc.transaction():
                for root, key, raw in entries:
                    if raw is None:
                        del self._maps[root][key]
                    else:
                        self._maps[root][key] = raw
        finally:
            self._doc.unobserve(subscription)
        (update,) = written
        return update

    def export(self) -> bytes:
        """Return the whole volume as one update."""
        return self._doc.get_update()

    def content(self) -> dict[tuple[Root, str], str]:
        """Return every current entry; for checks."""
        return {
            (root, key): value
            for root, entries in self._maps.items()
            for key, value in entries.to_py().items()
        }


def room_left(clock: int, update_bytes: int) -> int:
    """Return how many entries a volume still takes, 0 when it is to be closed.

    ``clock`` is the volume's next one, ``update_bytes`` the size of its updates so far.
    """
    return 0 if update_bytes >= VOLUME_BYTES_MAX else max(0, VOLUME_ENTRIES_MAX - clock)

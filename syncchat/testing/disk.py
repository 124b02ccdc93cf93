"""Simulated disks: what of a peer's database survives which accident.

A database lives in memory and leaves an image of itself at every commit, taken when somebody may
ask for it. A killed process finds the latest image; a power cut may fall back to any image since
the last commit that promised to be durable. A crash can be set for any commit to come, just before
it or just after it.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DiskFull
from ..ports import Random
from ..storage.database import Database, SearchSizes
from ..storage.packs import Packs, PackWriter
from ..storage.view.index import VOCABULARY
from .memory import Memory, give_back, take

_UNSYNCED_MAX = 32
_PAGE_BYTES = 1024


class SimCrash(BaseException):
    """The simulated process dies here; ``committed`` tells whether the commit took place."""

    def __init__(self, *, committed: bool) -> None:
        super().__init__("simulated crash")
        self.committed = committed


@dataclass(slots=True)
class SimDisk:
    """Is one machine's disk."""

    durable: bytes = field(repr=False, default=b"")
    unsynced: list[bytes] = field(repr=False, default_factory=list)
    owed: tuple[Callable[[], bytes], bool] | None = field(repr=False, default=None)
    """What gives the image of the last commit, and whether that is durable."""
    is_full: bool = False
    crash_in: int | None = None
    crash_committed: bool = False
    commits: int = 0
    packs: dict[str, dict[int, bytes]] = field(repr=False, default_factory=dict)
    """Files' bytes by pack and chunk."""
    unsynced_chunks: list[tuple[str, int]] = field(repr=False, default_factory=list)
    """Chunks that a power cut may take."""
    idle: Memory | None = field(repr=False, default=None)
    """What the process left that ran last."""
    note: Callable[[bytes], None] | None = None
    """Is told of every image, for a run's fingerprint."""

    def latest(self) -> bytes:
        """Return what a restarted process finds."""
        self.take_image()
        return self.unsynced[-1] if self.unsynced else self.durable

    def after_power_cut(self, pick: int) -> bytes:
        """Return one of the states that a power cut can leave."""
        self.take_image()
        images = [self.durable, *self.unsynced]
        return images[pick % len(images)]

    def lose_chunks(self, pick: int) -> None:
        """Take some of the chunks that nobody has forced to the disk."""
        for number, (pack, chunk) in enumerate(self.unsynced_chunks):
            if pick >> number % 8 & 1:
                self.packs.get(pack, {}).pop(chunk, None)
        self.unsynced_chunks.clear()

    def close(self) -> None:
        """Leave what the last process left to another disk."""
        self.take_image()
        if self.idle is not None:
            give_back(self.idle)
            self.idle = None

    def check_space(self, what: object) -> None:
        """Raise ``DiskFull`` while the disk is full."""
        if self.is_full:
            raise DiskFull(f"no space left for {what}; free some, nothing was lost")

    def load(self, image: bytes) -> None:
        """Make ``image`` the disk's content."""
        self.durable, self.unsynced, self.owed = image, [], None
        self.crash_in, self.is_full = None, False

    def keep(self, image: Callable[[], bytes], *, durable: bool) -> None:
        """Take note of a commit; ``image`` gives what it left, until the next one begins."""
        if durable:
            self.unsynced = []
        self.owed = image, durable
        if self.note is not None:
            left = self.latest()
            self.note(left[:24] + left[28:92] + left[96:])  # without SQLite's count of changes

    def take_image(self) -> None:
        """Take the image that the last commit left, if nobody has asked for it yet."""
        if self.owed is None:
            return
        (image, durable), self.owed = self.owed, None
        if durable:
            self.durable = image()
        else:
            self.unsynced.append(image())
            if len(self.unsynced) > _UNSYNCED_MAX:
                self.durable = self.unsynced.pop(0)


class SimPacks:
    """Keeps files' bytes on a simulated disk."""

    def __init__(self, disk: SimDisk) -> None:
        self._disk = disk

    def begin(self, *, random: Random) -> PackWriter:
        return _SimWriter(self._disk)

    def write(self, name: str, number: int, blob: bytes) -> None:
        self._disk.check_space(name)
        self._disk.packs.setdefault(name, {})[number] = blob
        self._disk.unsynced_chunks.append((name, number))

    def read(self, name: str, number: int, size: int) -> bytes | None:
        blob = self._disk.packs.get(name, {}).get(number)
        return None if blob is None else blob[:size]

    def share(self, name: str, new: str) -> bool:
        packs = self._disk.packs
        if name in packs:
            packs[new] = dict(packs[name])
        return name in packs

    def remove(self, name: str) -> None:
        self._disk.packs.pop(name, None)

    def names(self) -> set[str]:
        return set(self._disk.packs)

    def tidy(self, now_ms: int) -> None:
        """Do nothing: what a killed writer left is under no name here."""


class _SimWriter:
    def __init__(self, disk: SimDisk) -> None:
        self._disk = disk
        self._blobs: dict[int, bytes] = {}

    def append(self, blob: bytes) -> None:
        self._disk.check_space("a file")
        self._blobs[len(self._blobs)] = blob

    def sync(self) -> None:
        """Do nothing: only what ``finish`` names is ever found again."""

    def finish(self, name: str) -> None:
        self._disk.packs[name] = self._blobs

    def discard(self) -> None:
        """Do nothing: it was never among the packs."""


class SimDatabase(Database):
    """Is a peer's database on a simulated disk."""

    search_sizes = SearchSizes(few=2, step=3, many=12, back=3)
    """So small that short runs have messages inside and outside of the index, and need it."""

    def __init__(self, disk: SimDisk, name: str) -> None:
        self._disk = disk
        super().__init__(Path(name))

    @property
    def writes(self) -> int:
        """Return how many rows were written, be it in vain."""
        return self._conn.total_changes

    @contextmanager
    def atomic(self, *, durable: bool = True) -> Iterator[None]:
        """Run the block in one write transaction; see ``Database``."""
        if not durable and not self._conn.in_transaction:
            self._disk.take_image()  # a power cut may go back to before this one
        with super().atomic(durable=durable):
            yield

    def _packs(self) -> Packs:
        return SimPacks(self._disk)

    def _connect(self) -> sqlite3.Connection:
        disk = self._disk
        image = disk.latest() or _empty_image()
        memory, disk.idle = disk.idle, None
        self._goes_on = memory is not None and (
            memory.conn.serialize() == image or memory.load(image)
        )
        if memory is None or not self._goes_on:
            if memory is not None:
                memory.close()
            memory, self._goes_on = take(image)
        self._memory = memory
        if not self._goes_on:
            # Made for checks as a rule; as a change of the schema it has all prepared anew.
            memory.conn.execute(VOCABULARY)
        return memory.conn

    def _configure(self) -> None:
        if not self._goes_on:  # or all would have to be prepared anew
            super()._configure()

    def _disconnect(self) -> None:
        """Leave the connection to the next process."""
        if self._conn is _CLOSED:
            return
        if self._conn.in_transaction:
            self._conn.execute("rollback")
        self._disk.idle, self._conn = self._memory, _CLOSED

    def _commit(self, *, durable: bool) -> None:
        disk = self._disk
        disk.commits += 1
        is_crash = False
        if disk.crash_in is not None:
            disk.crash_in -= 1
            is_crash = disk.crash_in < 0
        if is_crash and not disk.crash_committed:
            raise SimCrash(committed=False)
        disk.check_space(self.path)
        self._conn.execute("commit")
        disk.keep(self._conn.serialize, durable=durable)
        if is_crash:
            raise SimCrash(committed=True)


def _closed() -> sqlite3.Connection:
    conn = sqlite3.connect(":memory:")
    conn.close()
    return conn


_CLOSED = _closed()
"""What a process has whose connection went to the next one: anything that it does now fails."""


@functools.cache
def _empty_image() -> bytes:
    """Return the image of a new database, made by the real migrations once."""

    class Blank(Database):
        def _connect(self) -> sqlite3.Connection:
            conn = sqlite3.connect(":memory:", isolation_level=None)
            conn.execute(f"pragma page_size = {_PAGE_BYTES}")
            return conn

        def image(self) -> bytes:
            # When the migrations were applied is the only wall time in a new database.
            self._conn.execute("update _sqlite_migrations set applied_at = ''")
            return self._conn.serialize()

    blank = Blank(Path("blank"))
    try:
        return blank.image()
    finally:
        blank.close()

"""Reads how a database file begins, without taking away the locks of those who have it open.

On POSIX a process loses all its locks on a file when it closes any handle of it, also one that only
read; SQLite would then believe to be alone where it is not. So a file that this process has open is
never read beside SQLite: what it began with is remembered.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

HEADER_BYTES = 16
PLAIN = b"SQLite format 3\0"


class Headed(Protocol):
    """Is an open database with the first 16 bytes of its file; ``b""`` while it is new."""

    header: bytes
    inode: tuple[int, int] | None


_open: weakref.WeakSet[Headed] = weakref.WeakSet()
_guard = threading.RLock()


@contextmanager
def noted(database: Headed, path: Path) -> Iterator[None]:
    """Find the header of ``path`` for ``database``, which opens it in the block, and remember it.

    A missing, empty or unreadable file has the header ``b""``. The block then makes the file and
    sets the header, and no other thread gets to see it half made.
    """
    with _guard:
        database.header, database.inode = _known(path), _inode(path)
        _open.add(database)
        if not database.header:
            yield
            database.inode = _inode(path)
            return
    yield


def forget(database: Headed) -> None:
    """Forget a database that is closed."""
    with _guard:
        _open.discard(database)


def header_of(path: Path) -> bytes:
    """Return how the file begins, at most 16 bytes."""
    with _guard:
        return _known(path)


def _known(path: Path) -> bytes:
    inode = _inode(path)
    for database in _open:
        if inode is not None and database.inode == inode and database.header:
            return database.header
    try:
        with path.open("rb") as file:
            return file.read(HEADER_BYTES)
    except OSError:
        return b""


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino

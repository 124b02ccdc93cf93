"""Makes whole files: written beside the place, synced, then renamed into it.

A process that is killed, or a power cut, leaves the old file or the new one. What it may leave
besides is a file named like the place with ``.part`` behind, which is never read.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import DiskFull, StorageError
from ..ports import Random

WIPE_BYTES = 1 << 20


@contextmanager
def part_beside(path: Path, *, random: Random) -> Iterator[Path]:
    """Give the path of an empty file beside ``path``, for its owner only, gone with the block.

    Also whatever SQLite puts beside it goes. Raises ``StorageError``.
    """
    part = path.with_name(f"{path.name}.{random.bytes(4).hex()}.part")
    with translated_files(path):
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield part
    finally:
        for end in ("", "-wal", "-shm", "-journal"):
            with suppress(OSError):
                part.with_name(part.name + end).unlink(missing_ok=True)


def put(part: Path, path: Path, *, may_replace: bool) -> None:
    """Give a whole file its place, durably.

    Raises ``FileExistsError`` where there is one and it must stay.
    """
    with part.open("r+b") as file:
        os.fsync(file.fileno())
    if may_replace:
        part.replace(path)
    else:
        try:
            os.link(part, path)
        except FileExistsError:
            raise
        except OSError:  # no hard links on this disk
            if path.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
            part.rename(path)
    if sys.platform != "win32":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def wiped(path: Path) -> Iterator[None]:
    """Write zeros over the file that stands at ``path`` now, once the block has replaced it.

    Who still waits for the old file then finds nothing to take for a database. On Windows, where
    a file in use cannot be replaced, nothing is done.
    """
    if sys.platform == "win32":
        yield
        return
    with path.open("r+b", buffering=0) as old:
        yield
        left = old.seek(0, os.SEEK_END)
        old.seek(0)
        while left > 0:
            left -= old.write(bytes(min(left, WIPE_BYTES)))
        os.fsync(old.fileno())


@contextmanager
def translated_files(path: Path) -> Iterator[None]:
    """Turn errors of files into this library's."""
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"no space left beside {path}; free some, nothing was lost") from exc
        raise StorageError(
            f"{path}: {exc.strerror or exc}; check the folder and its rights"
        ) from exc

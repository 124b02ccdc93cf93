"""Packs: the sealed bytes of files, beside the database.

A pack holds one file's chunks, each sealed and at its own place, so any may be missing. What is in
it cannot be read without the file's key, which is in the database; so the packs of an encrypted
database need no lock of their own. Which chunks are there the database says; that they are what
they should be shows when one is opened, for each is authenticated.

A pack of somebody else's file is written chunk by chunk under its own name, and not forced to the
disk: what a power cut takes is noticed when it is read, and fetched again. One of an own file is
written under another name first, and gets its own in the transaction that stores the message: so a
pack whose file the database does not know is nobody's, and may go.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from ..ports import Random
from ..trust.files import sealed_bytes
from .replacing import translated_files

FOLDER_END = ".files"
PART_END = ".part"

PART_SECONDS_MAX = 24 * 3600
"""How old a pack that is being written may get, by its last write, before it counts as left."""


class PackWriter(Protocol):
    """Is a pack that is being written, chunk after chunk."""

    def append(self, blob: bytes) -> None:
        """Write the next chunk; raises the ``StorageError`` family."""

    def sync(self) -> None:
        """Return when all of it is on the disk; raises as ``append`` does."""

    def finish(self, name: str) -> None:
        """Give the pack its name; after ``sync``, and inside the transaction that knows it."""

    def discard(self) -> None:
        """Throw it away; after ``finish`` it does nothing."""


class Packs(Protocol):
    """Keeps packs; every method raises the ``StorageError`` family where the disk does not obey."""

    def begin(self, *, random: Random) -> PackWriter:
        """Begin a pack that has no name yet."""

    def write(self, name: str, number: int, blob: bytes) -> None:
        """Write one chunk of a pack, which begins to be with its first."""

    def read(self, name: str, number: int, size: int) -> bytes | None:
        """Return ``size`` bytes of a chunk; None, or fewer, where they are not there."""

    def share(self, name: str, new: str) -> bool:
        """Give a pack's bytes a second name; tell whether it is there to be given one."""

    def remove(self, name: str) -> None:
        """Remove a pack, if it is there."""

    def names(self) -> set[str]:
        """Return the names of all packs that are whole, or being fetched."""

    def tidy(self, now_ms: int) -> None:
        """Remove what writers that were killed have left; ``now_ms`` is the wall time."""


class FolderPacks:
    """Keeps packs in a folder beside the database, made when the first comes."""

    def __init__(self, db: Path) -> None:
        self._folder = db.with_name(db.name + FOLDER_END)

    @property
    def folder(self) -> Path:
        """Return the folder, which may not be there yet."""
        return self._folder

    def begin(self, *, random: Random) -> PackWriter:
        with translated_files(self._folder):
            self._make_folder()
            return _FolderWriter(self._folder, random.bytes(8).hex())

    def write(self, name: str, number: int, blob: bytes) -> None:
        with translated_files(self._folder):
            self._make_folder()
            pack = os.open(self._folder / name, os.O_CREAT | os.O_WRONLY | _BINARY, 0o600)
            try:
                _write_at(pack, blob, number * sealed_bytes())
            finally:
                os.close(pack)

    def read(self, name: str, number: int, size: int) -> bytes | None:
        with translated_files(self._folder):
            try:
                pack = os.open(self._folder / name, os.O_RDONLY | _BINARY)
            except FileNotFoundError:
                return None
            try:
                os.lseek(pack, number * sealed_bytes(), os.SEEK_SET)
                return os.read(pack, size)
            finally:
                os.close(pack)

    def share(self, name: str, new: str) -> bool:
        source, target = self._folder / name, self._folder / new
        with translated_files(self._folder):
            target.unlink(missing_ok=True)
            try:
                os.link(source, target)
            except FileNotFoundError:
                return False
            except OSError:  # not every file system gives a file two names
                shutil.copyfile(source, target)
                target.chmod(0o600)
            _sync_folder(self._folder)
        return True

    def remove(self, name: str) -> None:
        with translated_files(self._folder):
            (self._folder / name).unlink(missing_ok=True)

    def names(self) -> set[str]:
        with translated_files(self._folder):
            return {path.name for path in self._files() if not path.name.endswith(PART_END)}

    def tidy(self, now_ms: int) -> None:
        with translated_files(self._folder):
            for path in self._files():
                if path.name.endswith(PART_END):
                    with suppress(FileNotFoundError):
                        if abs(now_ms / 1000 - path.stat().st_mtime) > PART_SECONDS_MAX:
                            path.unlink()

    def _files(self) -> Iterator[Path]:
        with suppress(FileNotFoundError):
            yield from self._folder.iterdir()

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)


class _FolderWriter:
    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._part = folder / (name + PART_END)
        self._is_open = True
        made = os.open(self._part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _BINARY, 0o600)
        self._file = os.fdopen(made, "wb", buffering=0)
        self._count = 0

    def append(self, blob: bytes) -> None:
        with self._told():
            _write_at(self._file.fileno(), blob, self._count * sealed_bytes())
            self._count += 1

    def sync(self) -> None:
        with self._told():
            os.fsync(self._file.fileno())

    def finish(self, name: str) -> None:
        with self._told():
            self._file.close()
            self._part.replace(self._folder / name)
            _sync_folder(self._folder)
            self._is_open = False

    def discard(self) -> None:
        if self._is_open:
            self._is_open = False
            self._file.close()
            with suppress(OSError):
                self._part.unlink(missing_ok=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        with translated_files(self._folder):
            yield


class MemoryPacks:
    """Keeps packs in memory, for a database that is there as well."""

    def __init__(self) -> None:
        self._packs: dict[str, dict[int, bytes]] = {}

    def begin(self, *, random: Random) -> PackWriter:
        return _MemoryWriter(self._packs)

    def write(self, name: str, number: int, blob: bytes) -> None:
        self._packs.setdefault(name, {})[number] = blob

    def read(self, name: str, number: int, size: int) -> bytes | None:
        blob = self._packs.get(name, {}).get(number)
        return None if blob is None else blob[:size]

    def share(self, name: str, new: str) -> bool:
        if name in self._packs:
            self._packs[new] = dict(self._packs[name])
        return name in self._packs

    def remove(self, name: str) -> None:
        self._packs.pop(name, None)

    def names(self) -> set[str]:
        return set(self._packs)

    def tidy(self, now_ms: int) -> None:
        """Do nothing: a writer that was killed took its memory along."""


class _MemoryWriter:
    def __init__(self, packs: dict[str, dict[int, bytes]]) -> None:
        self._packs = packs
        self._blobs: dict[int, bytes] = {}

    def append(self, blob: bytes) -> None:
        self._blobs[len(self._blobs)] = blob

    def sync(self) -> None:
        """Do nothing: what is in memory is as safe as it will be."""

    def finish(self, name: str) -> None:
        self._packs[name] = self._blobs

    def discard(self) -> None:
        """Do nothing: it was never among the packs."""


def packs_beside(db: Path) -> Packs:
    """Return the packs of the database at a path."""
    return MemoryPacks() if str(db) == ":memory:" else FolderPacks(db)


def _write_at(file: int, blob: bytes, offset: int) -> None:
    os.lseek(file, offset, os.SEEK_SET)
    left = memoryview(blob)
    while left:
        left = left[os.write(file, left) :]


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


_BINARY = getattr(os, "O_BINARY", 0)

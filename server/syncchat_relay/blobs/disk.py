"""Blobs on disk: what one flush stores in a room stands in one file, a *segment*.

Most flushes bring several chunks of one file, so they share one ``fsync``, and mostly they go
together, too. Where only some of a segment's blobs go, the others are written anew, so that what
nobody holds is gone from the disk. A segment is written and synced, then its folder is, then the
index knows it, and then it counts: whatever the moment of a crash, a blob that counts is whole, and
what does not count is swept when the relay starts.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from syncchat.errors import DiskFull, StorageError
from syncchat.wire.codes import BlobState

from . import Put, Quotas
from .index import Index, Place, Places, Stored

FOLDER_NAME = "blobs"
INDEX_NAME = "blobs.db"

READS_MAX = 3
"""How often a blob is looked for that was being moved while it was read."""


class DiskBlobs:
    """Keeps blobs in ``blobs`` of a relay's data folder, with ``blobs.db`` beside it."""

    def __init__(self, folder: Path, quotas: Quotas) -> None:
        """Open them and sweep what a crash left; raises the ``StorageError`` family."""
        self._folder = folder / FOLDER_NAME
        self._quotas = quotas
        with self._told():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._index = Index(folder / INDEX_NAME)
        try:
            self._places = Places(folder / INDEX_NAME)
            self._sweep()
        except BaseException:
            self._index.close()
            raise

    def put(self, puts: Sequence[Put], *, now_ms: int = 0) -> list[BlobState]:
        states: list[BlobState] = []
        fresh: dict[bytes, dict[bytes, Put]] = {}
        held: list[tuple[bytes, bytes, bytes]] = []
        known = self._known(puts)
        octets = 0
        for each in puts:
            of_room = fresh.setdefault(each.room, {})
            if each.name in of_room or each.name in known[each.room]:
                held.append((each.room, each.name, each.holder))
                states.append(BlobState.HERE)
                continue
            state = self._judge(each, of_room.values(), octets)
            states.append(state)
            if state is BlobState.HERE:
                of_room[each.name] = each
                octets += len(each.data)
        is_full = False
        for room, of_room in fresh.items():
            if of_room:
                is_full = not self._store(room, list(of_room.values()), now_ms) or is_full
        if is_full:
            known = self._known(puts)
            return [
                state if each.name in known[each.room] else BlobState.RELAY_FULL
                for each, state in zip(puts, states, strict=True)
            ]
        if held:
            self._index.hold(held)
        return states

    def find(self, room: bytes, names: Sequence[bytes]) -> list[bool]:
        known = self._index.known(room, names)
        return [name in known for name in names]

    def get(self, room: bytes, name: bytes) -> bytes | None:
        for _ in range(READS_MAX):
            place = self._places.find(room, name)
            if place is None:
                return None
            with self._told(), suppress(FileNotFoundError):
                return self._read(room, place)
        return None  # somebody removed it by hand; the next start notices

    def drop(self, room: bytes, names: Sequence[bytes], holder: bytes) -> list[bool]:
        for segment in self._index.release(room, names, holder):
            self._shrink(self._index.segment(segment))
        return self.find(room, names)

    def expire(self, before_ms: int) -> int:
        count, segments = self._index.expire(before_ms)
        for segment in segments:
            self._shrink(self._index.segment(segment))
        return count

    def room_bytes(self, room: bytes) -> int:
        return self._index.room_octets(room)

    def all_bytes(self) -> int:
        return self._index.octets

    def close(self) -> None:
        self._places.close()
        self._index.close()

    def _known(self, puts: Sequence[Put]) -> dict[bytes, set[bytes]]:
        """Return for each room the names of what is put that it has already."""
        names_by_room: dict[bytes, list[bytes]] = {}
        for each in puts:
            names_by_room.setdefault(each.room, []).append(each.name)
        return {room: self._index.known(room, names) for room, names in names_by_room.items()}

    def _judge(self, each: Put, before: Iterable[Put], octets: int) -> BlobState:
        """Return HERE for a blob that may be stored, after others of the same flush."""
        if not each.is_named_truly:
            return BlobState.BAD
        in_room = self._index.room_octets(each.room) + sum(len(put.data) for put in before)
        refusal = self._quotas.refusal(
            room_bytes=in_room, all_bytes=self._index.octets + octets, more=len(each.data)
        )
        return BlobState.HERE if refusal is None else refusal

    def _store(self, room: bytes, puts: Sequence[Put], now_ms: int) -> bool:
        """Store what is new in a room as one segment; tell whether there was space for it."""
        segment = self._index.next_segment()
        try:
            self._write(room, segment, [put.data for put in puts])
        except DiskFull:
            return False
        kept = [(put.name, len(put.data), put.holder) for put in puts]
        self._index.add(segment, room, kept, now_ms=now_ms)
        return True

    def _shrink(self, segment: Stored) -> None:
        """Remove from the disk what a segment holds of blobs that are gone."""
        if not segment.octets:
            self._index.forget_segment(segment.id)
        else:
            rows = self._index.places(segment.id)
            new = self._index.next_segment()
            with self._told():
                left = [self._read(segment.room, place) for _, place in rows]
            self._write(segment.room, new, left)
            start, moved = 0, []
            for row, place in rows:
                moved.append((row, start))
                start += place.octets
            self._index.move(segment.id, new, segment.room, moved)
        with self._told():
            self._path(segment.room, segment.id).unlink(missing_ok=True)

    def _write(self, room: bytes, segment: int, blobs: Sequence[bytes]) -> None:
        """Write a segment that nobody knows yet, and force it to the disk."""
        path = self._path(room, segment)
        with self._told():
            if not path.parent.is_dir():
                path.parent.mkdir(mode=0o700)
                _sync_folder(self._folder)
            try:
                file = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | _BINARY, 0o600)
                try:
                    for blob in blobs:
                        left = memoryview(blob)
                        while left:
                            left = left[os.write(file, left) :]
                    os.fsync(file)
                finally:
                    os.close(file)
                _sync_folder(path.parent)
            except OSError:
                path.unlink(missing_ok=True)
                raise

    def _read(self, room: bytes, place: Place) -> bytes:
        with self._path(room, place.segment).open("rb", buffering=0) as file:
            file.seek(place.start)
            return file.read(place.octets)

    def _sweep(self) -> None:
        """Remove files that do not count, and forget blobs whose bytes are not there."""
        with self._told():
            sizes = {
                (folder.name, path.name): path.stat().st_size
                for folder in self._folder.iterdir()
                for path in (folder.iterdir() if folder.is_dir() else ())
            }
        segments = self._index.segments()
        known = {(segment.room.hex(), str(segment.id)) for segment in segments}
        with self._told():
            for room, name in sizes.keys() - known:
                (self._folder / room / name).unlink()
        for segment in segments:
            size = sizes.get((segment.room.hex(), str(segment.id)), 0)
            if size < segment.end:
                self._index.forget_blobs(segment.id)
            if size != segment.octets or not segment.octets:
                self._shrink(self._index.segment(segment.id))

    def _path(self, room: bytes, segment: int) -> Path:
        return self._folder / room.hex() / str(segment)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            if exc.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(f"no space left for {self._folder}: free some") from exc
            raise StorageError(f"{self._folder} cannot be used: {exc.strerror or exc}") from exc


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


_BINARY = getattr(os, "O_BINARY", 0)

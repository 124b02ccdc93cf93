"""Files: what a room's messages show of them, and how their bytes are fetched, read and saved."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

from ..core.attachments import Attachment, read_attachment
from ..core.files import File, FileState
from ..core.message import Message
from ..errors import (
    DecodeError,
    FileAway,
    FileGone,
    FilesFull,
    NotFoundError,
    SealBroken,
    StorageError,
    ValidationError,
)
from ..storage import files, history
from ..storage.caching import limits
from ..storage.files import WANTED_BY_HAND, WANTED_BY_ITSELF, WANTED_NOT, FileRow, Problem
from ..storage.replacing import part_beside, put, translated_files
from ..storage.wholeness import forget_damaged
from ..trust.files import FileSeal, chunk_bytes, sealed_size
from .base import RoomPart

REASONS = {
    Problem.NONE: "",
    Problem.WAITING: "its sender has not sent all of it yet",
    Problem.GONE: "the relay does not have it any more",
    Problem.DAMAGED: "the relay gave other bytes than those that were sent",
    Problem.NO_FILE: "its sender made it so that it cannot be read",
    Problem.SILENT: "the relay does not answer about files",
    Problem.REFUSED: "the relay does not let this device send files here",
    Problem.ROOM_FULL: "the relay keeps no more files for this room",
    Problem.RELAY_FULL: "the relay has no space for files",
    Problem.TOO_LARGE: "it does not fit within this peer's own limit for files",
    Problem.CANCELLED: "it was cancelled",
    Problem.LOST: "its bytes were lost here before the relay had all of them",
}


class RoomFiles(RoomPart):
    """Is what a room's handle can do about files; part of ``Room``."""

    __slots__ = ()

    def files(
        self,
        message: str | None = None,
        *,
        before: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> list[File]:
        """Return the files of one message; without one, those of the last ``limit`` messages that
        have any, in display order, or of those next to an id.

        Raises ``NotFoundError``, and ``ValidationError`` for a limit outside 1 to 1,000.
        """
        if message is not None:
            return list(self._files_of(self.message(message)))
        if not 0 < limit <= history.PAGE_MAX:
            raise ValidationError(f"limit must be 1 to {history.PAGE_MAX}")
        for given in (before, after):
            if given is not None:
                self._checked_id(given)
        db = self._peer._db
        with db.reading():
            ids = files.messages_with_files(db, self._row, before=before, after=after, limit=limit)
            shown = self._reading().many(ids) if ids else []
            return [file for each in shown for file in self._files_of(each)]

    def file(self, message: str, place: int = 0) -> File:
        """Return one file of a message; raises ``NotFoundError``."""
        return self._find(message, place)[0]

    def fetch(self, message: str, place: int | None = None) -> list[File]:
        """Ask for a message's files, or one of them; they come when the relay can be reached.

        One that was given up or cancelled is tried again, also one that is to be sent. Returns
        them as they are now. Raises ``NotFoundError``, and ``FilesFull`` for one that is larger
        than this peer keeps.
        """
        db = self._peer._db
        found = self._chosen(message, place)
        limit = limits(db).cache_bytes_max
        for file, _ in found:
            if file.size > limit:
                raise FilesFull(
                    f"{file.safe_name} has {file.size:,} bytes, and this peer keeps {limit:,} of "
                    "files; raise the limit (peer.files.set_limits, or 'syncchat file-limits')"
                )
        with db.atomic():
            for _, row in found:
                if row.owed:
                    files.set_owed(db, row.id)
                elif not row.is_whole:
                    files.set_wanted(db, row.id, WANTED_BY_HAND)
        self._peer._ring()
        return [self.file(message, file.place) for file, _ in found]

    def cancel(self, message: str, place: int | None = None) -> list[File]:
        """Stop sending or fetching a message's files, or one of them; return them as they are.

        What came so far stays for a while, and what was sent stays at the relay; ``fetch`` goes on
        from there. Raises ``NotFoundError``.
        """
        db = self._peer._db
        found = self._chosen(message, place)
        with db.atomic():
            for _, row in found:
                if row.owed:
                    files.set_problem(db, row, Problem.CANCELLED)
                elif row.wanted:
                    files.set_wanted(db, row.id, WANTED_NOT)
        self._peer._ring()
        return [self.file(message, file.place) for file, _ in found]

    async def fetched(self, message: str, place: int | None = None) -> list[File]:
        """Ask for a message's files and wait until they are here.

        Waits for ever while there is no connection; bound it with ``asyncio.timeout``. Raises
        ``FileGone`` for one that cannot be had, and what ``fetch`` raises.
        """
        self.fetch(message, place)

        def are_here() -> bool:
            now = [file for file, _ in self._chosen(message, place)]
            for file in now:
                if file.state in (FileState.GONE, FileState.STOPPED):
                    raise FileGone(f"{file.safe_name}: {file.reason}")
            return all(file.state in (FileState.HERE, FileState.SENDING) for file in now)

        await self._peer._until(are_here)
        return [file for file, _ in self._chosen(message, place)]

    async def transferred(self) -> None:
        """Wait until nothing of this room's files is on its way: all that can be sent is sent, and
        all that is wanted and can be had is here.

        Waits for ever while there is no connection; bound it with ``asyncio.timeout``.
        """
        db = self._peer._db
        await self._peer._until(
            lambda: not files.has_work(db, self._row, since=files.new_since(self._peer.now_ms()))
        )

    def open_file(self, message: str, place: int = 0) -> BinaryIO:
        """Return a file's bytes, to be read and sought in as in any file.

        Raises ``FileAway`` where they are not here (``fetch`` them first), ``FileGone`` where they
        cannot be had, and ``NotFoundError``.
        """
        file, row = self._find(message, place)
        self._check_here(file, row)
        with suppress(StorageError), self._peer._db.atomic(durable=False):
            files.note_used(self._peer._db, row.id, self._peer.now_ms())
        return cast(BinaryIO, io.BufferedReader(_Reader(self, row), chunk_bytes()))

    def save_file(
        self,
        message: str,
        path: str | Path,
        place: int = 0,
        *,
        overwrite: bool = False,
    ) -> Path:
        """Save a file, and return where.

        In a folder it gets its own name, made harmless, with a number where there is one of that
        name. At any other path it replaces what is there only if told to ``overwrite``. Raises as
        ``open_file`` does, ``ValidationError`` for a place that is taken, and ``StorageError``.
        """
        target = Path(path)
        file = self.file(message, place)
        with self.open_file(message, place) as opened, translated_files(target):
            is_folder = target.is_dir()
            for candidate in _candidates(target, file.safe_name) if is_folder else (target,):
                if candidate.exists() and not (overwrite and not is_folder):
                    continue
                with part_beside(candidate, random=self._peer._random) as part:
                    with part.open("r+b") as saved:
                        while chunk := opened.read(chunk_bytes()):
                            saved.write(chunk)
                    with suppress(FileExistsError):
                        put(part, candidate, may_replace=overwrite and not is_folder)
                        return candidate
                opened.seek(0)
        raise ValidationError(f"{target} exists; choose another name, or ask to overwrite it")

    # Inside

    def _chosen(self, message: str, place: int | None) -> list[tuple[File, FileRow]]:
        if place is not None:
            return [self._find(message, place)]
        shown = self.message(message)
        found = list(self._pairs(shown))
        if not found:
            raise NotFoundError("the message has no file that could be fetched")
        return found

    def _find(self, message: str, place: int) -> tuple[File, FileRow]:
        shown = self.message(message)
        for file, row in self._pairs(shown):
            if file.place == place:
                return file, row
        if not 0 <= place < len(shown.attachments):
            raise NotFoundError(f"the message has no attachment {place}")
        try:
            read_attachment(shown.attachments[place])
        except DecodeError as exc:
            raise NotFoundError(
                f"attachment {place} is no file that can be fetched: {exc}"
            ) from exc
        raise NotFoundError(f"attachment {place} is beyond those that can be fetched")

    def _files_of(self, shown: Message) -> Iterator[File]:
        for file, _ in self._pairs(shown):
            yield file

    def _pairs(self, shown: Message) -> Iterator[tuple[File, FileRow]]:
        for place, row in files.files_of(self._peer._db, self._row, shown.id):
            if place < len(shown.attachments):
                attachment = read_attachment(shown.attachments[place])
                is_old = shown.id < files.new_since(self._peer.now_ms())
                yield _shown(shown, place, attachment, row, is_old=is_old), row

    def _files_here(self, shown: Message) -> list[FileRow]:
        """Return a message's files, all of which have to be here; raises as ``open_file`` does."""
        found = list(self._pairs(shown))
        for file, row in found:
            self._check_here(file, row)
        return [row for _, row in found]

    def _check_here(self, file: File, row: FileRow) -> None:
        if row.is_whole:
            return
        if file.state is FileState.GONE:
            raise FileGone(f"{file.safe_name}: {file.reason}")
        raise FileAway(
            f"{file.safe_name} is not here; fetch it first (room.fetch, or 'syncchat download')"
        )


class _Reader(io.RawIOBase):
    """Reads a file out of its pack, chunk by chunk, each checked as it is opened."""

    def __init__(self, room: RoomFiles, row: FileRow) -> None:
        self._room = room
        self._row = row
        self._seal = FileSeal(row.key)
        self._at = 0
        self._number = -1
        self._chunk = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._row.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._at >= self._row.size:
            return 0
        number, start = divmod(self._at, chunk_bytes())
        if number != self._number:
            self._chunk, self._number = self._open(number), number
        part = self._chunk[start : start + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _open(self, number: int) -> bytes:
        """Return a chunk; one that is not what it should be is not here from then on."""
        row, peer = self._row, self._room._peer
        blob = peer._db.packs.read(row.pack, number, sealed_size(row.size, number))
        try:
            if blob is None:
                raise SealBroken("it is not on the disk")
            return self._seal.open_chunk(blob, number=number, size=row.size)
        except SealBroken as exc:
            with suppress(StorageError):
                forget_damaged(peer._db, row.id, also=number)
            raise FileAway("some of the file's bytes are damaged or gone; fetch it again") from exc


def _shown(
    message: Message, place: int, attachment: Attachment, row: FileRow, *, is_old: bool
) -> File:
    state, done = _state(row, is_old=is_old)
    return File(
        message.room_id,
        message.id,
        place,
        attachment.name,
        attachment.safe_name,
        attachment.type,
        attachment.kind,
        attachment.size,
        state,
        done,
        REASONS[row.problem],
        attachment=attachment,
    )


def _state(row: FileRow, *, is_old: bool) -> tuple[FileState, int]:
    """Return where a file's bytes are, and how many have got there.

    ``is_old`` is whether its message is too old for it to come by itself.
    """
    here = min(row.size, row.here * chunk_bytes())
    if row.owed:
        sent = min(row.size, row.sent * chunk_bytes())
        is_stopped = row.problem and row.problem is not Problem.SILENT
        return (FileState.STOPPED if is_stopped else FileState.SENDING), sent
    if row.is_whole:
        return FileState.HERE, row.size
    if row.wanted > (WANTED_BY_ITSELF if is_old else WANTED_NOT):
        return FileState.FETCHING, here
    match row.problem:
        case Problem.GONE:
            return FileState.GONE, here
        case Problem.NONE | Problem.WAITING | Problem.SILENT:
            return FileState.AWAY, here
        case _:
            return FileState.STOPPED, here


def _candidates(folder: Path, name: str) -> Iterator[Path]:
    """Yield names for a file in a folder, the plain one first."""
    yield folder / name
    stem, dot, ending = name.rpartition(".")
    if not stem:
        stem, dot, ending = name, "", ""
    for number in range(1, 1000):
        yield folder / f"{stem} ({number}){dot}{ending}"

"""Whether the bytes of files that count as here are on the disk as they were written."""

from __future__ import annotations

from ..trust.files import blob_name, sealed_size
from . import files
from .database import Database
from .files import FileRow


def damaged_chunks(db: Database, file: FileRow) -> list[int]:
    """Return the chunks of a file that count as here, and are gone or other bytes by now."""
    names = file.chunk_names
    return [
        number
        for number in range(file.chunks)
        if file.has(number) and (not names or not _is_whole(db, file, number, names[number]))
    ]


def forget_damaged(db: Database, file: int, *, also: int | None = None) -> int:
    """Store that a file's damaged chunks are not here, and ``also`` one more; return how many."""
    with db.atomic():
        row = files.load_file(db, file)
        if row is None:
            return 0
        found = set(damaged_chunks(db, row)) | ({also} if also is not None else set())
        if found:
            files.forget_chunks(db, row, found)
        return len(found)


def _is_whole(db: Database, file: FileRow, number: int, name: bytes) -> bool:
    blob = db.packs.read(file.pack, number, sealed_size(file.size, number))
    return blob is not None and blob_name(blob) == name

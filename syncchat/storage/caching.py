"""The cache: how many bytes of files are kept here, and which go to make room for others.

What was not sent yet stays, for it is nowhere else. Of the rest, what was used least recently goes
first; it can be fetched again as long as the relay has it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ..trust.files import chunk_bytes
from . import files, lease
from .database import Database
from .files import FileRow


@dataclass(frozen=True, slots=True)
class Limits:
    """Is how large a file comes by itself, and how many bytes of files are kept."""

    automatic_bytes_max: int
    cache_bytes_max: int


def limits(db: Database) -> Limits:
    """Return the limits of this peer."""
    return Limits(*db.execute("select automatic_bytes_max, cache_bytes_max from local").fetchone())


def set_limits(db: Database, new: Limits) -> None:
    """Store the limits of this peer; inside a transaction."""
    db.execute(
        "update local set automatic_bytes_max = ?, cache_bytes_max = ?",
        (new.automatic_bytes_max, new.cache_bytes_max),
    )


def used_bytes(db: Database) -> int:
    """Return how many bytes of files are here."""
    return _sum(db, "here > 0")


def held_bytes(db: Database) -> int:
    """Return how many of them have to stay, because they were not sent yet."""
    return _sum(db, "here > 0 and owed > 0")


def make_room(
    db: Database, file: FileRow, *, beside: Collection[FileRow] = (), holder: str
) -> bool:
    """Make room for the rest of a file; tell whether there is enough, else nothing goes.

    ``beside`` are files that are being fetched already. Raises ``LeaseLost`` and the
    ``StorageError`` family.
    """
    need = sum(_missing_bytes(each) for each in (file, *beside))
    return _evict(db, need, keep={file.id, *(each.id for each in beside)}, holder=holder)


def trim(db: Database, *, more_bytes: int = 0) -> bool:
    """Evict until so many more bytes have room within the limit; tell whether they have."""
    return _evict(db, more_bytes, keep=(), holder=None)


def evict_all(db: Database) -> None:
    """Evict everything that can be fetched again."""
    _remove(db, _evictable(db), holder=None)


def _evict(db: Database, need: int, *, keep: Collection[int], holder: str | None) -> bool:
    over = used_bytes(db) + need - limits(db).cache_bytes_max
    if over <= 0:
        return True
    going: list[tuple[int, str, int]] = []
    for each in _evictable(db):
        if over > 0 and each[0] not in keep:
            going.append(each)
            over -= each[2]
    if over > 0:
        return False
    _remove(db, going, holder=holder)
    return True


def _evictable(db: Database) -> list[tuple[int, str, int]]:
    """Return (file, pack, bytes) of what may go, used least recently first."""
    rows = db.rows(
        "select id, pack, min(size, here * ?) from file "
        "where here > 0 and owed = 0 and wanted = 0 order by used_ms, id",
        (chunk_bytes(),),
    )
    return [(id_, pack, size) for id_, pack, size in rows]


def _remove(db: Database, going: Iterable[tuple[int, str, int]], *, holder: str | None) -> None:
    with db.atomic(durable=False):
        if holder is not None:
            lease.check(db, holder)
        for id_, _, _ in going:
            files.note_evicted(db, id_)
    for _, pack, _ in going:
        db.packs.remove(pack)


def _missing_bytes(file: FileRow) -> int:
    return file.size - min(file.size, file.here * chunk_bytes())


def _sum(db: Database, which: str) -> int:
    (found,) = db.execute(
        f"select coalesce(sum(min(size, here * ?)), 0) from file where {which}", (chunk_bytes(),)
    ).fetchone()
    return int(found)

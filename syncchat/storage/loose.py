"""Loose files: those that no message shows any more, whose bytes go, here and at the relay.

That a message loses a file is noted in the transaction that does it (``loose_file``). Its bytes go
after that, and what the relay is to be told is kept until it was told.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..trust.files import FileSeal, blob_name, sealed_size
from . import files, rooms
from .database import Database


@dataclass(frozen=True, slots=True)
class DropRow:
    """Is a file whose blobs the relay need not keep; ``names`` is None until they are known."""

    id: int
    root: bytes
    key: bytes
    size: int
    names: bytes | None


def sweep(db: Database) -> bool:
    """Remove the bytes of files that no message shows, and have the relay told; tell whether there
    may be any."""
    if not are_any(db):
        return False
    with db.atomic():
        packs = [_drop(db, file) for file in _loose(db)]
        db.execute("delete from loose_file")
    for pack in packs:
        db.packs.remove(pack)
    return True


def are_any(db: Database) -> bool:
    """Tell whether there may be files that no message shows."""
    return db.row("select 1 from loose_file limit 1") is not None


def tidy(db: Database, *, now_ms: int) -> None:
    """Bring rows and packs together after a crash, or where a backup was restored.

    A pack that no file needs goes; a file whose pack is not there is not here. Inside a
    transaction, so that no pack is taken for nobody's that is being written.
    """
    db.packs.tidy(now_ms)
    there = db.packs.names()
    needed: set[str] = set()
    for file in files.all_files(db):
        if file.here and file.pack not in there:
            files.forget_chunks(db, file, range(file.chunks))
        elif file.here or file.wanted or not file.chunks or _adopt(db, file, there):
            needed.add(file.pack)
    for pack in there - needed:
        db.packs.remove(pack)


def _adopt(db: Database, file: files.FileRow, there: set[str]) -> bool:
    """Take up a pack that is whole though nothing of it is known; tell whether there was one.

    So it is where an old backup of the database was restored: files that this device sent since
    are nowhere else, perhaps.
    """
    if file.pack not in there or not file.mine:
        return False
    names = []
    for number in range(file.chunks):
        blob = db.packs.read(file.pack, number, sealed_size(file.size, number))
        names.append(blob_name(blob or b""))
    if blob_name(FileSeal(file.key).manifest(names, size=file.size)) != file.root:
        return False
    files.set_names(db, file.id, names)
    files.note_chunks(db, file, range(file.chunks), now_ms=file.used_ms)
    files.set_owed(db, file.id)
    return True


def drops(db: Database, room: int, *, limit: int) -> list[DropRow]:
    """Return what a room's relay is still to be told to drop."""
    rows = db.rows(
        "select id, root, key, size, names from blob_drop where room = ? order by id limit ?",
        (room, limit),
    )
    return [DropRow(*row) for row in rows]


def forget_drop(db: Database, drop: int) -> None:
    """Take note that the relay was told."""
    db.execute("delete from blob_drop where id = ?", (drop,))


def _loose(db: Database) -> list[files.FileRow]:
    rows = db.rows(
        f"select {files.columns_of_table()} from loose_file join file on file.id = loose_file.file "
        "where not exists (select 1 from attachment where attachment.file = loose_file.file)"
    )
    return [files.file_of(row) for row in rows]


def _drop(db: Database, file: files.FileRow) -> str:
    """Forget a file, keep what the relay is to be told, and return its pack."""
    # Whoever knows what it was made of says so: anyone may have given it to a relay that lost it.
    if rooms.load_room(db, file.room).relay and (file.mine or file.names is not None):
        db.execute(
            "insert into blob_drop (room, root, key, size, names) values (?, ?, ?, ?, ?)",
            (file.room, file.root, file.key, file.size, file.names),
        )
    db.execute("delete from file where id = ?", (file.id,))
    return file.pack

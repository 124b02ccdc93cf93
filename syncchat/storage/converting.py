"""Encrypts a database, decrypts it, or locks it with another key."""

from __future__ import annotations

import glob
import sqlite3
import sys
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from ..errors import NotFoundError, StorageError
from ..ports import Random, SystemRandom
from . import cipher, locks
from .copying import Part, fill, parts
from .database import BUSY_SECONDS_MAX, Database, translated
from .headers import header_of
from .locks import Key, RawKey
from .replacing import part_beside, put, translated_files, wiped


def change_key(
    path: str | Path, *, old: Key | None, new: Key | None, random: Random | None = None
) -> None:
    """Lock the database at ``path`` with ``new`` instead of ``old``; None stands for no encryption.

    The content is written to a new file beside it, which then takes its place in one step: a crash
    leaves the one or the other. The old content is overwritten with zeros. No program may have the
    database open. Raises what opening raises, ``NotFoundError``, and ``DatabaseBusy``.
    """
    place, chance = Path(path).resolve(), random or SystemRandom()
    if not header_of(place):
        raise NotFoundError(f"no database at {place}")
    db = Database(place, key=old)
    try:
        with db.alone():
            _sweep(place)
            with part_beside(place, random=chance) as part:
                made = build(part, parts(db), key=new, random=chance)
                made.close()
                try:
                    with translated_files(place):
                        take_place(part, place, held=db)
                except BaseException:
                    if new is not None:
                        locks.unmake(new, made.header)
                    raise
    finally:
        db.close()


def build(part: Path, content: Iterable[Part], *, key: Key | None, random: Random) -> Database:
    """Write a database to the empty file ``part`` and return it, opened and brought up to date.

    Raises ``BackupRefused`` for content that is none, and the ``StorageError`` family.
    """
    if key is None:
        with translated(part, sqlite3.Error), closing(_plain(part)) as conn:
            fill(conn, content)
        return Database(part)
    errors = cipher.error_type()
    header, raw = locks.make(key, random=random)
    try:
        with (
            translated(part, errors),
            closing(cipher.connect(part, raw, header, timeout=BUSY_SECONDS_MAX)) as conn,
        ):
            fill(conn, content)
        return Database(part, key=RawKey(raw))
    except BaseException:
        with suppress(StorageError):
            locks.unmake(key, header)
        raise


def take_place(part: Path, place: Path, *, held: Database) -> None:
    """Put a new file in the place of the one that ``held`` has for itself, and wipe that."""
    if sys.platform == "win32":
        held.close()  # a file in use cannot be replaced there
    with wiped(place):
        put(part, place, may_replace=True)


def _plain(part: Path) -> sqlite3.Connection:
    return sqlite3.connect(str(part), isolation_level=None)


def _sweep(place: Path) -> None:
    """Remove what a killed ``change_key`` left; nobody else makes files for this place now."""
    for left in place.parent.glob(f"{glob.escape(place.name)}.*.part"):
        with suppress(OSError):
            left.unlink()

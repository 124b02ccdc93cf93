"""Writes a database to one encrypted file, and makes a database of such a file again.

The file is a strongbox (see ``syncchat.trust.strongbox``) around the parts of
``syncchat.storage.copying``, each with its length before it. It neither holds nor needs the key
that the database itself is locked with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import (
    BackupDamaged,
    DatabaseDamaged,
    DatabaseLocked,
    NotEncrypted,
    NotFoundError,
    StorageError,
    ValidationError,
)
from ..ports import Random, SystemRandom
from ..trust.passphrase import SALT_BYTES, check_new
from ..trust.strongbox import CHUNK_BYTES, HEAD_BYTES, MAGIC, TAG_BYTES, Strongbox, open_box
from . import locks
from .converting import build, take_place
from .copying import Part, encode_part, part_of, parts
from .database import Database
from .headers import header_of
from .locks import Key
from .replacing import part_beside, put, translated_files

PART_BYTES_MAX = 64 * 1024 * 1024
"""One row is far smaller; guards the memory against a length that says anything."""

_LENGTH_BYTES = 4


def write_backup(db: Database, path: str | Path, passphrase: str, *, random: Random) -> None:
    """Write the state of ``db`` at this moment to ``path``, replacing an older backup there.

    Raises ``ValidationError`` for a passphrase that is too short or a file that is no backup, and
    the ``StorageError`` family.
    """
    place = Path(path).resolve()
    check_new(passphrase)
    here = header_of(place)
    if here and not MAGIC.startswith(here[: len(MAGIC)]):
        raise ValidationError(f"{place} is no backup and stays as it is; choose another name")
    box = Strongbox(passphrase, random.bytes(SALT_BYTES))
    with translated_files(place), part_beside(place, random=random) as part:
        with part.open("r+b") as file, db.reading():
            file.write(box.head)
            for sealed in box.seal(_framed(parts(db))):
                file.write(sealed)
        put(part, place, may_replace=True)


def restore(
    backup: str | Path,
    path: str | Path,
    passphrase: str,
    *,
    key: Key | None = None,
    overwrite: bool = False,
    random: Random | None = None,
) -> None:
    """Make the database ``path`` from a backup, locked with ``key``.

    The new database goes on as the same device: the one that the backup was made from must not be
    used any more. ``overwrite`` replaces a database that opens with ``key`` and that no program
    has open. Raises ``BackupRefused``, ``NotFoundError``, ``ValidationError`` where there is a
    file, and the ``StorageError`` family; then nothing has changed.
    """
    place, chance = Path(path).resolve(), random or SystemRandom()
    with _opened(Path(backup)) as source, translated_files(place), ExitStack() as stack:
        box = open_box(source.read(HEAD_BYTES), passphrase)
        content = _unframed(box.open(_chunks(source)))
        held: Database | None = None
        if _is_there(place):
            if not overwrite:
                raise ValidationError(f"{place} exists; choose another path, or ask to overwrite")
            held = stack.enter_context(_held(place, key))
        part = stack.enter_context(part_beside(place, random=chance))
        made = build(part, content, key=key, random=chance)
        made.close()
        try:
            if held is not None:
                take_place(part, place, held=held)
            else:
                put(part, place, may_replace=False)
        except BaseException as exc:
            if key is not None:
                locks.unmake(key, made.header)
            if isinstance(exc, FileExistsError):
                raise ValidationError(f"{place} exists by now; choose another path") from exc
            raise


@contextmanager
def _held(place: Path, key: Key | None) -> Iterator[Database]:
    """Give the database that is to be replaced, while nobody else can open it."""
    try:
        db = Database(place, key=key)
    except (DatabaseDamaged, DatabaseLocked, NotEncrypted) as exc:
        raise ValidationError(
            f"the database at {place} does not open in this way, so nobody can tell whether it is "
            "in use; move it away by hand"
        ) from exc
    with closing(db), db.alone():
        yield db


def _is_there(place: Path) -> bool:
    """Tell whether a file is at this place; raises where there are only remains of one."""
    if place.exists():
        return True
    for end in ("-wal", "-journal"):
        left = place.with_name(place.name + end)
        if left.exists():
            raise ValidationError(f"{left} belongs to another database; move it away first")
    return False


def _opened(backup: Path) -> BinaryIO:
    try:
        return backup.open("rb")
    except FileNotFoundError as exc:
        raise NotFoundError(f"no backup at {backup}") from exc
    except OSError as exc:
        raise StorageError(f"{backup} cannot be read: {exc.strerror}") from exc


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    while chunk := source.read(CHUNK_BYTES + TAG_BYTES):
        yield chunk


def _framed(given: Iterable[Part]) -> Iterator[bytes]:
    for part in given:
        raw = encode_part(part)
        yield len(raw).to_bytes(_LENGTH_BYTES) + raw


def _unframed(chunks: Iterable[bytes]) -> Iterator[Part]:
    """Yield the parts in a content that comes in pieces of any size."""
    kept = bytearray()
    for chunk in chunks:
        kept += chunk
        at = 0
        while len(kept) - at >= _LENGTH_BYTES:
            size = int.from_bytes(kept[at : at + _LENGTH_BYTES])
            if size > PART_BYTES_MAX:
                raise BackupDamaged("the backup holds something else than a database")
            end = at + _LENGTH_BYTES + size
            if end > len(kept):
                break
            yield part_of(bytes(kept[at + _LENGTH_BYTES : end]))
            at = end
        del kept[:at]
    if kept:
        raise BackupDamaged("the backup ends within a part; use another copy of it")

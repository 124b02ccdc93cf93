"""Opens a peer's SQLite file, runs transactions, and translates its errors once."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import (
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseNewer,
    DiskFull,
    KeyWrong,
    NotEncrypted,
    StorageError,
    ValidationError,
)
from ..ports import Random, SystemRandom
from . import cipher, headers, locks
from .locks import Key, Lock
from .packs import Packs, packs_beside

APPLICATION_ID = 0x53594E43
"""``SYNC`` in ASCII: tells a syncchat database from any other SQLite file."""

SCHEMA_VERSION = 14
"""Grows with every migration of ``schema``; kept in SQLite's ``user_version``."""

BUSY_SECONDS_MAX = 10.0
"""How long a write waits for another process's; theirs last milliseconds."""

WIPE_WAIT_MS = 50
"""How long a commit waits for others' reading before it leaves deleted text in the log for now."""

CACHE_KIB = 2_048
"""SQLite's page cache. What it lacks comes from the system's own cache: catching up with 200,000
messages took as long with 8 MiB, and 7 MB more."""

SQLITE_MIN = (3, 37, 0)
"""Has strict tables and the list of tables; the trigram index came a little earlier."""


class SearchSizes(NamedTuple):
    """Says what searches look at one by one, and when messages get into the index (``view.index``).

    To look at a message takes about 2 µs, to take it in about 10 µs.
    """

    few: int = 1_024
    """So many are never in the index."""
    step: int = 256
    """So many are taken in at a time, in a transaction that brings no more than that."""
    many: int = 16_384
    """Where more come at once, they stay outside until there are so many; half get in then."""
    back: int = 1_000
    """So many are looked at before the index is asked."""


class Database:
    """Is one connection to a peer's file; belongs to the thread that opened it."""

    search_sizes = SearchSizes()

    def __init__(
        self, path: Path | str, *, key: Key | None = None, random: Random | None = None
    ) -> None:
        """Open ``path``, creating or migrating it.

        A new file is locked with ``key``; one that exists must be, or be plain where there is
        none. Raises ``DatabaseNewer``, ``DatabaseDamaged``, ``DatabaseLocked`` or
        ``NotEncrypted``, leaving the file untouched, or ``StorageError`` when it cannot be opened
        at all.
        """
        self.path = Path(path)
        self.header = b""
        self.inode: tuple[int, int] | None = None
        self.raw_key: bytes | None = None
        self.packs = self._packs()
        self._durable: bool | None = None
        self._owes_wipe = False
        self._errors: type[Exception] = sqlite3.Error
        self.undone = 0
        """Counts transactions, or parts, that were undone: what is kept in memory of what is stored
        may be ahead of it then."""
        self._salt = b""
        if key is not None and str(path) == ":memory:":
            raise ValidationError("a database in memory has no file to encrypt; open it plainly")
        try:
            self._open(key, random or SystemRandom())
        except KeyWrong:
            if self.header:
                raise
            self._open(key, random or SystemRandom())  # another process has just made the file

    @property
    def lock(self) -> Lock | None:
        """Return what the file is locked with; None for a plain one."""
        return locks.lock_in(self.header, self.path)

    def close(self) -> None:
        """Close the connection; again is harmless."""
        self._disconnect()
        headers.forget(self)

    @contextmanager
    def atomic(self, *, durable: bool = True) -> Iterator[None]:
        """Run the block in one write transaction, all of it or nothing.

        ``durable`` says whether the commit must survive a power loss: what a person wrote must;
        what can be fetched again need not. Inside another one it is a part of that: undone alone
        where it fails, and durable with the whole. Raises the ``StorageError`` family.
        """
        if self._conn.in_transaction:
            with self._part():
                yield
            return
        try:
            if durable is not self._durable:
                self._conn.execute(f"pragma synchronous = {'full' if durable else 'normal'}")
                self._durable = durable
            self._conn.execute("begin immediate")
            try:
                yield
                self._commit(durable=durable)
            except BaseException:
                self.undone += 1
                if self._conn.in_transaction:
                    self._conn.execute("rollback")
                raise
        except self._errors as exc:
            raise _translate(exc, self.path) from exc
        if self._owes_wipe:
            self._wipe_log()

    def wipe(self) -> None:
        """Say that this transaction removes what must leave no trace in the file.

        Deleted rows are overwritten as they go; once it is committed, the write-ahead log is
        emptied, too, at once or, where somebody is reading, with a later commit or at the end.
        """
        self._owes_wipe = True

    @contextmanager
    def _part(self) -> Iterator[None]:
        self._conn.execute("savepoint part")
        try:
            yield
        except BaseException:
            self.undone += 1
            if self._conn.in_transaction:  # or the whole is lost already, as on a full disk
                self._conn.execute("rollback to part")
                self._conn.execute("release part")
            raise
        self._conn.execute("release part")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Run the block's queries on one unchanging state of the file."""
        if self._conn.in_transaction:
            yield
            return
        with translated(self.path, self._errors):
            self._conn.execute("begin")
            try:
                yield
            finally:
                if self._conn.in_transaction:
                    self._conn.execute("rollback")

    def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement; raises the ``StorageError`` family."""
        try:
            return self._conn.execute(sql, values)
        except self._errors as exc:
            raise _translate(exc, self.path) from exc

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for many rows."""
        try:
            self._conn.executemany(sql, rows)
        except self._errors as exc:
            raise _translate(exc, self.path) from exc

    def row(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Return the first row, or None."""
        try:
            found: tuple[Any, ...] | None = self._conn.execute(sql, values).fetchone()
        except self._errors as exc:
            raise _translate(exc, self.path) from exc
        return found

    def rows(
        self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Return all rows."""
        try:
            return self._conn.execute(sql, values).fetchall()
        except self._errors as exc:
            raise _translate(exc, self.path) from exc

    def data_version(self) -> int:
        """Return a number that changes when another connection has committed."""
        (version,) = self.execute("pragma data_version").fetchone()
        return int(version)

    def integrity_faults(self) -> list[str]:
        """Return what SQLite's own check finds wrong; empty when all is well."""
        if self.raw_key is not None:
            # First, as SQLite's own check fails at a page that does not decrypt.
            changed = [text for (text,) in self.rows("pragma cipher_integrity_check")]
            if changed:
                return changed[:20]
        return [text for (text,) in self.rows("pragma integrity_check(20)") if text != "ok"]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Run the block while nobody else can open the file, and all of it is in one file.

        Raises ``DatabaseBusy`` where somebody has it open.
        """
        with translated(self.path, self._errors):
            self._conn.execute("pragma wal_checkpoint(truncate)")
            self._conn.execute("pragma journal_mode = delete")
            self._conn.execute("begin exclusive")
            try:
                yield
            finally:
                with suppress(self._errors):  # where the block has closed it
                    self._conn.execute("rollback")

    def _open(self, key: Key | None, random: Random) -> None:
        try:
            with headers.noted(self, self.path):
                if self.header:
                    self._unlock(key)
                    self._prepare(existed=True)
                else:
                    self._make(key, random)
        except BaseException:
            headers.forget(self)
            raise

    def _unlock(self, key: Key | None) -> None:
        """Find the key of a file that exists."""
        lock = locks.lock_in(self.header, self.path)
        if lock is None:
            if key is not None and self.header == headers.PLAIN:
                raise NotEncrypted(
                    f"{self.path} is not encrypted, but a key was given; open it without, or "
                    "encrypt it first: syncchat encrypt"
                )
        elif key is None:
            raise locks.needed(lock, self.path)
        else:
            self._errors = cipher.error_type()  # what is not installed is said first
            self._salt, self.raw_key = self.header, locks.find(key, self.header, self.path)

    def _make(self, key: Key | None, random: Random) -> None:
        """Create the file; it is known by its header only when all of it is there."""
        if key is None:
            self._prepare(existed=False)
            self.header = headers.PLAIN
            return
        self._errors = cipher.error_type()
        self._salt, self.raw_key = locks.make(key, random=random)
        try:
            self._prepare(existed=False)
        except BaseException:
            locks.unmake(key, self._salt)
            raise
        self.header = self._salt

    def _prepare(self, *, existed: bool) -> None:
        """Connect, check that the file is ours, and bring it up to date."""
        try:
            self._conn = self._connect()
        except (sqlite3.Error, self._errors) as exc:
            raise StorageError(
                f"cannot open {self.path}: {exc}; check the folder and its rights"
            ) from exc
        try:
            with translated(self.path, self._errors):
                if self.raw_key is not None:
                    self._check_key()
                self._check_sqlite()
                if existed:
                    self._check_ours()
                self._configure()
                self._migrate()
        except BaseException:
            self._conn.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        """Return the connection; a simulated disk gives another."""
        if str(self.path) != ":memory:":
            _make_private(self.path)
        if self.raw_key is not None:
            return cipher.connect(self.path, self.raw_key, self._salt, timeout=BUSY_SECONDS_MAX)
        return sqlite3.connect(
            str(self.path), timeout=BUSY_SECONDS_MAX, isolation_level=None, cached_statements=256
        )

    def _configure(self) -> None:
        self._conn.execute("pragma journal_mode = wal")
        self._conn.execute(f"pragma cache_size = -{CACHE_KIB}")
        self._conn.execute("pragma secure_delete = on")
        self._conn.execute("pragma foreign_keys = on")

    def _disconnect(self) -> None:
        """Close the connection; a simulated disk keeps it."""
        self._conn.close()

    def _packs(self) -> Packs:
        """Return the bytes of files that belong to the database; a simulated disk gives others."""
        return packs_beside(self.path)

    def _commit(self, *, durable: bool) -> None:
        """Commit; a simulated disk fails here, and remembers what ``durable`` promised."""
        del durable
        self._conn.execute("commit")

    def _wipe_log(self) -> None:
        with suppress(self._errors):  # what was committed is; this is tried again
            self._conn.execute(f"pragma busy_timeout = {WIPE_WAIT_MS}")
            try:
                (busy, _, _) = self._conn.execute("pragma wal_checkpoint(truncate)").fetchone()
                self._owes_wipe = bool(busy)
            finally:
                self._conn.execute(f"pragma busy_timeout = {round(BUSY_SECONDS_MAX * 1000)}")

    def _check_sqlite(self) -> None:
        """Raise ``StorageError`` for an SQLite that lacks what the schema and the search need."""
        (version,) = self._conn.execute("select sqlite_version()").fetchone()
        if tuple(map(int, version.split("."))) < SQLITE_MIN:
            wanted = ".".join(map(str, SQLITE_MIN[:2]))
            raise StorageError(
                f"this Python comes with SQLite {version}, and syncchat needs {wanted} or later; "
                "use a newer Python"
            )
        if not self._conn.execute(
            "select count(*) from pragma_module_list where name = 'fts5'"
        ).fetchone()[0]:
            raise StorageError(
                f"SQLite {version} of this Python was built without full-text search (FTS5), which "
                "syncchat needs; use another build of Python"
            )

    def _check_key(self) -> None:
        try:
            self._conn.execute("pragma schema_version")
        except self._errors as exc:
            if _code(exc) != sqlite3.SQLITE_NOTADB:
                raise
            lock = locks.lock_in(self._salt, self.path)
            assert lock is not None
            raise KeyWrong(
                f"the key from {lock.phrase} does not open {self.path}; try again (where it is "
                "surely right, the file is damaged: restore a backup)"
            ) from exc

    def _check_ours(self) -> None:
        (pages,) = self._conn.execute("pragma page_count").fetchone()
        if not pages:  # so short that SQLite would take it for a new file and write over it
            raise DatabaseDamaged(f"{self.path} is not a database; choose another path")
        (application,) = self._conn.execute("pragma application_id").fetchone()
        (version,) = self._conn.execute("pragma user_version").fetchone()
        tables = self._conn.execute("select count(*) from sqlite_master").fetchone()[0]
        if tables and application != APPLICATION_ID:
            raise DatabaseDamaged(
                f"{self.path} is a SQLite file, but not a syncchat database; choose another path"
            )
        if version > SCHEMA_VERSION:
            raise DatabaseNewer(
                f"{self.path} was written by a later syncchat (format {version}, this one knows "
                f"{SCHEMA_VERSION}); update syncchat to open it"
            )

    def _migrate(self) -> None:
        (version,) = self._conn.execute("pragma user_version").fetchone()
        if version == SCHEMA_VERSION:
            return
        from sqlite_utils import Database as Tables

        from .schema import migrations

        with self.atomic():
            (version,) = self._conn.execute("pragma user_version").fetchone()
            if version < SCHEMA_VERSION:
                migrations.apply(Tables(self._conn, execute_plugins=False))
                self._conn.execute(f"pragma application_id = {APPLICATION_ID}")
                self._conn.execute(f"pragma user_version = {SCHEMA_VERSION}")


def _make_private(path: Path) -> None:
    """Create a missing file for its owner's eyes only: it holds keys and messages.

    What SQLite puts beside it takes its mode. Where this fails, opening it says why.
    """
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


@contextmanager
def translated(path: Path, errors: type[Exception]) -> Iterator[None]:
    """Turn the errors of one kind of SQLite into this library's."""
    try:
        yield
    except errors as exc:
        raise _translate(exc, path) from exc


def _code(exc: Exception) -> int:
    return (getattr(exc, "sqlite_errorcode", None) or 0) & 0xFF


def _translate(exc: Exception, path: Path) -> StorageError:
    match _code(exc):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return DatabaseBusy(f"{path} is locked by another process; try again")
        case sqlite3.SQLITE_FULL:
            return DiskFull(f"no space left for {path}; free some, nothing was lost")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return DatabaseDamaged(
                f"{path} is damaged or not a database ({exc}); restore a backup, or run "
                "'syncchat doctor' on a copy"
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return StorageError(f"{path} cannot be written: {exc}; check its rights")
        case _:
            return StorageError(f"{path}: {exc}")

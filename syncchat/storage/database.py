"""Opens a peer's SQLite file, runs transactions, and translates its errors once."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import (
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseNewer,
    DiskFull,
    StorageError,
)

APPLICATION_ID = 0x53594E43
"""``SYNC`` in ASCII: tells a syncchat database from any other SQLite file."""

SCHEMA_VERSION = 1
"""Grows with every migration of ``schema``; kept in SQLite's ``user_version``."""

BUSY_SECONDS_MAX = 10.0
"""How long a write waits for another process's; theirs last milliseconds."""

CACHE_KIB = 8_192
"""SQLite's page cache; enough for the hot pages of a large room."""


class Database:
    """Is one connection to a peer's file; belongs to the thread that opened it."""

    def __init__(self, path: Path | str) -> None:
        """Open ``path``, creating or migrating it.

        Raises ``DatabaseNewer`` or ``DatabaseDamaged``, leaving the file untouched, or
        ``StorageError`` when it cannot be opened at all.
        """
        self.path = Path(path)
        self._durable: bool | None = None
        existed = self.path.exists() and self.path.stat().st_size > 0
        try:
            self._conn = self._connect()
        except sqlite3.Error as exc:
            raise StorageError(
                f"cannot open {path}: {exc}; check the folder and its rights"
            ) from exc
        try:
            with translated(self.path):
                if existed:
                    self._check_ours()
                self._conn.execute("pragma journal_mode = wal")
                self._conn.execute(f"pragma cache_size = -{CACHE_KIB}")
                self._conn.execute("pragma secure_delete = on")
                self._conn.execute("pragma foreign_keys = on")
                self._migrate()
        except BaseException:
            self._conn.close()
            raise

    def close(self) -> None:
        """Close the connection; again is harmless."""
        self._conn.close()

    @contextmanager
    def atomic(self, *, durable: bool = True) -> Iterator[None]:
        """Run the block in one write transaction, all of it or nothing.

        ``durable`` says whether the commit must survive a power loss: what a person wrote must;
        what can be fetched again need not. Raises the ``StorageError`` family.
        """
        with translated(self.path):
            if durable is not self._durable:
                self._conn.execute(f"pragma synchronous = {'full' if durable else 'normal'}")
                self._durable = durable
            self._conn.execute("begin immediate")
            try:
                yield
                self._commit(durable=durable)
            except BaseException:
                if self._conn.in_transaction:
                    self._conn.execute("rollback")
                raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Run the block's queries on one unchanging state of the file."""
        if self._conn.in_transaction:
            yield
            return
        with translated(self.path):
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
        except sqlite3.Error as exc:
            raise _translate(exc, self.path) from exc

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for many rows."""
        try:
            self._conn.executemany(sql, rows)
        except sqlite3.Error as exc:
            raise _translate(exc, self.path) from exc

    def row(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Return the first row, or None."""
        found: tuple[Any, ...] | None = self.execute(sql, values).fetchone()
        return found

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows."""
        return self.execute(sql, values).fetchall()

    def data_version(self) -> int:
        """Return a number that changes when another connection has committed."""
        (version,) = self.execute("pragma data_version").fetchone()
        return int(version)

    def integrity_faults(self) -> list[str]:
        """Return what SQLite's own check finds wrong; empty when all is well."""
        return [text for (text,) in self.rows("pragma integrity_check(20)") if text != "ok"]

    def _connect(self) -> sqlite3.Connection:
        """Return the connection; a simulated disk gives another."""
        if str(self.path) != ":memory:":
            _make_private(self.path)
        return sqlite3.connect(
            str(self.path), timeout=BUSY_SECONDS_MAX, isolation_level=None, cached_statements=256
        )

    def _commit(self, *, durable: bool) -> None:
        """Commit; a simulated disk fails here, and remembers what ``durable`` promised."""
        del durable
        self._conn.execute("commit")

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
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into this library's."""
    try:
        yield
    except sqlite3.Error as exc:
        raise _translate(exc, path) from exc


def _translate(exc: sqlite3.Error, path: Path) -> StorageError:
    code = getattr(exc, "sqlite_errorcode", None) or 0
    match code & 0xFF:
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

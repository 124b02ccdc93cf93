"""The SQLite schema of the log, and how a database is opened, created or refused.

``envelope.place`` is ``room.id << 36 | seq``: one integer key clusters a room's log, costs less
than a composite key, and keeps inner pages free of bodies. What an envelope says itself (device,
chain seq) is not in its row. ``run`` finds an envelope by its place in a chain: a row says where
a stretch of the chain that is also a stretch of the log begins, so a batch costs one row. It holds
up to the next one, but for what is covered.
``link`` has the link of every 32nd envelope of a chain, from which those behind it follow.
``record`` says which places of the log are records, so that a room's state is folded from those.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import sqlite_utils
from sqlite_utils.migrations import Migrations

from syncchat.errors import (
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseNewer,
    DiskFull,
    StorageError,
)
from syncchat.ports import Random

APPLICATION_ID = 0x53435231  # "SCR1"
SEQ_BITS = 36
BUSY_TIMEOUT_S = 5.0

migrations = Migrations("syncchat-relay")


@migrations()
def m001_create(db: sqlite_utils.Database) -> None:
    """Create rooms, envelopes, chains, runs and cursors."""
    for statement in (
        """CREATE TABLE relay (
            id INTEGER PRIMARY KEY CHECK (id = 1), incarnation BLOB NOT NULL
        ) STRICT""",
        """CREATE TABLE room (
            id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE,
            head INTEGER NOT NULL, fingerprint BLOB NOT NULL
        ) STRICT""",
        """CREATE TABLE envelope (
            place INTEGER PRIMARY KEY, fingerprint BLOB NOT NULL, body BLOB NOT NULL
        ) STRICT""",
        """CREATE TABLE chain (
            id INTEGER PRIMARY KEY, room INTEGER NOT NULL, key BLOB NOT NULL,
            seq INTEGER NOT NULL, link BLOB NOT NULL, last INTEGER NOT NULL
        ) STRICT""",
        "CREATE UNIQUE INDEX chain_device ON chain (room, substr(key, 1, 8))",
        """CREATE TABLE run (
            chain INTEGER NOT NULL, chain_seq INTEGER NOT NULL, seq INTEGER NOT NULL,
            PRIMARY KEY (chain, chain_seq)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE cursor (
            room INTEGER NOT NULL, device BLOB NOT NULL, seq INTEGER NOT NULL,
            PRIMARY KEY (room, device)
        ) STRICT, WITHOUT ROWID""",
        f"PRAGMA application_id = {APPLICATION_ID}",
    ):
        db.execute(statement)


@migrations()
def m002_records(db: sqlite_utils.Database) -> None:
    """Tell records from envelopes, and keep who made a room."""
    for statement in (
        """CREATE TABLE record (
            room INTEGER NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL,
            PRIMARY KEY (room, seq)
        ) STRICT, WITHOUT ROWID""",
        "CREATE UNIQUE INDEX record_hash ON record (room, hash)",
        "ALTER TABLE room ADD COLUMN records INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE room ADD COLUMN record_octets INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE room ADD COLUMN creator BLOB NOT NULL DEFAULT x''",
    ):
        db.execute(statement)


@migrations()
def m003_snapshots(db: sqlite_utils.Database) -> None:
    """Keep snapshots, what they cover, and the fingerprints of what is gone."""
    for statement in (
        """CREATE TABLE snapshot (
            chain INTEGER NOT NULL, volume INTEGER NOT NULL, room INTEGER NOT NULL,
            chain_seq INTEGER NOT NULL, seq INTEGER NOT NULL, previous BLOB NOT NULL,
            link BLOB NOT NULL, PRIMARY KEY (chain, volume)
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX snapshot_seq ON snapshot (room, seq)",
        """CREATE TABLE covered (
            chain INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
            link BLOB NOT NULL, volume INTEGER NOT NULL, PRIMARY KEY (chain, first)
        ) STRICT, WITHOUT ROWID""",
        """CREATE TABLE faded (
            room INTEGER NOT NULL, block INTEGER NOT NULL, kept BLOB NOT NULL,
            PRIMARY KEY (room, block)
        ) STRICT, WITHOUT ROWID""",
    ):
        db.execute(statement)


@migrations()
def m004_links(db: sqlite_utils.Database) -> None:
    """Keep some links of each chain, so that its newest envelopes can be shown first."""
    db.execute(
        """CREATE TABLE link (
            chain INTEGER NOT NULL, chain_seq INTEGER NOT NULL, link BLOB NOT NULL,
            PRIMARY KEY (chain, chain_seq)
        ) STRICT, WITHOUT ROWID"""
    )


def open_database(path: Path, *, random: Random) -> sqlite3.Connection:
    """Return a connection to the log at ``path``, created or migrated as needed.

    Raises ``DatabaseNewer`` or ``DatabaseDamaged`` and leaves such a file as it is.
    """
    conn: sqlite3.Connection | None = None
    try:
        conn = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        db = sqlite_utils.Database(conn, execute_plugins=False)
        _refuse_foreign(db, path)
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("PRAGMA synchronous = FULL")
        conn.execute("PRAGMA secure_delete = ON")  # what snapshots delete leaves the disk, too
        migrations.apply(db)
        conn.execute("INSERT OR IGNORE INTO relay VALUES (1, ?)", (random.bytes(8),))
    except (sqlite3.Error, StorageError) as exc:
        if conn is not None:
            conn.close()
        raise (exc if isinstance(exc, StorageError) else translated(exc, path)) from exc
    return conn


def translated(exc: sqlite3.Error, path: Path) -> StorageError:
    """Return the error of our tree for one of SQLite's."""
    code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return DiskFull(f"the disk of {path} is full: free some space, then try again")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseBusy(f"{path} is locked by another program: close it, then try again")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return DatabaseDamaged(
            f"{path} is damaged or no relay database: move it away or restore a backup; "
            "peers refill an empty relay by themselves"
        )
    return StorageError(f"{path} cannot be used: {exc}")


def _refuse_foreign(db: sqlite_utils.Database, path: Path) -> None:
    (application_id,) = db.execute("PRAGMA application_id").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    applied = [migration.name for migration in migrations.applied(db)] if tables else []
    # Without any migration an interrupted creation is indistinguishable from an empty file.
    if tables and not applied and db.table_names() != [Migrations.migrations_table]:
        raise DatabaseDamaged(f"{path} is not a relay database: choose another --data-dir")
    if application_id not in (0, APPLICATION_ID):
        raise DatabaseDamaged(f"{path} is another program's: choose another --data-dir")
    with closing(sqlite_utils.Database(memory=True)) as blank:
        known = {migration.name for migration in migrations.pending(blank)}
    if not known.issuperset(applied):
        raise DatabaseNewer(f"{path} was written by a newer relay: update this one to open it")

"""The index of blobs on disk: where they are, whose, how large, and since when.

A SQLite file of its own beside the log's, so that files and messages do not wait for each other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlite_utils
from sqlite_utils.migrations import Migrations

from syncchat.errors import DatabaseDamaged, DatabaseNewer, StorageError

from ..log.schema import BUSY_TIMEOUT_S, translated

APPLICATION_ID = 0x53434642  # "SCFB"

NAMES_PER_QUERY = 500
"""Names that one query looks for; SQLite takes many more."""

migrations = Migrations("syncchat-relay-blobs")


@migrations()
def m001_create(db: sqlite_utils.Database) -> None:
    """Create segments, blobs and their holders."""
    for statement in (
        "CREATE TABLE segment (id INTEGER PRIMARY KEY AUTOINCREMENT, room BLOB NOT NULL) STRICT",
        """CREATE TABLE blob (
            id INTEGER PRIMARY KEY, room BLOB NOT NULL, name BLOB NOT NULL,
            segment INTEGER NOT NULL REFERENCES segment (id), start INTEGER NOT NULL,
            octets INTEGER NOT NULL, put_ms INTEGER NOT NULL, UNIQUE (room, name)
        ) STRICT""",
        "CREATE INDEX blob_segment ON blob (segment, start)",
        "CREATE INDEX blob_age ON blob (put_ms)",
        """CREATE TABLE holder (
            blob INTEGER NOT NULL REFERENCES blob (id) ON DELETE CASCADE, who BLOB NOT NULL,
            PRIMARY KEY (blob, who)
        ) STRICT, WITHOUT ROWID""",
        f"PRAGMA application_id = {APPLICATION_ID}",
    ):
        db.execute(statement)


@dataclass(frozen=True, slots=True)
class Place:
    """Is where a blob's bytes are: so many of a segment, from ``start`` on."""

    segment: int
    start: int
    octets: int


@dataclass(frozen=True, slots=True)
class Stored:
    """Is a segment with what it should have: so many octets, of blobs that end at ``end``."""

    id: int
    room: bytes
    octets: int
    end: int


class Index:
    """Is the index in one SQLite file, and the sums that quotas need."""

    def __init__(self, path: Path) -> None:
        """Open or create it; raises ``DatabaseNewer`` or ``DatabaseDamaged``, untouched then."""
        self._path = path
        self._conn = _opened(path)
        self._room_octets: dict[bytes, int] = {}
        self.octets = self._number("SELECT coalesce(sum(octets), 0) FROM blob")

    def close(self) -> None:
        """Close the file."""
        self._conn.close()

    def room_octets(self, room: bytes) -> int:
        """Return how many bytes a room's blobs take."""
        if room not in self._room_octets:
            sql = "SELECT coalesce(sum(octets), 0) FROM blob WHERE room = ?"
            self._room_octets[room] = self._number(sql, room)
        return self._room_octets[room]

    def known(self, room: bytes, names: Sequence[bytes]) -> set[bytes]:
        """Return those of some names under which a room has a blob."""
        found: set[bytes] = set()
        for start in range(0, len(names), NAMES_PER_QUERY):
            some = names[start : start + NAMES_PER_QUERY]
            marks = ", ".join("?" * len(some))
            sql = f"SELECT name FROM blob WHERE room = ? AND name IN ({marks})"
            found.update(bytes(name) for (name,) in self._rows(sql, room, *some))
        return found

    def segments(self) -> list[Stored]:
        """Return every segment."""
        return [
            Stored(*row)
            for row in self._rows(
                "SELECT segment.id, segment.room, coalesce(sum(octets), 0), "
                "coalesce(max(start + octets), 0) "
                "FROM segment LEFT JOIN blob ON blob.segment = segment.id GROUP BY segment.id"
            )
        ]

    def segment(self, id_: int) -> Stored:
        """Return one segment."""
        rows = self._rows(
            "SELECT segment.id, segment.room, coalesce(sum(octets), 0), "
            "coalesce(max(start + octets), 0) "
            "FROM segment LEFT JOIN blob ON blob.segment = segment.id WHERE segment.id = ?",
            id_,
        )
        return Stored(*rows[0])

    def places(self, segment: int) -> list[tuple[int, Place]]:
        """Return (row, place) of the blobs in a segment, in their order."""
        return [
            (id_, Place(segment, start, octets))
            for id_, start, octets in self._rows(
                "SELECT id, start, octets FROM blob WHERE segment = ? ORDER BY start", segment
            )
        ]

    def next_segment(self) -> int:
        """Return the number that the next segment will have."""
        rows = self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'segment'")
        return int(rows[0][0]) + 1 if rows else 1

    def add(
        self, segment: int, room: bytes, blobs: Sequence[tuple[bytes, int, bytes]], *, now_ms: int
    ) -> None:
        """Add a segment with (name, octets, holder) of the blobs that stand in it, in order."""
        with self._writing():
            self._conn.execute("INSERT INTO segment VALUES (?, ?)", (segment, room))
            start = 0
            for name, octets, who in blobs:
                added = self._conn.execute(
                    "INSERT INTO blob (room, name, segment, start, octets, put_ms) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (room, name, segment, start, octets, now_ms),
                )
                self._conn.execute("INSERT INTO holder VALUES (?, ?)", (added.lastrowid, who))
                start += octets
            self._count(room, start)

    def hold(self, blobs: Sequence[tuple[bytes, bytes, bytes]]) -> None:
        """Add (room, name, holder) of blobs that are there."""
        with self._writing():
            self._conn.executemany(
                "INSERT INTO holder SELECT id, ?3 FROM blob WHERE room = ?1 AND name = ?2 "
                "ON CONFLICT DO NOTHING",
                blobs,
            )

    def release(self, room: bytes, names: Sequence[bytes], who: bytes) -> set[int]:
        """Take a holder's blobs from them; return the segments of those that nobody holds now."""
        emptied: set[int] = set()
        with self._writing():
            for name in names:
                found = self._conn.execute(
                    "SELECT id, segment, octets FROM blob WHERE room = ? AND name = ?",
                    (room, name),
                ).fetchone()
                if found is None:
                    continue
                id_, segment, octets = found
                taken = self._conn.execute(
                    "DELETE FROM holder WHERE blob = ? AND who = ?", (id_, who)
                ).rowcount
                left = self._conn.execute("SELECT 1 FROM holder WHERE blob = ?", (id_,)).fetchone()
                if taken > 0 and left is None:
                    self._conn.execute("DELETE FROM blob WHERE id = ?", (id_,))
                    self._count(room, -octets)
                    emptied.add(segment)
        return emptied

    def expire(self, before_ms: int) -> tuple[int, set[int]]:
        """Delete blobs that were put before a time; return how many, and their segments."""
        with self._writing():
            gone = self._conn.execute(
                "DELETE FROM blob WHERE put_ms < ? RETURNING room, octets, segment", (before_ms,)
            ).fetchall()
            for room, octets, _ in gone:
                self._count(bytes(room), -octets)
        return len(gone), {segment for _, _, segment in gone}

    def forget_blobs(self, segment: int) -> None:
        """Delete the blobs of a segment whose bytes are not there."""
        with self._writing():
            for room, octets in self._conn.execute(
                "DELETE FROM blob WHERE segment = ? RETURNING room, octets", (segment,)
            ).fetchall():
                self._count(bytes(room), -octets)

    def forget_segment(self, segment: int) -> None:
        """Delete a segment in which nothing is any more."""
        with self._writing():
            self._conn.execute("DELETE FROM segment WHERE id = ?", (segment,))

    def move(self, old: int, new: int, room: bytes, rows: Sequence[tuple[int, int]]) -> None:
        """Put all that is left in one segment into a new one, with (row, start) of each blob."""
        with self._writing():
            self._conn.execute("INSERT INTO segment VALUES (?, ?)", (new, room))
            self._conn.executemany(
                "UPDATE blob SET segment = ?3, start = ?2 WHERE id = ?1",
                [(row, start, new) for row, start in rows],
            )
            self._conn.execute("DELETE FROM segment WHERE id = ?", (old,))

    def _count(self, room: bytes, octets: int) -> None:
        self.octets += octets
        if room in self._room_octets:
            self._room_octets[room] += octets

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._conn.execute(sql, values).fetchall()
        except sqlite3.Error as exc:
            raise translated(exc, self._path) from exc

    def _number(self, sql: str, *values: object) -> int:
        return int(self._rows(sql, *values)[0][0])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        before, of_rooms = self.octets, dict(self._room_octets)
        try:
            self._conn.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._conn.execute("COMMIT")
            except BaseException:
                if self._conn.in_transaction:
                    self._conn.execute("ROLLBACK")
                self.octets, self._room_octets = before, of_rooms
                raise
        except sqlite3.Error as exc:
            raise translated(exc, self._path) from exc


class Places:
    """Finds blobs beside an index that is being written, over a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._conn = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as exc:
            raise translated(exc, path) from exc

    def find(self, room: bytes, name: bytes) -> Place | None:
        """Return where a room's blob is, None where there is none."""
        try:
            row = self._conn.execute(
                "SELECT segment, start, octets FROM blob WHERE room = ? AND name = ?", (room, name)
            ).fetchone()
        except sqlite3.Error as exc:
            raise translated(exc, self._path) from exc
        return Place(*row) if row else None

    def close(self) -> None:
        """Close the connection."""
        self._conn.close()


def _opened(path: Path) -> sqlite3.Connection:
    conn: sqlite3.Connection | None = None
    try:
        conn = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        db = sqlite_utils.Database(conn, execute_plugins=False)
        (application_id,) = conn.execute("PRAGMA application_id").fetchone()
        if application_id not in (0, APPLICATION_ID):
            raise DatabaseDamaged(f"{path} is another program's: choose another --data-dir")
        if application_id:
            with closing(sqlite_utils.Database(memory=True)) as blank:
                known = {migration.name for migration in migrations.pending(blank)}
            if not known.issuperset(each.name for each in migrations.applied(db)):
                raise DatabaseNewer(f"{path} was written by a newer relay: update this one")
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("PRAGMA synchronous = FULL")
        conn.execute("PRAGMA foreign_keys = ON")
        migrations.apply(db)
    except (sqlite3.Error, StorageError) as exc:
        if conn is not None:
            conn.close()
        raise (exc if isinstance(exc, StorageError) else translated(exc, path)) from exc
    return conn

"""Who is turned away, kept in a file of its own beside the log, across restarts.

The relay and its command write to it, from two processes; the relay looks at it every two seconds.
A row goes when its time is over: no token from before it can be valid then.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from syncchat.errors import StorageError

from ..admission import Revoked
from .schema import BUSY_TIMEOUT_S, translated

FILE_NAME = "revoked.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS revoked (
    device BLOB NOT NULL, subject TEXT NOT NULL, until_ms INTEGER,
    PRIMARY KEY (device, subject)
) STRICT, WITHOUT ROWID
"""


class Revocations:
    """Is the list of a data folder, or one in memory."""

    def __init__(self, folder: Path | None) -> None:
        """Open the list; raises the ``StorageError`` family."""
        self._path = Path(":memory:") if folder is None else folder / FILE_NAME
        if folder is not None:
            if not folder.is_dir():
                raise StorageError(f"{folder} is no relay's data folder: give its --data-dir")
            with suppress(OSError):
                os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with self._translated():
            # Used by one thread at a time, which need not be the one that opened it.
            self._conn = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
        with self._translated():
            try:
                self._conn.execute(_SCHEMA)
            except sqlite3.Error:
                self._conn.close()
                raise

    def keep(self, *, device: bytes = b"", subject: str = "", until_ms: int | None) -> None:
        """Keep that a device or a subject is turned away, for good where ``until_ms`` is None."""
        with self._translated():
            self._conn.execute(
                "INSERT INTO revoked VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET until_ms = excluded.until_ms",
                (device, subject, until_ms),
            )

    def take_back(self, *, device: bytes = b"", subject: str = "") -> bool:
        """Let a device or a subject in again; tell whether it was turned away."""
        with self._translated():
            found = self._conn.execute(
                "DELETE FROM revoked WHERE device = ? AND subject = ?", (device, subject)
            )
            return found.rowcount > 0

    def load(self, now_ms: int) -> Revoked:
        """Return who is turned away now, and forget whose time is over."""
        with self._translated():
            rows = self._conn.execute("SELECT device, subject, until_ms FROM revoked").fetchall()
            if any(until is not None and until <= now_ms for _, _, until in rows):
                self._conn.execute("DELETE FROM revoked WHERE until_ms <= ?", (now_ms,))
        valid = [row for row in rows if row[2] is None or row[2] > now_ms]
        return Revoked(
            frozenset(device for device, _, _ in valid if device),
            frozenset(subject for _, subject, _ in valid if subject),
        )

    def close(self) -> None:
        """Close the file; again is harmless."""
        self._conn.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise translated(exc, self._path) from exc

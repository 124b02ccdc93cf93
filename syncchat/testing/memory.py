"""Databases in memory that keep what SQLite has prepared when other content takes their place.

A schedule starts dozens of processes, and each would prepare the same few hundred statements anew:
that took a tenth of all time. Statements stay good as long as nobody tells their connection that
the schema has changed. So the content is exchanged behind its back, by another connection to the
same memory, and bears the schema's old number, which is right: each image has the same schema.
"""

from __future__ import annotations

import itertools
import sqlite3
import threading
from contextlib import suppress

_IDLE_MAX = 32
_HEADER = slice(24, 40)
"""By these bytes of a file SQLite sees that what it has in its cache is old."""

_numbers = itertools.count()


class Memory:
    """Is a database in memory; ``conn`` is for its process, which must be over at ``load``."""

    def __init__(self, image: bytes) -> None:
        self._name = f"file:/syncchat.simulated.{next(_numbers)}?vfs=memdb"
        self._writer = self._connect()
        self._write(image)
        self.conn = self._connect()

    def load(self, image: bytes) -> bool:
        """Put an image in the place of all that is here; tell whether it can be used.

        It cannot where somebody still reads, or where SQLite would not see the difference.
        """
        before = self.conn.serialize()[_HEADER]
        with suppress(sqlite3.OperationalError):
            self._writer.execute("begin exclusive")  # fails where somebody reads, for whom
            self._writer.execute("rollback")  # what follows would wait for ever
            self._write(image)
            return self.conn.serialize()[_HEADER] != before
        return False

    def close(self) -> None:
        """Give the memory back."""
        self.conn.close()
        self._writer.close()

    def _write(self, image: bytes) -> None:
        source = sqlite3.connect(":memory:")
        try:
            source.deserialize(image)
            source.backup(self._writer)
            (schema,) = source.execute("pragma schema_version").fetchone()
            self._writer.execute(f"pragma schema_version = {schema}")
        finally:
            source.close()

    def _connect(self) -> sqlite3.Connection:
        conn = sqlite3.connect(
            self._name, uri=True, timeout=0, isolation_level=None, cached_statements=512
        )
        conn.execute("pragma journal_mode = memory")
        return conn


class _Idle(threading.local):
    """Has a thread's databases of processes that are over; a connection is bound to its thread."""

    def __init__(self) -> None:
        self.memories: list[Memory] = []


_idle = _Idle()


def take(image: bytes) -> tuple[Memory, bool]:
    """Return a database with the content of an image, and whether its connection is as a process
    has left it, configured and with statements prepared."""
    while _idle.memories:
        memory = _idle.memories.pop()
        if memory.load(image):
            return memory, True
        memory.close()
    return Memory(image), False


def give_back(memory: Memory) -> None:
    """Keep a database for the next process."""
    if len(_idle.memories) < _IDLE_MAX:
        _idle.memories.append(memory)
    else:
        memory.close()

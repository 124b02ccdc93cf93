"""Opens encrypted files: SQLCipher behind the interface of Python's own sqlite3."""

from __future__ import annotations

import sqlite3
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from ..errors import ExtraMissing
from .locks import MISSING_EXTRA


def error_type() -> type[Exception]:
    """Return the root of what SQLCipher's connections raise; raises ``ExtraMissing``."""
    kind: type[Exception] = _sqlcipher().Error
    return kind


def connect(path: Path, key: bytes, header: bytes, *, timeout: float) -> sqlite3.Connection:
    """Return a connection to a file that begins, or shall begin, with ``header``.

    Whether the key opens it shows at the first statement that reads. Raises ``ExtraMissing`` and
    SQLCipher's errors.
    """
    conn = _sqlcipher().connect(
        str(path), timeout=timeout, isolation_level=None, cached_statements=256
    )
    try:
        conn.execute("pragma cipher_log_level = none")  # it would write to standard error
        conn.execute(f"pragma key = \"x'{(key + header).hex()}'\"")
    except BaseException:
        conn.close()
        raise
    return cast(sqlite3.Connection, conn)


def _sqlcipher() -> Any:
    try:
        return import_module("sqlcipher3.dbapi2")
    except ImportError as exc:
        raise ExtraMissing(MISSING_EXTRA) from exc

"""Takes a database apart into rows, and puts such rows together again in a new file.

One way for all that copies a database: backing up, restoring, encrypting, decrypting. It reads one
unchanging state beside running programs, needs little memory, knows nothing of pages and keys, and
leaves out what deleted rows have left in the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from ..errors import BackupDamaged, BackupNewer
from .database import APPLICATION_ID, SCHEMA_VERSION, Database

ROWS_BYTES_MIN = 65_536
"""Rows are handed on when they have so many bytes; one row may have more."""


class Layout(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """Comes first: the schema's version, and the statements that make it."""

    version: int
    tables: list[str]
    others: list[str]
    """Indexes, triggers and views, to be made when the rows are there."""


class Rows(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Holds some rows of one table."""

    table: str
    columns: list[str]
    rows: list[tuple[Any, ...]]
    """Values as SQLite gives them: null, integer, float, text, bytes."""


class End(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Comes last: how many rows there were."""

    count: int


Part = Layout | Rows | End


def parts(db: Database) -> Iterator[Part]:
    """Yield the whole content; inside ``db.reading()`` or ``db.alone()``."""
    made = db.rows("select type, name, sql from sqlite_master where sql is not null order by rowid")
    kinds = dict(db.rows("select name, type from pragma_table_list where schema = 'main'"))
    (version,) = db.execute("pragma user_version").fetchone()
    tables = [
        (name, sql)
        for kind, name, sql in made
        if kind == "table" and not name.startswith("sqlite_") and kinds[name] != "shadow"
    ]
    yield Layout(
        version, [sql for _, sql in tables], [sql for kind, _, sql in made if kind != "table"]
    )
    count = 0
    # The rows of a full-text index are in its shadow tables. Of SQLite's own tables only the
    # counters say something that does not follow from the others, and when those are filled.
    names = [n for n, kind in kinds.items() if kind in ("table", "shadow") and n[:7] != "sqlite_"]
    for name in [*names, *({"sqlite_sequence"} & kinds.keys())]:
        for rows in _rows(db, name):
            count += len(rows.rows)
            yield rows
    yield End(count)


def fill(conn: sqlite3.Connection, given: Iterable[Part]) -> None:
    """Put parts together in a new, empty file, which is of no use until this returns.

    Nothing is durable before the caller syncs the file. Raises ``BackupDamaged``, ``BackupNewer``
    and the connection's errors.
    """
    conn.execute("pragma journal_mode = off")
    conn.execute("pragma synchronous = off")
    conn.execute("begin")
    came = iter(given)
    layout = next(came, None)
    if not isinstance(layout, Layout):
        raise BackupDamaged("the backup does not begin with a schema; use another copy of it")
    if layout.version > SCHEMA_VERSION:
        raise BackupNewer(
            f"the backup is of a later syncchat's database (format {layout.version}, this one "
            f"knows {SCHEMA_VERSION}); update syncchat to restore it"
        )
    for statement in layout.tables:
        _create(conn, statement)
    for (name,) in conn.execute(
        "select name from pragma_table_list where schema = 'main' and type = 'shadow'"
    ).fetchall():
        conn.execute(f"delete from {_quoted(name)}")
    _insert(conn, came)
    for statement in layout.others:
        _create(conn, statement)
    conn.execute(f"pragma application_id = {APPLICATION_ID}")
    conn.execute(f"pragma user_version = {layout.version}")
    conn.execute("commit")


def _rows(db: Database, table: str) -> Iterator[Rows]:
    columns = [
        name
        for (name,) in db.rows("select name from pragma_table_xinfo(?) where hidden = 0", (table,))
    ]
    names = ", ".join(map(_quoted, columns))
    ready: list[tuple[Any, ...]] = []
    size = 0
    for row in db.execute(f"select {names} from {_quoted(table)}"):
        ready.append(row)
        size += sum(len(value) if isinstance(value, str | bytes) else 8 for value in row)
        if size >= ROWS_BYTES_MIN:
            yield Rows(table, columns, ready)
            ready, size = [], 0
    if ready:
        yield Rows(table, columns, ready)


def _insert(conn: sqlite3.Connection, came: Iterator[Part]) -> None:
    """Insert all rows, up to the end and nothing behind it."""
    count = 0
    for part in came:
        match part:
            case Rows(table, columns, rows):
                if table == "sqlite_sequence":  # filling the tables has counted, too
                    conn.execute("delete from sqlite_sequence")
                names = ", ".join(map(_quoted, columns))
                marks = ", ".join("?" * len(columns))
                sql = f"insert into {_quoted(table)} ({names}) values ({marks})"
                try:
                    conn.executemany(sql, rows)
                except (OverflowError, TypeError) as exc:
                    raise BackupDamaged("the backup holds something else than rows") from exc
                count += len(rows)
            case End(wanted) if wanted == count:
                if next(came, None) is None:
                    return
                break
            case _:
                break
    raise BackupDamaged("the backup does not hold what it says; use another copy of it")


def _create(conn: sqlite3.Connection, statement: str) -> None:
    if statement[:7].lower() != "create ":
        raise BackupDamaged("the backup holds something else than a database")
    conn.execute(statement)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def part_of(raw: bytes) -> Part:
    """Decode one part; raises ``BackupDamaged``."""
    try:
        part: Part = _DECODER.decode(raw)
    except (msgspec.MsgspecError, RecursionError) as exc:
        raise BackupDamaged("the backup holds something else than a database") from exc
    return part


encode_part = msgspec.msgpack.Encoder().encode
_DECODER: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Part)

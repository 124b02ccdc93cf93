"""Taking databases apart and putting them together: all of SQLite that a schema may use."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from syncchat.errors import BackupDamaged, BackupNewer
from syncchat.storage.copying import (
    ROWS_BYTES_MIN,
    End,
    Layout,
    Part,
    Rows,
    encode_part,
    fill,
    part_of,
    parts,
)
from syncchat.storage.database import SCHEMA_VERSION, Database

SCHEMA = """
create table plain (id integer primary key, v any) strict;
create table keyed (a text, b blob, primary key (a, b)) without rowid;
create table counted (id integer primary key autoincrement, t text);
create table doubled (n integer, twice integer generated always as (n * 2));
create table "odd ""name" ("a column" text);
create virtual table found using fts5 (text, content='');
create virtual table kept using fts5 (text, tokenize='trigram');
create index by_text on counted (t);
create view shown as select t from counted;
create trigger follow after insert on counted begin insert into kept (text) values (new.t); end
"""

VALUES = [None, 0, -1, 2**63 - 1, -(2**63), 0.5, 1e300, "", "ü👍\0x", b"", b"\0\xff" * 100]


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Database]:
    db = Database(tmp_path / "source.db")
    for statement in SCHEMA.split(";\n"):
        db.execute(statement)
    db.executemany("insert into plain (v) values (?)", [(value,) for value in VALUES])
    db.execute("insert into keyed values ('a', x'00'), ('a', x'01')")
    db.executemany("insert into counted (t) values (?)", [(f"word{n}",) for n in range(50)])
    db.execute("delete from counted where id > 40")
    db.execute("insert into doubled (n) values (4)")
    db.execute("""insert into "odd ""name" values ('x')""")
    db.execute("insert into found (rowid, text) values (7, 'the eagle lands')")
    yield db
    db.close()


def copied(source: Database, path: Path) -> sqlite3.Connection:
    conn = sqlite3.connect(path, isolation_level=None)
    with source.reading():
        fill(conn, parts(source))
    return conn


def test_values_tables_indexes_views_triggers_and_counters_go_over(
    source: Database, tmp_path: Path
) -> None:
    with closing(copied(source, tmp_path / "copy.db")) as copy:
        assert [v for (v,) in copy.execute("select v from plain order by id")] == VALUES
        for sql in (
            "select * from keyed order by a, b",
            "select * from counted",
            "select * from doubled",
            'select * from "odd ""name"',
            "select * from shown",
            "select name, seq from sqlite_sequence",
            "select type, name, tbl_name, sql from sqlite_master order by type, name",
        ):
            assert copy.execute(sql).fetchall() == source.rows(sql), sql
        assert copy.execute("insert into counted (t) values ('new')").lastrowid == 51
        assert copy.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert copy.execute("pragma user_version").fetchone() == (SCHEMA_VERSION,)


def test_full_text_indexes_go_over_and_go_on(source: Database, tmp_path: Path) -> None:
    with closing(copied(source, tmp_path / "copy.db")) as copy:
        eagle = "select rowid from found where found match 'eagle'"
        assert copy.execute(eagle).fetchall() == source.rows(eagle) == [(7,)]
        words = "select text from kept where kept match 'ord4'"
        assert copy.execute(words).fetchall() == source.rows(words)
        assert len(source.rows(words)) == 11
        copy.execute("insert into counted (t) values ('swordfish')")  # through the trigger, once
        fish = "select count(*) from kept where kept match 'swordfish'"
        assert copy.execute(fish).fetchone() == (1,)
        for name in ("found", "kept"):
            copy.execute(f"insert into {name} ({name}) values ('integrity-check')")


def test_content_is_that_of_one_moment_whatever_others_write_meanwhile(tmp_path: Path) -> None:
    one, other = Database(tmp_path / "a.db"), Database(tmp_path / "a.db")
    with one.reading():
        came = parts(one)
        layout = next(came)
        with other.atomic():
            other.execute("insert into lease values (1, 'h', 'p', 0, '{}')")
        rest = list(came)
    assert isinstance(layout, Layout)
    assert "lease" not in {part.table for part in rest if isinstance(part, Rows)}
    one.close()
    other.close()


def test_rows_are_handed_on_in_bounded_portions(source: Database) -> None:
    source.executemany("insert into plain (v) values (?)", [(b"x" * 1_000,) for _ in range(1_000)])
    sizes = [
        sum(len(row[1]) for row in part.rows if isinstance(row[1], bytes))
        for part in parts(source)
        if isinstance(part, Rows) and part.table == "plain"
    ]
    assert len(sizes) > 10
    assert max(sizes) <= ROWS_BYTES_MIN + 1_000


LAYOUT = Layout(SCHEMA_VERSION, ["create table t (a)"], [])
ROWS = Rows("t", ["a"], [(1,), (2,)])


@pytest.mark.parametrize(
    "given",
    [
        [],
        [ROWS, End(2)],
        [LAYOUT],
        [LAYOUT, ROWS],
        [LAYOUT, ROWS, End(3)],
        [LAYOUT, ROWS, End(2), ROWS],
        [LAYOUT, LAYOUT, End(0)],
        [Layout(SCHEMA_VERSION, ["drop table x"], []), End(0)],
        [LAYOUT, Rows("t", ["a"], [(2**64 - 1,)]), End(1)],
    ],
    ids=lambda given: "-".join(type(part).__name__ for part in given) or "nothing",
)
def test_parts_that_are_no_whole_database_are_refused(given: list[Part]) -> None:
    conn = sqlite3.connect(":memory:", isolation_level=None)
    with closing(conn), pytest.raises(BackupDamaged):
        fill(conn, given)


def test_later_schema_is_refused_before_anything_is_made() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as conn:
        with pytest.raises(BackupNewer, match="update syncchat"):
            fill(conn, [Layout(SCHEMA_VERSION + 1, ["create table t (a)"], []), End(0)])
        assert conn.execute("select count(*) from sqlite_master").fetchone() == (0,)


@pytest.mark.parametrize("part", [LAYOUT, Rows("t", ["a"], [(None, 1, 0.5, "ü", b"\xff")]), End(1)])
def test_parts_come_back_as_they_were_encoded(part: Part) -> None:
    assert part_of(encode_part(part)) == part


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x93\x09\x01\x02", b"\x91" * 2_000, b"\x80"])
def test_bytes_that_are_no_part_are_damage(raw: bytes) -> None:
    with pytest.raises(BackupDamaged):
        part_of(raw)

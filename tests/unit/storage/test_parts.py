"""Transactions inside transactions: undone alone, and kept or lost with the whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncchat.storage.database import Database


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "a.db")
    with made.atomic():
        made.execute("create table note (text text)")
    yield made
    made.close()


def _notes(db: Database) -> list[str]:
    return [text for (text,) in db.rows("select text from note order by text")]


def test_part_that_fails_is_undone_alone(db: Database) -> None:
    with db.atomic():
        db.execute("insert into note values ('a')")
        with pytest.raises(ValueError), db.atomic():
            db.execute("insert into note values ('b')")
            raise ValueError
        with db.atomic():
            db.execute("insert into note values ('c')")
    assert _notes(db) == ["a", "c"]


def test_whole_that_fails_takes_its_parts_along(db: Database) -> None:
    with pytest.raises(ValueError), db.atomic():
        with db.atomic(), db.atomic():
            db.execute("insert into note values ('a')")
        raise ValueError
    assert _notes(db) == []


def test_part_inside_a_part_is_undone_with_it(db: Database) -> None:
    with db.atomic():
        with pytest.raises(ValueError), db.atomic():
            with db.atomic():
                db.execute("insert into note values ('a')")
            raise ValueError
        db.execute("insert into note values ('b')")
    assert _notes(db) == ["b"]

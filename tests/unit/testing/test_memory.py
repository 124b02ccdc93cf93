"""Databases in memory whose content is exchanged under an open connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from unittest import mock

import pytest

from syncchat.testing.memory import Memory, give_back, take

QUESTION = "select number from note order by number"


def image(*numbers: int) -> bytes:
    conn = sqlite3.connect(":memory:", isolation_level=None)
    conn.execute("pragma page_size = 1024")  # not what SQLite takes by itself
    conn.execute("create table note (number integer)")
    conn.executemany("insert into note values (?)", [(number,) for number in numbers])
    found = conn.serialize()
    conn.close()
    return found


def numbers(memory: Memory) -> list[int]:
    return [number for (number,) in memory.conn.execute(QUESTION)]


@pytest.fixture
def memory() -> Iterator[Memory]:
    memory = Memory(image(1, 2))
    yield memory
    memory.close()


def test_content_is_exchanged_again_and_again(memory: Memory) -> None:
    assert numbers(memory) == [1, 2]
    for content in ((3,), (), (1, 2), (4, 5, 6), (3,)):
        assert memory.load(image(*content))
        assert numbers(memory) == list(content)
        memory.conn.execute("insert into note values (9)")
        assert numbers(memory) == sorted([*content, 9])


def test_what_is_prepared_stays(memory: Memory) -> None:
    assert numbers(memory) == [1, 2]
    assert memory.load(image(3))
    assert numbers(memory) == [3]
    try:
        (anew, runs) = memory.conn.execute(
            "select reprep, run from sqlite_stmt where sql = ?", (QUESTION,)
        ).fetchone()
    except sqlite3.OperationalError:
        pytest.skip("this SQLite does not tell what it has prepared")
    assert (anew, runs) == (0, 2)


def test_memory_that_somebody_still_reads_is_not_used_again(memory: Memory) -> None:
    reading = memory.conn.execute(QUESTION)
    assert next(reading) == (1,)
    assert not memory.load(image(3))
    reading.close()


def test_memory_in_which_sqlite_would_not_see_the_difference_is_not_used_again(
    memory: Memory,
) -> None:
    with mock.patch.object(memory, "_write"):
        assert not memory.load(image(3))


def test_process_begins_with_its_image_whoever_was_there_before() -> None:
    first, goes_on = take(image(1))
    first.conn.execute("insert into note values (9)")
    give_back(first)
    second, goes_on = take(image(2))
    assert goes_on
    assert second is first
    assert numbers(second) == [2]
    other, _ = take(image(1, 9))
    assert other is not second
    assert (numbers(second), numbers(other)) == ([2], [1, 9])
    give_back(second)
    give_back(other)

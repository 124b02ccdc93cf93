"""Tests of what only the log on disk must do: last, refuse, and stay small."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from syncchat_relay.log import Append, CursorEntry, Outcome
from syncchat_relay.log.sqlite import FILE_NAME, SqliteLog

from syncchat.errors import (
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseNewer,
    DiskFull,
    StorageError,
)
from syncchat.wire.codes import ItemStatus
from tests.contracts.chains import ROOM, FixedRandom, Writer, logged


@contextmanager
def opened(folder: Path, *, seed: int = 0) -> Iterator[SqliteLog]:
    with closing(SqliteLog(folder, random=FixedRandom(seed))) as log:
        yield log


def test_everything_is_there_after_a_reopen(tmp_path: Path) -> None:
    alice, bob = Writer(1), Writer(2)
    run = [alice.write(), bob.write(), alice.write()]
    with opened(tmp_path) as log:
        log.append([Append(ROOM, tuple(run))])
        log.set_cursors([CursorEntry(ROOM, alice.device, 2)])
        before = (log.incarnation, log.head(ROOM), log.chains(ROOM))
    with opened(tmp_path, seed=9) as log:
        assert (log.incarnation, log.head(ROOM), log.chains(ROOM)) == before
        assert tuple(logged(log)) == tuple(run)
        assert log.cursors(ROOM) == [(alice.device, 2)]
        (outcomes,) = log.append([Append(ROOM, (run[2], alice.write()))])
        assert outcomes == [Outcome(ItemStatus.KNOWN, 3), Outcome(ItemStatus.STORED, 4)]


def test_log_of_an_earlier_relay_takes_snapshots(tmp_path: Path) -> None:
    alice, bob = Writer(1), Writer(2)
    run = [*alice.write_many(3), bob.write(), *alice.write_many(2)]
    with opened(tmp_path) as log:
        log.append([Append(ROOM, tuple(run))])
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as conn, conn:
        for table in ("snapshot", "covered", "faded"):
            conn.execute(f"DROP TABLE {table}")
        conn.execute("DELETE FROM _sqlite_migrations WHERE name = 'm003_snapshots'")
    with opened(tmp_path) as log:
        assert logged(log) == run
        (outcomes,) = log.append([Append(ROOM, (snapshot := alice.snapshot(), alice.write()))])
        assert [outcome.seq for outcome in outcomes] == [7, 8]
        assert logged(log)[:2] == [run[3], snapshot]
        assert log.fingerprint_at(ROOM, 2) is not None


def test_a_wiped_folder_has_another_incarnation(tmp_path: Path) -> None:
    with opened(tmp_path / "a", seed=1) as log, opened(tmp_path / "b", seed=2) as other:
        assert log.incarnation != other.incarnation


def test_a_second_relay_on_the_same_folder_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(DatabaseBusy, match="another relay uses"):
        SqliteLog(tmp_path, random=FixedRandom())
    with opened(tmp_path):
        pass


def test_a_newer_database_is_refused_untouched(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append([Append(ROOM, Writer(1).write_many(2))])
    path = tmp_path / FILE_NAME
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "VALUES ('syncchat-relay', 'm999_later', '')"
        )
    before = path.read_bytes()
    with pytest.raises(DatabaseNewer, match="newer relay"):
        SqliteLog(tmp_path, random=FixedRandom())
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(b"my holiday photos" * 999)
    with pytest.raises(DatabaseDamaged, match="damaged or no relay database"):
        SqliteLog(tmp_path, random=FixedRandom())
    assert path.read_bytes() == b"my holiday photos" * 999


def test_a_database_of_another_program_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("CREATE TABLE photos (id INTEGER)")
    before = path.read_bytes()
    with pytest.raises(DatabaseDamaged, match="not a relay database"):
        SqliteLog(tmp_path, random=FixedRandom())
    assert path.read_bytes() == before


def test_a_page_that_is_damaged_is_told_as_damage_and_the_folder_is_free_again(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as log:
        log.append([Append(ROOM, Writer(1).write_many(200))])
    path = tmp_path / FILE_NAME
    raw = bytearray(path.read_bytes())
    raw[4096:] = b"\xff" * (len(raw) - 4096)
    path.write_bytes(raw)
    for _ in range(2):
        with pytest.raises(DatabaseDamaged):
            SqliteLog(tmp_path, random=FixedRandom())


def test_a_folder_that_cannot_be_written_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot be written"):
        SqliteLog(tmp_path / "file" / "folder", random=FixedRandom())


def test_a_full_disk_stores_nothing_of_the_flush_and_the_same_flush_works_later(
    tmp_path: Path,
) -> None:
    alice = Writer(1)
    with opened(tmp_path) as log:
        log.append([Append(ROOM, alice.write_many(3))])
        (pages,) = log._conn.execute("PRAGMA page_count").fetchone()
        log._conn.execute(f"PRAGMA max_page_count = {pages}")
        flush = [Append(ROOM, alice.write_many(200, body_bytes=2_000))]
        with pytest.raises(DiskFull):
            log.append(flush)
        assert log.head(ROOM).seq == 3
        assert log.chain_seq(ROOM, alice.device) == 3
        log._conn.execute("PRAGMA max_page_count = 1000000")
        (outcomes,) = log.append(flush)
        assert [outcome.seq for outcome in outcomes] == list(range(4, 204))
        assert {outcome.status for outcome in outcomes} == {ItemStatus.STORED}


def test_an_append_is_synced_to_disk_and_a_cursor_is_not(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append([Append(ROOM, Writer(1).write_many(1))])
        log.set_cursors([CursorEntry(ROOM, bytes(8), 1)])
        assert log._conn.execute("PRAGMA synchronous").fetchone() == (2,)
        assert log._conn.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_corpus_message_costs_at_most_300_bytes_at_rest(tmp_path: Path) -> None:
    writers = [Writer(seed) for seed in range(1, 41)]
    count = 4_000
    with opened(tmp_path) as log:
        log.append([Append(ROOM, (Writer(50).write(),))])
    empty = (tmp_path / FILE_NAME).stat().st_size  # what is there once, whatever comes
    with opened(tmp_path) as log:
        for turn in range(0, count, 50):
            batch = [
                Append(ROOM, (writers[number * 7 % 40].write(body_bytes=118),))
                for number in range(turn, turn + 50)
            ]
            log.append(batch)
        raw = logged(log, after=3_000)[0]
        assert 232 <= len(raw) <= 240
    assert ((tmp_path / FILE_NAME).stat().st_size - empty) / count <= 300

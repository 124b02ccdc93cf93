"""The database file: what opens it, what must not, and what a full disk or a crash leaves."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from syncchat.errors import (
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseNewer,
    DiskFull,
    StorageError,
)
from syncchat.storage import database
from syncchat.storage.database import APPLICATION_ID, SCHEMA_VERSION, Database
from tests.support.peers import make_peer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "peer.db"


def sqlite_file(path: Path, script: str) -> bytes:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    return path.read_bytes()


def test_database_is_made_once_and_opens_again_with_its_keys(path: Path) -> None:
    with make_peer(1, path=path, name="Alice") as peer:
        device = peer.device
        peer.create_room("Team").send("kept")
    with make_peer(2, path=path, name="Alice") as peer:
        assert peer.device == device
        assert [m.text for m in peer.room("Team").messages()] == ["kept"]
    database_file = sqlite3.connect(path)
    assert database_file.execute("pragma application_id").fetchone() == (APPLICATION_ID,)
    assert database_file.execute("pragma user_version").fetchone() == (SCHEMA_VERSION,)
    database_file.close()


@pytest.mark.parametrize("size", [1, 100, 4096, 100_000])
def test_file_that_is_no_database_is_refused_and_left_untouched(path: Path, size: int) -> None:
    raw = (b"this is not a database, but somebody's diary. " * 3_000)[:size]
    path.write_bytes(raw)
    with pytest.raises(DatabaseDamaged, match=r"peer\.db"):
        Database(path)
    assert path.read_bytes() == raw
    assert [file.name for file in path.parent.iterdir()] == ["peer.db"]


def test_foreign_sqlite_file_is_refused_and_left_untouched(path: Path) -> None:
    raw = sqlite_file(path, "create table diary (day text); insert into diary values ('today')")
    with pytest.raises(DatabaseDamaged, match="choose another path"):
        Database(path)
    assert path.read_bytes() == raw


def test_database_of_a_later_version_is_refused_and_left_untouched(path: Path) -> None:
    Database(path).close()
    raw = sqlite_file(path, f"pragma user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(DatabaseNewer, match="update syncchat"):
        Database(path)
    assert path.read_bytes() == raw


def test_damaged_database_is_refused_and_left_untouched(path: Path) -> None:
    Database(path).close()
    raw = path.read_bytes()
    damaged = raw[:100] + b"\xff" * 4_000 + raw[4_100:]
    path.write_bytes(damaged)
    with pytest.raises(DatabaseDamaged, match="restore a backup"):
        Database(path)
    assert path.read_bytes() == damaged


def test_path_that_cannot_be_opened_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="check"):
        Database(tmp_path / "no such folder" / "peer.db")
    with pytest.raises(StorageError):
        Database(tmp_path)


def test_transaction_that_fails_leaves_nothing(path: Path) -> None:
    db = Database(path)
    with pytest.raises(RuntimeError), db.atomic():
        db.execute("insert into lease values (1, 'h', 'p', 0, '{}')")
        raise RuntimeError
    assert db.row("select * from lease") is None
    with db.atomic():
        db.execute("insert into lease values (1, 'h', 'p', 0, '{}')")
    assert db.row("select holder from lease") == ("h",)
    db.close()


def test_write_lock_held_by_another_process_for_too_long_is_said_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Database(path).close()
    monkeypatch.setattr(database, "BUSY_SECONDS_MAX", 0.05)
    db = Database(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(DatabaseBusy, match="try again"), db.atomic():
        pass
    other.execute("rollback")
    with db.atomic():
        pass
    other.close()
    db.close()


def test_full_disk_is_said_so_and_nothing_is_lost_or_half_written(path: Path) -> None:
    with make_peer(1, path=path) as peer:
        room = peer.create_room("Team")
        room.send("before")
        digest = room.digest()
        (pages,) = peer._db.execute("pragma page_count").fetchone()
        peer._db.execute(f"pragma max_page_count = {pages + 1}")
        with pytest.raises(DiskFull, match="nothing was lost"):
            for _ in range(3):
                room.send("x" * 30_000)
        shown = [m.text for m in room.messages() if len(m.text) < 100]
        assert shown == ["before"]
        assert peer.check() == []
        if len(room.messages()) == 1:
            assert room.digest() == digest
        peer._db.execute(f"pragma max_page_count = {pages + 1_000}")
        room.send("after")
        assert peer.check() == []
    with make_peer(1, path=path) as peer:
        assert [m.text for m in peer.rooms()[0].messages()][-1] == "after"


def test_other_connections_commit_shows_as_another_data_version(path: Path) -> None:
    one, other = Database(path), Database(path)
    before = one.data_version()
    with one.atomic():
        one.execute("insert into lease values (1, 'h', 'p', 0, '{}')")
    assert one.data_version() == before
    with other.atomic():
        other.execute("delete from lease")
    assert one.data_version() != before
    one.close()
    other.close()


def test_database_belongs_to_the_thread_that_opened_it(path: Path) -> None:
    db = Database(path)
    failed: list[BaseException] = []

    def use() -> None:
        try:
            db.execute("select 1")
        except BaseException as exc:
            failed.append(exc)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join(10)
    assert isinstance(failed[0], StorageError)
    db.close()

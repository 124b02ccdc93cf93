"""Encrypting and decrypting a database that exists: all of it goes over, or nothing changes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import syncchat
from syncchat.errors import (
    DatabaseBusy,
    DatabaseDamaged,
    DiskFull,
    KeyNeeded,
    KeyWrong,
    NotEncrypted,
    NotFoundError,
    ValidationError,
)
from syncchat.storage import converting, database, replacing
from syncchat.storage.database import Database
from syncchat.storage.locks import Key, Keychain, KeyFile, Passphrase, lock_of
from tests.support.keys import WORDS, MemoryKeystore, all_kinds, make_guessing_cheap
from tests.support.peers import make_peer

CANARY = "canary-21d4 the eagle lands at nine"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_guessing_cheap(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "dbs"
    folder.mkdir()
    return folder / "peer.db"


def write(path: Path, *, key: Key | None = None, messages: int = 30) -> str:
    """Make a database with a history of all kinds, and return its room's digest."""
    with syncchat.open(path, name="Alice", key=key) as peer:
        room = peer.create_room("Team")
        for number in range(messages):
            room.send(f"{CANARY} {number}", metadata={"n": number, "half": 0.5})
        first = room.messages()[0]
        room.react(first.id, "👍")
        room.edit(first.id, f"{CANARY} edited")
        room.delete(room.messages()[1].id)
        return room.digest()


def assert_whole(path: Path, digest: str, *, key: Key | None = None) -> None:
    with syncchat.open(path, key=key) as peer:
        (room,) = peer.rooms()
        assert room.digest() == digest
        assert peer.check() == []
        assert len(room.outbox()) > 10


def words_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if b"canary" in file.read_bytes()}


@pytest.mark.parametrize("name", ["passphrase", "key file", "keychain"])
def test_plain_database_is_encrypted_and_decrypted_with_all_that_it_holds(
    tmp_path: Path, path: Path, name: str
) -> None:
    key = all_kinds(tmp_path)[name]
    digest = write(path)
    assert words_in(path.parent) == {"peer.db"}
    syncchat.change_key(path, old=None, new=key)
    assert words_in(path.parent) == set()
    assert_whole(path, digest, key=key)
    syncchat.change_key(path, old=key, new=None)
    assert words_in(path.parent) == {"peer.db"}
    assert_whole(path, digest)
    assert [file.name for file in path.parent.iterdir()] == ["peer.db"]


def test_every_row_and_statement_of_the_schema_goes_over(path: Path) -> None:
    write(path)
    before = everything(path, None)
    syncchat.change_key(path, old=None, new=Passphrase(WORDS))
    assert everything(path, Passphrase(WORDS)) == before
    assert {"message", "op", "field", "search_text_data", "_sqlite_migrations"} <= {
        k for k, rows in before.items() if rows
    }


def everything(path: Path, key: Key | None) -> dict[str, object]:
    db = Database(path, key=key)
    made = db.rows("select type, name, sql from sqlite_master order by type, name")
    tables = [name for kind, name, _ in made if kind == "table"]
    tables.remove("search_text")  # its rows are in the tables beside it
    found: dict[str, object] = {name: db.rows(f'select * from "{name}"') for name in tables}
    found["schema"] = made
    found["version"] = db.row("pragma user_version")
    db.close()
    return found


def test_lock_is_changed_without_a_plain_file_in_between(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = Passphrase(WORDS), Passphrase("another one that is long")
    digest = write(path, key=old)
    seen: list[set[str]] = []
    put = replacing.put

    def look(part: Path, place: Path, *, may_replace: bool) -> None:
        seen.append(words_in(path.parent))
        put(part, place, may_replace=may_replace)

    monkeypatch.setattr(converting, "put", look)
    syncchat.change_key(path, old=old, new=new)
    assert seen == [set()]
    with pytest.raises(KeyWrong):
        Database(path, key=old)
    assert_whole(path, digest, key=new)


def test_what_is_only_in_the_write_ahead_log_goes_over(path: Path) -> None:
    script = (
        "import os, sys, syncchat\n"
        "peer = syncchat.open(sys.argv[1], name='A')\n"
        "peer.create_room('Team').send('only in the log')\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", script, path], check=True, timeout=30)
    assert path.with_name("peer.db-wal").stat().st_size > 0
    syncchat.change_key(path, old=None, new=Passphrase(WORDS))
    with syncchat.open(path, key=Passphrase(WORDS)) as peer:
        assert [m.text for m in peer.rooms()[0].messages()] == ["only in the log"]
    assert [file.name for file in path.parent.iterdir()] == ["peer.db"]


def test_wrong_key_or_none_changes_nothing(tmp_path: Path, path: Path) -> None:
    key = Passphrase(WORDS)
    with pytest.raises(NotFoundError):
        syncchat.change_key(path, old=None, new=key)
    write(path)
    before = everything(path, None)
    with pytest.raises(NotEncrypted):
        syncchat.change_key(path, old=key, new=None)
    with pytest.raises(ValidationError, match="8 to"):
        syncchat.change_key(path, old=None, new=Passphrase("short"))
    with pytest.raises(KeyNeeded):
        syncchat.change_key(path, old=None, new=KeyFile(tmp_path / "gone"))
    assert everything(path, None) == before
    syncchat.change_key(path, old=None, new=key)
    raw = path.read_bytes()
    for wrong in (Passphrase("something else"), None):
        with pytest.raises((KeyWrong, KeyNeeded)):
            syncchat.change_key(path, old=wrong, new=None)
    assert path.read_bytes() == raw
    assert [file.name for file in path.parent.iterdir()] == ["peer.db"]


def test_database_in_use_is_left_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS_MAX", 0.05)
    write(path)
    with syncchat.open(path) as peer:
        with pytest.raises(DatabaseBusy, match="another process"):
            syncchat.change_key(path, old=None, new=Passphrase(WORDS))
        peer.rooms()[0].send("goes on")
    with syncchat.open(path) as peer:
        assert peer.rooms()[0].messages()[-1].text == "goes on"
    assert words_in(path.parent) == {"peer.db"}


def test_full_disk_leaves_the_old_file_and_no_key(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = write(path)
    store = MemoryKeystore()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(converting, "put", fail)
    with pytest.raises(DiskFull, match="nothing was lost"):
        syncchat.change_key(path, old=None, new=Keychain(store))
    assert store.kept == {}
    assert [file.name for file in path.parent.iterdir()] == ["peer.db"]
    assert_whole(path, digest)


@pytest.mark.skipif(sys.platform == "win32", reason="links and rights of files")
def test_link_to_a_database_is_followed_and_the_new_file_is_its_owners_alone(
    tmp_path: Path, path: Path
) -> None:
    digest = write(path)
    link = tmp_path / "link.db"
    link.symlink_to(path)
    syncchat.change_key(link, old=None, new=Passphrase(WORDS))
    assert link.is_symlink()
    assert words_in(path.parent) == set()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert_whole(link, digest, key=Passphrase(WORDS))


@pytest.mark.skipif(sys.platform == "win32", reason="files in use cannot be replaced there")
def test_old_content_is_overwritten_and_who_waited_for_it_writes_nowhere(path: Path) -> None:
    write(path)
    with path.open("rb") as old:
        waiting = path.with_name("waiting.db")
        os.link(path, waiting)
        syncchat.change_key(path, old=None, new=Passphrase(WORDS))
        old.seek(0)
        assert set(old.read()) == {0}
    with pytest.raises(DatabaseDamaged):
        Database(waiting)


KILLED = """
import os, signal, sys
from pathlib import Path
import syncchat
from syncchat.storage import converting, locks, replacing
from syncchat.storage.locks import KeyFile

where, path, key = sys.argv[1], sys.argv[2], KeyFile(sys.argv[3])
put, fill = replacing.put, converting.fill

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def half(conn, parts):
    def some():
        for number, part in enumerate(parts):
            if number == 4:
                conn.execute("commit")
                die()
            yield part
    fill(conn, some())

def putting(part, place, *, may_replace):
    if where == "before":
        die()
    put(part, place, may_replace=may_replace)
    die()

if where == "filling":
    converting.fill = half
else:
    converting.put = putting
old, new = (None, key) if locks.lock_of(path) is None else (key, None)
syncchat.change_key(path, old=old, new=new)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("was_locked", [False, True], ids=["encrypting", "decrypting"])
@pytest.mark.parametrize("where", ["filling", "before", "after"])
def test_process_killed_in_the_middle_leaves_the_old_database_or_the_new_one(
    tmp_path: Path, path: Path, where: str, was_locked: bool
) -> None:
    key = KeyFile.make(tmp_path / "key")
    digest = write(path, key=key if was_locked else None)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, where, path, key.path], check=False, timeout=30
    )
    assert done.returncode == -signal.SIGKILL
    is_locked = lock_of(path) is not None
    assert is_locked == (was_locked != (where == "after"))
    assert_whole(path, digest, key=key if is_locked else None)
    left = [file for file in path.parent.iterdir() if file.suffix == ".part"]
    assert len(left) == (where != "after")
    # Done again, it comes to its end, and what was left is gone.
    syncchat.change_key(path, old=key if is_locked else None, new=None if is_locked else key)
    assert_whole(path, digest, key=None if is_locked else key)
    assert [file.name for file in path.parent.iterdir()] == ["peer.db"]


def test_converted_database_is_the_same_device(path: Path) -> None:
    with make_peer(5, path=path) as peer:
        device = peer.device
    syncchat.change_key(path, old=None, new=Passphrase(WORDS))
    with syncchat.open(path, key=Passphrase(WORDS)) as peer:
        assert peer.device == device

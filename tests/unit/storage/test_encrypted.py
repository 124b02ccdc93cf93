"""Encrypted databases: what opens them, what must not, and what of them can be read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import syncchat
from syncchat.errors import (
    DatabaseBusy,
    DatabaseDamaged,
    ExtraMissing,
    KeyNeeded,
    KeyWrong,
    NotEncrypted,
    StorageError,
    ValidationError,
)
from syncchat.storage import database, locks
from syncchat.storage.database import Database
from syncchat.storage.locks import Key, Keychain, KeyFile, Lock, Passphrase, RawKey, lock_of
from tests.support.keys import WORDS, LockedKeystore, MemoryKeystore, all_kinds, make_guessing_cheap
from tests.support.ports import chance

CANARY = "canary-5a0e the eagle lands at nine"
TITLE = "canary-title-77b1"
NAME = "canary-name-0c2d"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_guessing_cheap(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "dbs"
    folder.mkdir()
    return folder / "peer.db"


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("name", ["passphrase", "key file", "keychain"])
def test_no_word_and_no_key_of_an_encrypted_database_is_in_its_files(
    tmp_path: Path, path: Path, name: str
) -> None:
    key = all_kinds(tmp_path)[name]
    with syncchat.open(path, name=NAME, key=key) as peer:
        room = peer.create_room(TITLE)
        for _ in range(200):
            room.send(CANARY)
        digest = room.digest()
        secrets = [b"canary", peer._keys._secret[:32], peer._db.raw_key or b"", WORDS.encode()]
        files = contents(path.parent)
        assert set(files) == {"peer.db", "peer.db-wal", "peer.db-shm"}
        assert len(files["peer.db-wal"]) > 50_000
        assert peer.lock == name
    files = {**files, "closed": path.read_bytes()}
    for file, raw in files.items():
        for secret in secrets:
            assert secret
            assert secret not in raw, f"{secret!r} is in {file}"
    with syncchat.open(path, key=key) as peer:
        (room,) = peer.rooms()
        assert room.digest() == digest
        assert room.messages()[-1].text == CANARY
        assert peer.check() == []


def test_the_same_search_finds_the_words_of_a_plain_database(path: Path) -> None:
    with syncchat.open(path, name=NAME) as peer:
        peer.create_room(TITLE).send(CANARY)
        assert peer.lock is None
    assert CANARY.encode() in path.read_bytes()


def test_wrong_key_of_each_kind_is_told_and_leaves_the_file_untouched(
    tmp_path: Path, path: Path
) -> None:
    for number, (name, key) in enumerate(all_kinds(tmp_path).items()):
        place = path.with_name(f"{number}.db")
        Database(place, key=key).close()
        raw = place.read_bytes()
        store = MemoryKeystore()
        store.kept["syncchat", raw[:16].hex()] = "11" * 32
        other: dict[str, Key] = {
            "passphrase": Passphrase(WORDS + "!"),
            "key file": KeyFile.make(tmp_path / f"other{number}"),
            "keychain": Keychain(store),
        }
        with pytest.raises(KeyWrong, match=name):
            Database(place, key=other[name])
        assert place.read_bytes() == raw
    assert sorted(contents(path.parent)) == ["0.db", "1.db", "2.db"]


def test_encrypted_database_without_a_key_says_what_it_is_locked_with(
    tmp_path: Path, path: Path
) -> None:
    for number, (name, key) in enumerate(all_kinds(tmp_path).items()):
        place = path.with_name(f"{number}.db")
        Database(place, key=key).close()
        raw = place.read_bytes()
        with pytest.raises(KeyNeeded, match=name):
            Database(place)
        assert place.read_bytes() == raw


def test_plain_database_with_a_key_says_so_and_stays_as_it_is(tmp_path: Path, path: Path) -> None:
    Database(path).close()
    raw = path.read_bytes()
    for key in (*all_kinds(tmp_path).values(), RawKey(bytes(32))):
        with pytest.raises(NotEncrypted, match="syncchat encrypt"):
            Database(path, key=key)
    assert path.read_bytes() == raw


def test_foreign_file_with_a_key_is_damaged_and_left_untouched(path: Path) -> None:
    raw = b"this is not a database, but somebody's diary. " * 300
    path.write_bytes(raw)
    with pytest.raises(DatabaseDamaged, match=r"peer\.db"):
        Database(path, key=Passphrase(WORDS))
    assert path.read_bytes() == raw


@pytest.mark.parametrize("place", [20, 2_000, 4_090])
def test_damaged_first_page_is_refused_with_a_word_about_damage(path: Path, place: int) -> None:
    Database(path, key=Passphrase(WORDS)).close()
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(raw)
    with pytest.raises(KeyWrong, match="damaged"):
        Database(path, key=Passphrase(WORDS))
    assert path.read_bytes() == raw


def test_changed_page_anywhere_is_an_error_and_a_fault(path: Path) -> None:
    key = Passphrase(WORDS)
    with syncchat.open(path, key=key) as peer:
        peer.create_room("Team").send("x" * 60_000)
    raw = bytearray(path.read_bytes())
    for page in range(2, len(raw) // 4_096):
        raw[page * 4_096 + 100] ^= 1
    path.write_bytes(raw)
    with pytest.raises(DatabaseDamaged), syncchat.open(path, key=key) as peer:
        peer.check()
    for page in range(2, len(raw) // 4_096 - 1):
        raw[page * 4_096 + 100] ^= 1  # all but the last are whole again
    path.write_bytes(raw)
    db = Database(path, key=key)
    assert [fault for fault in db.integrity_faults() if "HMAC" in fault]
    db.close()


def test_missing_extra_is_said_with_what_to_install_and_makes_no_file(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryKeystore()
    there = path.with_name("there.db")
    Database(there, key=Passphrase(WORDS)).close()
    raw = there.read_bytes()
    monkeypatch.setitem(sys.modules, "sqlcipher3.dbapi2", None)
    for key in (Passphrase(WORDS), Keychain(store)):
        with pytest.raises(ExtraMissing, match=r"pip install 'syncchat\[at-rest\]'"):
            Database(path, key=key)
    with pytest.raises(ExtraMissing):
        Database(there, key=Passphrase(WORDS))
    with pytest.raises(KeyNeeded):
        Database(there)
    assert contents(path.parent) == {"there.db": raw}
    assert store.kept == {}
    Database(path).close()  # plain ones need nothing


def test_database_that_could_not_be_made_leaves_no_key_behind(tmp_path: Path) -> None:
    store = MemoryKeystore()
    with pytest.raises(StorageError, match="check"):
        Database(tmp_path / "no folder" / "peer.db", key=Keychain(store))
    assert store.kept == {}
    with pytest.raises(KeyNeeded, match="keychain"):
        Database(tmp_path / "peer.db", key=Keychain(LockedKeystore()))
    with pytest.raises(ValidationError, match="8 to"):
        Database(tmp_path / "peer.db", key=Passphrase("short"))
    assert list(tmp_path.iterdir()) == []


def test_database_in_memory_takes_no_key() -> None:
    with pytest.raises(ValidationError, match="memory"):
        syncchat.open(":memory:", key=Passphrase(WORDS))


def test_moved_and_copied_files_open_with_nothing_beside_them(tmp_path: Path, path: Path) -> None:
    for number, key in enumerate(all_kinds(tmp_path).values()):
        place, moved = path.with_name(f"{number}.db"), tmp_path / f"moved{number}.db"
        with syncchat.open(place, key=key) as peer:
            peer.create_room("Team")
        moved.write_bytes(place.read_bytes())
        place.unlink()
        with syncchat.open(moved, key=key) as peer:
            assert [room.title for room in peer.rooms()] == ["Team"]


def test_two_connections_in_one_process_share_an_encrypted_database(path: Path) -> None:
    key = Passphrase(WORDS)
    with syncchat.open(path, key=key) as one:
        room = one.create_room("Team")
        with syncchat.open(path, key=key) as two:
            two.rooms()[0].send("from the second")
            assert [m.text for m in room.messages()] == ["from the second"]
        room.send("from the first")
        with one.background():
            assert [m.text for m in room.messages()] == ["from the second", "from the first"]


def test_background_asks_for_no_key_again(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryKeystore()
    with syncchat.open(path, key=Keychain(store)) as peer:
        peer.create_room("Team")
        store.kept.clear()
        monkeypatch.setattr(locks, "stretch", None)
        with peer.background():
            assert peer.connections == {}


def test_file_that_another_process_makes_at_the_same_time_is_opened(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, made = Passphrase(WORDS), locks.make
    others: list[Database] = []

    def overtaken(*arguments: Key, random: object) -> tuple[bytes, bytes]:
        monkeypatch.setattr(locks, "make", made)
        mine = made(*arguments, random=chance(1))
        others.append(Database(path, key=key, random=chance(2)))
        others[0].close()
        return mine

    monkeypatch.setattr(locks, "make", overtaken)
    db = Database(path, key=key)
    assert db.lock is Lock.PASSPHRASE
    assert db.header == others[0].header == path.read_bytes()[:16]
    db.close()


WRITE = """
import sys
from syncchat.errors import DatabaseBusy
from syncchat.storage import database
database.BUSY_SECONDS_MAX = 0.05
try:
    database.Database(sys.argv[1]).close()
except DatabaseBusy:
    print("busy")
"""


def test_looking_at_a_file_that_is_open_here_does_not_give_its_locks_away(path: Path) -> None:
    db = Database(path)
    with db.alone():
        assert lock_of(path) is None
        for key in (Passphrase(WORDS), RawKey(bytes(32))):
            with pytest.raises(NotEncrypted):
                Database(path, key=key)
        other = subprocess.run(
            [sys.executable, "-c", WRITE, path], check=True, capture_output=True, timeout=30
        )
        assert other.stdout.strip() == b"busy"
    db.close()


def test_nobody_is_alone_while_another_has_the_file_open(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS_MAX", 0.05)
    one, two = Database(path, key=Passphrase(WORDS)), Database(path, key=Passphrase(WORDS))
    with pytest.raises(DatabaseBusy), one.alone():
        pass
    two.close()
    with one.alone():
        assert not path.with_name("peer.db-wal").exists()
    one.close()

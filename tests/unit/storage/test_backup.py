"""Backups: one encrypted file, from which the same device goes on."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import syncchat
from syncchat.errors import (
    BackupDamaged,
    BackupLocked,
    BackupNewer,
    DatabaseBusy,
    DiskFull,
    NotFoundError,
    StorageError,
    ValidationError,
)
from syncchat.storage import backup, copying, database, replacing
from syncchat.storage.locks import Key, Keychain, KeyFile, Passphrase
from tests.support.keys import WORDS, MemoryKeystore, all_kinds, make_guessing_cheap
from tests.support.peers import LINK, Net, make_peer, sync
from tests.support.ports import FakeClock

CANARY = "canary-6b18 the eagle lands at nine"
BOX = "the words of the backup"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_guessing_cheap(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "here"
    made.mkdir()
    return made


def saved(folder: Path, *, key: Key | None = None, messages: int = 30) -> tuple[Path, str]:
    """Make a database and its backup; return that, and the digest of the room."""
    path = folder / "alice.backup"
    with syncchat.open(folder / "alice.db", name="Alice", key=key) as peer:
        room = peer.create_room("Team")
        for number in range(messages):
            room.send(f"{CANARY} {number}")
        peer.backup(path, BOX)
        return path, room.digest()


def assert_whole(path: Path, digest: str, *, key: Key | None = None) -> None:
    with syncchat.open(path, key=key) as peer:
        assert [room.digest() for room in peer.rooms()] == [digest]
        assert peer.check() == []


@pytest.mark.parametrize("before", ["plain", "passphrase", "key file", "keychain"])
@pytest.mark.parametrize("after", ["plain", "passphrase", "key file", "keychain"])
def test_database_comes_back_whole_under_whatever_lock_it_shall_have(
    tmp_path: Path, folder: Path, before: str, after: str
) -> None:
    keys: dict[str, Key | None] = {"plain": None, **all_kinds(tmp_path)}
    file, digest = saved(folder, key=keys[before])
    with syncchat.open(folder / "alice.db", key=keys[before]) as peer:
        device = peer.device
    assert b"canary" not in file.read_bytes()
    syncchat.restore(file, folder / "back.db", BOX, key=keys[after])
    assert_whole(folder / "back.db", digest, key=keys[after])
    assert (b"canary" in (folder / "back.db").read_bytes()) == (after == "plain")
    with syncchat.open(folder / "back.db", key=keys[after]) as peer:
        assert (peer.device, peer.name) == (device, "Alice")
    assert sorted(path.name for path in folder.iterdir()) == [
        "alice.backup",
        "alice.db",
        "back.db",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="rights of files")
def test_backup_and_restored_database_are_their_owners_alone(folder: Path) -> None:
    before = os.umask(0)
    try:
        file, _ = saved(folder)
        syncchat.restore(file, folder / "back.db", BOX)
    finally:
        os.umask(before)
    for path in (file, folder / "back.db"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_plain_word_is_on_the_disk_while_an_encrypted_database_is_backed_up_or_restored(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    put = replacing.put

    def look(part: Path, place: Path, *, may_replace: bool) -> None:
        for file in folder.iterdir():
            seen.append(file.name)
            assert b"canary" not in file.read_bytes(), file
        put(part, place, may_replace=may_replace)

    monkeypatch.setattr(backup, "put", look)
    file, digest = saved(folder, key=Passphrase(WORDS))
    syncchat.restore(file, folder / "back.db", BOX, key=Passphrase(WORDS))
    assert len([name for name in seen if name.endswith(".part")]) == 2
    assert_whole(folder / "back.db", digest, key=Passphrase(WORDS))


def flip(at: int) -> Callable[[bytes], bytes]:
    return lambda raw: raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :]


@pytest.mark.parametrize(
    ("harm", "error"),
    [
        (lambda raw: b"", BackupDamaged),
        (lambda raw: raw[:40], BackupDamaged),
        (lambda raw: raw[:72], BackupDamaged),
        (lambda raw: raw[:-1], BackupDamaged),
        (lambda raw: raw[: 72 + 65_552], BackupDamaged),
        (lambda raw: raw + b"x", BackupDamaged),
        (lambda raw: b"SQLite format 3\0" + raw[16:], BackupDamaged),
        (lambda raw: raw[:15] + b"\x02" + raw[16:], BackupNewer),
        (flip(3), BackupDamaged),
        (flip(20), BackupDamaged),
        (flip(36), BackupDamaged),
        (flip(50), BackupLocked),
        (flip(100), BackupDamaged),
        (flip(72 + 65_552 + 10), BackupDamaged),
        (flip(-2), BackupDamaged),
    ],
    ids=[
        "empty", "in-the-head", "only-the-head", "one-byte-short", "after-a-chunk", "longer",
        "another-file", "later-version", "flip-magic", "flip-salt", "flip-sum", "flip-check",
        "flip-first-chunk", "flip-second-chunk", "flip-last-byte",
    ],
)  # fmt: skip
def test_harmed_backup_is_refused_and_nothing_is_written(
    folder: Path, harm: Callable[[bytes], bytes], error: type[Exception]
) -> None:
    file, digest = saved(folder, messages=700)
    raw = file.read_bytes()
    assert len(raw) > 2 * 65_552
    file.write_bytes(harm(raw))
    store = MemoryKeystore()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for place in (folder / "back.db", folder / "alice.db"):
        for key in (None, Keychain(store)):
            if place.exists() and key:
                continue
            with pytest.raises(error):
                syncchat.restore(file, place, BOX, key=key, overwrite=True)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert after.keys() == before.keys()
    assert after[file.name] == before[file.name]
    assert store.kept == {}
    assert_whole(folder / "alice.db", digest)
    file.write_bytes(raw)
    syncchat.restore(file, folder / "back.db", BOX)


def test_wrong_passphrase_and_missing_file_are_told(folder: Path) -> None:
    file, _ = saved(folder)
    with pytest.raises(BackupLocked, match="does not open"):
        syncchat.restore(file, folder / "back.db", BOX + "!")
    with pytest.raises(NotFoundError, match="no backup at"):
        syncchat.restore(folder / "gone", folder / "back.db", BOX)
    with pytest.raises(StorageError):
        syncchat.restore(folder, folder / "back.db", BOX)
    assert not (folder / "back.db").exists()


def test_backup_of_a_later_schema_is_refused_and_nothing_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, _ = saved(folder)
    monkeypatch.setattr(copying, "SCHEMA_VERSION", database.SCHEMA_VERSION - 1)
    with pytest.raises(BackupNewer, match="update syncchat"):
        syncchat.restore(file, folder / "back.db", BOX)
    assert not (folder / "back.db").exists()


def test_restore_never_replaces_a_database_unasked(folder: Path) -> None:
    file, digest = saved(folder)
    with syncchat.open(folder / "alice.db") as peer:
        peer.rooms()[0].send("written after the backup")
        later = peer.rooms()[0].digest()
    with pytest.raises(ValidationError, match="exists"):
        syncchat.restore(file, folder / "alice.db", BOX)
    assert_whole(folder / "alice.db", later)
    syncchat.restore(file, folder / "alice.db", BOX, overwrite=True)
    assert_whole(folder / "alice.db", digest)


def test_restore_over_a_database_in_use_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS_MAX", 0.05)
    file, _ = saved(folder)
    with syncchat.open(folder / "alice.db") as peer:
        with pytest.raises(DatabaseBusy):
            syncchat.restore(file, folder / "alice.db", BOX, overwrite=True)
        peer.rooms()[0].send("goes on")
        assert peer.check() == []


def test_restore_over_a_file_that_does_not_open_leaves_it_to_the_person(folder: Path) -> None:
    file, _ = saved(folder, key=Passphrase(WORDS))
    for place, content in ((folder / "alice.db", None), (folder / "diary", b"a diary " * 100)):
        raw = content or place.read_bytes()
        place.write_bytes(raw)
        with pytest.raises(ValidationError, match="move it away"):
            syncchat.restore(file, place, BOX, overwrite=True)
        assert place.read_bytes() == raw


@pytest.mark.parametrize("end", ["-wal", "-journal"])
def test_remains_of_another_database_are_not_mixed_into_the_restored_one(
    folder: Path, end: str
) -> None:
    file, _ = saved(folder)
    left = folder / f"back.db{end}"
    left.write_bytes(b"remains")
    with pytest.raises(ValidationError, match="move it away"):
        syncchat.restore(file, folder / "back.db", BOX)
    assert left.read_bytes() == b"remains"
    assert not (folder / "back.db").exists()


def test_file_that_comes_into_the_way_meanwhile_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, _ = saved(folder)
    store = MemoryKeystore()
    put = replacing.put

    def late(part: Path, place: Path, *, may_replace: bool) -> None:
        place.write_bytes(b"somebody's")
        put(part, place, may_replace=may_replace)

    monkeypatch.setattr(backup, "put", late)
    with pytest.raises(ValidationError, match="exists by now"):
        syncchat.restore(file, folder / "back.db", BOX, key=Keychain(store))
    assert (folder / "back.db").read_bytes() == b"somebody's"
    assert store.kept == {}
    assert not list(folder.glob("*.part"))


def test_newer_backup_replaces_an_older_one_and_nothing_else(folder: Path) -> None:
    file, _ = saved(folder)
    diary = folder / "diary.txt"
    diary.write_bytes(b"dear diary")
    with syncchat.open(folder / "alice.db") as peer:
        room = peer.rooms()[0]
        room.send("later")
        peer.backup(file, BOX)
        for place in (diary, folder / "alice.db"):
            with pytest.raises(ValidationError, match="no backup and stays"):
                peer.backup(place, BOX)
        with pytest.raises(ValidationError, match="8 to"):
            peer.backup(folder / "new", "short")
        with pytest.raises(StorageError):
            peer.backup(folder / "no folder" / "new", BOX)
        digest = room.digest()
        assert peer.check() == []
    assert diary.read_bytes() == b"dear diary"
    syncchat.restore(file, folder / "back.db", BOX)
    assert_whole(folder / "back.db", digest)


def test_backup_that_fails_half_way_leaves_the_older_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, digest = saved(folder)
    raw = file.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "put", fail)
    with syncchat.open(folder / "alice.db") as peer:
        with pytest.raises(DiskFull):
            peer.backup(file, BOX)
        peer.rooms()[0].send("goes on")
    monkeypatch.undo()
    make_guessing_cheap(monkeypatch)
    assert file.read_bytes() == raw
    assert not list(folder.glob("*.part"))
    syncchat.restore(file, folder / "back.db", BOX)
    assert_whole(folder / "back.db", digest)


def test_equal_states_give_different_files(folder: Path) -> None:
    with syncchat.open(folder / "alice.db", name="Alice") as peer:
        peer.backup(folder / "one", BOX)
        peer.backup(folder / "two", BOX)
    one, two = ((folder / name).read_bytes() for name in ("one", "two"))
    assert len(one) == len(two)
    assert sum(a == b for a, b in zip(one[72:], two[72:], strict=True)) < len(one) / 50


def test_restored_device_fetches_what_it_wrote_after_the_backup_and_collides_with_nothing(
    folder: Path,
) -> None:
    clock, net = FakeClock(), Net()
    with make_peer(2, clock=clock) as bob:
        heard = bob.join(LINK)
        with make_peer(1, path=folder / "a.db", clock=clock) as alice:
            room = alice.join(LINK)
            room.send("before the backup")
            sync(net, alice, bob)
            room.send("waits in the backup, too")
            alice.backup(folder / "a.backup", BOX)
            room.send("after the backup")
            sync(net, alice, bob)
        key = KeyFile.make(folder / "key")
        syncchat.restore(folder / "a.backup", folder / "back.db", BOX, key=key)
        with syncchat.open(folder / "back.db", key=key, clock=clock) as again:
            room = again.rooms()[0]
            clock.advance(20_000)
            room.send("after the restore")
            sync(net, again, bob)
            sync(net, again, bob)
            said = [message.text for message in room.messages()]
            assert said == [message.text for message in heard.messages()]
            assert said == [
                "before the backup",
                "waits in the backup, too",
                "after the backup",
                "after the restore",
            ]
            assert room.digest() == heard.digest()
            assert again.check() == bob.check() == []
            assert room.outbox() == []

"""Locks: what a file says of itself, and where keys come from."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from syncchat.errors import (
    DatabaseNewer,
    ExtraMissing,
    KeyNeeded,
    KeyWrong,
    StorageError,
    ValidationError,
)
from syncchat.storage import locks
from syncchat.storage.locks import Key, Keychain, KeyFile, Lock, Passphrase, RawKey
from tests.support.keys import WORDS, LockedKeystore, MemoryKeystore, all_kinds, make_guessing_cheap
from tests.support.ports import chance

DB = Path("team.db")


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    make_guessing_cheap(monkeypatch)


@pytest.mark.parametrize("name", ["passphrase", "key file", "keychain"])
def test_header_tells_the_kind_of_lock_and_leads_back_to_the_key(tmp_path: Path, name: str) -> None:
    key = all_kinds(tmp_path)[name]
    header, raw = locks.make(key, random=chance(1))
    lock = locks.lock_in(header, DB)
    assert lock is not None
    assert lock.words == name
    assert (len(header), header[:4], len(raw)) == (16, b"SYNC", 32)
    assert locks.find(key, header, DB) == raw
    assert raw not in header
    other, other_raw = locks.make(key, random=chance(2))
    assert other != header
    assert (other_raw == raw) == (lock is Lock.KEY_FILE)


def test_plain_and_foreign_headers_have_no_lock() -> None:
    for header in (b"", b"SYNC", b"SQLite format 3\0", b"this is a diary."):
        assert locks.lock_in(header, DB) is None


def test_lock_of_a_later_version_is_said_so() -> None:
    with pytest.raises(DatabaseNewer, match="update syncchat"):
        locks.lock_in(b"SYNC\x09" + bytes(11), DB)


def test_key_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    kinds = all_kinds(tmp_path)
    header, _ = locks.make(kinds["passphrase"], random=chance(1))
    with pytest.raises(KeyWrong, match="locked with a passphrase, not with a key file"):
        locks.find(kinds["key file"], header, DB)
    with pytest.raises(KeyWrong, match="not with the keychain"):
        locks.find(kinds["keychain"], header, DB)


def test_key_file_is_random_and_its_owners_alone(tmp_path: Path) -> None:
    one, two = KeyFile.make(tmp_path / "one"), KeyFile.make(tmp_path / "two")
    contents = [Path(key.path).read_bytes() for key in (one, two)]
    assert [len(raw) for raw in contents] == [32, 32]
    assert contents[0] != contents[1]
    if sys.platform != "win32":
        assert stat.S_IMODE(Path(one.path).stat().st_mode) == 0o600


def test_key_file_never_replaces_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"a will")
    with pytest.raises(ValidationError, match="exists"):
        KeyFile.make(tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == b"a will"
    with pytest.raises(StorageError, match="cannot make"):
        KeyFile.make(tmp_path / "no folder" / "key")


def test_missing_key_file_and_one_of_another_size_are_said_so(tmp_path: Path) -> None:
    header, _ = locks.make(KeyFile.make(tmp_path / "key"), random=chance(1))
    with pytest.raises(KeyNeeded, match="gone"):
        locks.find(KeyFile(tmp_path / "gone"), header, DB)
    for size in (0, 31, 33):
        (tmp_path / "odd").write_bytes(bytes(size))
        with pytest.raises(KeyWrong, match="exactly 32 bytes"):
            locks.find(KeyFile(tmp_path / "odd"), header, DB)


def test_keychain_keeps_a_key_for_each_database_until_it_is_taken_back() -> None:
    store = MemoryKeystore()
    key = Keychain(store)
    one, raw_one = locks.make(key, random=chance(1))
    two, raw_two = locks.make(key, random=chance(2))
    assert {service for service, _ in store.kept} == {"syncchat"}
    assert raw_one != raw_two
    assert (locks.find(key, one, DB), locks.find(key, two, DB)) == (raw_one, raw_two)
    locks.unmake(key, one)
    with pytest.raises(KeyNeeded, match=r"no key for team\.db"):
        locks.find(key, one, DB)
    assert locks.find(key, two, DB) == raw_two


@pytest.mark.parametrize("text", ["", "not hex", "00" * 31])
def test_keychain_that_holds_something_else_is_said_so(text: str) -> None:
    store = MemoryKeystore()
    header, _ = locks.make(Keychain(store), random=chance(1))
    store.kept["syncchat", header.hex()] = text
    with pytest.raises(KeyWrong, match="not a key"):
        locks.find(Keychain(store), header, DB)


def test_keychain_that_cannot_be_used_is_said_so_without_its_own_words() -> None:
    with pytest.raises(KeyNeeded, match="unlock it") as failed:
        locks.make(Keychain(LockedKeystore()), random=chance(1))
    assert "the user said no" not in str(failed.value)


def test_system_keychain_is_asked_through_the_package_keyring(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import keyring

    store = MemoryKeystore()
    monkeypatch.setattr(keyring, "get_password", store.get_password)
    monkeypatch.setattr(keyring, "set_password", store.set_password)
    header, raw = locks.make(Keychain(), random=chance(1))
    assert locks.find(Keychain(), header, DB) == raw
    assert list(store.kept) == [("syncchat", header.hex())]


def test_missing_package_for_the_keychain_is_said_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ExtraMissing, match=r"syncchat\[at-rest\]"):
        locks.make(Keychain(), random=chance(1))


def test_no_key_shows_itself_in_a_traceback_or_log(tmp_path: Path) -> None:
    keys: list[Key] = [Passphrase(WORDS), RawKey(b"K" * 32), Keychain(MemoryKeystore())]
    for key in keys:
        assert WORDS not in repr(key)
        assert "KKKK" not in repr(key)

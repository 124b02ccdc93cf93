"""What a relay's folder keeps of operators and of who is turned away."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest
from syncchat_relay import Config, operator_secret
from syncchat_relay.admission import Revoked
from syncchat_relay.log.revocations import FILE_NAME, Revocations

from syncchat.errors import DatabaseDamaged, StorageError
from syncchat.wire.operator_link import decode_operator_link
from tests.contracts.chains import FixedRandom

DEVICE = bytes(range(8))
private = pytest.mark.skipif(sys.platform == "win32", reason="has no modes")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("folder", ["memory", "files"])
def test_who_is_turned_away_is_kept_until_its_time_is_over(tmp_path: Path, folder: str) -> None:
    found = Revocations(None if folder == "memory" else tmp_path)
    found.keep(device=DEVICE, until_ms=None)
    found.keep(subject="ann", until_ms=500)
    assert found.load(499) == Revoked(frozenset({DEVICE}), frozenset({"ann"}))
    assert found.load(500) == Revoked(frozenset({DEVICE}))
    assert found.load(0) == Revoked(frozenset({DEVICE}))  # forgotten, also if the clock goes back
    assert found.take_back(device=DEVICE)
    assert not found.take_back(device=DEVICE)
    assert found.load(0) == Revoked()
    found.close()


def test_another_process_adds_and_the_next_start_remembers(tmp_path: Path) -> None:
    running, command = Revocations(tmp_path), Revocations(tmp_path)
    command.keep(subject="ann", until_ms=None)
    command.close()
    assert running.load(0) == Revoked(subjects=frozenset({"ann"}))
    running.close()
    again = Revocations(tmp_path)
    assert again.load(10**15) == Revoked(subjects=frozenset({"ann"}))
    again.close()


def test_longer_revocation_replaces_a_shorter_one(tmp_path: Path) -> None:
    found = Revocations(tmp_path)
    found.keep(subject="ann", until_ms=5)
    found.keep(subject="ann", until_ms=None)
    assert found.load(10**15).subjects == {"ann"}
    found.close()


def test_damaged_list_is_told_and_lets_nobody_think_it_is_empty(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 1_000)
    with pytest.raises(DatabaseDamaged):
        Revocations(tmp_path)
    with pytest.raises(StorageError, match="data folder"):
        Revocations(tmp_path / "none")


@private
def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    Revocations(tmp_path).close()
    operator_secret.load_or_make(tmp_path, random=FixedRandom(1))
    assert mode_of(tmp_path / FILE_NAME) == 0o600
    assert mode_of(tmp_path / operator_secret.FILE_NAME) == 0o600


def test_operators_secret_is_made_once(tmp_path: Path) -> None:
    secret, is_new = operator_secret.load_or_make(tmp_path, random=FixedRandom(1))
    assert is_new and len(secret) == 32
    assert operator_secret.load_or_make(tmp_path, random=FixedRandom(2)) == (secret, False)
    assert operator_secret.load(tmp_path) == secret


@pytest.mark.parametrize("contents", ["", "no hex", "00" * 31])
def test_damaged_secret_is_told(tmp_path: Path, contents: str) -> None:
    (tmp_path / operator_secret.FILE_NAME).write_text(contents)
    with pytest.raises(StorageError, match="no operator secret"):
        operator_secret.load_or_make(tmp_path, random=FixedRandom(1))


def test_missing_secret_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="admission 'rooms'"):
        operator_secret.load(tmp_path)


@pytest.mark.parametrize(
    ("config", "port", "address"),
    [
        (Config(), 8765, "ws://127.0.0.1:8765"),
        (Config(host="::1"), 80, "ws://[::1]:80"),
        (Config(names=("relay.example",), behind_proxy=True), 8765, "wss://relay.example"),
        (Config(tls_cert=Path("c"), tls_key=Path("k")), 8765, "wss://127.0.0.1:8765"),
        (
            Config(names=("r.example",), tls_cert=Path("c"), tls_key=Path("k")),
            443,
            "wss://r.example",
        ),
    ],
)
def test_operator_link_has_the_address_that_peers_dial(
    config: Config, port: int, address: str
) -> None:
    link = operator_secret.link_of(config, port, bytes(32))
    assert decode_operator_link(link) == (address, bytes(32))

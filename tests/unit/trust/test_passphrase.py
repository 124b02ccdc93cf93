"""Keys from passphrases."""

from __future__ import annotations

import pytest
from nacl.exceptions import RuntimeError as SodiumFailure

from syncchat.errors import StorageError, ValidationError
from syncchat.trust.passphrase import check_new, stretch
from tests import vectors


def test_key_of_the_vectors_follows_from_words_and_header() -> None:
    file = vectors.load("backups")["database"]
    key = stretch(file["passphrase"], bytes.fromhex(file["header"]))
    assert key.hex() == file["key"]


@pytest.mark.parametrize("words", ["", "1234567", "x" * 1_001])
def test_passphrase_that_is_too_short_or_long_cannot_lock_anything_new(words: str) -> None:
    with pytest.raises(ValidationError, match="8 to 1,000"):
        check_new(words)


def test_passphrase_of_eight_characters_may() -> None:
    check_new("12345678")
    check_new("ü" * 1_000)


def test_lack_of_memory_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise SodiumFailure("unexpected")

    monkeypatch.setattr("nacl.bindings.crypto_pwhash_alg", fail)
    with pytest.raises(StorageError, match="256 MiB"):
        stretch("words", bytes(16))

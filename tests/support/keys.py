"""Keys for tests: passphrases that cost no time, and a keychain in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncchat.storage.locks import Key, Keychain, KeyFile, Passphrase
from syncchat.trust import passphrase

from .ports import chance

WORDS = "correct horse battery staple"


def make_guessing_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let passphrases cost next to nothing in this test; keys differ from the real ones."""
    monkeypatch.setattr(passphrase, "PASSES", 1)
    monkeypatch.setattr(passphrase, "MEMORY_BYTES", 8_192)


class MemoryKeystore:
    """Is a keychain that forgets everything with the test."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str, /) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str, /) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str, /) -> None:
        del self.kept[service, username]


class LockedKeystore(MemoryKeystore):
    """Is a keychain that its owner does not unlock."""

    def get_password(self, service: str, username: str, /) -> str | None:
        raise RuntimeError("the user said no")

    def set_password(self, service: str, username: str, password: str, /) -> None:
        raise RuntimeError("the user said no")


def all_kinds(folder: Path) -> dict[str, Key]:
    """Return a key of each kind."""
    return {
        "passphrase": Passphrase(WORDS),
        "key file": KeyFile.make(folder / "key", random=chance(7)),
        "keychain": Keychain(MemoryKeystore()),
    }

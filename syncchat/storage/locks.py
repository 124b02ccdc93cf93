"""What a database is locked with, and how its key is found: passphrase, key file, keychain.

An encrypted file begins with 16 bytes that SQLCipher uses as its salt and leaves in the clear:
``SYNC``, a byte that says what kind of lock it is, and 11 random bytes. For a passphrase all 16
are the salt of Argon2id; for the keychain they are the name of the entry. So the file tells by
itself what opens it, and may be moved and copied without anything beside it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import IntEnum
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from ..errors import DatabaseNewer, ExtraMissing, KeyNeeded, KeyWrong, StorageError, ValidationError
from ..ports import Random, SystemRandom
from ..trust.passphrase import KEY_BYTES, check_new, stretch
from .headers import HEADER_BYTES, header_of

MAGIC = b"SYNC"
SERVICE = "syncchat"
"""The name of the service under which the operating system's keychain keeps the keys."""

MISSING_EXTRA = "an encrypted database needs more: pip install 'syncchat[at-rest]'"


class Lock(IntEnum):
    """Is what opens a database; the number stands in its file."""

    PASSPHRASE = 1
    KEY_FILE = 2
    KEYCHAIN = 3

    @property
    def words(self) -> str:
        """Return the name for people."""
        return self.name.lower().replace("_", " ")

    @property
    def phrase(self) -> str:
        """Return the name with its article."""
        return f"{'the' if self is Lock.KEYCHAIN else 'a'} {self.words}"


class Keystore(Protocol):
    """Keeps short texts for a person, as the operating system's keychain does.

    Every backend of the package keyring is one. May raise anything where it cannot be used.
    """

    def get_password(self, service: str, username: str, /) -> str | None:
        """Return what is kept under these names."""

    def set_password(self, service: str, username: str, password: str, /) -> None:
        """Keep a text under these names."""

    def delete_password(self, service: str, username: str, /) -> None:
        """Forget what is kept under these names."""


@dataclass(frozen=True, slots=True)
class Passphrase:
    """Locks with words that a person remembers, or keeps in a password manager."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Locks with a file of 32 random bytes; whoever has both files can read the database."""

    path: str | Path

    @staticmethod
    def make(path: str | Path, *, random: Random | None = None) -> KeyFile:
        """Make a new key file, readable by its owner only.

        Raises ``ValidationError`` where there is a file, ``StorageError`` where it cannot be made.
        """
        try:
            made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _BINARY, 0o600)
            with os.fdopen(made, "wb") as file:
                file.write((random or SystemRandom()).bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError as exc:
            raise ValidationError(f"{path} exists; a new key file takes another name") from exc
        except OSError as exc:
            raise StorageError(f"cannot make the key file {path}: {exc.strerror}") from exc
        return KeyFile(path)


@dataclass(frozen=True, slots=True)
class Keychain:
    """Locks with a random key that the operating system keeps for the person who is logged in."""

    store: Keystore | None = field(default=None, repr=False)
    """What keeps it; without one, the system's keychain."""


@dataclass(frozen=True, slots=True)
class RawKey:
    """Is a key found before, with which the same database is opened once more."""

    raw: bytes = field(repr=False)


Key = Passphrase | KeyFile | Keychain | RawKey


def lock_in(header: bytes, path: Path) -> Lock | None:
    """Return the lock that a file's header tells of, None where it is not encrypted.

    Raises ``DatabaseNewer`` for a kind of lock that is not known yet.
    """
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        return None
    try:
        return Lock(header[len(MAGIC)])
    except ValueError:
        raise DatabaseNewer(
            f"{path} is locked in a way that a later syncchat knows; update syncchat to open it"
        ) from None


def lock_of(path: str | Path) -> Lock | None:
    """Return what the database at ``path`` is locked with; None if it is plain, or not there."""
    return lock_in(header_of(Path(path)), Path(path))


def kind_of(key: Key) -> Lock | None:
    """Return what kind of lock a key is for; None when it opens any."""
    match key:
        case Passphrase():
            return Lock.PASSPHRASE
        case KeyFile():
            return Lock.KEY_FILE
        case Keychain():
            return Lock.KEYCHAIN
        case RawKey():
            return None


def make(key: Key, *, random: Random) -> tuple[bytes, bytes]:
    """Return the header and the 32-byte key of a database that is to be locked with ``key``.

    Raises ``ValidationError`` for a passphrase that is too short, and ``KeyNeeded``.
    """
    if isinstance(key, Passphrase):
        check_new(key.text)
    kind = kind_of(key) or Lock.KEY_FILE
    tail = HEADER_BYTES - len(MAGIC) - 1
    header = MAGIC + bytes((kind,)) + random.bytes(tail)
    if isinstance(key, Keychain):
        _ask(key, "set_password", header.hex(), random.bytes(KEY_BYTES).hex())
    return header, find(key, header, Path("the new database"))


def unmake(key: Key, header: bytes) -> None:
    """Take back what ``make`` has left outside, where the database did not come to be."""
    if isinstance(key, Keychain):
        _ask(key, "delete_password", header.hex())


def find(key: Key, header: bytes, path: Path) -> bytes:
    """Return the 32-byte key of the database that begins with ``header``.

    Raises ``KeyNeeded`` where the key is not to be had, ``KeyWrong`` where it is of another kind.
    """
    lock, kind = lock_in(header, path), kind_of(key)
    if lock is not None and kind is not None and kind != lock:
        raise KeyWrong(f"{path} is locked with {lock.phrase}, not with {kind.phrase}")
    match key:
        case Passphrase(text):
            return stretch(text, header)
        case KeyFile(file):
            return _read_key(Path(file))
        case Keychain():
            return _kept(key, header, path)
        case RawKey(raw):
            return raw


def needed(lock: Lock, path: Path) -> KeyNeeded:
    """Return the error for an encrypted database that is opened without a key."""
    return KeyNeeded(f"{path} is encrypted and locked with {lock.phrase}; give that as the key")


def _read_key(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(KEY_BYTES + 1)
    except OSError as exc:
        raise KeyNeeded(f"the key file {path} cannot be read: {exc.strerror}") from exc
    if len(raw) != KEY_BYTES:
        raise KeyWrong(f"{path} is no key file: one has exactly {KEY_BYTES} bytes")
    return raw


def _kept(key: Keychain, header: bytes, path: Path) -> bytes:
    text = _ask(key, "get_password", header.hex())
    if text is None:
        raise KeyNeeded(
            f"the keychain has no key for {path}; it is in the keychain of the person and machine "
            "that encrypted it"
        )
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES:
        raise KeyWrong(f"what the keychain has for {path} is not a key")
    return raw


def _ask(key: Keychain, what: str, *arguments: str) -> str | None:
    """Ask the keychain, and translate whatever its backend raises."""
    try:
        store: Any = import_module("keyring") if key.store is None else key.store
    except ImportError as exc:
        raise ExtraMissing(MISSING_EXTRA) from exc
    try:
        answer: str | None = getattr(store, what)(SERVICE, *arguments)
    except Exception as exc:
        raise KeyNeeded(
            f"the keychain of this machine cannot be used ({type(exc).__name__}); unlock it, or "
            "lock the database with a passphrase or a key file"
        ) from exc
    return answer


_BINARY = getattr(os, "O_BINARY", 0)

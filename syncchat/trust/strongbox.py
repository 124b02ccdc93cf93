"""Strongboxes: streams of sealed chunks under one passphrase, the outer form of a backup file.

A box is a head of 72 bytes, then chunks. Every chunk holds 65,536 bytes of content but the last,
which holds the rest; each is sealed with XChaCha20-Poly1305 under a key that no other box has,
because it follows from the head's random salt. A chunk's nonce is its number and whether it is the
last, as in STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption and its
Nonce-Reuse Misuse-Resistance", CRYPTO 2015): chunks cannot be changed, moved, repeated, left out
or cut off. The head is the associated data of every chunk.

The head tells apart what a person must be told apart: not a backup, a later version, damaged in
the head (an unkeyed sum), a wrong passphrase (a keyed sum, which also commits to the key).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import nacl.bindings as sodium
from nacl.exceptions import CryptoError

from ..errors import BackupDamaged, BackupLocked, BackupNewer
from .passphrase import KEY_BYTES, SALT_BYTES, stretch

MAGIC = b"syncchat backup"
VERSION = 1
CHUNK_BYTES = 65_536
TAG_BYTES = 16
HEAD_BYTES = 72
_PREFIX_BYTES = 16
_SUM_BYTES = 8


class Strongbox:
    """Seals or opens the chunks of one box; ``head`` stands before them."""

    __slots__ = ("_key", "head")

    def __init__(self, passphrase: str, salt: bytes) -> None:
        master = stretch(passphrase, salt)
        self._key = _derived(master, b"syncchat chunks1")
        front = MAGIC + bytes((VERSION,)) + salt
        self.head = front + _sum(front) + _derived(master, b"syncchat check 1")

    def seal(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the sealed form of a content, given in pieces of any size."""
        number, kept = 0, bytearray()
        for chunk in chunks:
            kept += chunk
            while len(kept) > CHUNK_BYTES:  # the last must be known to be the last
                yield self._sealed(number, bytes(kept[:CHUNK_BYTES]), is_last=False)
                del kept[:CHUNK_BYTES]
                number += 1
        yield self._sealed(number, bytes(kept), is_last=True)

    def open(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the content of sealed chunks, each as it stands in the box.

        Raises ``BackupDamaged``. What was yielded before is as it was sealed, but only with the
        end is it known to be whole.
        """
        number, kept = 0, None
        for chunk in chunks:
            if kept is not None:
                yield self._opened(number, kept, is_last=False)
                number += 1
            kept = chunk
        if kept is None:
            raise BackupDamaged("the backup is cut off; use another copy of it")
        yield self._opened(number, kept, is_last=True)

    def _sealed(self, number: int, content: bytes, *, is_last: bool) -> bytes:
        return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
            content, self.head, _nonce(number, is_last=is_last), self._key
        )

    def _opened(self, number: int, sealed: bytes, *, is_last: bool) -> bytes:
        try:
            return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
                sealed, self.head, _nonce(number, is_last=is_last), self._key
            )
        except (CryptoError, ValueError, TypeError) as exc:
            where = "cut off or damaged at its end" if is_last else "damaged"
            raise BackupDamaged(f"the backup is {where}; use another copy of it") from exc


def open_box(head: bytes, passphrase: str) -> Strongbox:
    """Return the box that begins with ``head``.

    Raises ``BackupDamaged``, ``BackupNewer``, and ``BackupLocked`` for a wrong passphrase.
    """
    if not head.startswith(MAGIC):
        raise BackupDamaged("this is not a syncchat backup, or its beginning is damaged")
    version = head[len(MAGIC) : _PREFIX_BYTES]
    if version and version[0] > VERSION:
        raise BackupNewer(
            f"the backup was made by a later syncchat (format {version[0]}, this one knows "
            f"{VERSION}); update syncchat to restore it"
        )
    front, kept_sum = head[: _PREFIX_BYTES + SALT_BYTES], head[32:40]
    if len(head) != HEAD_BYTES or kept_sum != _sum(front):
        raise BackupDamaged("the backup is damaged at its beginning; use another copy of it")
    box = Strongbox(passphrase, front[_PREFIX_BYTES:])
    if not sodium.sodium_memcmp(box.head, head):
        raise BackupLocked("the passphrase does not open this backup; try again")
    return box


def _nonce(number: int, *, is_last: bool) -> bytes:
    return bytes(15) + number.to_bytes(8) + bytes((is_last,))


def _sum(front: bytes) -> bytes:
    return hashlib.blake2b(front, digest_size=_SUM_BYTES).digest()


def _derived(master: bytes, use: bytes) -> bytes:
    return hashlib.blake2b(key=master, digest_size=KEY_BYTES, person=use).digest()

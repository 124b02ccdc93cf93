"""Keys from passphrases: slow on purpose, so that guessing is.

Argon2id (RFC 9106) version 1.3 with libsodium's *moderate* limits: each guess costs a quarter of a
GiB of memory and some tenths of a second. The limits are part of the formats that use it; other
limits need another number there.
"""

from __future__ import annotations

import unicodedata

import nacl.bindings as sodium
from nacl.exceptions import RuntimeError as SodiumFailure

from ..errors import StorageError, ValidationError

SALT_BYTES = 16
KEY_BYTES = 32
PASSES = 3
MEMORY_BYTES = 256 * 1024 * 1024

CHARS_MIN = 8
"""Of a new passphrase; anything shorter is found in no time, whatever each guess costs."""

CHARS_MAX = 1_000


def stretch(passphrase: str, salt: bytes) -> bytes:
    """Return the 32-byte key of a passphrase and a 16-byte salt.

    The text is brought to Unicode's form NFC first, so that keyboards that compose letters
    differently give the same key. Raises ``StorageError`` where the memory for it is lacking.
    """
    text = unicodedata.normalize("NFC", passphrase).encode("utf-8", errors="surrogatepass")
    try:
        return sodium.crypto_pwhash_alg(
            KEY_BYTES, text, salt, PASSES, MEMORY_BYTES, sodium.crypto_pwhash_ALG_ARGON2ID13
        )
    except (MemoryError, SodiumFailure) as exc:
        size = MEMORY_BYTES // 2**20
        raise StorageError(f"a passphrase needs {size} MiB of free memory; free some") from exc


def check_new(passphrase: str) -> None:
    """Raise ``ValidationError`` unless this may become the passphrase of something new."""
    if not CHARS_MIN <= len(passphrase) <= CHARS_MAX:
        raise ValidationError(
            f"a passphrase has {CHARS_MIN} to {CHARS_MAX:,} characters; five or six random words "
            "are a good one"
        )

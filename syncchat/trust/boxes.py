"""Boxes: how a secret key is handed to others, and how one key links back to the one before.

A box is libsodium's sealed box (an ephemeral X25519 key, the nonce from both public keys, then
XSalsa20-Poly1305), made with our own source of chance so that a simulation repeats itself;
libsodium opens it. A link is the older key encrypted under the newer one (XChaCha20-Poly1305), so
that who has the newest key has all before it.
"""

from __future__ import annotations

import hashlib

import nacl.bindings as sodium
from nacl.exceptions import CryptoError

from ..errors import SealBroken
from ..ports import Random

SECRET_BYTES = 32
BOX_BYTES = 32 + 16 + SECRET_BYTES
LINK_BYTES = 24 + 16 + SECRET_BYTES
_LINK_DOMAIN = b"syncchat key link 1\0"


_LOW_ORDER = (
    "00" * 32,
    "01" + "00" * 31,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ec" + "ff" * 30 + "7f",
    "ed" + "ff" * 30 + "7f",
    "ee" + "ff" * 30 + "7f",
)
_NO_KEYS = frozenset(
    raw[:31] + bytes((raw[31] | high,))
    for raw in map(bytes.fromhex, _LOW_ORDER)
    for high in (0, 0x80)
)
"""The points of low order of Curve25519, in every form of theirs: what is sealed to one of them
could be opened by everybody (RFC 7748, section 6.1), and libsodium refuses to."""


def is_box_key(public: bytes) -> bool:
    """Tell whether a secret can be sealed to a public key, without the price of trying."""
    return len(public) == 32 and public not in _NO_KEYS


def box_public(secret: bytes) -> bytes:
    """Return the X25519 public key of a secret."""
    return bytes(sodium.crypto_scalarmult_base(secret))


def seal_box(public: bytes, secret: bytes, random: Random) -> bytes:
    """Return ``secret`` sealed to a public key. Raises ``SealBroken`` for what is no key."""
    ephemeral_public, ephemeral = sodium.crypto_box_seed_keypair(random.bytes(32))
    nonce = hashlib.blake2b(ephemeral_public + public, digest_size=24).digest()
    try:
        sealed = sodium.crypto_box(secret, nonce, public, ephemeral)
    except (CryptoError, ValueError, TypeError) as exc:
        raise SealBroken("what the key should be sealed to is not a key") from exc
    return bytes(ephemeral_public + sealed)


def open_box(secret: bytes, box: bytes) -> bytes:
    """Return what was sealed to the holder of ``secret``; raises ``SealBroken``."""
    if len(box) != BOX_BYTES:
        raise SealBroken(f"a box has {BOX_BYTES} bytes")
    try:
        return bytes(sodium.crypto_box_seal_open(box, box_public(secret), secret))
    except (CryptoError, ValueError, TypeError) as exc:
        raise SealBroken("the box was not sealed to this key") from exc


def link_key(new: bytes, old: bytes, random: Random) -> bytes:
    """Return ``old`` encrypted under ``new``."""
    nonce = random.bytes(24)
    sealed = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
        old, _LINK_DOMAIN, nonce, _link_key(new)
    )
    return nonce + bytes(sealed)


def open_link(new: bytes, link: bytes) -> bytes:
    """Return the key before ``new``; raises ``SealBroken``."""
    if len(link) != LINK_BYTES or len(new) != SECRET_BYTES:
        raise SealBroken(f"a link has {LINK_BYTES} bytes, and a key {SECRET_BYTES}")
    try:
        return bytes(
            sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
                link[24:], _LINK_DOMAIN, link[:24], _link_key(new)
            )
        )
    except (CryptoError, ValueError, TypeError) as exc:
        raise SealBroken("the link to the key before does not open") from exc


def _link_key(key: bytes) -> bytes:
    return hashlib.blake2b(key=key, digest_size=32, person=b"syncchat klink 1").digest()

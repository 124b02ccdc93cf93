"""Device keys: an Ed25519 pair per peer, and the proof of holding it that a relay asks for."""

from __future__ import annotations

import nacl.bindings as sodium
from nacl.exceptions import CryptoError

from ..errors import SignatureInvalid
from ..ids import DeviceId, DeviceKey, device_text

SEED_BYTES = 32
_AUTH_DOMAIN = b"syncchat auth 1\0"


class DeviceKeys:
    """Signs for one device; made from 32 secret bytes."""

    __slots__ = ("_secret", "device", "public")

    def __init__(self, seed: bytes) -> None:
        public, self._secret = sodium.crypto_sign_seed_keypair(seed)
        self.public = DeviceKey(public)
        self.device: DeviceId = device_text(public)

    def sign(self, text: bytes) -> bytes:
        """Return the 64-byte signature over ``text``."""
        return sodium.crypto_sign(text, self._secret)[: sodium.crypto_sign_BYTES]

    def __repr__(self) -> str:
        return f"<DeviceKeys {self.device}>"


def verify(key: bytes, text: bytes, signature: bytes) -> None:
    """Raise ``SignatureInvalid`` unless the holder of ``key`` signed ``text``."""
    if len(signature) != sodium.crypto_sign_BYTES:  # or its end would count as signed text
        raise SignatureInvalid(f"a signature has {sodium.crypto_sign_BYTES} bytes")
    try:
        sodium.crypto_sign_open(signature + text, key)
    except (CryptoError, ValueError, TypeError) as exc:
        raise SignatureInvalid("the signature does not match the device key") from exc


def auth_text(*, host: str, incarnation: bytes, nonce: bytes, version: int) -> bytes:
    """Return what a device signs to enter a relay.

    The host is the one that was dialled, so a relay that passes the challenge on to another gets
    an answer that is of no use there.
    """
    return b"".join(
        (
            _AUTH_DOMAIN,
            version.to_bytes(4),
            incarnation,
            nonce,
            host.lower().encode("utf-8"),
        )
    )

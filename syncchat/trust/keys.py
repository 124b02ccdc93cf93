"""Device keys: an Ed25519 pair per peer, and the proof of holding it that a relay asks for."""

from __future__ import annotations

import hashlib

import nacl.bindings as sodium
from nacl.exceptions import CryptoError

from ..errors import SignatureInvalid
from ..ids import DeviceId, DeviceKey, device_text

SEED_BYTES = 32
_AUTH_DOMAIN = b"syncchat auth 1\0"
_PROOF_DOMAIN = b"syncchat proof 1\0"
_OPERATOR_DOMAIN = b"syncchat operator 1\0"


class DeviceKeys:
    """Signs for one device, and opens what is sealed to it; made from 32 secret bytes.

    A person's root key is such keys, too. ``box_secret`` is an X25519 key of its own, drawn from
    the same seed.
    """

    __slots__ = ("_secret", "box_public", "box_secret", "device", "public")

    def __init__(self, seed: bytes) -> None:
        public, self._secret = sodium.crypto_sign_seed_keypair(seed)
        self.public = DeviceKey(public)
        self.box_secret = hashlib.blake2b(
            key=seed, digest_size=32, person=b"syncchat box 1"
        ).digest()
        self.box_public = bytes(sodium.crypto_scalarmult_base(self.box_secret))
        self.device: DeviceId = device_text(public)

    @property
    def curve_secret(self) -> bytes:
        """Return the X25519 secret that belongs to the signing key itself, for a root key: who
        knows only its public half can seal to it."""
        return bytes(sodium.crypto_sign_ed25519_sk_to_curve25519(self._secret))

    def sign(self, text: bytes) -> bytes:
        """Return the 64-byte signature over ``text``."""
        return sodium.crypto_sign(text, self._secret)[: sodium.crypto_sign_BYTES]

    def __repr__(self) -> str:
        return f"<DeviceKeys {self.device}>"


def verify(key: bytes, text: bytes, signature: bytes) -> None:
    """Raise ``SignatureInvalid`` unless the holder of ``key`` signed ``text``."""
    if len(signature) != sodium.crypto_sign_BYTES:  # or its end would count as signed text
        raise SignatureInvalid(f"a signature has {sodium.crypto_sign_BYTES} bytes")
    if len(key) != sodium.crypto_sign_PUBLICKEYBYTES:  # or libsodium would read beyond it
        raise SignatureInvalid(f"a device key has {sodium.crypto_sign_PUBLICKEYBYTES} bytes")
    try:
        sodium.crypto_sign_open(signature + text, key)
    except (CryptoError, ValueError, TypeError) as exc:
        raise SignatureInvalid("the signature does not match the device key") from exc


def proof_text(*, room: bytes, incarnation: bytes, nonce: bytes) -> bytes:
    """Return what a key signs to open a room on the connection that a relay gave ``nonce`` to."""
    return _PROOF_DOMAIN + room + incarnation + nonce


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


def operator_proof(secret: bytes, *, device_key: bytes, text: bytes) -> bytes:
    """Return what shows a relay that this device knows its operator secret.

    ``text`` is the ``auth_text`` of the connection, so the proof is of use for this device, on
    this connection and to this relay only, and the secret stays where it is.
    """
    proof = hashlib.blake2b(_OPERATOR_DOMAIN + device_key + text, key=secret, digest_size=32)
    return proof.digest()

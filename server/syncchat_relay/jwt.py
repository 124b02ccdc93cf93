"""The ready verifier of JWTs (RFC 7519), for ``serve(verify=...)``; needs the extra ``jwt``.

A token names the person (``sub``), is made for this relay (``aud``) by the embedding app (``iss``),
lives for at most 15 minutes (``iat``, ``exp``), and is bound to one device: claim ``device`` is the
base64url of its 32-byte key, so a token that leaks is of no use without the device. What may sign
it follows from the key, never from the token alone (RFC 8725, 3.1): Ed25519 keys sign EdDSA, P-256
keys ES256, RSA keys RS256; a shared secret signs nothing here.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key
from joserfc.jws import JWSRegistry
from msgspec import Meta, Struct

from syncchat.errors import ValidationError
from syncchat.ids import device_text
from syncchat.ports import Clock, SystemClock
from syncchat.wire.limits import SUBJECT_CHARS_MAX

from .effects import Grant

logger = logging.getLogger(__name__)

LIFE_SECONDS_MAX = 15 * 60
"""From ``iat`` to ``exp``; a longer-lived token would outlive its revocation."""

LEEWAY_SECONDS = 5
"""How far the clocks of issuer and relay may differ."""

RSA_BITS_MIN = 2048

_ALGORITHMS = {"EdDSA": "Ed25519", "Ed25519": "Ed25519", "ES256": "ES256", "RS256": "RS256"}
"""What a token's header may name, and the algorithm that it means (RFC 8037, RFC 9864)."""

_registry = JWSRegistry(algorithms=[*{*_ALGORITHMS.values()}])


class _Header(Struct):
    alg: str
    kid: str | None = None
    crit: msgspec.Raw | None = None
    b64: msgspec.Raw | None = None


class _Claims(Struct):
    iss: str
    sub: Annotated[str, Meta(min_length=1, max_length=SUBJECT_CHARS_MAX)]
    aud: str | list[str]
    iat: float
    exp: float
    device: str
    nbf: float = 0.0
    create_rooms: bool = False


@dataclass(frozen=True, slots=True)
class _Key:
    kid: str | None
    algorithm: str
    key: ECKey | OKPKey | RSAKey


class JwtVerifier:
    """Takes tokens that one issuer made for this relay."""

    def __init__(
        self, keys: str | Path, *, audience: str, issuer: str, clock: Clock | None = None
    ) -> None:
        """``keys`` is a file with the issuer's public JWK or JWKS, read again when it changes.

        Raises ``ValidationError`` for a file without a key that may sign tokens.
        """
        if not audience or not issuer:
            raise ValidationError("tokens need an audience and an issuer: give both")
        self._path = Path(keys)
        self._audience = audience
        self._issuer = issuer
        self._clock = clock or SystemClock()
        self._stamp = self._file_stamp()
        self._keys = _read_keys(self._path)

    def __call__(self, token: str, device_key: bytes) -> Grant | None:
        """Return what ``token`` grants the device, or None; why not is only logged."""
        self._read_again()
        try:
            return self._grant(_signed_claims(token, self._keys), device_key)
        except _Unfit as exc:
            logger.info("a token of device %s is refused: %s", device_text(device_key)[:6], exc)
            return None

    def _grant(self, claims: _Claims, device_key: bytes) -> Grant:
        now = self._clock.now_ms() / 1000
        audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        faults = {
            "of another issuer": claims.iss != self._issuer,
            "for another audience": self._audience not in audiences,
            "of another device": _from_base64(claims.device) != device_key,
            "expired": now >= claims.exp + LEEWAY_SECONDS,
            "not valid yet": now < max(claims.iat, claims.nbf) - LEEWAY_SECONDS,
            "too long-lived": not 0 < claims.exp - claims.iat <= LIFE_SECONDS_MAX,
        }
        for fault, is_so in faults.items():
            if is_so:
                raise _Unfit(fault)
        expires_ms = round((claims.exp + LEEWAY_SECONDS) * 1000)
        return Grant(claims.sub, expires_ms, claims.create_rooms)

    def _read_again(self) -> None:
        stamp = self._file_stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = _read_keys(self._path)
        except ValidationError as exc:
            logger.error("the keys stay as they were: %s", exc)

    def _file_stamp(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0, 0)
        return (found.st_mtime_ns, found.st_size, found.st_ino)


class _Unfit(Exception):
    """The token admits nobody, and why; never holds a part of it."""


def _signed_claims(token: str, keys: list[_Key]) -> _Claims:
    """Return what a token says once its signature is known to hold."""
    parts = token.split(".")
    if len(parts) != 3:
        raise _Unfit("no signed JWT")
    header_bytes, claims_bytes, signature = (_from_base64(part) for part in parts)
    try:
        header = msgspec.json.decode(header_bytes, type=_Header)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as exc:
        raise _Unfit("its header is malformed") from exc
    if header.crit is not None or header.b64 is not None:
        raise _Unfit("its header asks for what is not understood here")
    algorithm = _ALGORITHMS.get(header.alg)
    if algorithm is None:
        raise _Unfit("signed in a way that is not allowed")
    text = f"{parts[0]}.{parts[1]}".encode("ascii")
    if not any(_holds(key, algorithm, header.kid, text, signature) for key in keys):
        raise _Unfit("no known key signed it")
    try:
        return msgspec.json.decode(claims_bytes, type=_Claims)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as exc:
        raise _Unfit("a claim is missing or malformed") from exc


def _holds(key: _Key, algorithm: str, kid: str | None, text: bytes, signature: bytes) -> bool:
    """Tell whether this key made the signature, in the one way that is its own."""
    is_other = kid is not None and key.kid is not None and kid != key.kid
    if key.algorithm != algorithm or is_other:
        return False
    try:
        return bool(_registry.get_alg(algorithm).verify(text, signature, key.key))
    except (JoseError, ValueError):
        return False


def _read_keys(path: Path) -> list[_Key]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        rows = found.get("keys", [found])
        keys = [key for row in rows if (key := _key_of(row)) is not None]
    except OSError as exc:
        raise ValidationError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        if isinstance(exc, ValidationError):
            raise
        raise ValidationError(f"{path} is no JWK or JWKS file: {type(exc).__name__}") from exc
    if not keys:
        raise ValidationError(
            f"{path} has no key for tokens: give a public key of Ed25519, P-256 or RSA "
            f"({RSA_BITS_MIN} bits or more)"
        )
    return keys


def _key_of(row: dict[str, Any]) -> _Key | None:
    """Return a key that may sign tokens, None for one that is for something else."""
    if row["kty"] == "oct" or "d" in row:
        raise ValidationError("the file with the keys holds a secret: give public keys only")
    if row.get("use", "sig") != "sig" or "verify" not in row.get("key_ops", ["verify"]):
        return None
    if row["kty"] == "RSA" and len(row["n"]) * 6 < RSA_BITS_MIN:  # base64 has 6 bits a character
        return None
    key = import_key(row)
    match key:
        case OKPKey() if key.curve_name == "Ed25519":
            algorithm = "Ed25519"
        case ECKey() if key.curve_name == "P-256":
            algorithm = "ES256"
        case RSAKey() if key.public_key.key_size >= RSA_BITS_MIN:
            algorithm = "RS256"
        case _:
            return None
    if _ALGORITHMS.get(row.get("alg", algorithm)) != algorithm:
        return None
    return _Key(row.get("kid"), algorithm, key)


def _from_base64(text: str) -> bytes:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError) as exc:
        raise _Unfit("it is not base64url") from exc

"""JWTs and keys of an issuer, made with nothing of what verifies them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

AUDIENCE, ISSUER = "relay.example", "https://app.example"

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
KEYS: dict[str, PrivateKey] = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": rsa.generate_private_key(65537, 2048),
}


def b64(raw: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def jwk(key: PrivateKey, **more: Any) -> dict[str, Any]:
    """Return a public key as a JWK."""
    match key:
        case ed25519.Ed25519PrivateKey():
            raw = key.public_key().public_bytes_raw()
            return {"kty": "OKP", "crv": "Ed25519", "x": b64(raw), **more}
        case ec.EllipticCurvePrivateKey():
            point = key.public_key().public_numbers()
            size = (key.curve.key_size + 7) // 8
            x, y = b64(point.x.to_bytes(size)), b64(point.y.to_bytes(size))
            crv = {256: "P-256", 384: "P-384"}[key.curve.key_size]
            return {"kty": "EC", "crv": crv, "x": x, "y": y, **more}
        case rsa.RSAPrivateKey():
            numbers = key.public_key().public_numbers()
            n = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8)
            return {"kty": "RSA", "n": b64(n), "e": b64(numbers.e.to_bytes(3)), **more}


def write_keys(path: Path, *names: str) -> Path:
    """Write a JWKS file with public keys of ``KEYS``, all where none is named."""
    keys = [jwk(KEYS[name], kid=name) for name in names or KEYS]
    path.write_text(json.dumps({"keys": keys}), encoding="utf-8")
    return path


def claims_for(device_key: bytes, now_ms: int, **changes: Any) -> dict[str, Any]:
    """Return good claims; one that is changed to None is left out."""
    now = now_ms // 1000
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ann",
        "iat": now,
        "exp": now + 600,
        "device": b64(device_key),
    } | changes
    return {name: value for name, value in claims.items() if value is not None}


def sign(
    claims: dict[str, Any] | bytes,
    alg: str = "EdDSA",
    *,
    key: PrivateKey | None = None,
    header: dict[str, Any] | None = None,
) -> str:
    """Return a JWT; ``header`` adds to it, or changes it."""
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    head = json.dumps({"alg": alg, "typ": "JWT"} | (header or {})).encode()
    text = f"{b64(head)}.{b64(body)}"
    return f"{text}.{b64(signature(key or KEYS[alg], text.encode()))}"


def signature(key: PrivateKey, text: bytes) -> bytes:
    """Return the bytes of a JWS signature."""
    match key:
        case ed25519.Ed25519PrivateKey():
            return key.sign(text)
        case ec.EllipticCurvePrivateKey():
            size = (key.curve.key_size + 7) // 8
            r, s = decode_dss_signature(key.sign(text, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(size) + s.to_bytes(size)
        case rsa.RSAPrivateKey():
            return key.sign(text, padding.PKCS1v15(), hashes.SHA256())

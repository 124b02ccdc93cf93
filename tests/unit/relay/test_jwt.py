"""Which JWTs the ready verifier takes, and which not."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from syncchat_relay import Grant
from syncchat_relay.jwt import LEEWAY_SECONDS, LIFE_SECONDS_MAX, JwtVerifier

from syncchat.errors import ValidationError
from syncchat.trust.keys import DeviceKeys
from tests.support.jwts import (
    AUDIENCE,
    ISSUER,
    KEYS,
    b64,
    claims_for,
    jwk,
    sign,
    write_keys,
)

DEVICE = bytes(DeviceKeys(bytes(31) + b"\1").public)
OTHER = bytes(DeviceKeys(bytes(31) + b"\2").public)
NOW_MS = 1_700_000_000_000
NOW = NOW_MS // 1000


class StillClock:
    """Is a clock that moves when told."""

    def __init__(self) -> None:
        self.ms = NOW_MS

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def verify(tmp_path: Path, clock: StillClock) -> JwtVerifier:
    path = write_keys(tmp_path / "jwks.json")
    return JwtVerifier(path, audience=AUDIENCE, issuer=ISSUER, clock=clock)


def good(**changes: Any) -> dict[str, Any]:
    return claims_for(DEVICE, NOW_MS, **changes)


@pytest.mark.parametrize("alg", KEYS)
def test_token_of_each_allowed_way_to_sign_admits_its_device(verify: JwtVerifier, alg: str) -> None:
    ends_ms = (NOW + 600 + LEEWAY_SECONDS) * 1000
    assert verify(sign(good(), alg), DEVICE) == Grant("ann", ends_ms, False)
    assert verify(sign(good(), alg, header={"kid": alg}), DEVICE) is not None


def test_name_of_ed25519_in_the_newer_standard_is_taken_too(verify: JwtVerifier) -> None:
    assert verify(sign(good(), header={"alg": "Ed25519"}), DEVICE) is not None


def test_right_to_create_rooms_comes_from_a_claim(verify: JwtVerifier) -> None:
    grant = verify(sign(good(create_rooms=True)), DEVICE)
    assert grant is not None and grant.may_create_rooms


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another.example"},
        {"aud": ["a", "b"]},
        {"aud": []},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"device": b64(OTHER)},
        {"device": b64(DEVICE[:31])},
        {"device": "not base64!"},
        {"device": None},
        {"sub": ""},
        {"sub": None},
        {"sub": 7},
        {"sub": "s" * 256},
        {"exp": None},
        {"exp": NOW - LEEWAY_SECONDS},
        {"exp": str(NOW + 600)},
        {"exp": True},
        {"exp": 1e300},
        {"iat": None},
        {"iat": NOW - 601, "exp": NOW + 300},
        {"exp": NOW + LIFE_SECONDS_MAX + 1},
        {"iat": NOW + 600, "exp": NOW + 500},
        {"iat": NOW + LEEWAY_SECONDS + 1, "exp": NOW + 600},
        {"nbf": NOW + LEEWAY_SECONDS + 1},
        {"create_rooms": "yes"},
    ],
    ids=lambda changes: " ".join(f"{k}={str(v)[:20]}" for k, v in changes.items()),
)
def test_token_with_a_wrong_claim_admits_nobody(
    verify: JwtVerifier, changes: dict[str, Any]
) -> None:
    assert verify(sign(good()), DEVICE) is not None
    assert verify(sign(good(**changes)), DEVICE) is None


def test_token_whose_audience_is_a_list_with_this_relay_is_taken(verify: JwtVerifier) -> None:
    assert verify(sign(good(aud=["web", AUDIENCE])), DEVICE) is not None


def test_token_admits_until_it_expires_and_not_longer(
    verify: JwtVerifier, clock: StillClock
) -> None:
    token = sign(good())
    clock.ms = (NOW + 600 + LEEWAY_SECONDS) * 1000 - 1
    assert verify(token, DEVICE) is not None
    clock.ms += 1
    assert verify(token, DEVICE) is None


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
@pytest.mark.parametrize("tail", ["", "AAAA"])
def test_token_that_nobody_signed_admits_nobody(verify: JwtVerifier, alg: str, tail: str) -> None:
    head = b64(json.dumps({"alg": alg}).encode())
    assert verify(f"{head}.{b64(json.dumps(good()).encode())}.{tail}", DEVICE) is None


def test_public_key_is_no_shared_secret(verify: JwtVerifier) -> None:
    key = KEYS["RS256"].public_key()
    pem, info = serialization.PublicFormat, serialization.Encoding
    for secret in (
        key.public_bytes(info.PEM, pem.SubjectPublicKeyInfo),
        key.public_bytes(info.DER, pem.SubjectPublicKeyInfo),
        json.dumps(jwk(KEYS["RS256"], kid="RS256")).encode(),
        b"",
    ):
        head = b64(json.dumps({"alg": "HS256", "kid": "RS256"}).encode())
        text = f"{head}.{b64(json.dumps(good()).encode())}"
        mac = hmac.new(secret, text.encode(), hashlib.sha256).digest()
        assert verify(f"{text}.{b64(mac)}", DEVICE) is None


@pytest.mark.parametrize("alg", ["RS512", "PS256", "ES384", "ES256K", "HS256", "Ed448", 256, None])
def test_signature_under_the_name_of_another_way_is_refused(
    verify: JwtVerifier, alg: object
) -> None:
    for name in KEYS:
        assert verify(sign(good(), name, header={"alg": alg}), DEVICE) is None


def test_key_signs_in_its_own_way_only(verify: JwtVerifier) -> None:
    for made_with in KEYS:
        for said in KEYS:
            token = sign(good(), made_with, header={"alg": said, "kid": said})
            assert (verify(token, DEVICE) is not None) is (made_with == said)


def test_unknown_key_is_refused_also_when_the_token_brings_it_along(verify: JwtVerifier) -> None:
    mine = ed25519.Ed25519PrivateKey.generate()
    header = {"jwk": jwk(mine), "jku": "https://evil.example/keys", "kid": "EdDSA"}
    assert verify(sign(good(), key=mine, header=header), DEVICE) is None
    assert verify(sign(good(), key=mine), DEVICE) is None


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"b64": False}, {"crit": []}])
def test_header_that_asks_for_more_is_refused(verify: JwtVerifier, header: dict[str, Any]) -> None:
    assert verify(sign(good(), header=header), DEVICE) is None


def _deep(make: Callable[[bytes], bytes]) -> bytes:
    return make(b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "\u00e9.\u00e9.\u00e9",
        "e30.e30.AAAA",
        f"{b64(b'[]')}.{b64(b'{}')}.AAAA",
        f"{b64(b'null')}.{b64(b'{}')}.AAAA",
        f"{b64(_deep(lambda deep: deep))}.{b64(b'{}')}.AAAA",
        sign(b"no json"),
        sign(b"[]"),
        sign(b"\xff"),
        sign(_deep(lambda deep: b'{"x":' + deep + b"}")),
    ],
    ids=range(14),
)
def test_nonsense_is_refused_without_an_error(verify: JwtVerifier, token: str) -> None:
    assert verify(token, DEVICE) is None


def test_changed_token_is_refused(verify: JwtVerifier) -> None:
    head, body, tail = sign(good()).split(".")
    other = b64(json.dumps(good(sub="eve")).encode())
    assert verify(f"{head}.{other}.{tail}", DEVICE) is None
    assert verify(f"{head}.{body}.{tail[:-4]}AAAA", DEVICE) is None
    assert verify(f"{head}.{body}.", DEVICE) is None


def test_reason_of_a_refusal_is_logged_without_the_token(
    verify: JwtVerifier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = sign(good(aud="another.example", sub="canary-subject"))
    verify(token, DEVICE)
    assert "another audience" in caplog.text
    parts = [*token.split("."), "canary-subject", "another.example"]
    assert [part for part in parts if part in caplog.text] == []


def test_keys_are_read_again_when_the_file_changes(tmp_path: Path, clock: StillClock) -> None:
    path = write_keys(tmp_path / "jwks.json", "ES256")
    verify = JwtVerifier(path, audience=AUDIENCE, issuer=ISSUER, clock=clock)
    assert verify(sign(good(), "EdDSA"), DEVICE) is None
    write_keys(path, "EdDSA")
    os.utime(path, ns=(1, 1))
    assert verify(sign(good(), "EdDSA"), DEVICE) is not None
    assert verify(sign(good(), "ES256"), DEVICE) is None
    path.write_text("half a fi")
    assert verify(sign(good(), "EdDSA"), DEVICE) is not None
    path.unlink()
    assert verify(sign(good(), "EdDSA"), DEVICE) is not None


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ("", "no JWK"),
        ("[]", "no JWK"),
        ('{"keys": 5}', "no JWK"),
        ('{"keys": []}', "no key for tokens"),
        ('{"kty": "oct", "k": "c2VjcmV0"}', "secret"),
        (json.dumps(jwk(KEYS["EdDSA"], d="AAAA")), "secret"),
        (json.dumps(jwk(KEYS["EdDSA"], use="enc")), "no key for tokens"),
        (json.dumps(jwk(KEYS["RS256"], alg="RS512")), "no key for tokens"),
        (json.dumps(jwk(ec.generate_private_key(ec.SECP384R1()))), "no key for tokens"),
        (json.dumps(jwk(rsa.generate_private_key(65537, 1024))), "no key for tokens"),
    ],
    ids=range(10),
)
def test_file_that_cannot_vouch_for_anyone_is_refused(
    tmp_path: Path, contents: str, words: str
) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(contents)
    with pytest.raises(ValidationError, match=words):
        JwtVerifier(path, audience=AUDIENCE, issuer=ISSUER)


def test_missing_file_and_empty_audience_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="cannot be read"):
        JwtVerifier(tmp_path / "none.json", audience=AUDIENCE, issuer=ISSUER)
    with pytest.raises(ValidationError, match="audience"):
        JwtVerifier(write_keys(tmp_path / "jwks.json"), audience="", issuer=ISSUER)

"""Tests of device keys, and of the keys and signatures that must not be believed."""

from __future__ import annotations

import hashlib

import pytest

from syncchat.errors import SignatureInvalid
from syncchat.ids import device_text
from syncchat.trust.keys import DeviceKeys, auth_text, operator_proof, proof_text, verify
from tests import vectors

KEYS = DeviceKeys(bytes(range(32)))
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
IDENTITY = (1).to_bytes(32, "little")
# The eight points of small order, and encodings of them that are not reduced (RFC 8032, 5.1.3).
LOW_ORDER = [
    IDENTITY,
    (P - 1).to_bytes(32, "little"),
    bytes(32),
    (2**255).to_bytes(32, "little"),
    (P + 1).to_bytes(32, "little"),
    P.to_bytes(32, "little"),
    (2**255 + 1).to_bytes(32, "little"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
]


def test_signature_of_the_named_device_holds() -> None:
    verify(KEYS.public, b"text", KEYS.sign(b"text"))
    verify(KEYS.public, b"", KEYS.sign(b""))
    assert KEYS.device == device_text(KEYS.public)


def test_ed25519_is_that_of_rfc_8032() -> None:
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    keys = DeviceKeys(seed)
    public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert keys.public.hex() == public
    assert keys.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_every_flipped_bit_of_signature_text_or_key_is_noticed() -> None:
    text = b"a text"
    parts = {"key": KEYS.public, "text": text, "signature": KEYS.sign(text)}
    for name, part in parts.items():
        for bit in range(len(part) * 8):
            flipped = bytearray(part)
            flipped[bit // 8] ^= 1 << bit % 8
            with pytest.raises(SignatureInvalid):
                verify(**(parts | {name: bytes(flipped)}))


@pytest.mark.parametrize("key", LOW_ORDER, ids=lambda key: key.hex()[:8])
def test_keys_for_which_anyone_can_sign_are_refused(key: bytes) -> None:
    forgeries = [IDENTITY + bytes(32), bytes(64)]
    forgeries += [point + bytes(32) for point in LOW_ORDER]
    for forgery in forgeries:
        for number in range(16):  # some forgeries hold for every eighth text
            with pytest.raises(SignatureInvalid):
                verify(key, b"text %d" % number, forgery)


def test_second_signature_made_by_adding_the_group_order_is_refused() -> None:
    signature = KEYS.sign(b"text")
    scalar = int.from_bytes(signature[32:], "little") + L
    with pytest.raises(SignatureInvalid):
        verify(KEYS.public, b"text", signature[:32] + scalar.to_bytes(32, "little"))


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(SignatureInvalid):
        verify(bytes(size), b"text", KEYS.sign(b"text"))


def test_bytes_of_the_text_cannot_be_moved_into_the_signature() -> None:
    signature = KEYS.sign(b"one, two")
    with pytest.raises(SignatureInvalid):
        verify(KEYS.public, b", two", signature + b"one")
    with pytest.raises(SignatureInvalid):
        verify(KEYS.public, signature[60:] + b"one, two", signature[:60])
    with pytest.raises(SignatureInvalid):
        verify(KEYS.public, signature + b"one, two", b"")


def test_secret_is_not_shown() -> None:
    seed = hashlib.blake2b(b"seed", digest_size=32).digest()
    keys = DeviceKeys(seed)
    assert seed.hex() not in repr(keys)
    assert repr(keys) == f"<DeviceKeys {keys.device}>"


def test_challenge_is_answered_as_the_vectors_say() -> None:
    for row in vectors.load("auth"):
        text = auth_text(
            host=row["host"],
            incarnation=bytes.fromhex(row["incarnation"]),
            nonce=bytes.fromhex(row["nonce"]),
            version=row["version"],
        )
        assert text.hex() == row["text"]
        assert KEYS.sign(text).hex() == row["signature"]
        secret = bytes.fromhex(row["operator_secret"])
        proof = operator_proof(secret, device_key=KEYS.public, text=text)
        assert proof.hex() == row["operator_proof"]
        room_text = proof_text(
            room=bytes.fromhex(row["room"]),
            incarnation=bytes.fromhex(row["incarnation"]),
            nonce=bytes.fromhex(row["nonce"]),
        )
        assert KEYS.sign(room_text).hex() == row["room_proof"]
        verify(bytes.fromhex(row["key"]), text, bytes.fromhex(row["signature"]))


@pytest.mark.parametrize(
    "changes",
    [{"host": "other.example"}, {"incarnation": bytes(8)}, {"nonce": bytes(32)}, {"version": 2}],
    ids=lambda changes: next(iter(changes)),
)
def test_answer_to_one_challenge_is_none_to_another(changes: dict[str, object]) -> None:
    given = {"host": "relay.example", "incarnation": b"12345678", "nonce": b"n" * 32, "version": 1}
    signature = KEYS.sign(auth_text(**given))  # type: ignore[arg-type]
    with pytest.raises(SignatureInvalid):
        verify(KEYS.public, auth_text(**(given | changes)), signature)  # type: ignore[arg-type]

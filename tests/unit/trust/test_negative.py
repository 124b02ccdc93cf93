"""Keys, signatures and boxes that attackers make: refused with our errors, and no other.

In the style of Wycheproof: each case is one way in which libraries were found to be wrong.
"""

from __future__ import annotations

import pytest

from syncchat.errors import DecodeError, SealBroken, SignatureInvalid, TrustError
from syncchat.trust import boxes
from syncchat.trust.boxes import (
    box_public,
    is_box_key,
    link_key,
    open_box,
    open_link,
    seal_box,
)
from syncchat.trust.changes import Reseal
from syncchat.trust.keys import DeviceKeys, verify
from syncchat.trust.membership import fold_group, verify_change
from syncchat.trust.person import fold_person
from syncchat.trust.records import decode_record
from tests import vectors
from tests.contracts.chains import FixedRandom
from tests.support.people import CAT, House, Human, house

KEYS = DeviceKeys(bytes(range(32)))
TEXT = b"text"
SIGNATURE = KEYS.sign(TEXT)
ORDER = 2**252 + 27742317777372353535851937790883648493
P = 2**255 - 19

SMALL_ORDER = [
    "00" * 32,
    "01" + "00" * 31,
    "ec" + "ff" * 30 + "7f",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
]
NOT_CANONICAL = [
    (P + 1).to_bytes(32, "little").hex(),
    (P + 3).to_bytes(32, "little").hex(),
    (2**255 - 1).to_bytes(32, "little").hex(),
    "ff" * 32,
    "ee" + "ff" * 31,
]


@pytest.mark.parametrize("key", SMALL_ORDER + NOT_CANONICAL)
@pytest.mark.parametrize("r", ["01" + "00" * 31, *SMALL_ORDER[:3]])
def test_key_of_small_order_or_not_canonical_signs_nothing(key: str, r: str) -> None:
    for s in (bytes(32), SIGNATURE[32:]):
        with pytest.raises(SignatureInvalid):
            verify(bytes.fromhex(key), TEXT, bytes.fromhex(r) + s)


@pytest.mark.parametrize("times", [1, 2, 7])
def test_signature_whose_s_is_not_reduced_does_not_hold(times: int) -> None:
    s = int.from_bytes(SIGNATURE[32:], "little") + times * ORDER
    with pytest.raises(SignatureInvalid):
        verify(KEYS.public, TEXT, SIGNATURE[:32] + s.to_bytes(32, "little"))


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        SIGNATURE[:63],
        SIGNATURE + b"\0",
        SIGNATURE + TEXT,
        bytes(64),
        b"\xff" * 64,
        SIGNATURE[32:] + SIGNATURE[:32],
        SIGNATURE[:32] + bytes(32),
        bytes(32) + SIGNATURE[32:],
        bytes((SIGNATURE[0] ^ 1,)) + SIGNATURE[1:],
        SIGNATURE[:63] + bytes((SIGNATURE[63] | 0x80,)),
    ],
    ids=range(11),
)
def test_signature_that_was_not_made_does_not_hold(signature: bytes) -> None:
    verify(KEYS.public, TEXT, SIGNATURE)
    with pytest.raises(SignatureInvalid):
        verify(KEYS.public, TEXT, signature)


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_key_of_another_length_signs_nothing(size: int) -> None:
    with pytest.raises(SignatureInvalid):
        verify((KEYS.public * 2)[:size], TEXT, SIGNATURE)


def test_signature_holds_for_no_other_text_or_key() -> None:
    for key, text in ((KEYS.public, b"test"), (KEYS.public, b""), (KEYS.box_public, TEXT)):
        with pytest.raises(SignatureInvalid):
            verify(key, text, SIGNATURE)


@pytest.mark.parametrize("point", sorted(point.hex() for point in boxes._NO_KEYS))
def test_nothing_is_sealed_to_a_point_of_low_order(point: str) -> None:
    assert not is_box_key(bytes.fromhex(point))
    with pytest.raises(SealBroken):
        seal_box(bytes.fromhex(point), bytes(32), FixedRandom(1))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_nothing_is_sealed_to_a_key_of_another_length(size: int) -> None:
    assert not is_box_key(b"\x09" * size)
    with pytest.raises(SealBroken):
        seal_box(b"\x09" * size, bytes(32), FixedRandom(1))


def test_honest_keys_are_keys() -> None:
    assert all(is_box_key(box_public(bytes((n,)) * 32)) for n in range(1, 50))


BOX = seal_box(KEYS.box_public, b"k" * 32, FixedRandom(1))


@pytest.mark.parametrize(
    "box",
    [
        b"",
        BOX[:-1],
        BOX[:47],
        BOX[:32],
        BOX + b"\0",
        bytes(80),
        b"\xff" * 80,
        bytes(32) + BOX[32:],
        BOX[:32] + bytes(48),
        BOX[::-1],
        BOX[:-1] + bytes((BOX[-1] ^ 1,)),
        *(bytes.fromhex(point) + BOX[32:] for point in SMALL_ORDER[:3]),
    ],
    ids=range(14),
)
def test_box_that_was_not_sealed_does_not_open(box: bytes) -> None:
    assert open_box(KEYS.box_secret, BOX) == b"k" * 32
    with pytest.raises(SealBroken):
        open_box(KEYS.box_secret, box)


@pytest.mark.parametrize("secret", [b"", bytes(31), bytes(32), bytes(33), b"x" * 32])
def test_box_does_not_open_with_what_is_not_its_secret(secret: bytes) -> None:
    with pytest.raises(SealBroken):
        open_box(secret, BOX)


@pytest.mark.parametrize("size", [0, 5, 31, 33, 100])
def test_box_with_a_secret_of_another_length_does_not_open(size: int) -> None:
    with pytest.raises(SealBroken):
        open_box(KEYS.box_secret, seal_box(KEYS.box_public, bytes(size), FixedRandom(1)))


LINK = link_key(b"n" * 32, b"o" * 32, FixedRandom(1))


@pytest.mark.parametrize(
    "link",
    [b"", LINK[:24], LINK[:39], LINK[:-1], LINK + b"\0", bytes(72), b"\xff" * 72, LINK[::-1]],
    ids=range(8),
)
def test_link_that_was_not_made_does_not_open(link: bytes) -> None:
    assert open_link(b"n" * 32, LINK) == b"o" * 32
    with pytest.raises(SealBroken):
        open_link(b"n" * 32, link)


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(32), bytes(65), b"o" * 32])
def test_link_does_not_open_with_what_is_not_the_newer_key(key: bytes) -> None:
    with pytest.raises(SealBroken):
        open_link(key, LINK)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_link_to_a_key_of_another_length_does_not_open(size: int) -> None:
    with pytest.raises(SealBroken):
        open_link(b"n" * 32, link_key(b"n" * 32, bytes(size), FixedRandom(1)))


@pytest.mark.parametrize("row", vectors.load("records")["refused"], ids=lambda row: row["name"])
def test_refused_vector_is_refused_at_its_step(row: dict[str, str]) -> None:
    raw = bytes.fromhex(row["record"])
    if row["at"] == "decode":
        with pytest.raises(DecodeError):
            decode_record(raw)
        return
    record = decode_record(raw)
    if row["at"] == "verify":
        with pytest.raises((DecodeError, TrustError)):
            verify_change(record)
        return
    verify_change(record)
    with pytest.raises(TrustError):
        fold_group([record])


def test_box_of_nonsense_in_the_log_breaks_nothing() -> None:
    room = house()
    room.record(Reseal(0, [(CAT.id, bytes(80)), (CAT.id, b"\xff" * 80)]))
    assert room.opens(CAT, 0)


def test_persons_log_of_another_key_is_not_theirs() -> None:
    human, other = Human(91), Human(92)
    with pytest.raises(TrustError):
        fold_person(human.log, root=other.root.public)
    assert House(human).group.members.keys() == {human.id}

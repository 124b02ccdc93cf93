"""Tests of codes that people type, and of what an emoji check of two devices is made from."""

from __future__ import annotations

import pytest

from syncchat.errors import InviteError
from syncchat.trust import linking
from syncchat.trust.keys import DeviceKeys
from tests import vectors
from tests.support.ports import chance

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODES = [linking.read_code(linking.new_code(chance(seed))) for seed in range(1, 6)]
ROOM, OTHER = bytes(16), bytes(15) + b"\1"


def test_codes_differ_and_are_shown_in_three_groups_of_four() -> None:
    assert len(set(CODES)) == len(CODES)
    shown = linking.new_code(chance(1))
    assert [len(group) for group in shown.split("-")] == [4, 4, 4]
    assert linking.shown_code(linking.read_code(shown)) == shown


def test_code_has_all_its_55_bits_by_chance() -> None:
    codes = [linking.read_code(linking.new_code(chance(seed))) for seed in range(400)]
    for place in range(linking.CODE_CHARS - 1):
        assert len({code[place] for code in codes}) == len(ALPHABET)


@pytest.mark.parametrize(
    "typed",
    ["{}-{}-{}", "{} {} {}", " {}{}{}\n", "{}-{}{}"],
)
def test_code_is_read_however_it_is_grouped_and_in_small_letters(typed: str) -> None:
    for code in CODES:
        for text in (code, code.lower()):
            assert linking.read_code(typed.format(text[:4], text[4:8], text[8:])) == code


def test_letters_that_look_like_digits_are_read_as_these() -> None:
    code = next(c for c in map(_code, range(500)) if "0" in c and "1" in c)
    for zero, one in (("O", "I"), ("o", "l"), ("o", "L")):
        assert linking.read_code(code.replace("0", zero).replace("1", one)) == code


def test_one_wrong_character_is_always_noticed() -> None:
    for code in CODES:
        for place in range(len(code)):
            for char in ALPHABET.replace(code[place], ""):
                with pytest.raises(InviteError, match="mistyped"):
                    linking.read_code(code[:place] + char + code[place + 1 :])


def test_two_characters_that_changed_places_are_always_noticed() -> None:
    for code in CODES:
        for low in range(len(code)):
            for high in range(low + 1, len(code)):
                chars = list(code)
                chars[low], chars[high] = chars[high], chars[low]
                if chars[low] != chars[high]:
                    with pytest.raises(InviteError, match="mistyped"):
                        linking.read_code("".join(chars))


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "this has 0"),
        ("7K3Q-MX9T", "this has 8"),
        ("7K3Q-MX9T-BR2P-7K3Q", "this has 16"),
        ("7K3Q-MX9T-BRUP", "letters without U"),
        ("7K3Q-MX9T-BR2é", "letters without U"),
    ],
)
def test_what_is_no_code_is_told_why(typed: str, says: str) -> None:
    with pytest.raises(InviteError, match=says):
        linking.read_code(typed)


def test_code_and_all_that_follows_from_it_are_those_of_the_vectors() -> None:
    (row,) = vectors.load("trust_words")["links"]
    seed = linking.code_seed(row["code"].lower())
    assert seed.hex() == row["seed"]
    assert DeviceKeys(seed).public.hex() == row["invite"]
    room, nonce = bytes.fromhex(row["room"]), bytes.fromhex(row["nonce"])
    assert linking.commitment(seed, room=room, nonce=nonce).hex() == row["commitment"]
    request = bytes.fromhex(row["request"])
    assert list(linking.link_emoji(room=room, request=request, nonce=nonce)) == row["shown"]


def test_nonce_is_of_one_device_room_and_invite_and_the_same_again() -> None:
    ann, bob = DeviceKeys(bytes(32)), DeviceKeys(bytes(31) + b"\1")
    nonce = linking.answer_nonce(ann, room=ROOM, invite=bytes(32))
    assert nonce == linking.answer_nonce(ann, room=ROOM, invite=bytes(32))
    others = [
        linking.answer_nonce(bob, room=ROOM, invite=bytes(32)),
        linking.answer_nonce(ann, room=OTHER, invite=bytes(32)),
        linking.answer_nonce(ann, room=ROOM, invite=bytes(31) + b"\1"),
    ]
    assert len({nonce, *others}) == 4 and len(nonce) == linking.NONCE_BYTES


def test_commitment_opens_for_one_seed_room_and_nonce_only() -> None:
    said = linking.commitment(bytes(32), room=ROOM, nonce=bytes(16))
    assert said != linking.commitment(bytes(31) + b"\1", room=ROOM, nonce=bytes(16))
    assert said != linking.commitment(bytes(32), room=OTHER, nonce=bytes(16))
    assert said != linking.commitment(bytes(32), room=ROOM, nonce=bytes(15) + b"\1")


def test_emoji_change_with_the_room_the_request_and_the_nonce() -> None:
    shown = linking.link_emoji(room=ROOM, request=bytes(32), nonce=bytes(16))
    assert len(shown) == 7
    assert shown != linking.link_emoji(room=OTHER, request=bytes(32), nonce=bytes(16))
    assert shown != linking.link_emoji(room=ROOM, request=bytes(31) + b"\1", nonce=bytes(16))
    assert shown != linking.link_emoji(room=ROOM, request=bytes(32), nonce=bytes(15) + b"\1")


def _code(seed: int) -> str:
    return linking.read_code(linking.new_code(chance(seed)))

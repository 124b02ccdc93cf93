"""Tests of safety numbers and the emoji check."""

from __future__ import annotations

import hashlib
import unicodedata

import pytest
from wcwidth import wcswidth

from syncchat.errors import DecodeError, ValidationError
from syncchat.ids import base32_from_int
from syncchat.trust import phrase, safety
from syncchat.trust.emoji import EMOJI, emoji_name
from syncchat.trust.safety import Scan
from tests import vectors
from tests.vectors.words import ROOTS

ALICE, BOB, CAROL, DAVE = ROOTS
CODE = safety.safety_number(ALICE, BOB).code


def test_safety_numbers_are_those_of_the_vectors_from_both_sides() -> None:
    rows = vectors.load("trust_words")["safety_numbers"]
    assert len(rows) == 3
    for row in rows:
        one, other = (bytes.fromhex(root) for root in row["roots"])
        expected = safety.SafetyNumber(row["digits"], tuple(row["words"]), row["code"])
        assert safety.safety_number(one, other) == expected
        assert safety.safety_number(other, one) == expected


def test_safety_number_is_what_its_page_says() -> None:
    digests = []
    for root in (ALICE, BOB):
        digest = b""
        for _ in range(5_200):
            hashed = hashlib.blake2b(digest_size=64, person=b"syncchat safe 1")
            hashed.update(digest)
            hashed.update(root)
            digest = hashed.digest()
        digests.append(digest)
    digits, words, codes = "", [], []
    for digest in sorted(digests):
        for at in range(6):
            digits += str(int(digest.hex()[at * 10 : at * 10 + 10], 16) % 10**5).rjust(5, "0")
        bits = "".join(f"{byte:08b}" for byte in digest)
        words += [phrase.word_list()[int(bits[at * 11 : at * 11 + 11], 2)] for at in range(6)]
        codes.append(base32_from_int(int(digest[:32].hex(), 16), chars=52))
    number = safety.safety_number(ALICE, BOB)
    assert number.digits == digits
    assert list(number.words) == words
    assert number.code == "SYNCCHAT-SAFETY:1:" + ":".join(codes)


def test_digits_are_shown_in_twelve_groups_of_five() -> None:
    number = safety.safety_number(ALICE, BOB)
    assert [len(group) for group in number.groups] == [5] * 12
    assert "".join(number.groups) == number.digits


def test_half_of_a_number_is_the_same_with_whomever_it_is_compared() -> None:
    with_bob = safety.safety_number(ALICE, BOB).groups
    with_carol = safety.safety_number(ALICE, CAROL).groups
    shared = {with_bob[:6], with_bob[6:]} & {with_carol[:6], with_carol[6:]}
    assert len(shared) == 1


@pytest.mark.parametrize("size", [0, 31, 33])
def test_what_is_no_root_key_has_no_safety_number(size: int) -> None:
    with pytest.raises(ValidationError, match="32 bytes"):
        safety.safety_number(ALICE, bytes(size))


def test_one_person_has_no_safety_number() -> None:
    with pytest.raises(ValidationError, match="two people"):
        safety.safety_number(ALICE, ALICE)
    with pytest.raises(ValidationError, match="two people"):
        safety.read_scan(CODE, mine=ALICE, theirs=ALICE)


@pytest.mark.parametrize(
    ("mine", "theirs", "scan"),
    [
        (ALICE, BOB, Scan.SAME),
        (BOB, ALICE, Scan.SAME),
        (ALICE, CAROL, Scan.THEIRS_DIFFERS),
        (CAROL, BOB, Scan.MINE_DIFFERS),
        (CAROL, ALICE, Scan.MINE_DIFFERS),
        (CAROL, DAVE, Scan.OTHERS),
    ],
)
def test_scan_tells_whose_key_differs(mine: bytes, theirs: bytes, scan: Scan) -> None:
    assert safety.read_scan(CODE, mine=mine, theirs=theirs) is scan


def test_somebody_between_two_people_fails_the_scan_on_both_sides() -> None:
    between_a, between_b = CAROL, DAVE
    shown_by_bob = safety.safety_number(BOB, between_a).code
    shown_by_alice = safety.safety_number(ALICE, between_b).code
    assert safety.read_scan(shown_by_bob, mine=ALICE, theirs=between_b) is not Scan.SAME
    assert safety.read_scan(shown_by_alice, mine=BOB, theirs=between_a) is not Scan.SAME


def test_scan_of_one_person_twice_is_no_passed_check() -> None:
    head, _, code = CODE.rpartition(":")
    doubled = head.rpartition(":")[0] + f":{code}:{code}"
    assert safety.read_scan(doubled, mine=ALICE, theirs=BOB) is not Scan.SAME


def test_scan_does_not_mind_case_and_spaces_around() -> None:
    assert safety.read_scan(f" {CODE.lower()}\n", mine=ALICE, theirs=BOB) is Scan.SAME


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("", "not the code of a safety number"),
        ("SYNCCHAT-SAFETY", "not the code of a safety number"),
        ("https://example.org/", "not the code of a safety number"),
        ("SYNCCHAT-SAFETY:2:A:B", "another version"),
        ("SYNCCHAT-SAFETY:1", "damaged"),
        (CODE[:-1], "damaged"),
        (CODE + ":0", "damaged"),
        (CODE[:-1] + "U", "not an id"),
        (CODE.replace(":1:0", ":1:Z"), "too large"),
    ],
)
def test_scan_of_something_else_is_an_error_that_says_what_to_do(code: str, told: str) -> None:
    with pytest.raises(DecodeError, match=told):
        safety.read_scan(code, mine=ALICE, theirs=BOB)


def test_emoji_list_is_that_of_the_vectors_and_has_64_of_distinct_look_and_name() -> None:
    assert [list(row) for row in EMOJI] == vectors.load("trust_words")["emoji"]
    assert len(EMOJI) == 64
    assert len({emoji for emoji, _ in EMOJI}) == 64
    assert len({name for _, name in EMOJI}) == 64
    assert all(name.isascii() and name == name.lower().strip() and name for _, name in EMOJI)


@pytest.mark.parametrize("emoji", [emoji for emoji, _ in EMOJI])
def test_emoji_is_a_single_grapheme_two_columns_wide(emoji: str) -> None:
    assert len(emoji) == 1
    assert unicodedata.category(emoji) == "So"
    assert unicodedata.east_asian_width(emoji) == "W"  # drawn in colour without a selector
    assert wcswidth(emoji) == 2


def test_emoji_checks_are_those_of_the_vectors() -> None:
    rows = vectors.load("trust_words")["emoji_checks"]
    assert len(rows) == 4
    for row in rows:
        shown = safety.emoji_check(*(bytes.fromhex(part) for part in row["parts"]))
        assert list(shown) == row["shown"]


def test_emoji_check_is_what_its_page_says() -> None:
    hashed = hashlib.blake2b(
        b"\0\0\0\x03one\0\0\0\x03two", digest_size=32, person=b"syncchat emoji 1"
    ).digest()
    bits = "".join(f"{byte:08b}" for byte in hashed)
    expected = tuple(EMOJI[int(bits[at : at + 6], 2)][0] for at in range(0, 42, 6))
    assert safety.emoji_check(b"one", b"two") == expected


def test_emoji_check_knows_where_one_part_ends_and_the_next_begins() -> None:
    checks = {
        safety.emoji_check(*parts)
        for parts in ((b"onetwo",), (b"one", b"two"), (b"onet", b"wo"), (b"two", b"one"))
    }
    assert len(checks) == 4


def test_emoji_check_of_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="give it parts"):
        safety.emoji_check()


def test_emoji_has_a_name_to_read_out() -> None:
    assert emoji_name("🦊") == "fox"

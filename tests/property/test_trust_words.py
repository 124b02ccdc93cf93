"""Laws of phrases, safety numbers, emoji checks and QR codes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mnemonic import Mnemonic

from syncchat.apps import qr
from syncchat.errors import DecodeError, PhraseChecksumWrong, PhraseError, ValidationError
from syncchat.trust import phrase, safety
from syncchat.trust.emoji import EMOJI
from syncchat.trust.safety import Scan

ENTROPIES = st.binary(min_size=16, max_size=16)
ROOTS = st.binary(min_size=32, max_size=32)
POSITIONS = st.integers(0, 11)
EMOJI_SET = {emoji for emoji, _ in EMOJI}
OFFICIAL = Mnemonic("english")


@given(ENTROPIES)
def test_phrase_gives_its_entropy_back_and_is_that_of_the_reference(entropy: bytes) -> None:
    words = phrase.phrase_of(entropy)
    assert phrase.entropy_of(words) == entropy
    assert words == OFFICIAL.to_mnemonic(entropy)


@given(ENTROPIES, st.data())
def test_phrase_is_read_in_any_dress(entropy: bytes, data: st.DataObject) -> None:
    typed = ""
    for number, word in enumerate(phrase.phrase_of(entropy).split(), start=1):
        cut = word[: data.draw(st.integers(min(4, len(word)), len(word)))]
        before = data.draw(st.sampled_from(["", f"{number}. ", f"{number})", f" #{number} "]))
        after = data.draw(st.sampled_from([" ", ", ", ",", "\n", "\t ", "; ", ". "]))
        typed += before + data.draw(st.sampled_from([cut, cut.upper(), cut.title()])) + after
    assert phrase.entropy_of(typed) == entropy


@given(ENTROPIES, POSITIONS, st.integers(1, 2_047))
def test_another_word_anywhere_is_noticed_or_gives_another_root(
    entropy: bytes, position: int, further: int
) -> None:
    words = phrase.phrase_of(entropy).split()
    index = phrase.word_list().index(words[position])
    words[position] = phrase.word_list()[(index + further) % 2_048]
    with contextlib.suppress(PhraseChecksumWrong):
        other = phrase.entropy_of(" ".join(words))
        assert phrase.root_seed(other) != phrase.root_seed(entropy)
        assert phrase.phrase_of(other) == " ".join(words)


@given(st.text(max_size=200) | st.text("abdegilnorwz 123.,", max_size=1_200))
@example("1 " * 400)
def test_whatever_is_typed_is_a_phrase_or_an_error_of_one(typed: str) -> None:
    try:
        entropy = phrase.entropy_of(typed)
    except PhraseError as exc:
        assert str(exc).isprintable()
    else:
        assert phrase.entropy_of(phrase.phrase_of(entropy)) == entropy


@given(ROOTS, ROOTS)
@settings(max_examples=25)
def test_both_people_see_the_same_number_and_scan_each_other(mine: bytes, theirs: bytes) -> None:
    if mine == theirs:
        with pytest.raises(ValidationError):
            safety.safety_number(mine, theirs)
        return
    number = safety.safety_number(mine, theirs)
    assert number == safety.safety_number(theirs, mine)
    assert len(number.digits) == 60
    assert number.digits.isascii()
    assert number.digits.isdigit()
    assert len(number.words) == 12
    assert set(number.words) <= set(phrase.word_list())
    assert safety.read_scan(number.code, mine=theirs, theirs=mine) is Scan.SAME


@given(ROOTS, ROOTS, st.integers(0, 255))
@settings(max_examples=25)
def test_one_bit_of_a_key_changes_the_number_in_each_form(
    mine: bytes, theirs: bytes, bit: int
) -> None:
    changed = (int.from_bytes(theirs) ^ 1 << bit).to_bytes(32)
    if mine in (theirs, changed):
        return
    number, other = safety.safety_number(mine, theirs), safety.safety_number(mine, changed)
    assert number.digits != other.digits
    assert number.words != other.words
    assert safety.read_scan(other.code, mine=mine, theirs=theirs) is Scan.THEIRS_DIFFERS
    assert safety.read_scan(other.code, mine=theirs, theirs=mine) is Scan.MINE_DIFFERS


@given(st.text(max_size=200) | st.text(max_size=120).map(lambda rest: "SYNCCHAT-SAFETY:1:" + rest))
@settings(max_examples=25)
def test_no_scanned_text_passes_but_the_code(text: str) -> None:
    with contextlib.suppress(DecodeError):
        assert safety.read_scan(text, mine=bytes(32), theirs=b"\1" * 32) is not Scan.SAME


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4))
def test_emoji_check_is_seven_of_the_list_and_changes_with_its_parts(parts: list[bytes]) -> None:
    shown = safety.emoji_check(*parts)
    assert len(shown) == 7
    assert set(shown) <= EMOJI_SET
    assert safety.emoji_check(*parts) == shown
    assert safety.emoji_check(*parts, b"") != shown
    assert safety.emoji_check(*parts[:-1], parts[-1] + b"\0") != shown


@given(st.text(min_size=1, max_size=300))
def test_code_of_any_text_is_square_with_a_quiet_zone_or_refused(text: str) -> None:
    try:
        lines = qr.qr_lines(text, has_colours=False)
    except ValidationError:
        assert any("\ud800" <= char <= "\udfff" for char in text)
        return
    width = qr.qr_columns(text)
    assert {len(line) for line in lines} == {width}
    assert len(lines) == (width + 1) // 2
    assert not "".join([*lines[:2], *lines[-2:]]).strip()
    assert not "".join(line[:4] + line[-4:] for line in lines).strip()

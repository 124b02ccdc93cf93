"""Foreign text is harmless when it is printed."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncchat.core.safe import MARKS_MAX, safe_line, safe_name, safe_text

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", "␛[2J␛]0;title␇"),
        ("\x9b31mred", "\N{REPLACEMENT CHARACTER}31mred"),
        ("back\bspace\x7f\x00", "back␈space␡␀"),
        ("tab\there", "tab    here"),
        ("two\r\nlines\rthree\u2028four\x85five", "two\nlines\nthree\nfour\nfive"),
        ("user\u202etxt.exe\u202c", "usertxt.exe"),
        ("pay \u2066Bob\u2069", "pay Bob"),
        ("in\u200bvis\u00adi\ufeffble", "invisible"),
        ("smuggled\U000e0041\U000e0042", "smuggled"),
        ("private \ue000 and \U0010ffff", "private \ufffd and \ufffd"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
    ],
)
def test_text_that_could_steer_a_terminal_is_made_visible_or_left_out(
    text: str, shown: str
) -> None:
    assert safe_text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "Grüße, Жанна, 漢字, עברית, العربية",
        "👩‍👩‍👧 👍🏽 ❤️ 1️⃣",  # joiners and selectors hold emoji together
        "می‌خواهم",  # a non-joiner that Persian needs
        "é as two: e\u0301, Việt: e\u0323\u0302",
        "not \\x1b an escape",
    ],
)
def test_text_of_living_languages_and_emoji_stays_as_it_is(text: str) -> None:
    assert safe_text(text) == text
    assert safe_line(text) == text


def test_a_pile_of_combining_marks_is_cut() -> None:
    assert safe_text("a" + "\u0316" * 500 + "b") == "a" + "\u0316" * MARKS_MAX + "b"


def test_hidden_characters_do_not_break_the_count_of_marks() -> None:
    pile = "a" + "\u0316\u200b" * 100
    assert safe_text(pile).count("\u0316") == MARKS_MAX


def test_a_line_stays_one_line_and_is_cut_to_size() -> None:
    assert safe_line("one\ntwo") == "one ⏎ two"
    assert safe_line("x" * 100, chars_max=10) == "x" * 9 + "…"


def test_a_name_has_nothing_hidden_in_it_and_is_never_empty() -> None:
    assert safe_name("Al\u200dice\u200e") == "Alice"
    assert safe_name("A\u202e\u200b lice\n\t x") == "A lice ⏎ x"
    assert safe_name("\u200b\u2066") == "?"


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_printed_holds_a_control_or_bidi_character(text: str) -> None:
    for shown, allowed in ((safe_text(text), "\n"), (safe_line(text), ""), (safe_name(text), "")):
        for char in shown:
            assert char in allowed or unicodedata.category(char) != "Cc"
            assert char not in BIDI
            assert unicodedata.category(char) not in ("Cs", "Zl", "Zp")
        shown.encode("utf-8")


@given(st.text(st.characters(exclude_categories=())))
def test_cleaning_clean_text_changes_nothing(text: str) -> None:
    once = safe_text(text)
    assert safe_text(once) == once

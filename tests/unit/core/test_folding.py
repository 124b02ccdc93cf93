"""Texts are compared without case, accents and what is unseen; words are found in any script."""

from __future__ import annotations

import pytest

from syncchat.core.folding import begins_word, facet, fold, indexed, is_short, pieces


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HELLO world", "hello World"),
        ("Café", "cafe"),
        ("e\u0301", "É"),
        ("STRASSE", "straße"),
        ("ΣΊΣΥΦΟΣ", "Σίσυφος"),
        ("Ёлка", "елка"),
        ("שָׁלוֹם", "שלום"),
        ("مَرْحَبًا", "مرحبا"),
        ("ﬁle", "FILE"),
        ("ＡＢＣ１２３", "abc123"),  # noqa: RUF001
        ("ｶﾞｷﾞ", "ガギ"),
        ("한글", "한글"),
        ("❤️", "❤"),
        ("👨\u200d👩\u200d👧", "👨👩👧"),
        ("pass\u200bword\u2060", "password"),
        ("\u202eabc\u202c", "abc"),
        ("a\x00b\x1bc\x7f", "abc"),
        ("a \t\n b\u2028c\u00a0d", "a b c d"),
        ("İstanbul", "istanbul"),
        ("½", "1\u20442"),
        ("\ue000x\U000f0000", "x"),
        ("\ud800x", "x"),
        ("  x  ", "x"),
        ("\u200b", ""),
    ],
)
def test_texts_that_look_alike_fold_alike(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("か", "が"), ("ก", "ขำ"), ("क", "कि"), ("o", "ø"), ("a", "а")],  # noqa: RUF001
)
def test_what_differs_in_its_script_stays_different(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("hello", " hello "),
        ("c++ is", " c++ is "),
        ("日本語", " 日 本 語 "),
        ("abc日本", " abc 日 本 "),
        ("ok👍🏽", " ok 👍 🏽 "),
        ("«да»", " « да » "),
        ("한국", " 한 국 "),
    ],
)
def test_index_gets_spaces_around_words_by_themselves(text: str, wanted: str) -> None:
    assert indexed(fold(text)) == wanted


@pytest.mark.parametrize(
    ("term", "short"),
    [("a", True), ("ab", True), ("::", True), ("abc", False), ("日", False), ("👍", False)],
)
def test_one_or_two_letters_are_short_and_a_word_by_itself_is_not(term: str, short: bool) -> None:
    assert is_short(term) is short


def test_index_is_asked_for_all_of_some_pieces_or_for_one_of_others() -> None:
    assert pieces("hello") == [["hel"], ["ell"], ["llo"]]
    assert pieces("日本") == [[" 日 "], ["日 本"], [" 本 "]]
    assert pieces("x") == []
    (beginnings,) = pieces("ge")
    assert {" ge", "-ge", "(ge", '"ge'} <= set(beginnings)
    assert pieces("->") == [[" ->"]]
    assert len(pieces("supercalifragilisticexpialidocious" * 3)) <= 14


@pytest.mark.parametrize(
    ("text", "at", "wanted"),
    [
        ("get", 0, True),
        ("a get", 2, True),
        ("apt-get", 4, True),
        ("forget", 3, False),
        ("x->y", 1, False),
        ("日本", 1, True),
        ("日get", 1, True),
        ("«get»", 1, True),
    ],
)
def test_words_begin_after_spaces_and_signs(text: str, at: int, wanted: bool) -> None:
    assert begins_word(text, at) is wanted


def test_facets_are_pieces_that_no_text_has() -> None:
    found = facet("from", "53RYJBJX0G9ED")
    assert len(found) == 3
    assert fold(found) == ""
    assert found == facet("from", "53RYJBJX0G9ED") != facet("mention", "53RYJBJX0G9ED")

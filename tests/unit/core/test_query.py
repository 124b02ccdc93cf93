"""What a person types becomes a query, or an error that says what to write instead."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from syncchat.core.folding import fold
from syncchat.core.query import (
    HAS,
    QUERY_CHARS_MAX,
    STATES,
    Filter,
    Query,
    has_link,
    has_of,
    parse,
    words_of,
)
from syncchat.core.values import MessageValue
from syncchat.errors import ValidationError

TODAY = date(2026, 11, 26)


def ask(text: str) -> Query:
    return parse(text, today=TODAY)


def terms(query: Query) -> list[str]:
    return [term.text for term in query.terms]


def test_words_phrases_and_exclusions() -> None:
    query = ask('Lunch  "Next  Week" -cancelled -"not now"')
    assert terms(query) == ["lunch", "next week"]
    assert [term.text for term in query.without] == ["cancelled", "not now"]
    assert query.filters == ()


def test_filters_with_their_values() -> None:
    query = ask('FROM:ann from:"Bob B." in:Team -in:Noise has:image -has:LINK is:unread x:y 10:30')
    assert query.filters == (
        Filter("from", "ann", True),
        Filter("from", "Bob B.", True),
        Filter("in", "Team", True),
        Filter("in", "Noise", False),
        Filter("has", "image", True),
        Filter("has", "link", False),
        Filter("is", "unread", True),
    )
    assert terms(query) == ["x:y", "10:30"]
    assert query.values("from") == ("ann", "Bob B.")
    assert query.values("in", wanted=False) == ("Noise",)


def test_names_of_filters_in_quotes_and_signs_in_words_are_text() -> None:
    assert terms(ask('"from:ann" 5" c++ semi-final https://x.org/a?b=c')) == [
        "from:ann",
        '5"',
        "c++",
        "semi-final",
        "https://x.org/a?b=c",
    ]
    assert terms(ask("- one --two ->")) == ["-", "one", "--two", "->"]


@pytest.mark.parametrize(
    ("text", "after", "before"),
    [
        ("before:2026-11-20", None, datetime(2026, 11, 20)),
        ("after:2026-11-20", datetime(2026, 11, 21), None),
        ("after:2026-11", datetime(2026, 12, 1), None),
        ("before:2026-2", None, datetime(2026, 2, 1)),
        ("after:2025 before:2027", datetime(2026, 1, 1), datetime(2027, 1, 1)),
        ("after:2025-12", datetime(2026, 1, 1), None),
        ("after:yesterday before:TODAY", datetime(2026, 11, 26), datetime(2026, 11, 26)),
        ("after:2024 after:2025 after:2020", datetime(2026, 1, 1), None),
        ("before:2024 before:2025", None, datetime(2024, 1, 1)),
    ],
)
def test_days_months_and_years(text: str, after: datetime | None, before: datetime | None) -> None:
    query = ask(text)
    assert (query.after, query.before) == (after, before)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "write a word or a filter"),
        ("  \t ", "write a word or a filter"),
        ("-this", "say also what shall be in it"),
        ('"', "a quote is open"),
        ('from:"Bob', "a quote is open"),
        ('""', "nothing to search for"),
        ("\u200b", "nothing to search for"),
        ("a", "'a' is too short to search for: write two characters at least"),
        ("é ö", "too short"),
        ("from:", 'from: needs something behind it; to look for the text, write "from:"'),
        ("in: Team", "in: needs something"),
        ('has:""', "has: needs something"),
        ("has:cheese", "no has:cheese; there are has:file, has:link, has:image"),
        ("is:big", "there are is:edited, is:mention"),
        ("before:soon", "needs a day as 2026-11-20"),
        ("after:2026-13", "needs a day"),
        ("after:2026-02-30", "needs a day"),
        ("after:0000", "needs a day"),
        ("after:9999", "needs a day"),
        ("-before:2026", "turn before: and after: round"),
        ("x" * (QUERY_CHARS_MAX + 1), "at most 500 characters"),
        (" ".join("abcdefghijklmnopqrstu"), "at most 20 words"),
    ],
)
def test_what_cannot_be_understood_is_an_error_that_says_what_to_write(
    text: str, says: str
) -> None:
    with pytest.raises(ValidationError) as error:
        ask(text)
    assert says in str(error.value)


@pytest.mark.parametrize("text", ["a in:Team", "a longer", "日", "👍", "ok", "->", "is:unread"])
def test_short_queries_that_say_enough(text: str) -> None:
    assert ask(text)


@pytest.mark.parametrize(
    ("query", "text", "grade"),
    [
        ("get", "get it", 3),
        ("get", "getting", 2),
        ("get", "forget", 1),
        ("get", "forget to get", 3),
        ("get", "got", None),
        ("ge", "apt-get", 2),
        ("ge", "forget", None),
        ("lunch late", "late lunch", 6),
        ("lunch late", "lunch late", 8),
        ("lunch late", "lunch", None),
        ("lunch -late", "late lunch", None),
        ("lunch -la", "salad lunch", 3),
        ("本", "日本語", 3),
        ('"a b"', "A\nB", 3),
        ("a lunch", "a lunch", 8),
        ("a lunch", "no lunch", None),
    ],
)
def test_grade_of_a_text(query: str, text: str, grade: int | None) -> None:
    assert ask(query).grade(fold(text)) == grade


def test_names_of_files_are_words_too() -> None:
    value = MessageValue(text="see", attachments=({"name": "plan.pdf"}, {"name": 7}, {}))
    assert words_of(value.text, value.attachments) == "see\nplan.pdf"


@pytest.mark.parametrize(
    ("value", "has"),
    [
        (MessageValue(text="plain"), set()),
        (MessageValue(kind="location"), {"location"}),
        (MessageValue(kind="image", attachments=({"type": "image/png"},)), {"file", "image"}),
        (
            MessageValue(attachments=({"type": "video/mp4"}, {"kind": "audio"})),
            {"file", "video", "audio"},
        ),
        (MessageValue(kind="whatever", attachments=({"kind": 7, "type": None},)), {"file"}),
    ],
)
def test_what_a_message_has(value: MessageValue, has: set[str]) -> None:
    assert has_of(value) == has
    assert has_of(value) <= set(HAS)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("see HTTPS://x.org", True), ("www.x.org", True), ("http:// no", False), ("awww.no", False)],
)
def test_what_is_a_link(text: str, wanted: bool) -> None:
    assert has_link(fold(text)) is wanted


def test_states_are_sorted_for_the_error_that_lists_them() -> None:
    assert list(STATES) == sorted(STATES)

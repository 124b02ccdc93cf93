"""A snippet shows why a message was found, in one harmless line."""

from __future__ import annotations

from datetime import date

import pytest

from syncchat.core.hit import SNIPPET_CHARS, snippet
from syncchat.core.query import parse


def marked(text: str, query: str) -> str:
    """Return a snippet with its marks in brackets."""
    line, marks = snippet(text, parse(query, today=date(2026, 11, 26)))
    for start, end in reversed(marks):
        line = f"{line[:start]}[{line[start:end]}]{line[end:]}"
    return line


@pytest.mark.parametrize(
    ("text", "query", "wanted"),
    [
        ("Hello World", "hello", "[Hello] World"),
        ("Hello World", "world hell", "[Hell]o [World]"),
        ("two\n  lines\there", "lines", "two [lines] here"),
        ("so a  b c", '"a b"', "so [a b] c"),
        ("Grüße vom CAFÉ", "cafe", "Grüße vom [CAFÉ]"),
        ("straße", "ss", "straße"),
        ("straße", "rasse", "st[raße]"),
        ("ﬁle", "fi", "[ﬁ]le"),
        ("e\u0301te\u0301", "ete", "[e\u0301te\u0301]"),
        ("pass\u200bword", "password", "[password]"),
        ("日本語のテスト", "本語", "日[本語]のテスト"),
        ("aaaa aaa", "aaa", "[aaaa] [aaa]"),
        ("hello", "hel ello", "[hello]"),
        ("\x1b[31mred\x07 \u202eevil\u202c", "red", "␛[31m[red]␇ evil"),
        ("\n\u0301x yes", "yes", " \u0301x [yes]"),
        ("nothing here", "from:me", "nothing here"),
        ("\ud800abc", "abc", "\N{REPLACEMENT CHARACTER}[abc]"),
    ],
)
def test_snippet_with_marks(text: str, query: str, wanted: str) -> None:
    assert marked(text, query) == wanted


def test_long_text_is_cut_around_the_most_of_what_was_looked_for() -> None:
    filler = "lorem ipsum dolor " * 40
    found = marked(f"{filler} needle {filler} needle and thread {filler}", "needle thread")
    assert "[needle] and [thread]" in found
    assert found.startswith("…") and found.endswith("…")
    assert len(found) <= SNIPPET_CHARS + 6


def test_long_word_is_cut_where_it_must_be() -> None:
    line, marks = snippet("x" * 5_000, parse("xxx", today=date(2026, 11, 26)))
    assert len(line) == SNIPPET_CHARS + 1
    assert marks == ((0, SNIPPET_CHARS),) or marks[0][0] == 0


def test_mark_that_is_longer_than_a_snippet_is_cut_with_it() -> None:
    words = "all of this was looked for, word by word, " * 8
    line, marks = snippet(words, parse(f'"{words}"', today=date(2026, 11, 26)))
    ((start, end),) = marks
    assert start == 0 and end <= len(line) <= SNIPPET_CHARS + 1

"""Formatted texts on a terminal."""

from __future__ import annotations

import pytest

from syncchat.apps.draw import draw
from syncchat.core.markup import parse_markup


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("plain", "plain"),
        (
            "**b** *i* ~~s~~ `c`",
            "\x1b[1mb\x1b[22m \x1b[3mi\x1b[23m \x1b[9ms\x1b[29m \x1b[36mc\x1b[39m",
        ),
        ("https://a.example", "\x1b[4mhttps://a.example\x1b[24m"),
        ("[words](https://a.example)", "words <\x1b[4mhttps://a.example\x1b[24m>"),
        ("> said\n> more", "│ said\n│ more"),
        ("- a\n- b\n  > q", "• a\n• b\n  │ q"),
        ("9. a\n10. b\n    c", "9. a\n10. b\n    c"),
        ("```\nx\ny\n```", "  \x1b[36mx\x1b[39m\n  \x1b[36my\x1b[39m"),
        ("one\ntwo", "one\ntwo"),
    ],
)
def test_marks_become_the_terminals_own(text: str, drawn: str) -> None:
    assert draw(parse_markup(text)) == drawn

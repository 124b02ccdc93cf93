"""Any text at all has a tree that loses no word and holds nothing harmful."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncchat.apps.draw import draw
from syncchat.core.markup import parse_markup, plain_text, to_json
from syncchat.core.safe import safe_text

PIECES = (
    *("**", "*", "_", "~~", "`", "```", "[", "](", ")", "<", ">", "> ", "- ", "1. ", "\n", "\n\n"),
    *("https://example.org", "javascript:", "mailto:a@b", " ", "  ", "\\", "\t", "&amp;", "!["),
    *(
        "\x1b[2J",
        "\u202e",
        "\u2067",
        "\x00",
        "\x07",
        "\r",
        "é",
        "漢字",
        "👩\u200d👩\u200d👧",
        "word",
    ),
)
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=40).map("".join)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


@given(texts)
def test_every_text_has_a_tree_that_is_harmless_to_print(text: str) -> None:
    blocks = parse_markup(text)
    for said in _strings([to_json(block) for block in blocks]):
        assert "\x1b" not in said and "\x00" not in said and "\u202e" not in said
        assert safe_text(said) == said
    assert plain_text(blocks) == safe_text(plain_text(blocks))
    assert draw(blocks).replace("\x1b[", "").count("\x1b") == 0


@given(texts)
def test_every_link_leads_where_links_may(text: str) -> None:
    for url in _urls([to_json(block) for block in parse_markup(text)]):
        assert url.isascii() and url.startswith(("http://", "https://", "mailto:"))


@given(st.lists(st.sampled_from((*PIECES[:16], "word", "other", " ")), max_size=40).map("".join))
def test_no_word_is_lost(text: str) -> None:
    said = plain_text(parse_markup(text)) + "".join(
        _languages([to_json(block) for block in parse_markup(text)])
    )
    for word in ("word", "other"):
        assert said.count(word) == text.count(word)


def _urls(value: Any) -> Iterator[str]:
    yield from _named(value, "url")


def _languages(value: Any) -> Iterator[str]:
    yield from _named(value, "language")


def _named(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, dict):
        if name in value:
            yield value[name]
        for each in value.values():
            yield from _named(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from _named(each, name)

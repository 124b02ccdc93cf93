"""Formatted texts: what is read as what, and what hostile texts come to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncchat.core.markup import (
    MARKS_MAX,
    MARKUP_CHARS_MAX,
    NESTING_MAX,
    Code,
    CodeBlock,
    Emphasis,
    Inline,
    Items,
    LineEnd,
    Link,
    Paragraph,
    Quote,
    Strong,
    Struck,
    Text,
    parse_markup,
    plain_text,
    safe_url,
    to_json,
)


def _inside(text: str) -> tuple[Inline, ...]:
    (paragraph,) = parse_markup(text)
    assert isinstance(paragraph, Paragraph)
    return paragraph.inside


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("words", Text("words")),
        ("**bold**", Strong((Text("bold"),))),
        ("*stressed*", Emphasis((Text("stressed"),))),
        ("_stressed_", Emphasis((Text("stressed"),))),
        ("~~gone~~", Struck((Text("gone"),))),
        ("`a * b`", Code("a * b")),
        ("***both***", Emphasis((Strong((Text("both"),)),))),
        (
            "[words](https://example.org/a?b=c#d)",
            Link("https://example.org/a?b=c#d", (Text("words"),)),
        ),
        (
            "[**bold**](https://example.org)",
            Link("https://example.org", (Strong((Text("bold"),)),)),
        ),
        ("<https://example.org>", Link("https://example.org", (Text("https://example.org"),))),
        ("https://example.org", Link("https://example.org", (Text("https://example.org"),))),
        ("[write](mailto:a@example.org)", Link("mailto:a@example.org", (Text("write"),))),
        ("[x](http://[::1]:8080/)", Link("http://[::1]:8080/", (Text("x"),))),
    ],
)
def test_marks_are_read(text: str, node: Inline) -> None:
    assert _inside(text) == (node,)


@pytest.mark.parametrize(
    "text",
    [
        "# no heading",
        "<b>no html</b> &amp;",
        "snake_case_name",
        "2 * 3 * 4",
        "*not closed",
        "[no link]",
        "[no](javascript:alert(1))",
        "[no](data:text/html;base64,AAAA)",
        "[no](file:///etc/passwd)",
        "[no](//example.org)",
        "[no](relative/path)",
        "[no](https://user:password@example.org)",
        "[no](https://)",
        "https://example.org:99999",
        "mailto:nobody",
        "| no | table |",
    ],
)
def test_what_is_no_mark_stays_as_written(text: str) -> None:
    assert _inside(text) == (Text(text),)


def test_lines_quotes_items_and_code() -> None:
    text = "one\ntwo\n\n> said\n> > before\n\n- a\n- b\n  1. c\n\n3. d\n\n```py\nx = 1\n\ny\n```"
    assert parse_markup(text) == (
        Paragraph((Text("one"), LineEnd(), Text("two"))),
        Quote((Paragraph((Text("said"),)), Quote((Paragraph((Text("before"),)),)))),
        Items(
            None,
            (
                (Paragraph((Text("a"),)),),
                (Paragraph((Text("b"),)), Items(1, ((Paragraph((Text("c"),)),),))),
            ),
        ),
        Items(3, ((Paragraph((Text("d"),)),),)),
        CodeBlock("x = 1\n\ny", "py"),
    )
    assert plain_text(parse_markup(text)) == "one\ntwo\nsaid\nbefore\na\nb\nc\nd\nx = 1\n\ny"


@pytest.mark.parametrize(
    ("text", "address", "after"),
    [
        ("see https://example.org.", "https://example.org", "."),
        ("(https://example.org/a_(b))", "https://example.org/a_(b)", ")"),
        ("https://example.org/a, then", "https://example.org/a", ", then"),
        ("https://example.org?", "https://example.org", "?"),
    ],
)
def test_sentence_around_an_address_is_not_of_it(text: str, address: str, after: str) -> None:
    inside = _inside(text)
    assert Link(address, (Text(address),)) in inside and inside[-1] == Text(after)


def test_words_that_are_another_address_give_way_to_the_true_one() -> None:
    true = "https://evil.example"
    assert _inside(f"[https://bank.example]({true})") == (Link(true, (Text(true),)),)


def test_name_that_only_looks_like_another_shows() -> None:
    (link,) = _inside("[bank](https://b\N{CYRILLIC SMALL LETTER A}nk.example/\N{SNOWMAN})")
    assert isinstance(link, Link) and link.url == "https://xn--bnk-6cd.example/%E2%98%83"


def test_control_and_bidi_characters_are_harmless_everywhere() -> None:
    evil = "a\u202eb\x1bc\x07\u2066"
    text = f"{evil} **{evil}** `{evil}` [{evil}](https://example.org)\n\n```{evil}\n{evil}\n```"
    shown = str([to_json(block) for block in parse_markup(text)])
    assert "\x1b" not in shown and "\u202e" not in shown and "\u2066" not in shown
    assert shown.count("ab␛c␇") == 6
    assert safe_url("https://example.org/\u202e") is None
    assert safe_url("https://example.org/ x") is None


@pytest.mark.parametrize(
    "text",
    [
        "*" * MARKS_MAX * 2,
        "[" * MARKS_MAX + "](" * MARKS_MAX,
        "a" * (MARKUP_CHARS_MAX + 1) + " **not read**",
        "> " * (NESTING_MAX + 5) + "deep",
        "- " * (NESTING_MAX + 5) + "deep",
        "http://" * 20_000,
    ],
)
def test_text_that_would_cost_too_much_is_shown_as_written(text: str) -> None:
    assert parse_markup(text) == (Paragraph((Text(text),)),)


def test_nothing_has_no_tree() -> None:
    assert parse_markup("") == parse_markup(" \n ") == ()


def test_tree_has_a_json_form() -> None:
    (items,) = parse_markup("2. [*x*](https://example.org)")
    assert to_json(items) == {
        "type": "Items",
        "start": 2,
        "items": [
            [
                {
                    "type": "Paragraph",
                    "inside": [
                        {
                            "type": "Link",
                            "url": "https://example.org",
                            "inside": [
                                {"type": "Emphasis", "inside": [{"type": "Text", "text": "x"}]}
                            ],
                        }
                    ],
                }
            ]
        ],
    }


def test_example_of_formatted_texts_on_the_api_page_runs() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "api.md"
    examples = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = (each for each in examples if "markup" in each)
    exec(example, {})

"""Formatted texts: a small, safe part of Markdown as a tree that terminals and pages draw.

========================  =========================================================
written                   read as
========================  =========================================================
``**bold**``              ``Strong``
``*italic*``, ``_italic_``  ``Emphasis``
``~~gone~~``              ``Struck``
````code````              ``Code``
a line end                ``LineEnd``
``[words](address)``      ``Link``, as is an address alone: ``https://example.org``
``> words``               ``Quote``
``- words``, ``1. words``  ``Items``
three backticks           ``CodeBlock``
anything else             the text as it was written
========================  =========================================================

There is no HTML, no image and no heading. A link leads to ``http``, ``https`` or ``mailto``, and
nowhere else; its address is ASCII, so a name that only looks like another shows (``xn--…``). All
texts are harmless to print (``core.safe``). Where a link's words are themselves an address, they
give way to the one that it leads to. Any text at all has a tree, and costs a few milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .safe import safe_line, safe_text

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

MARKUP_CHARS_MAX = 8_192
"""A longer text is shown as it was written; nobody formats a log file."""

MARKS_MAX = 600
"""Characters that may be marks; a parser's time grows with their square in hostile texts."""

URL_CHARS_MAX = 2_000
NESTING_MAX = 20
"""Levels of quotes and lists; what goes deeper is shown as it was written."""

SCHEMES = frozenset({"http", "https", "mailto"})


@dataclass(frozen=True, slots=True)
class Text:
    """Is plain text in one line."""

    text: str


@dataclass(frozen=True, slots=True)
class LineEnd:
    """Is where a new line begins."""


@dataclass(frozen=True, slots=True)
class Code:
    """Is text in one line that is to stand as it is, in letters of one width."""

    text: str


@dataclass(frozen=True, slots=True)
class Strong:
    """Is what stands out."""

    inside: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Emphasis:
    """Is what is stressed."""

    inside: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Struck:
    """Is what is struck through."""

    inside: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """Is words that lead to ``url``; a drawer shows the address where the words are others."""

    url: str
    inside: tuple[Inline, ...]


Inline = Text | LineEnd | Code | Strong | Emphasis | Struck | Link


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Is words on lines of their own."""

    inside: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """Is what somebody quotes."""

    inside: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """Is a list; ``start`` is the first item's number, None where items have none."""

    start: int | None
    items: tuple[tuple[Block, ...], ...]


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """Is lines that are to stand as they are; ``language`` is what they are said to be in."""

    text: str
    language: str


Block = Paragraph | Quote | Items | CodeBlock


@lru_cache(maxsize=512)
def parse_markup(text: str) -> tuple[Block, ...]:
    """Return the tree of a text. Never fails."""
    text = safe_text(text)
    if not _MAYBE_MARKED.search(text):
        return (Paragraph((Text(text.strip()),)),) if text.strip() else ()
    if len(text) > MARKUP_CHARS_MAX or sum(map(text.count, _MARKS)) > MARKS_MAX:
        return _as_written(text)
    try:
        tokens = _markdown().parse(text)
    except (ValueError, RecursionError):  # a parser's fault must not hide what somebody wrote
        return _as_written(text)
    if any(token.level >= NESTING_MAX for token in tokens):
        return _as_written(text)
    return _blocks(_Walk(tokens))


def plain_text(blocks: Sequence[Block]) -> str:
    """Return the words of a tree without its marks, a block a line; for previews."""
    return "\n".join(line for block in blocks for line in _plain_block(block))


def to_json(node: Block | Inline) -> dict[str, Any]:
    """Return a node as a JSON object, its kind under ``type``; for pages that draw it."""
    fields: dict[str, Any] = {"type": type(node).__name__}
    match node:
        case Text(text) | Code(text):
            fields["text"] = text
        case CodeBlock(text, language):
            fields |= {"text": text, "language": language}
        case Items(start, items):
            fields |= {"start": start, "items": [[to_json(b) for b in item] for item in items]}
        case Link(url, inside):
            fields |= {"url": url, "inside": [to_json(each) for each in inside]}
        case Strong(inside) | Emphasis(inside) | Struck(inside) | Paragraph(inside):
            fields["inside"] = [to_json(each) for each in inside]
        case Quote(blocks):
            fields["inside"] = [to_json(each) for each in blocks]
    return fields


def safe_url(url: str) -> str | None:
    """Return an address as ASCII, None for one that a link may not lead to."""
    if not 0 < len(url) <= URL_CHARS_MAX or any(c.isspace() or not c.isprintable() for c in url):
        return None
    from mdurl import encode, parse

    try:
        parts = parse(url, slashes_denote_host=True)
        scheme = (parts.protocol or "").rstrip(":").lower()
        if scheme not in SCHEMES:
            return None
        if scheme == "mailto":
            return encode(url) if "@" in url else None
        host = (parts.hostname or "").encode("idna").decode("ascii")
        if not host or parts.auth:  # user names in addresses serve nobody but deceivers
            return None
        if ":" in host:
            host = f"[{host}]"
        if parts.port and int(parts.port) not in _PORTS:
            return None
        port = f":{parts.port}" if parts.port else ""
        rest = (parts.pathname or "") + (parts.search or "") + (parts.hash or "")
        return f"{scheme}://{host}{port}{encode(rest)}"
    except (ValueError, UnicodeError):
        return None


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    markdown = MarkdownIt(
        "zero", {"breaks": True, "html": False, "maxNesting": NESTING_MAX + 10, "linkify": False}
    )
    markdown.enable(list(_RULES))
    markdown.validateLink = lambda url: safe_url(url) is not None  # type: ignore[method-assign]
    markdown.normalizeLink = lambda url: safe_url(url) or ""  # type: ignore[method-assign]
    markdown.normalizeLinkText = safe_line  # type: ignore[assignment]
    return markdown


class _Walk:
    """Walks over a flat list of tokens."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def next(self) -> Token | None:
        """Return the next token, None at the end."""
        if self._at == len(self._tokens):
            return None
        token = self._tokens[self._at]
        self._at += 1
        return token


def _blocks(walk: _Walk, end: str = "") -> tuple[Block, ...]:
    found: list[Block] = []
    while (token := walk.next()) is not None and token.type != end:
        match token.type:
            case "inline":
                found.append(Paragraph(_inlines(_Walk(token.children or ()))))
            case "blockquote_open":
                found.append(Quote(_blocks(walk, "blockquote_close")))
            case "bullet_list_open":
                found.append(Items(None, _items(walk, "bullet_list_close")))
            case "ordered_list_open":
                start = token.attrGet("start")
                first = start if isinstance(start, int) else 1
                found.append(Items(first, _items(walk, "ordered_list_close")))
            case "fence" | "code_block":
                language = safe_line(token.info, chars_max=32).split(" ")[0]
                found.append(CodeBlock(token.content.removesuffix("\n"), language))
    return tuple(found)


def _items(walk: _Walk, end: str) -> tuple[tuple[Block, ...], ...]:
    items: list[tuple[Block, ...]] = []
    while (token := walk.next()) is not None and token.type != end:
        if token.type == "list_item_open":
            items.append(_blocks(walk, "list_item_close"))
    return tuple(items)


def _inlines(walk: _Walk, end: str = "", *, in_link: bool = False) -> tuple[Inline, ...]:
    found: list[Inline] = []
    while (token := walk.next()) is not None and token.type != end:
        match token.type:
            case "text" if token.content:
                found += [Text(token.content)] if in_link else _with_links(token.content)
            case "softbreak" | "hardbreak":
                found.append(LineEnd())
            case "code_inline":
                found.append(Code(token.content))
            case "strong_open":
                found.append(Strong(_inlines(walk, "strong_close", in_link=in_link)))
            case "em_open":
                found.append(Emphasis(_inlines(walk, "em_close", in_link=in_link)))
            case "s_open":
                found.append(Struck(_inlines(walk, "s_close", in_link=in_link)))
            case "link_open":
                url = str(token.attrGet("href") or "")
                inside = _inlines(walk, "link_close", in_link=True)
                if _ADDRESS.search(_plain(inside)):
                    inside = (Text(url),)
                found.append(Link(url, inside))
    return tuple(found)


def _with_links(text: str) -> Iterator[Inline]:
    """Yield text, and the addresses that stand in it as links."""
    at = 0
    for match in _ADDRESS.finditer(text):
        address = _without_tail(match[0])
        url = safe_url(address)
        if url is None:
            continue
        if match.start() > at:
            yield Text(text[at : match.start()])
        yield Link(url, (Text(address),))
        at = match.start() + len(address)
    if at < len(text):
        yield Text(text[at:])


_RULES = (
    *("blockquote", "fence", "list", "newline", "escape", "backticks", "emphasis"),
    *("strikethrough", "link", "autolink", "balance_pairs", "fragments_join"),
)
_MARKS = "*_`~[]<>\\\n"
_MAYBE_MARKED = re.compile(
    r"[*_`~\[\]<>\\\n]|https?:|^ {0,3}(?:[-+]|\d{1,9}[.)])(?: |$)", re.IGNORECASE
)
_PORTS = range(1, 65_536)
_ADDRESS = re.compile(r"(?<![\w@])https?://[^\s<>\"]{1,2000}", re.IGNORECASE)


def _without_tail(address: str) -> str:
    """Return an address without the full stop or the bracket that belongs to the sentence."""
    while address:
        last = address[-1]
        is_extra = last in _OPENING and address.count(last) > address.count(_OPENING[last])
        if last in ".,:;!?'*_~" or is_extra:
            address = address[:-1]
        else:
            break
    return address


_OPENING = {")": "(", "]": "[", "}": "{"}


def _as_written(text: str) -> tuple[Block, ...]:
    inside: list[Inline] = []
    for line in safe_text(text).split("\n"):
        inside += [LineEnd(), Text(line)] if line else [LineEnd()]
    return (Paragraph(tuple(inside[1:])),)


def _plain_block(block: Block) -> Iterator[str]:
    match block:
        case Paragraph(inside):
            yield _plain(inside)
        case Quote(blocks):
            for each in blocks:
                yield from _plain_block(each)
        case Items(_, items):
            for item in items:
                for each in item:
                    yield from _plain_block(each)
        case CodeBlock(text, _):
            yield text


def _plain(inside: Sequence[Inline]) -> str:
    words = []
    for node in inside:
        match node:
            case Text(text) | Code(text):
                words.append(text)
            case LineEnd():
                words.append("\n")
            case Strong(within) | Emphasis(within) | Struck(within) | Link(_, within):
                words.append(_plain(within))
    return "".join(words)

"""Draws formatted texts on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..core.markup import (
    Block,
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
)

_BOLD, _ITALIC, _STRUCK, _LINE_UNDER = ("1", "22"), ("3", "23"), ("9", "29"), ("4", "24")
_CODE = ("36", "39")


def draw(blocks: Sequence[Block]) -> str:
    """Return a tree as lines with the terminal's own marks for weight, stress and links."""
    return "\n".join(line for block in blocks for line in _block(block))


def _block(block: Block) -> Iterator[str]:
    match block:
        case Paragraph(inside):
            yield from _inline(inside).split("\n")
        case Quote(blocks):
            for each in blocks:
                yield from (f"│ {line}" for line in _block(each))
        case Items(start, items):
            for number, item in enumerate(items, 0 if start is None else start):
                head = "• " if start is None else f"{number}. "
                lines = [line for each in item for line in _block(each)] or [""]
                yield head + lines[0]
                yield from (" " * len(head) + line for line in lines[1:])
        case CodeBlock(text, _):
            yield from ("  " + _marked(_CODE, line) for line in text.split("\n"))


def _inline(inside: Sequence[Inline]) -> str:
    return "".join(map(_one, inside))


def _one(node: Inline) -> str:
    match node:
        case Text(text):
            return text
        case LineEnd():
            return "\n"
        case Code(text):
            return _marked(_CODE, text)
        case Strong(within):
            return _marked(_BOLD, _inline(within))
        case Emphasis(within):
            return _marked(_ITALIC, _inline(within))
        case Struck(within):
            return _marked(_STRUCK, _inline(within))
        case Link(url, (Text(text),)) if text == url:
            return _marked(_LINE_UNDER, url)
        case Link(url, within):
            return f"{_inline(within)} <{_marked(_LINE_UNDER, url)}>"


def _marked(codes: tuple[str, str], text: str) -> str:
    on, off = codes
    return f"\x1b[{on}m{text}\x1b[{off}m"

"""Makes foreign text harmless to print.

Names, titles and messages come from other people. On a terminal a control character in them can
move the cursor, recolour the screen or type on the reader's behalf; a bidi override shows words
in another order than they have; a pile of combining marks paints over other lines. So:

==============================================  ===========================================
in the text                                     printed as
==============================================  ===========================================
line ends (LF, CR LF, CR, NEL, U+2028, U+2029)  line ends in ``safe_text``, ``⏎`` in a line
tab                                             four spaces
other control characters                        their pictures, such as ``␛`` for escape
bidi embeddings, overrides, isolates            nothing
other invisible format characters, tags         nothing; joiners stay in ``safe_text``
private, unassigned and surrogate code points   ``�``
combining marks after the sixth in a row        nothing
==============================================  ===========================================
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

MARKS_MAX = 6
"""Combining marks on one character; written languages need up to four."""

_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_JOINERS = frozenset("\u200c\u200d\u200e\u200f\u061c")
"""Zero-width joiners (emoji, Indic and Persian script) and plain direction marks: harmless."""


def safe_text(text: str) -> str:
    """Return ``text`` for printing; it may have several lines."""
    if text.isascii() and text.isprintable():
        return text
    return "\n".join(_clean(line) for line in _LINE_END.split(text))


def safe_line(text: str, *, chars_max: int = 0) -> str:
    """Return ``text`` for printing on one line, cut to ``chars_max`` characters if that is set."""
    if not (text.isascii() and text.isprintable()):
        text = " ⏎ ".join(_clean(line) for line in _LINE_END.split(text.strip()))
    if chars_max and len(text) > chars_max:
        text = text[: chars_max - 1].rstrip() + "…"
    return text


def safe_name(name: str, *, chars_max: int = 50) -> str:
    """Return a name or title for printing; invisible characters are left out entirely.

    A name that has nothing to see becomes ``?``.
    """
    line = "".join(char for char in safe_line(name) if char not in _JOINERS)
    return safe_line(" ".join(line.split()), chars_max=chars_max) or "?"


def _clean(line: str) -> str:
    shown, marks = [], 0
    for char in line:
        good, is_mark = _shown(char)
        marks = marks + 1 if is_mark else (marks if not good else 0)
        if marks <= MARKS_MAX:
            shown.append(good)
    return "".join(shown)


@lru_cache(maxsize=4_096)
def _shown(char: str) -> tuple[str, bool]:
    """Return what to print for a character, and whether it is a combining mark."""
    if char == "\t":
        return "    ", False
    category = unicodedata.category(char)
    match category:
        case "Cc":
            return _picture(ord(char)), False
        case "Cf":
            return (char if char in _JOINERS else ""), False
        case "Co" | "Cn" | "Cs":
            return "\N{REPLACEMENT CHARACTER}", False
        case "Zl" | "Zp":
            return " ", False
    return char, category in ("Mn", "Me")


def _picture(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    return "\N{SYMBOL FOR DELETE}" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"

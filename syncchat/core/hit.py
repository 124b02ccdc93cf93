"""Hits: messages that a search found, each with the part of its text that shows why.

A snippet is one line, harmless to show anywhere (``safe``): any white space in it is one space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from . import folding
from .message import Message
from .query import Query, Term
from .safe import safe_text

SNIPPET_CHARS = 160
BEFORE_CHARS = 40
"""How much stands before the first mark, at most."""

MARKS_MAX = 50


@dataclass(frozen=True, slots=True)
class Hit:
    """Is a message that was found. ``marks`` are the places of what was looked for in ``snippet``.

    Each is a start and an end; they are in order and do not overlap.
    """

    message: Message
    snippet: str
    marks: tuple[tuple[int, int], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the hit as JSON has it; the message in the form of ``Message.to_json``."""
        return {
            "message": self.message.to_json(),
            "snippet": self.snippet,
            "marks": [list(mark) for mark in self.marks],
        }


class _Mark(NamedTuple):
    start: int
    end: int
    term: int


class _Line(NamedTuple):
    """Is a text in one line, and where each character of its folded form comes from."""

    shown: str
    folded: str
    spans: Sequence[tuple[int, int]] | None
    """None where both have the same places."""


def snippet(text: str, query: Query) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return the part of a text that shows most of what was looked for, and where it is."""
    line = _line(text)
    marks = sorted(_marks(line, query.terms))
    start, end = _window(line.shown, marks)
    left, right = "…" * (start > 0), "…" * (end < len(line.shown))
    found: list[tuple[int, int]] = []
    for mark in marks:
        first, last = max(mark.start, start), min(mark.end, end)
        if first >= last:
            continue
        place = (first - start + len(left), last - start + len(left))
        if found and place[0] <= found[-1][1]:
            place = (found[-1][0], max(found.pop()[1], place[1]))
        found.append(place)
    return left + line.shown[start:end] + right, tuple(found)


def _line(text: str) -> _Line:
    if text.isascii() and text.isprintable():
        return _Line(" ".join(text.split()), folding.fold(text), None)
    shown: list[str] = []
    folded: list[str] = []
    spans: list[tuple[int, int]] = []
    length = 0
    for cluster, plain in folding.clusters(text):
        part = _shown(cluster)
        if part == " " and (not shown or shown[-1].endswith(" ")):
            part = ""
        if part:
            shown.append(part)
        for char in plain:
            if not char.isspace():
                folded.append(char)
            elif folded and folded[-1] != " ":
                folded.append(" ")
            else:
                continue
            spans.append((length, length + len(part)))
        length += len(part)
    return _Line("".join(shown).rstrip(), "".join(folded).rstrip(), spans)


def _marks(line: _Line, terms: Sequence[Term]) -> list[_Mark]:
    """Return where the terms are in what is shown; none where that cannot be said."""
    found: list[_Mark] = []
    for number, term in enumerate(terms):
        for at in term.places(line.folded):
            start, end = at, at + len(term.text)
            if line.spans is not None:
                start, end = line.spans[start][0], line.spans[end - 1][1]
            found.append(_Mark(start, min(end, len(line.shown)), number))
            if len(found) >= MARKS_MAX * (number + 1) // len(terms):
                break
    return found


def _window(shown: str, marks: Sequence[_Mark]) -> tuple[int, int]:
    """Return which part to show: the one with the most terms, the first of such."""
    if len(shown) <= SNIPPET_CHARS:
        return 0, len(shown)
    best, most = 0, -1
    for number, mark in enumerate(marks):
        end = mark.start + SNIPPET_CHARS - BEFORE_CHARS
        terms = {m.term for m in marks[number:] if m.end <= end}
        if len(terms) > most:
            best, most = mark.start, len(terms)
    start = max(0, min(best - BEFORE_CHARS, len(shown) - SNIPPET_CHARS))
    end = start + SNIPPET_CHARS
    if start:  # not within a word, if there is a space soon
        space = shown.find(" ", start, min(best, start + BEFORE_CHARS // 2) + 1)
        start = space + 1 if space >= 0 else start
    if end < len(shown):
        space = shown.rfind(" ", end - BEFORE_CHARS // 2, end)
        end = space if space > best else end
    return start, end


@lru_cache(maxsize=8_192)
def _shown(cluster: str) -> str:
    return safe_text("".join(" " if char.isspace() else char for char in cluster))

"""Queries: what a person types to find messages, understood once, without a database.

::

    lunch tomorrow             both words, in any order; "lunch tomorrow" just so
    -cancelled                 not this word
    from:ann from:"Bob B."     written by either
    in:team                    in this room
    has:image is:unread        both; see ``HAS`` and ``STATES``
    before:2026-11-20          on an earlier day; after:2026-11 in a later month

A word is found where a word of the text begins with it, and from three characters on anywhere in
it (see ``folding``). A filter's name in quotes is just text. ``parse`` takes any text: it returns a
query, or raises ``ValidationError`` that says what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from ..errors import ValidationError
from . import folding
from .polls import asked_in
from .values import KINDS, MessageValue

QUERY_CHARS_MAX = 500
TERMS_MAX = 20
"""Nobody types so many; every one of them costs time in every message that is looked at."""

HAS = ("file", "link", *(kind for kind in KINDS if kind not in ("text", "file")))
"""What a message can have: any attachment, a web address, or the kind of attachment or message."""

STATES = ("edited", "mention", "mine", "pinned", "reply", "starred", "thread", "unread")
"""What a message can be: ``mention`` of oneself, ``thread`` a message inside of one."""

_NAMES = ("from", "in", "has", "is", "before", "after")
_NAME = re.compile(rf"({'|'.join(_NAMES)}):", re.IGNORECASE | re.ASCII)
_MINUS = re.compile(r'-(?=["\w]|[^\s\x00-\x7f])')
_LINK = re.compile(r"https?://\S|\bwww\.\w")
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Term:
    """Is a word or a phrase to look for, folded; a short one counts only where a word begins."""

    text: str
    is_short: bool

    def places(self, folded: str) -> Iterator[int]:
        """Yield where a folded text holds it."""
        at = folded.find(self.text)
        while at >= 0:
            if not self.is_short or folding.begins_word(folded, at):
                yield at
            at = folded.find(self.text, at + 1)

    def grade(self, folded: str) -> int:
        """Return how well a folded text holds it: 0 not at all, 3 as a whole word."""
        best = 0
        for at in self.places(folded):
            begins = folding.begins_word(folded, at)
            best = max(best, 1 + begins + (begins and self._ends(folded, at)))
            if best == 3:
                break
        return best

    def _ends(self, folded: str, at: int) -> bool:
        return folding.ends_word(folded, at + len(self.text))


@dataclass(frozen=True, slots=True)
class Filter:
    """Is one ``name:value``; not ``wanted`` with a minus before it."""

    name: str
    value: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class Query:
    """Is what to look for. Days are the person's own; ``before`` and ``after`` have no zone.

    ``after`` is the first moment that counts, ``before`` the first that does not any more.
    """

    terms: tuple[Term, ...] = ()
    without: tuple[Term, ...] = ()
    filters: tuple[Filter, ...] = ()
    after: datetime | None = None
    before: datetime | None = None

    def values(self, name: str, *, wanted: bool = True) -> tuple[str, ...]:
        """Return the values of the filters of one name."""
        return tuple(f.value for f in self.filters if (f.name, f.wanted) == (name, wanted))

    def grade(self, folded: str) -> int | None:
        """Return how well a folded text fits, None where it does not.

        Whole words count more than their beginnings, these more than other places, and all terms
        in a row more than the same apart.
        """
        if any(next(term.places(folded), None) is not None for term in self.without):
            return None
        total = 0
        for term in self.terms:
            if not (found := term.grade(folded)):
                return None
            total += found
        if len(self.terms) > 1 and " ".join(t.text for t in self.terms) in folded:
            total += len(self.terms)
        return total


def parse(text: str, *, today: date) -> Query:
    """Return the query that a person typed; raises ``ValidationError`` and nothing else."""
    if len(text) > QUERY_CHARS_MAX:
        raise ValidationError(f"a search has at most {QUERY_CHARS_MAX} characters; write less")
    terms: list[Term] = []
    without: list[Term] = []
    filters: list[Filter] = []
    after = before = None
    for wanted, name, value in _tokens(text):
        if name == "":
            (terms if wanted else without).append(_term(value))
        elif name in ("before", "after"):
            if not wanted:
                raise ValidationError(f"-{name}: has no meaning; turn before: and after: round")
            start, end = _span(name, value, today)
            if name == "before":
                before = start if before is None else min(before, start)
            else:
                after = end if after is None else max(after, end)
        else:
            filters.append(_filter(name, value, wanted))
    if len(terms) + len(without) > TERMS_MAX:
        raise ValidationError(
            f"a search has at most {TERMS_MAX} words; leave some out, or put a phrase in quotes"
        )
    found = Query(tuple(terms), tuple(without), tuple(filters), after, before)
    _check_enough(found)
    return found


def words_of(
    text: str, attachments: Sequence[Mapping[str, Any]], options: Sequence[str] = ()
) -> str:
    """Return what of a message can be found: its text as shown now, names of files, options."""
    if not attachments and not options:
        return text
    names = [each.get("name") for each in attachments]
    return "\n".join((text, *(name for name in names if isinstance(name, str)), *options))


def options_of(value: MessageValue) -> tuple[str, ...]:
    """Return what can be chosen in a poll, nothing for what is none."""
    asked = asked_in(value)
    return () if asked is None else asked.options


def has_of(value: MessageValue) -> frozenset[str]:
    """Return which of ``HAS`` a message has, but for a link, which its text shows."""
    found = {value.kind}
    for each in value.attachments:
        found.add("file")
        kind, type_ = each.get("kind"), each.get("type")
        found.add(kind if isinstance(kind, str) else "")
        found.add(type_.partition("/")[0] if isinstance(type_, str) else "")
    return frozenset(found.intersection(HAS))


def has_link(folded: str) -> bool:
    """Tell whether a folded text has a web address."""
    return _LINK.search(folded) is not None


def _tokens(text: str) -> Iterator[tuple[bool, str, str]]:
    """Yield each part: whether it is wanted, its filter's name or "", and what it says."""
    at = 0
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text):
            return
        wanted = _MINUS.match(text, at) is None
        at += not wanted
        found = _NAME.match(text, at)
        name = "" if found is None else found[1].lower()
        at = at if found is None else found.end()
        if text[at : at + 1] == '"':
            end = text.find('"', at + 1)
            if end < 0:
                raise ValidationError('a quote is open: write " behind the words as well')
            value = text[at + 1 : end]
            end += 1
        else:
            end = at
            while end < len(text) and not text[end].isspace():
                end += 1
            value = text[at:end]
        if name and not value.strip():
            raise ValidationError(
                f'{name}: needs something behind it; to look for the text, write "{name}:"'
            )
        yield wanted, name, value.strip()
        at = end


def _term(text: str) -> Term:
    folded = folding.fold(text)
    if not folded:
        raise ValidationError(
            f"{text[:40]!r} has nothing to search for; write words between quotes"
        )
    return Term(folded, folding.is_short(folded))


def _filter(name: str, value: str, wanted: bool) -> Filter:
    known = {"has": HAS, "is": STATES}.get(name)
    if known is not None:
        value = value.lower()
        if value not in known:
            raise ValidationError(
                f"no {name}:{value[:40]}; there are {', '.join(name + ':' + k for k in known)} (to "
                f'look for the text, put it in quotes: "{name}:{value[:40]}")'
            )
    return Filter(name, value, wanted)


def _span(name: str, value: str, today: date) -> tuple[datetime, datetime]:
    """Return the beginning and the end of the day, month or year that a person wrote."""
    try:
        match value.lower():
            case "today":
                first, last = today, today
            case "yesterday":
                first = last = today - timedelta(days=1)
            case _:
                first, last = _days(value)
        start = datetime(first.year, first.month, first.day)
        return start, datetime(last.year, last.month, last.day) + timedelta(days=1)
    except (ValueError, OverflowError) as exc:
        raise ValidationError(
            f"{name}: needs a day as 2026-11-20, a month as 2026-11, a year, today or yesterday, "
            f"not {value[:40]!r}"
        ) from exc


def _days(value: str) -> tuple[date, date]:
    found = _DAY.fullmatch(value)
    if found is None:
        raise ValueError("no day")
    year, month, day = (None if part is None else int(part) for part in found.groups())
    assert year is not None
    first = date(year, month or 1, day or 1)
    if day is not None:
        return first, first
    if month is None or month == 12:
        return first, date(year, 12, 31)
    return first, date(year, month + 1, 1) - timedelta(days=1)


def _check_enough(query: Query) -> None:
    """Raise ``ValidationError`` where a query says too little to look for."""
    if query.filters or query.after or query.before:
        return
    if not query.terms:
        what = "say also what shall be in it" if query.without else "write a word or a filter"
        raise ValidationError(f"nothing to search for: {what}")
    if not any(folding.pieces(term.text) for term in query.terms):
        raise ValidationError(
            f"{query.terms[0].text!r} is too short to search for: write two characters at least, "
            "or a filter with it, as in:ROOM"
        )

"""Searches: finds the messages that a query is about, the newest first.

Whether a message fits is always seen on the message itself, as it is shown now. There are two ways
to get to those that may fit:

* **look back** from the newest on, which ends soon where much fits;
* **look up** what the index gives, and the few messages that are not in it yet; which are few where
  little fits.

So a search looks back a little, then looks up, and looks back all the way only where the index
gives so many that it must find enough before long, or where there is nothing to look up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

from ..core import folding
from ..core.query import Query, has_link, has_of, options_of, words_of
from ..core.values import Root, decode_value
from ..ids import DeviceId, MessageId, author_device
from . import rooms
from .aside import shown_condition
from .database import Database
from .tallies import THERE
from .view.index import indexed_upto

RANKED = 200
"""The best of so many, the newest that fit, come first in a ranked search."""

CANDIDATES_MAX = 15_000
"""What the index may give; where it gives more, looking back is not slower."""

DEVICES_MAX = 100
"""Devices that the database is asked for; with more, each message's writer is looked at."""

_FEW, _MANY = 16, 512
_ROW = "id, room, message, value, edited, thread, mention, unread"
_FLAGS = {
    "unread": ("unread = 1", "unread = 0"),
    "edited": ("edited is not null", "edited is null"),
    "mention": ("mention = 1", "mention = 0"),
    "thread": ("thread is not null", "thread is null"),
}
"""What the rows themselves say of ``core.query.STATES``, and its contrary; each has an index."""

_MATCHING = "select rowid from search_text where search_text match ?"
PICKED = ("pinned", "starred")
"""States that no row of a message says; the messages are in ``Place.picked``."""

_PICKED = (
    "select message.id from json_each(?) as s cross join message "
    "on room = json_extract(s.value, '$[0]') and message.message = json_extract(s.value, '$[1]')"
)


class Found(NamedTuple):
    """Is a message that fits; ``grade`` says how well its words do."""

    room: int
    message: MessageId
    grade: int


@dataclass(frozen=True, slots=True)
class Place:
    """Is a room to look in. ``writers`` are the devices that count, None for all.

    ``picked`` has the messages in those of the states ``PICKED`` that the query asks for.
    """

    writers: frozenset[DeviceId] | None
    not_writers: frozenset[DeviceId]
    mine: frozenset[DeviceId]
    picked: Mapping[str, frozenset[MessageId]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Is what to look for, and where; ids from ``first`` on and before ``end``.

    What disappears until ``now_ms`` is not found any more.
    """

    query: Query
    places: Mapping[int, Place]
    first: str
    end: str
    now_ms: int


def find(db: Database, wanted: Wanted, *, limit: int, newest: bool) -> list[Found]:
    """Return messages that fit, the newest first, or the best of the newest ``RANKED`` first."""
    places = {r: p for r, p in wanted.places.items() if p.writers is None or p.writers}
    if not places or wanted.first >= wanted.end:
        return []
    search = _Search(db, replace(wanted, places=places))
    if newest or not wanted.query.terms:
        return search.newest(limit)
    found = search.newest(max(limit, RANKED))
    return sorted(found, key=lambda each: -each.grade)[:limit]


class _Lookup(NamedTuple):
    """Is how to ask for the rows that may fit; ``is_index`` where fresh ones are not among them."""

    sql: str
    values: Sequence[Any]
    is_index: bool = False


class _Search:
    def __init__(self, db: Database, wanted: Wanted) -> None:
        self._db = db
        self._wanted = wanted
        self._query = wanted.query
        self._shown: dict[int, str] = {}
        self._plain = [t.text for t in wanted.query.terms if t.text.isalnum() and t.text.isascii()]

    def newest(self, limit: int) -> list[Found]:
        first = list(islice(self._back(narrow=False), self._db.search_sizes.back))
        found = self._fitting(first, limit)
        if len(found) == limit or len(first) < self._db.search_sizes.back:
            return found
        rows = self._looked_up()
        return self._fitting(self._back(narrow=True) if rows is None else self._load(rows), limit)

    def _fitting(self, rows: Iterable[tuple[Any, ...]], limit: int) -> list[Found]:
        found: list[Found] = []
        for row in rows:
            grade = self._grade(row)
            if grade is not None and self._is_shown(row[1], row[2]):
                found.append(Found(row[1], row[2], grade))
                if len(found) == limit:
                    break
        return found

    # Looking back

    def _back(self, *, narrow: bool) -> Iterator[tuple[Any, ...]]:
        """Yield rows from the newest on; ``narrow`` leaves out those that surely do not fit."""
        parts = [self._back_in(room, narrow=narrow) for room in sorted(self._wanted.places)]
        return parts[0] if len(parts) == 1 else merge(*parts, key=itemgetter(2), reverse=True)

    def _back_in(self, room: int, *, narrow: bool) -> Iterator[tuple[Any, ...]]:
        where, values = self._where(narrow=narrow)
        each = self._db.search_sizes.back // len(self._wanted.places)
        end, count = self._wanted.end, max(2, min(_FEW, each))
        while True:
            rows = self._db.rows(
                f"select {_ROW} from message where room = ? and message >= ? and message < ? "
                f"and {where} order by message desc limit ?",
                (room, self._wanted.first, end, *values, count),
            )
            yield from rows
            if len(rows) < count:
                return
            end, count = rows[-1][2], min(2 * count, _MANY)

    def _where(self, *, narrow: bool) -> tuple[str, list[Any]]:
        where = ["deleted = 0", "hidden = 0", THERE]
        where += rooms.kept_conditions(self._db, self._wanted.now_ms)
        values: list[Any] = [self._wanted.now_ms]
        if narrow:
            for wanted in (True, False):
                states = self._query.values("is", wanted=wanted)
                where += [_FLAGS[state][not wanted] for state in states if state in _FLAGS]
            writers = self._writers()
            if writers is not None:
                where.append(f"substr(message, 14) in ({_marks(writers)})")
                values += writers
        return " and ".join(where), values

    # Looking up

    def _looked_up(self) -> list[int] | None:
        """Return the rows that may fit, the newest first; None if they are too many or all."""
        for lookup in (*self._match(), *self._flagged()):
            rows = self._db.rows(f"{lookup.sql} limit {CANDIDATES_MAX + 1}", lookup.values)
            if len(rows) <= CANDIDATES_MAX:
                return self._sorted([row for (row,) in rows], with_fresh=lookup.is_index)
        return None

    def _match(self) -> list[_Lookup]:
        """Return how to ask the index."""
        asked = [piece for term in self._query.terms for piece in folding.pieces(term.text)]
        writers = self._writers()
        if writers is not None:
            asked.append([folding.facet("from", device) for device in writers])
        for kind in self._query.values("has"):
            asked.append(["://", "www"] if kind == "link" else [folding.facet("has", kind)])
        if not asked:
            return []
        match = " AND ".join(f"({' OR '.join(map(_quoted, each))})" for each in asked)
        return [_Lookup(_MATCHING, [match], is_index=True)]

    def _flagged(self) -> list[_Lookup]:
        """Return how to ask for messages in a state, of which there usually are few."""
        rooms = sorted(self._wanted.places)
        where = f"room in ({_marks(rooms)})"
        states = self._query.values("is")
        asked = [
            _Lookup(f"select id from message where {where} and {_FLAGS[state][0]}", rooms)
            for state in states
            if state in _FLAGS
        ]
        for state in PICKED:
            if state in states:
                picked = [(r, m) for r in rooms for m in self._wanted.places[r].picked[state]]
                asked.append(_Lookup(_PICKED, [json.dumps(picked)]))
        return asked

    def _sorted(self, rows: list[int], *, with_fresh: bool) -> list[int]:
        """Return those of the rows that may fit, and of fresh ones, the newest first."""
        where, values = self._where(narrow=True)
        rooms = sorted(self._wanted.places)
        where += f" and message >= ? and message < ? and room in ({_marks(rooms)})"
        values += [self._wanted.first, self._wanted.end, *rooms]
        found = []
        for part in _parts(rows):
            found += self._db.rows(
                "select message, room, id from message not indexed "
                f"where id in ({_marks(part)}) and {where}",
                (*part, *values),
            )
        if with_fresh:
            found += self._db.rows(
                f"select message, room, id from message not indexed where id > ? and {where}",
                (indexed_upto(self._db), *values),
            )
        found.sort(key=lambda each: (each[0], -each[1]), reverse=True)
        return [row for _, _, row in found]

    def _load(self, rows: list[int]) -> Iterator[tuple[Any, ...]]:
        for part in _parts(rows):
            loaded = {
                row[0]: row
                for row in self._db.rows(
                    f"select {_ROW} from message where id in ({_marks(part)})", part
                )
            }
            yield from (loaded[row] for row in part)

    def _writers(self) -> list[DeviceId] | None:
        """Return the devices of which one must have written it; None for any, or too many."""
        asked: set[DeviceId] = set()
        for place in self._wanted.places.values():
            if place.writers is None and "mine" not in self._query.values("is"):
                return None
            asked |= place.mine if place.writers is None else place.writers
        return sorted(asked) if 0 < len(asked) <= DEVICES_MAX else None

    # Looking at one

    def _grade(self, row: tuple[Any, ...]) -> int | None:
        """Return how well a message fits, None if it does not."""
        _, room, message, raw, edited, thread, mention, unread = row
        place = self._wanted.places[room]
        writer = author_device(message)
        if place.writers is not None and writer not in place.writers:
            return None
        if writer in place.not_writers or (edited is None and self._is_surely_without(raw)):
            return None
        value = decode_value(Root.MESSAGES, raw)
        text = value.text if edited is None else edited
        folded = folding.fold(words_of(text, value.attachments, options_of(value)))
        if self._query.filters and not self._is_filtered(
            has_of(value) | ({"link"} if has_link(folded) else set()),
            {
                "edited": edited is not None,
                "mention": bool(mention),
                "mine": writer in place.mine,
                "reply": value.reply_to is not None,
                "thread": thread is not None,
                "unread": bool(unread),
                **{state: message in picked for state, picked in place.picked.items()},
            },
        ):
            return None
        return self._query.grade(folded)

    def _is_surely_without(self, raw: str) -> bool:
        """Tell that a plain term is missing, without decoding and folding; saves half the time."""
        if not raw.isascii() or not raw.isprintable() or "\\" in raw:
            return False
        lower = raw.lower()
        return any(term not in lower for term in self._plain)

    def _is_shown(self, room: int, message: MessageId) -> bool:
        """Tell whether the person has not set a message aside."""
        condition = self._shown.get(room)
        if condition is None:
            condition = self._shown[room] = shown_condition(self._db, room)
        return (
            condition == "1"
            or self._db.row(
                f"select 1 from message where room = ? and message = ? and {condition}",
                (room, message),
            )
            is not None
        )

    def _is_filtered(self, has: set[str] | frozenset[str], states: dict[str, bool]) -> bool:
        return all(
            (each.value in has if each.name == "has" else states[each.value]) is each.wanted
            for each in self._query.filters
            if each.name in ("has", "is")
        )


def _parts(rows: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(rows), _MANY):
        yield rows[start : start + _MANY]


def _marks(values: Sequence[Any]) -> str:
    return ",".join("?" * len(values))


def _quoted(piece: str) -> str:
    return '"' + piece.replace('"', '""') + '"'

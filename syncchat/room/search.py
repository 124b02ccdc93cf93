"""Searching a room, and what a search over several rooms has in common with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from ..core import folding
from ..core.clock import MS_MAX, stamp
from ..core.hit import Hit, snippet
from ..core.query import Query, parse, words_of
from ..core.values import PIN_FIELD
from ..errors import NotFoundError, ValidationError
from ..ids import DeviceId, MemberId, MessageId, is_message_id, room_text
from ..storage import history, members, rooms, search
from ..storage.fields import fields_of
from ..storage.search import Place, Wanted
from .base import RoomPart, checked_limit, checked_text
from .stars import STAR_FIELD

if TYPE_CHECKING:
    from ..peer import Peer

ID_CHARS_MIN = 4
NAMES_SHOWN = 10
_AFTER_ALL = "~"


class RoomSearch(RoomPart):
    """Is what a room's handle can do to find messages; part of ``Room``."""

    __slots__ = ()

    def search(
        self, text: str, *, limit: int = 20, newest: bool = False, before: str | None = None
    ) -> list[Hit]:
        """Return messages of this room that a query finds; see ``Peer.search``."""
        query = checked_query(self._peer, text)
        if query.values("in") or query.values("in", wanted=False):
            raise ValidationError("this searches one room: leave in: out, or search all rooms")
        return hits(self._peer, [self._row], query, limit=limit, newest=newest, before=before)


def checked_query(peer: Peer, text: object) -> Query:
    """Return the query in what a person typed; raises ``ValidationError``."""
    try:
        today = date.fromtimestamp(peer.now_ms() / 1000)
    except (OverflowError, OSError, ValueError):  # a clock that is beyond all years
        today = date.max
    return parse(checked_text(text, "a search"), today=today)


def hits(
    peer: Peer,
    rows: Sequence[int],
    query: Query,
    *,
    limit: int,
    newest: bool,
    before: str | None,
) -> list[Hit]:
    """Return what a query finds in some rooms; raises ``ValidationError``."""
    checked_limit(limit)
    now_ms = peer.now_ms()
    if before is not None and not is_message_id(before):
        raise ValidationError(f"{before!r} is not a message id")
    with peer._db.reading():
        wanted = Wanted(
            query,
            _places(peer, rows, query),
            first="" if query.after is None else stamp(_ms(query.after)),
            end=min(
                _AFTER_ALL if query.before is None else stamp(_ms(query.before)),
                before or _AFTER_ALL,
            ),
            now_ms=now_ms,
        )
        found = search.find(peer._db, wanted, limit=limit, newest=newest)
        return list(_hits(peer, query, found, now_ms=now_ms))


def rooms_in(peer: Peer, query: Query) -> list[int]:
    """Return the rooms that a query is about, notes among them; raises ``ValidationError``."""
    everywhere = [row.id for row in rooms.all_rooms(peer._db)]
    asked = [_room(peer, name) for name in query.values("in")]
    but = [_room(peer, name) for name in query.values("in", wanted=False)]
    return [row for row in everywhere if (not asked or row in asked) and row not in but]


def _room(peer: Peer, name: str) -> int:
    try:
        return rooms.find_room(peer._db, name).id
    except (NotFoundError, ValidationError) as exc:
        raise ValidationError(f"in: {exc}") from exc


def _places(peer: Peer, rows: Sequence[int], query: Query) -> dict[int, Place]:
    """Return where to look, and whose messages count there."""
    owners = {row: members.devices_in(peer._db, row) for row in rows}
    names = {row: history.names_of(peer._db, row) for row in rows}
    asked = [_people(peer, name, owners, names) for name in query.values("from")]
    but = [_people(peer, name, owners, names) for name in query.values("from", wanted=False)]
    states = {each.value for each in query.filters if each.name == "is"}
    picked_of = {"pinned": _pinned, "starred": _starred}
    return {
        row: Place(
            writers=_devices(owners[row], asked) if asked else None,
            not_writers=_devices(owners[row], but),
            mine=_devices(owners[row], [{peer.id}]) | {peer.device},
            picked={
                state: picked_of[state](peer, row) for state in search.PICKED if state in states
            },
        )
        for row in rows
    }


def _devices(
    owners: Mapping[DeviceId, MemberId], people: Iterable[set[MemberId]]
) -> frozenset[DeviceId]:
    wanted = set().union(*people)
    return frozenset(device for device, member in owners.items() if member in wanted)


def _starred(peer: Peer, row: int) -> frozenset[MessageId]:
    prefix = f"{STAR_FIELD}{room_text(rooms.load_room(peer._db, row).room_id)}/"
    return frozenset(MessageId(key[len(prefix) :]) for key in peer._personal.all(prefix))


def _pinned(peer: Peer, row: int) -> frozenset[MessageId]:
    pins = fields_of(peer._db, row, PIN_FIELD)
    return frozenset(
        MessageId(key[len(PIN_FIELD) :]) for key, value in pins.items() if value is True
    )


def _people(
    peer: Peer,
    name: str,
    owners: Mapping[int, Mapping[DeviceId, MemberId]],
    names: Mapping[int, Mapping[MemberId, str]],
) -> set[MemberId]:
    """Return who is meant by a name, the beginning of one or of an id, or ``me``."""
    if name.lower() == "me":
        return {peer.id}
    folded = folding.fold(name)
    called = {(member, shown) for of_room in names.values() for member, shown in of_room.items()}
    everyone = {member for of_room in owners.values() for member in of_room.values()}
    same = {member for member, shown in called if folding.fold(shown) == folded}
    ids = {m for m in everyone if len(name) >= ID_CHARS_MIN and m.lower().startswith(name.lower())}
    begun = {member for member, shown in called if folding.fold(shown).startswith(folded)}
    found = same or ids or begun
    if not folded or not found:
        known = sorted({shown for _, shown in called})
        more = ", …" if len(known) > NAMES_SHOWN else ""
        raise ValidationError(
            f"from: nobody here is called {name[:40]!r}; there are "
            f"{', '.join(known[:NAMES_SHOWN])}{more} (in quotes where there is a space)"
        )
    return found


def _hits(peer: Peer, query: Query, found: Iterable[search.Found], *, now_ms: int) -> Iterable[Hit]:
    by_room: dict[int, list[MessageId]] = {}
    found = list(found)
    for each in found:
        by_room.setdefault(each.room, []).append(each.message)
    messages = {}
    for row, ids in by_room.items():
        reading = history.Reading(peer._db, row, me=peer.device, now_ms=now_ms)
        messages.update({(row, message.id): message for message in reading.many(ids)})
    for each in found:
        message = messages[each.room, each.message]
        options = () if message.poll is None else [each.text for each in message.poll.options]
        words = words_of(message.text, message.attachments, options)
        yield Hit(message, *snippet(words, query))


def _ms(moment: datetime) -> int:
    """Return a moment of this machine's time zone in milliseconds since 1970."""
    try:
        return min(max(0, round(moment.timestamp() * 1000)), MS_MAX)
    except (OverflowError, OSError, ValueError):  # years that the platform has no clock for
        return 0 if moment.year <= 1970 else MS_MAX

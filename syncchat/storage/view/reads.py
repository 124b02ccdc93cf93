"""Read markers: how far each member has read each device's messages, timeline by timeline."""

from __future__ import annotations

from ...core import digest
from ...core.markers import parse_marker
from ...ids import DeviceId, MemberId, Stamp
from ..members import Owners
from .scope import Scope
from .unread import Unread, clear_read, find_room


class Reads:
    """Collects what members have read; ``settle`` stores it."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._reads: dict[tuple[str, MemberId], Stamp] = {}

    def note(self, device: DeviceId, place: str, upto: Stamp) -> None:
        """Say that the member of ``device`` has read up to a stamp; ``place`` is the key."""
        key = (place, self._scope.owners[device])
        if upto > self._reads.get(key, ""):
            self._reads[key] = upto

    def settle(self) -> int:
        """Store what was read; return by how much the digest moves."""
        delta = 0
        mine: dict[str, Stamp] = {}
        for (place, member), upto in self._reads.items():
            row = self._scope.db.row(
                "select upto from read_to where room = ? and place = ? and member = ?",
                (self._scope.room, place, member),
            )
            if row is not None and row[0] >= upto:
                continue
            if row is not None:
                delta -= digest.of_read(member, place, row[0])
            delta += digest.of_read(member, place, upto)
            self._scope.db.execute(
                "insert into read_to (room, place, member, upto, change) values (?, ?, ?, ?, ?) "
                "on conflict do update set upto = excluded.upto, change = excluded.change",
                (self._scope.room, place, member, upto, self._scope.change),
            )
            if member == self._scope.owners[self._scope.me]:
                mine[place] = upto
        self._reads.clear()
        self._clear(mine)
        return delta

    def _clear(self, mine: dict[str, Stamp]) -> None:
        """Flag as read what the person's own markers cover, also those of another room."""
        db, by_room = self._scope.db, dict[str, dict[tuple[DeviceId, str | None], Stamp]]()
        for place, upto in mine.items():
            marker = parse_marker(place)
            if marker is not None and (not marker.room or self._scope.is_home):
                uptos = by_room.setdefault(marker.room, {})
                uptos[marker.writer, marker.thread] = upto
        for text, uptos in by_room.items():
            room = find_room(db, text) if text else self._scope.room
            if room is not None:
                owners = self._scope.owners if room == self._scope.room else Owners(db, room)
                clear_read(db, room, Unread(db, room, owners, me=self._scope.me), uptos)

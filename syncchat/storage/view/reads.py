"""Read markers: how far each member has read each device's messages."""

from __future__ import annotations

from ...core import digest
from ...ids import DeviceId, MemberId, Stamp, author_device, stamp_of
from ..database import Database
from .scope import Scope


class Reads:
    """Collects what members have read; ``settle`` stores it."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._reads: dict[tuple[DeviceId, MemberId], Stamp] = {}

    def note(self, device: DeviceId, writer: DeviceId, upto: Stamp) -> None:
        """Say that the member of ``device`` has read ``writer`` up to a stamp."""
        place = (writer, self._scope.owners[device])
        if upto > self._reads.get(place, ""):
            self._reads[place] = upto

    def settle(self) -> int:
        """Store what was read; return by how much the digest moves."""
        delta = 0
        mine: dict[DeviceId, Stamp] = {}
        for (writer, member), upto in self._reads.items():
            row = self._scope.db.row(
                "select upto from read_to where room = ? and writer = ? and member = ?",
                (self._scope.room, writer, member),
            )
            if row is not None and row[0] >= upto:
                continue
            if row is not None:
                delta -= digest.of_read(member, writer, row[0])
            delta += digest.of_read(member, writer, upto)
            self._scope.db.execute(
                "insert into read_to (room, writer, member, upto, change) values (?, ?, ?, ?, ?) "
                "on conflict do update set upto = excluded.upto, change = excluded.change",
                (self._scope.room, writer, member, upto, self._scope.change),
            )
            if member == self._scope.owners[self._scope.me]:
                mine[writer] = upto
        self._reads.clear()
        if mine:
            unread = self._scope.db.rows(
                "select id, message from message where room = ? and unread = 1", (self._scope.room,)
            )
            self._scope.db.executemany(
                "update message set unread = 0 where id = ?",
                [
                    (row,)
                    for row, message in unread
                    if stamp_of(message) <= mine.get(author_device(message), "")
                ],
            )
        return delta


class Uptos(dict[DeviceId, Stamp]):
    """Looks up how far the member has read each device, on first use."""

    def __init__(self, db: Database, room: int, member: MemberId) -> None:
        super().__init__()
        self._ask = (db, room, member)

    def __missing__(self, writer: DeviceId) -> Stamp:
        db, room, member = self._ask
        row = db.row(
            "select upto from read_to where room = ? and writer = ? and member = ?",
            (room, writer, member),
        )
        found = Stamp("" if row is None else row[0])
        self[writer] = found
        return found

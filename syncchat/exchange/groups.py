"""Who is in the rooms of one database, folded from their logs and kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from ..storage import members
from ..storage.database import Database
from ..trust.group import Group
from ..trust.membership import fold_group
from ..trust.records import Record, decode_record

GROUPS_MAX = 256
"""Rooms whose membership is in memory, of at most 10,000 records each."""


class Groups:
    """Keeps the folded logs of rooms, as long as nobody has added to them.

    One for all that use a connection to the database: a large room takes a while to fold.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._kept: OrderedDict[int, tuple[int, Group]] = OrderedDict()
        self._undone = db.undone

    def at(self, room: int, last: int) -> Group | None:
        """Return who is in a room whose newest record has row ``last``, if that is in memory."""
        if self._undone != self._db.undone:
            self.forget()
        kept = self._kept.get(room)
        if kept is None or kept[0] != last:
            return None
        self._kept.move_to_end(room)
        return kept[1]

    def of(self, room: int) -> Group | None:
        """Return who is in a room; None while its log is not here. Not to be changed."""
        found = self.at(room, members.last_record(self._db, room))
        if found is not None:
            return found
        raws = members.records_of(self._db, room)
        return self._keep(room, fold_group(decode_record(raw) for raw in raws)) if raws else None

    def grow(self, room: int, records: Sequence[Record]) -> Group | None:
        """Return who is in a room after ``records``, which were stored just now."""
        if self._undone != self._db.undone:
            self.forget()
        kept = self._kept.get(room)
        follows = [kept[1].heads if kept else (), *((record.hash,) for record in records)]
        if kept is not None and all(
            record.prevs == before for record, before in zip(records, follows, strict=False)
        ):
            return self._keep(room, fold_group(records, kept[1]))
        self._kept.pop(room, None)
        return self.of(room)

    def forget(self) -> None:
        """Drop everything, because a transaction failed and memory may be ahead of the disk."""
        self._undone = self._db.undone
        self._kept.clear()

    def _keep(self, room: int, group: Group) -> Group:
        self._kept[room] = members.last_record(self._db, room), group
        self._kept.move_to_end(room)
        if len(self._kept) > GROUPS_MAX:
            self._kept.popitem(last=False)
        return group

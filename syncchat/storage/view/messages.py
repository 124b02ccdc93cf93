"""Messages: everything touched is folded anew, and stored as it is shown now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from ...core import digest
from ...core.fold import NOTHING, Reaction, Shown, fold_message
from ...core.values import MessageValue, Root, decode_value
from ...ids import MessageId, Stamp, author_device, stamp_of
from ..database import Database
from .marks import chunks, marks_about
from .reads import Uptos
from .scope import Scope, json_text


class StoredRow(NamedTuple):
    """Is a stored message."""

    id: int
    message: MessageId
    chain: int | None
    volume: int | None
    clock: int | None
    seq: int | None
    value: str | None
    edited: str | None
    edited_at: Stamp | None
    deleted: int
    reactions: str | None
    unread: int


class Place(NamedTuple):
    """Says where in a journal a message's entry stands; all None while it is pending."""

    chain: int | None
    volume: int | None
    clock: int | None
    seq: int | None


PENDING = Place(None, None, None, None)
ROW = "id, message, chain, volume, clock, seq, value, edited, edited_at, deleted, reactions, unread"


class Messages:
    """Collects what becomes of messages; ``settle`` stores it."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._values: dict[MessageId, tuple[Place, str, MessageValue]] = {}
        self._erased: set[MessageId] = set()
        self._touched: set[MessageId] = set()

    def put(self, message: MessageId, place: Place, raw: str, value: MessageValue) -> None:
        """Add a message's own entry, or replace it."""
        self._values[message] = (place, raw, value)

    def erase(self, message: MessageId) -> None:
        """Take a message's own entry away."""
        self._values.pop(message, None)
        self._erased.add(message)

    def withdraw(self, message: MessageId) -> None:
        """Take what was stored of a message away; what was put just now stays."""
        self._erased.add(message)

    def touch(self, message: MessageId) -> None:
        """Say that an entry about a message came or went."""
        self._touched.add(message)

    def settle(self) -> int:
        """Fold what was touched anew; return by how much the digest moves."""
        touched = self._touched | self._erased | self._values.keys()
        if not touched:
            return 0
        ordered = sorted(touched)
        rows = {row.message: row for row in stored_rows(self._scope.db, self._scope.room, ordered)}
        marks = marks_about(self._scope.db, self._scope.room, ordered, me=self._scope.me)
        uptos = Uptos(self._scope.db, self._scope.room, self._scope.owners[self._scope.me])
        added: list[tuple[Any, ...]] = []
        delta = 0
        for message in ordered:
            row = rows.get(message)
            place, value = self._base(message, row)
            shown = fold_message(
                message, value, marks.get(message, ()), member_of=self._scope.owners.__getitem__
            )
            before = None if row is None else shown_of(row)
            if shown == before:
                if row is not None and row.clock != place.clock:
                    self._move(row, place)
                continue
            delta += digest.of_message(shown) - digest.of_message(before)
            if shown is None:
                self._scope.db.execute(
                    "delete from message where room = ? and message = ?",
                    (self._scope.room, message),
                )
                self._scope.db.execute(  # nothing else would tell other readers that it is gone
                    "update room set change = ? where id = ?",
                    (self._scope.change, self._scope.room),
                )
            elif row is None:
                added.append(self._new_row(message, place, shown, uptos))
            else:
                self._update(row, place, shown)
        if added:
            self._scope.db.executemany(
                "insert into message (room, message, chain, volume, clock, seq, value, edited, "
                "edited_at, deleted, reactions, thread, unread, added, change) "
                "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                added,
            )
        self._values.clear()
        self._erased.clear()
        self._touched.clear()
        return delta

    def _remove(self, message: MessageId) -> None:
        db, room = self._scope.db, self._scope.room
        db.execute("delete from message where room = ? and message = ?", (room, message))
        # Nothing else would tell other readers that it is gone.
        db.execute("update room set change = ? where id = ?", (self._scope.change, room))

    def _base(self, message: MessageId, row: StoredRow | None) -> tuple[Place, MessageValue | None]:
        """Return where a message's own entry stands now, and its value."""
        new = self._values.get(message)
        if new is not None:
            return new[0], new[2]
        if row is None:
            return PENDING, None
        if message in self._erased:
            return Place(row.chain, row.volume, None, row.seq), None
        place = Place(row.chain, row.volume, row.clock, row.seq)
        return place, None if row.value is None else decode_value(Root.MESSAGES, row.value)

    def _new_row(
        self, message: MessageId, place: Place, shown: Shown, uptos: Uptos
    ) -> tuple[Any, ...]:
        writer = author_device(message)
        mine = self._scope.owners[writer] == self._scope.owners[self._scope.me]
        unread = not mine and not shown.deleted and stamp_of(message) > uptos[writer]
        return (
            self._scope.room,
            message,
            *place,
            self._raw(message, shown, None),
            *_folded(shown),
            unread,
            self._scope.change,
            self._scope.change,
        )

    def _update(self, row: StoredRow, place: Place, shown: Shown) -> None:
        edited, edited_at, deleted, reactions, thread = _folded(shown)
        self._scope.db.execute(
            "update message set chain = ?, volume = ?, clock = ?, seq = ?, value = ?, "
            "edited = ?, edited_at = ?, deleted = ?, reactions = ?, thread = ?, "
            "unread = min(unread, ?), change = ? where id = ?",
            (
                *place,
                self._raw(row.message, shown, row.value),
                edited,
                edited_at,
                deleted,
                reactions,
                thread,
                not deleted,
                self._scope.change,
                row.id,
            ),
        )

    def _move(self, row: StoredRow, place: Place) -> None:
        self._scope.db.execute(
            "update message set chain = ?, volume = ?, clock = ?, seq = ? where id = ?",
            (*place, row.id),
        )

    def _raw(self, message: MessageId, shown: Shown, before: str | None) -> str | None:
        if shown.deleted:
            return None
        new = self._values.get(message)
        return before if new is None else new[1]


def stored_rows(db: Database, room: int, ids: Sequence[str]) -> Iterator[StoredRow]:
    """Yield the stored rows of messages."""
    for chunk in chunks(ids):
        places = ",".join("?" * len(chunk))
        yield from (
            StoredRow(*row)
            for row in db.rows(
                f"select {ROW} from message where room = ? and message in ({places})",
                (room, *chunk),
            )
        )


def shown_of(row: StoredRow) -> Shown:
    """Return what a stored row shows."""
    if row.deleted:
        return Shown(row.message, deleted=True)
    value = NOTHING if row.value is None else decode_value(Root.MESSAGES, row.value)
    return Shown(
        row.message,
        value=value,
        text=value.text if row.edited is None else row.edited,
        edited_at=row.edited_at,
        reactions=reactions_of(row.reactions),
    )


def reactions_of(stored: str | None) -> tuple[Reaction, ...]:
    """Return a message's reactions from their stored form."""
    if stored is None:
        return ()
    return tuple(Reaction(*each) for each in msgspec.json.decode(stored))


def _folded(shown: Shown) -> tuple[Any, ...]:
    """Return the folded columns: edited, edited_at, deleted, reactions, thread."""
    return (
        None if shown.edited_at is None else shown.text,
        shown.edited_at,
        shown.deleted,
        json_text(shown.reactions) if shown.reactions else None,
        shown.value.thread,
    )

"""The view: what rooms show, kept up to date with what the journals hold.

A ``ViewBatch`` collects the changes of one transaction in one room and settles them at once:
rows of journal entries are written, everything touched is folded anew, and the room's digest
moves by the difference. Pending ops of the outbox count as entries of the own journal, so what a
person writes shows at once and is not shown differently when it is sealed later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from ..core import digest
from ..core.fold import (
    NOTHING,
    Mark,
    Reaction,
    Shown,
    fold_message,
    last,
)
from ..core.reader import Change
from ..core.values import (
    ABOUT_MESSAGES,
    TITLE_CHARS_MAX,
    MessageValue,
    Root,
    decode_value,
    is_label,
)
from ..ids import DeviceId, MemberId, MessageId, Stamp, author_device, message_id, stamp_of
from . import rooms
from .database import Database
from .members import Owners

_CHUNK = 500


class _Row(NamedTuple):
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


class _Place(NamedTuple):
    """Says where in a journal a message's entry stands; all None while it is pending."""

    chain: int | None
    volume: int | None
    clock: int | None
    seq: int | None


_PENDING = _Place(None, None, None, None)
_ROW = (
    "id, message, chain, volume, clock, seq, value, edited, edited_at, deleted, reactions, unread"
)


class ViewBatch:
    """Collects what one transaction changes in one room; ``flush`` ends it."""

    def __init__(self, db: Database, room: int, *, me: DeviceId) -> None:
        self._db = db
        self._room = room
        self._me = me
        self._owners = Owners(db, room)
        self._values: dict[MessageId, tuple[_Place, str, MessageValue]] = {}
        self._erased: set[MessageId] = set()
        self._touched: set[MessageId] = set()
        self._marks: dict[tuple[int, Root, str, int], tuple[Any, ...] | None] = {}
        self._fields: set[tuple[Root, str]] = set()
        self._reads: dict[tuple[DeviceId, MemberId], Stamp] = {}
        self._change: int | None = None

    @property
    def change(self) -> int:
        """Return the number under which this transaction's changes are found."""
        if self._change is None:
            self._change = rooms.next_change(self._db)
        return self._change

    def add(
        self, *, chain: int, device: DeviceId, volume: int, seq: int, changes: Sequence[Change]
    ) -> None:
        """Add what one envelope changed."""
        for root, key, clock, at, raw, value in changes:
            if root is Root.MESSAGES:
                message = message_id(Stamp(key), device)
                if raw is None:
                    self._values.pop(message, None)
                    self._erased.add(message)
                else:
                    self._values[message] = (_Place(chain, volume, clock, seq), raw, value)
                continue
            target = key[:26] if root in ABOUT_MESSAGES else key
            self._marks[chain, root, key, volume] = (
                None if raw is None else (self._room, target, device, clock, at, raw)
            )
            self._note(root, key, device, value)

    def write(self, message: MessageId, raw: str, value: MessageValue) -> None:
        """Add, or replace, an own message that is not sealed yet."""
        self._values[message] = (_PENDING, raw, value)

    def withdraw(self, message: MessageId) -> None:
        """Remove an own message that was never sealed."""
        self._erased.add(message)

    def note(self, root: Root, key: str, value: Any) -> None:
        """Say that an own op about something was queued or taken back."""
        self._note(root, key, self._me, value)

    def flush(self) -> None:
        """Write everything; the batch is empty then."""
        self._write_marks()
        delta = self._settle_reads() + self._settle_fields() + self._settle_messages()
        if delta:
            before = rooms.digest(self._db, self._room)
            rooms.set_digest(self._db, self._room, digest.add(before, delta))

    def _note(self, root: Root, key: str, device: DeviceId, value: Any) -> None:
        if root in ABOUT_MESSAGES:
            self._touched.add(MessageId(key[:26]))
        elif root is Root.READS:
            place = (DeviceId(key), self._owners[device])
            if value.upto > self._reads.get(place, ""):
                self._reads[place] = Stamp(value.upto)
        else:
            self._fields.add((root, key))

    def _write_marks(self) -> None:
        written = [key + row for key, row in self._marks.items() if row is not None]
        erased = [key for key, row in self._marks.items() if row is None]
        if written:
            self._db.executemany(
                "insert or replace into mark (chain, root, key, volume, room, target, device, "
                "clock, at, value) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                written,
            )
        if erased:
            self._db.executemany(
                "delete from mark where chain = ? and root = ? and key = ? and volume = ?", erased
            )
        self._marks.clear()

    # Messages

    def _settle_messages(self) -> int:
        touched = self._touched | self._erased | self._values.keys()
        if not touched:
            return 0
        ordered = sorted(touched)
        rows = {row.message: row for row in _stored(self._db, self._room, ordered)}
        marks = _marks_about(self._db, self._room, ordered, me=self._me)
        uptos = _Uptos(self._db, self._room, self._owners[self._me])
        added: list[tuple[Any, ...]] = []
        delta = 0
        for message in ordered:
            row = rows.get(message)
            place, value = self._base(message, row)
            shown = fold_message(
                message, value, marks.get(message, ()), member_of=self._owners.__getitem__
            )
            before = None if row is None else _shown(row)
            if shown == before:
                if row is not None and row.clock != place.clock:
                    self._move(row, place)
                continue
            delta += digest.of_message(shown) - digest.of_message(before)
            if shown is None:
                self._db.execute(
                    "delete from message where room = ? and message = ?", (self._room, message)
                )
                self._db.execute(  # nothing else would tell other readers that it is gone
                    "update room set change = ? where id = ?", (self.change, self._room)
                )
            elif row is None:
                added.append(self._new_row(message, place, shown, uptos))
            else:
                self._update(row, place, shown)
        if added:
            self._db.executemany(
                "insert into message (room, message, chain, volume, clock, seq, value, edited, "
                "edited_at, deleted, reactions, thread, unread, added, change) "
                "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                added,
            )
        self._values.clear()
        self._erased.clear()
        self._touched.clear()
        return delta

    def _base(self, message: MessageId, row: _Row | None) -> tuple[_Place, MessageValue | None]:
        """Return where a message's own entry stands now, and its value."""
        new = self._values.get(message)
        if new is not None:
            return new[0], new[2]
        if row is None:
            return _PENDING, None
        if message in self._erased:
            return _Place(row.chain, row.volume, None, row.seq), None
        place = _Place(row.chain, row.volume, row.clock, row.seq)
        return place, None if row.value is None else decode_value(Root.MESSAGES, row.value)

    def _new_row(
        self, message: MessageId, place: _Place, shown: Shown, uptos: _Uptos
    ) -> tuple[Any, ...]:
        writer = author_device(message)
        mine = self._owners[writer] == self._owners[self._me]
        unread = not mine and not shown.deleted and stamp_of(message) > uptos[writer]
        return (
            self._room,
            message,
            *place,
            self._raw(message, shown, None),
            *_folded(shown),
            unread,
            self.change,
            self.change,
        )

    def _update(self, row: _Row, place: _Place, shown: Shown) -> None:
        edited, edited_at, deleted, reactions, thread = _folded(shown)
        self._db.execute(
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
                self.change,
                row.id,
            ),
        )

    def _move(self, row: _Row, place: _Place) -> None:
        self._db.execute(
            "update message set chain = ?, volume = ?, clock = ?, seq = ? where id = ?",
            (*place, row.id),
        )

    def _raw(self, message: MessageId, shown: Shown, before: str | None) -> str | None:
        if shown.deleted:
            return None
        new = self._values.get(message)
        return before if new is None else new[1]

    # Read markers and fields

    def _settle_reads(self) -> int:
        delta = 0
        mine: dict[DeviceId, Stamp] = {}
        for (writer, member), upto in self._reads.items():
            row = self._db.row(
                "select upto from read_to where room = ? and writer = ? and member = ?",
                (self._room, writer, member),
            )
            if row is not None and row[0] >= upto:
                continue
            if row is not None:
                delta -= digest.of_read(member, writer, row[0])
            delta += digest.of_read(member, writer, upto)
            self._db.execute(
                "insert into read_to (room, writer, member, upto, change) values (?, ?, ?, ?, ?) "
                "on conflict do update set upto = excluded.upto, change = excluded.change",
                (self._room, writer, member, upto, self.change),
            )
            if member == self._owners[self._me]:
                mine[writer] = upto
        self._reads.clear()
        if mine:
            unread = self._db.rows(
                "select id, message from message where room = ? and unread = 1", (self._room,)
            )
            self._db.executemany(
                "update message set unread = 0 where id = ?",
                [
                    (row,)
                    for row, message in unread
                    if stamp_of(message) <= mine.get(author_device(message), "")
                ],
            )
        return delta

    def _settle_fields(self) -> int:
        delta = 0
        for root, key in sorted(self._fields):
            marks = [
                mark
                for mark in _marks_about(self._db, self._room, [key], me=self._me).get(key, ())
                if mark.root is root
            ]
            owners: set[MemberId] = {MemberId("")}
            if root is Root.PROFILE:
                owners = {self._owners[mark.device] for mark in marks}
            for member in sorted(owners):
                mark = last(
                    m for m in marks if root is Root.ROOM or self._owners[m.device] == member
                )
                if mark is not None:
                    delta += self._set_field(root, member, key, mark.value.value)
        self._fields.clear()
        return delta

    def _set_field(self, root: Root, member: MemberId, key: str, value: Any) -> int:
        row = self._db.row(
            "select value from field where room = ? and root = ? and member = ? and key = ?",
            (self._room, root, member, key),
        )
        before = None if row is None else msgspec.json.decode(row[0])
        if row is not None and before == value:
            return 0
        delta = digest.of_field(root, member, key, value)
        if row is not None:
            delta -= digest.of_field(root, member, key, before)
        self._db.execute(
            "insert into field (room, root, member, key, value, change) values (?, ?, ?, ?, ?, ?) "
            "on conflict do update set value = excluded.value, change = excluded.change",
            (self._room, root, member, key, _json(value), self.change),
        )
        if root is Root.ROOM and key == "title" and is_label(value, TITLE_CHARS_MAX):
            self._db.execute(
                "update room set title = ?, change = ? where id = ?",
                (value, self.change, self._room),
            )
        return delta


class _Uptos(dict[DeviceId, Stamp]):
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


def recount_digest(db: Database, room: int) -> bytes:
    """Return the digest of what the room's rows show, summed anew; for checks."""
    total = 0
    for row in db.execute(f"select {_ROW} from message where room = ?", (room,)):
        total += digest.of_message(_shown(_Row(*row)))
    for root, member, key, value in db.execute(
        "select root, member, key, value from field where room = ?", (room,)
    ):
        total += digest.of_field(Root(root), member, key, msgspec.json.decode(value))
    for member, writer, upto in db.execute(
        "select member, writer, upto from read_to where room = ?", (room,)
    ):
        total += digest.of_read(member, writer, upto)
    return digest.add(bytes(digest.DIGEST_BYTES), total)


def recount_unread(db: Database, room: int, *, me: DeviceId) -> int:
    """Return how many messages are unread, counted anew; for checks."""
    owners = Owners(db, room)
    uptos = _Uptos(db, room, owners[me])
    return sum(
        stamp_of(message) > uptos[author_device(message)]
        for (message,) in db.rows(
            "select message from message where room = ? and deleted = 0", (room,)
        )
        if owners[author_device(message)] != owners[me]
    )


def clear(db: Database, room: int) -> None:
    """Empty a room's view, to fold it anew from its envelopes and its outbox."""
    for table in ("message", "mark", "field", "read_to"):
        db.execute(f"delete from {table} where room = ?", (room,))
    db.execute("delete from volume where chain in (select id from chain where room = ?)", (room,))
    rooms.set_digest(db, room, bytes(digest.DIGEST_BYTES))


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]


def _stored(db: Database, room: int, ids: Sequence[str]) -> Iterator[_Row]:
    for chunk in _chunks(ids):
        places = ",".join("?" * len(chunk))
        yield from (
            _Row(*row)
            for row in db.rows(
                f"select {_ROW} from message where room = ? and message in ({places})",
                (room, *chunk),
            )
        )


def _marks_about(
    db: Database, room: int, targets: Sequence[str], *, me: DeviceId
) -> dict[str, list[Mark]]:
    """Return every entry about each target, the outbox's included."""
    found: dict[str, list[Mark]] = {}
    for chunk in _chunks(targets):
        places = ",".join("?" * len(chunk))
        for target, root, key, device, at, raw in db.rows(
            "select target, root, key, device, at, value from mark "
            f"where room = ? and target in ({places}) union all "
            "select target, root, key, ?, at, raw from op "
            f"where room = ? and root <> {int(Root.MESSAGES)} and raw is not null "
            f"and target in ({places})",
            (room, *chunk, me, room, *chunk),
        ):
            kind = Root(root)
            mark = Mark(kind, key, device, at, decode_value(kind, raw))
            found.setdefault(target, []).append(mark)
    return found


def _shown(row: _Row) -> Shown:
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
        _json(shown.reactions) if shown.reactions else None,
        shown.value.thread,
    )


def _json(value: Iterable[Any]) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()

"""Read queries: pages of messages, members, unread counts, and what changed since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ..core.clock import is_ahead, ms_of
from ..core.message import Message, ReactionView, Status
from ..core.values import NAME_CHARS_MAX, Root, decode_value, is_label
from ..ids import (
    DeviceId,
    MemberId,
    MessageId,
    RoomId,
    Stamp,
    author_device,
    stamp_of,
)
from .database import Database
from .members import Owners
from .view import reactions_of

PAGE_MAX = 1_000
"""Messages in one page; a program that wants more asks again with the last id."""

_COLUMNS = "id, message, seq, value, edited, edited_at, deleted, reactions, added, change"


@dataclass(frozen=True, slots=True)
class Changed:
    """Is one message that changed, and whether it is new since ``after``."""

    room: int
    message: MessageId
    new: bool


@dataclass(frozen=True, slots=True)
class ReadMoved:
    """Says that a member has read a device's messages up to a stamp."""

    room: int
    member: MemberId
    writer: DeviceId
    upto: Stamp


class Reading:
    """Answers what one room shows, to one peer at one moment."""

    def __init__(
        self, db: Database, room: int, room_id: RoomId, *, me: DeviceId, now_ms: int
    ) -> None:
        self._db = db
        self._room = room
        self._room_id = room_id
        self._me = me
        self._owners = Owners(db, room)
        self._now_ms = now_ms

    def page(
        self,
        *,
        before: MessageId | None,
        after: MessageId | None,
        limit: int,
        thread: MessageId | None,
    ) -> list[Message]:
        """Return messages in display order: the last ones, or those next to an id."""
        where = ["room = ?"]
        values: list[Any] = [self._room]
        if before is not None:
            where.append("message < ?")
            values.append(before)
        if after is not None:
            where.append("message > ?")
            values.append(after)
        if thread is not None:
            where.append("thread = ?")
            values.append(thread)
        forward = after is not None and before is None
        rows = self._db.rows(
            f"select {_COLUMNS} from message where {' and '.join(where)} "
            f"order by message {'' if forward else 'desc'} limit ?",
            (*values, limit),
        )
        return self._messages(rows if forward else rows[::-1])

    def one(self, message: str) -> Message | None:
        """Return one message, or None."""
        rows = self._db.rows(
            f"select {_COLUMNS} from message where room = ? and message = ?", (self._room, message)
        )
        found = self._messages(rows)
        return found[0] if found else None

    def many(self, ids: Sequence[MessageId]) -> list[Message]:
        """Return those of the messages that are here, in display order."""
        places = ",".join("?" * len(ids))
        return self._messages(
            self._db.rows(
                f"select {_COLUMNS} from message where room = ? and message in ({places}) "
                "order by message",
                (self._room, *ids),
            )
        )

    def matching_prefix(self, prefix: str) -> list[MessageId]:
        """Return up to two message ids that begin with ``prefix``."""
        return [
            MessageId(found)
            for (found,) in self._db.rows(
                "select message from message where room = ? and message >= ? and message < ? "
                "limit 2",
                (self._room, prefix, prefix + "~"),
            )
        ]

    def _messages(self, rows: Iterable[tuple[Any, ...]]) -> list[Message]:
        found = list(rows)
        names = names_of(self._db, self._room)
        states = _OwnStates(self._db, self._room, self._me)
        readers = self._readers({author_device(row[1]) for row in found})
        return [self._message(row, names, states, readers) for row in found]

    def _message(
        self,
        row: tuple[Any, ...],
        names: dict[MemberId, str],
        states: _OwnStates,
        readers: dict[DeviceId, list[tuple[MemberId, Stamp]]],
    ) -> Message:
        _, message, seq, value, edited, edited_at, deleted, reactions, _, _ = row
        writer, written = author_device(message), stamp_of(message)
        sender = self._owners[writer]
        said = decode_value(Root.MESSAGES, value or "{}")
        read_by = tuple(m for m, upto in readers.get(writer, ()) if upto >= written and m != sender)
        mine = sender == self._owners[self._me]
        status = Status.DELIVERED
        if mine:
            status = Status.READ if read_by else states.of(seq, deleted=bool(deleted))
            if writer != self._me and not read_by:  # of another own device: it came from the relay
                status = Status.SENT
        return Message(
            id=message,
            room_id=self._room_id,
            sender=sender,
            sender_name=names.get(sender) or sender[:6],
            text=said.text if edited is None else edited,
            kind=said.kind,
            sent_at=ms_of(written),
            edited_at=None if edited_at is None else ms_of(edited_at),
            deleted=bool(deleted),
            reply_to=said.reply_to,
            thread=said.thread,
            reactions=tuple(
                ReactionView(r.member, names.get(r.member) or r.member[:6], r.emoji, ms_of(r.at))
                for r in reactions_of(reactions)
            ),
            read_by=read_by,
            status=status,
            metadata=said.metadata,
            attachments=said.attachments,
            mentions=said.mentions,
            mine=mine,
            clock_ahead=is_ahead(written, self._now_ms),
        )

    def _readers(self, writers: set[DeviceId]) -> dict[DeviceId, list[tuple[MemberId, Stamp]]]:
        found: dict[DeviceId, list[tuple[MemberId, Stamp]]] = {}
        for writer in sorted(writers):
            found[writer] = [
                (member, upto)
                for member, upto in self._db.rows(
                    "select member, upto from read_to where room = ? and writer = ? "
                    "order by member",
                    (self._room, writer),
                )
            ]
        return found


class _OwnStates:
    """Tells how far own messages got, from the own chain's marks."""

    def __init__(self, db: Database, room: int, me: DeviceId) -> None:
        row = db.row(
            "select acked, delivered, frozen from chain where room = ? and device = ?", (room, me)
        )
        self._acked, self._delivered, self._frozen = (0, 0, None) if row is None else row

    def of(self, seq: int | None, *, deleted: bool) -> Status:
        if deleted:
            return Status.DELIVERED  # where a tombstone's message stood, nobody can tell any more
        if seq is not None and seq <= self._delivered:
            return Status.DELIVERED
        if seq is not None and seq <= self._acked:
            return Status.SENT
        return Status.QUEUED if self._frozen is None or seq is None else Status.REFUSED


def names_of(db: Database, room: int) -> dict[MemberId, str]:
    """Return the members' names."""
    return {
        member: name
        for member, raw in db.rows(
            "select member, value from field where room = ? and root = ? and key = 'name'",
            (room, int(Root.PROFILE)),
        )
        if is_label(name := msgspec.json.decode(raw), NAME_CHARS_MAX)
    }


def unread_count(db: Database, room: int) -> int:
    """Return how many messages are unread."""
    (found,) = db.execute(
        "select count(*) from message where room = ? and unread = 1", (room,)
    ).fetchone()
    return int(found)


def message_count(db: Database, room: int) -> int:
    """Return how many messages the room shows, deleted ones not counted."""
    (found,) = db.execute(
        "select count(*) from message where room = ? and deleted = 0", (room,)
    ).fetchone()
    return int(found)


def last_stamps(db: Database, room: int, upto: MessageId | None) -> dict[DeviceId, Stamp]:
    """Return, per writing device, its last unread message shown at or before ``upto``."""
    latest: dict[DeviceId, Stamp] = {}
    for (message,) in db.execute(
        "select message from message where room = ? and unread = 1 and message <= ? "
        "order by message",
        (room, upto or "~"),
    ):
        latest[author_device(message)] = stamp_of(message)
    return latest


def changed_messages(db: Database, after: int, upto: int) -> list[Changed]:
    """Return messages changed after one change number, up to another, oldest change first.

    All at once: a message that changes again while a slow reader is at it moves to a later
    number, and must be told as new all the same.
    """
    return [
        Changed(room, message, added > after)
        for room, message, added in db.rows(
            "select room, message, added from message where change > ? and change <= ? "
            "order by change, message",
            (after, upto),
        )
    ]


def unacked(db: Database, chain: int, acked: int) -> list[MessageId]:
    """Return own messages that are sealed, not deleted, and not acknowledged by the relay yet."""
    return [
        MessageId(message)
        for (message,) in db.rows(
            "select message from message where chain = ? and seq > ? and deleted = 0 and volume in "
            "(select distinct volume from envelope where chain = ? and seq > ?) "
            "order by message limit ?",
            (chain, acked, chain, acked, PAGE_MAX),
        )
    ]


def added_at(db: Database, room: int) -> list[tuple[MessageId, int]]:
    """Return each message of a room and the change that added it."""
    return [
        (MessageId(message), added)
        for message, added in db.rows("select message, added from message where room = ?", (room,))
    ]


def set_added(db: Database, room: int, added: Iterable[tuple[MessageId, int]]) -> None:
    """Say which change added messages, so that a view folded anew does not tell them as new."""
    db.executemany(
        "update message set added = ? where room = ? and message = ?",
        [(change, room, message) for message, change in added],
    )


def moved_reads(db: Database, after: int, upto: int) -> list[ReadMoved]:
    """Return the read markers that moved in the same span."""
    return [
        ReadMoved(*row)
        for row in db.rows(
            "select room, member, writer, upto from read_to where change > ? and change <= ? "
            "order by change, room, member, writer",
            (after, upto),
        )
    ]


def changed_rooms(db: Database, after: int, upto: int) -> list[int]:
    """Return rooms that were added or whose fields or members' profiles changed."""
    return [
        room
        for (room,) in db.rows(
            "select id from room where change > ? and change <= ? union "
            "select room from field where change > ? and change <= ?",
            (after, upto, after, upto),
        )
    ]


def touch_own(db: Database, chain: int, *, after_seq: int, upto_seq: int, change: int) -> None:
    """Mark own messages as changed because their state moved on."""
    db.execute(
        "update message set change = ? where chain = ? and seq > ? and seq <= ? and volume in "
        "(select distinct volume from envelope where chain = ? and seq > ? and seq <= ?)",
        (change, chain, after_seq, upto_seq, chain, after_seq, upto_seq),
    )

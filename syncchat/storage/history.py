"""Read queries: pages of messages, members, unread counts, and what changed since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Any, NamedTuple

import msgspec

from ..core.clock import ZERO, is_ahead, ms_of
from ..core.markers import marker_key
from ..core.message import QUOTE_CHARS_MAX, Message, Quote, ReactionView, Status
from ..core.values import NAME_CHARS_MAX, MessageValue, Root, decode_value, is_label
from ..ids import (
    DeviceId,
    MemberId,
    MessageId,
    RoomId,
    Stamp,
    author_device,
    stamp_of,
)
from . import outbox
from .aside import blocked, shown_condition
from .database import Database
from .footing import Footing
from .members import Owners
from .parts import distinct, forwarded_of, pinned_of, poll_of
from .rooms import kept
from .tallies import THERE, reply_counts
from .view import mentions_of, reactions_of
from .view.marks import chunks

PAGE_MAX = 1_000
"""Messages in one page; a program that wants more asks again with the last id."""

_COLUMNS = (
    "message, seq, value, edited, edited_at, deleted, reactions, thread, mentions, unread, votes, "
    "expires_ms, hidden"
)

_UNACKED = (
    "chain = ? and seq > ? and deleted = 0 and gone = 0 and volume in "
    "(select distinct volume from envelope where chain = ? and seq > ?)"
)


class _Around(NamedTuple):
    """Is what is looked up at once for the messages of a page."""

    room_id: RoomId
    states: _OwnStates
    readers: dict[str, list[tuple[MemberId, Stamp]]]
    quotes: dict[str, Quote]
    replies: dict[str, int]
    pinned: Set[MessageId]
    blocked: Set[MemberId]
    """Whose reactions are left out."""


class Reading:
    """Answers what one room shows, to one peer at one moment."""

    def __init__(
        self,
        db: Database,
        room: int,
        *,
        me: DeviceId,
        now_ms: int,
        is_whole: bool = False,
        shows_hidden: bool = False,
    ) -> None:
        """``is_whole`` also shows what the person has set aside."""
        self._db = db
        self._room = room
        self._me = me
        self._owners = Owners(db, room)
        self._names = _Names(db, room)
        self._now_ms = now_ms
        self._is_whole = is_whole
        self._shows_hidden = shows_hidden
        self._asked: tuple[RoomId, str] | None = None

    def _ask(self) -> tuple[RoomId, str]:
        """Return the room's id, and an SQL condition for the messages that are to be shown."""
        if self._asked is None:
            room_id, keep = kept(self._db, self._room)
            shown = "1" if self._is_whole else shown_condition(self._db, self._room)
            if (cutoff := keep.cutoff(self._now_ms)) > ZERO:
                shown += f" and message.message >= '{cutoff}'"
            self._asked = room_id, shown
        return self._asked

    @property
    def _shown(self) -> str:
        return self._ask()[1]

    def page(
        self,
        *,
        before: MessageId | None,
        after: MessageId | None,
        limit: int,
        thread: MessageId | None,
        threads: bool = False,
    ) -> list[Message]:
        """Return messages in display order: the last ones, or those next to an id.

        Of one thread; or those outside of threads, and with ``threads`` those inside, too.
        """
        where = ["room = ?", self._shown, THERE]
        values: list[Any] = [self._room, self._now_ms]
        if before is not None:
            where.append("message < ?")
            values.append(before)
        if after is not None:
            where.append("message > ?")
            values.append(after)
        if thread is not None:
            where.append("thread = ?")
            values.append(thread)
        elif not threads:
            where.append("thread is null")
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
            f"select {_COLUMNS} from message where room = ? and message = ? and {THERE} "
            f"and {self._shown}",
            (self._room, message, self._now_ms),
        )
        found = self._messages(rows)
        return found[0] if found else None

    def just_written(self, message: MessageId, said: MessageValue, footing: Footing) -> Message:
        """Return an own message that is being written, about which nothing can have been said."""
        me, written = footing.member, stamp_of(message)
        sent_at, quote = ms_of(written), None
        if said.reply_to:
            quote = self._quotes({said.reply_to})[said.reply_to]
        return Message(
            id=message,
            room_id=footing.room_id,
            sender=me,
            sender_name=_label(footing.name) or me[:6],
            text=said.text,
            kind=said.kind,
            sent_at=sent_at,
            reply_to=MessageId(said.reply_to) if said.reply_to else None,
            thread=MessageId(said.thread) if said.thread else None,
            metadata=said.metadata,
            attachments=said.attachments,
            mentions=said.mentions,  # type: ignore[arg-type]
            mine=True,
            clock_ahead=is_ahead(written, self._now_ms),
            quote=quote,
            expires_at=None if said.expires is None else sent_at + said.expires,
            forwarded=forwarded_of(said),
            poll=poll_of(said, None, me),
        )

    def many(self, ids: Sequence[MessageId]) -> list[Message]:
        """Return those of the messages that are here, in display order."""
        places = ",".join("?" * len(ids))
        return self._messages(
            self._db.rows(
                f"select {_COLUMNS} from message where room = ? and message in ({places}) "
                f"and {THERE} and {self._shown} order by message",
                (self._room, *ids, self._now_ms),
            )
        )

    def mentions_as_sent(self, message: str) -> tuple[str, ...]:
        """Return whom a message mentioned when it was sent."""
        row = self._db.row(
            "select value from message where room = ? and message = ?", (self._room, message)
        )
        return () if row is None else decode_value(Root.MESSAGES, row[0] or "{}").mentions

    def matching_prefix(self, prefix: str) -> list[MessageId]:
        """Return up to two message ids that begin with ``prefix``."""
        return [
            MessageId(found)
            for (found,) in self._db.rows(
                "select message from message where room = ? and message >= ? and message < ? "
                f"and {THERE} limit 2",
                (self._room, prefix, prefix + "~", self._now_ms),
            )
        ]

    def _messages(self, rows: Iterable[tuple[Any, ...]]) -> list[Message]:
        found = [(row, decode_value(Root.MESSAGES, row[2] or "{}")) for row in rows]
        self._names.look_up({self._owners[author_device(row[0])] for row, _ in found})
        around = _Around(
            self._ask()[0],
            _OwnStates(self._db, self._room, self._me),
            self._readers({marker_key(author_device(row[0]), row[7]) for row, _ in found}),
            self._quotes({said.reply_to for _, said in found if said.reply_to}),
            reply_counts(self._db, self._room, [row[0] for row, _ in found]),
            pinned_of(self._db, self._room, [row[0] for row, _ in found]),
            blocked(self._db) if any(row[6] for row, _ in found) else frozenset(),
        )
        return [self._message(row, said, around) for row, said in found]

    def _message(self, row: tuple[Any, ...], said: MessageValue, around: _Around) -> Message:
        message, seq, _, edited, edited_at, deleted, reactions, thread, mentions, unread = row[:10]
        votes, expires, hidden = row[10:]
        writer, written = author_device(message), stamp_of(message)
        sender = self._owners[writer]
        me = self._owners[self._me]
        readers = around.readers[marker_key(writer, thread)]
        if self._is_withheld(sender, hidden):
            said, edited, mentions, votes = MessageValue(kind=said.kind), None, None, None
        read_by = tuple(m for m, upto in readers if upto >= written and m != sender)
        mine = sender == me
        status = Status.DELIVERED
        if mine:
            status = (
                Status.READ if read_by else around.states.of(message, seq, deleted=bool(deleted))
            )
            if writer != self._me and not read_by:  # of another own device: it came from the relay
                status = Status.SENT
        return Message(
            id=message,
            room_id=around.room_id,
            sender=sender,
            sender_name=self._names[sender],
            text=said.text if edited is None else edited,
            kind=said.kind,
            sent_at=ms_of(written),
            edited_at=None if edited_at is None else ms_of(edited_at),
            deleted=bool(deleted),
            reply_to=MessageId(said.reply_to) if said.reply_to else None,
            thread=thread,
            reactions=tuple(
                ReactionView(r.member, self._names[r.member], r.emoji, ms_of(r.at))
                for r in distinct(reactions_of(reactions))
                if r.member not in around.blocked
            ),
            read_by=read_by,
            status=status,
            metadata=said.metadata,
            attachments=said.attachments,
            mentions=tuple(MemberId(member) for member in mentions_of(mentions, said)),
            mine=mine,
            clock_ahead=is_ahead(written, self._now_ms),
            quote=around.quotes.get(said.reply_to or ""),
            replies=around.replies.get(message, 0),
            unread=bool(unread),
            hidden=bool(hidden),
            pinned=message in around.pinned,
            expires_at=expires,
            forwarded=forwarded_of(said),
            poll=poll_of(said, votes, me),
        )

    def _is_withheld(self, sender: MemberId, hidden: int) -> bool:
        """Tell whether what somebody said is left out, because an admin has hidden it."""
        return bool(hidden) and sender != self._owners[self._me] and not self._shows_hidden

    def _readers(self, places: set[str]) -> dict[str, list[tuple[MemberId, Stamp]]]:
        return {
            place: [
                (member, upto)
                for member, upto in self._db.rows(
                    "select member, upto from read_to where room = ? and place = ? order by member",
                    (self._room, place),
                )
            ]
            for place in sorted(places)
        }

    def _quotes(self, answered: set[str]) -> dict[str, Quote]:
        """Return what answers quote: what is here of it, and placeholders for the rest."""
        if not answered:
            return {}
        places = ",".join("?" * len(answered))
        here = {
            row[0]: row[1:]
            for row in self._db.rows(
                "select message, value, edited, deleted, hidden from message "
                f"where room = ? and {THERE} and message in ({places}) and {self._shown}",
                (self._room, self._now_ms, *sorted(answered)),
            )
        }
        return {message: self._quote(message, here.get(message)) for message in answered}

    def _quote(self, message: str, row: tuple[Any, ...] | None) -> Quote:
        id_ = MessageId(message)
        sender = self._owners[author_device(id_)]
        name = self._names[sender]
        if row is None:
            return Quote(id_, sender, name, is_here=False)
        value, edited, deleted, hidden = row
        said = decode_value(Root.MESSAGES, value or "{}")
        text = said.text if edited is None else edited
        if self._is_withheld(sender, hidden):
            text = ""
        return Quote(id_, sender, name, text[:QUOTE_CHARS_MAX], said.kind, bool(deleted))


class _OwnStates:
    """Tells how far own messages got, from the own chain's marks."""

    def __init__(self, db: Database, room: int, me: DeviceId) -> None:
        self._parked = outbox.parked_messages(db, room)
        row = db.row(
            "select acked, delivered, frozen from chain where room = ? and device = ?", (room, me)
        )
        self._acked, self._delivered, self._frozen = (0, 0, None) if row is None else row

    def of(self, message: str, seq: int | None, *, deleted: bool) -> Status:
        if message in self._parked:
            return Status.REFUSED
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
        if (name := _label(raw)) is not None
    }


class _Names(dict[MemberId, str]):
    """Tells what members are called; looked up at first use, as a room may have very many."""

    def __init__(self, db: Database, room: int) -> None:
        super().__init__()
        self._db = db
        self._room = room

    def __missing__(self, member: MemberId) -> str:
        self.look_up({member})
        return self[member]

    def look_up(self, members: Set[MemberId]) -> None:
        """Look up some at once."""
        for chunk in chunks(sorted(members)):
            places = ",".join("?" * len(chunk))
            said = self._db.rows(
                "select member, value from field "
                f"where room = ? and root = ? and member in ({places}) and key = 'name'",
                (self._room, int(Root.PROFILE), *chunk),
            )
            self |= {MemberId(member): member[:6] for member in chunk}
            self |= {member: name for member, raw in said if (name := _label(raw)) is not None}


def _label(raw: str | None) -> str | None:
    """Return a member's name from its stored form, None for none that can be shown."""
    name = None if raw is None else msgspec.json.decode(raw)
    return name if is_label(name, NAME_CHARS_MAX) else None


def unacked(
    db: Database, chain: int, acked: int, *, after: str = "", limit: int = PAGE_MAX
) -> list[MessageId]:
    """Return own messages that are sealed, not deleted, and not acknowledged by the relay yet."""
    return [
        MessageId(message)
        for (message,) in db.rows(
            f"select message from message where {_UNACKED} and message > ? "
            "order by message limit ?",
            (chain, acked, chain, acked, after, limit),
        )
    ]


def is_unacked(db: Database, chain: int, acked: int, message: str) -> bool:
    """Tell whether a message is one of these."""
    row = db.row(
        f"select 1 from message where message = ? and {_UNACKED}",
        (message, chain, acked, chain, acked),
    )
    return row is not None


def unacked_count(db: Database, chain: int, acked: int) -> int:
    """Return how many these are."""
    (found,) = db.execute(
        f"select count(*) from message where {_UNACKED}", (chain, acked, chain, acked)
    ).fetchone()
    return int(found)


def touch_own(db: Database, chain: int, *, after_seq: int, upto_seq: int, change: int) -> None:
    """Mark own messages as changed because their state moved on."""
    db.execute(
        "update message set change = ? "
        "where chain = ? and seq > ? and seq <= ? and gone = 0 and volume in "
        "(select distinct volume from envelope where chain = ? and seq > ? and seq <= ?)",
        (change, chain, after_seq, upto_seq, chain, after_seq, upto_seq),
    )


def is_deleted(db: Database, room: int, message: str) -> bool:
    """Tell whether a message is here and was deleted."""
    row = db.row("select deleted from message where room = ? and message = ?", (room, message))
    return row is not None and bool(row[0])


def own_seq(db: Database, room: int, message: str) -> int | None:
    """Return the seq of the own envelope that carries a message, None while it is not sealed."""
    row = db.row("select seq from message where room = ? and message = ?", (room, message))
    return None if row is None or row[0] is None else int(row[0])


def touch(db: Database, room: int, messages: Iterable[str], *, change: int) -> None:
    """Mark messages as changed."""
    db.executemany(
        "update message set change = ? where room = ? and message = ? and gone = 0",
        [(change, room, message) for message in messages],
    )

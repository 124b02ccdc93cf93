"""Messages as apps see them: frozen values, with the tutorial's JSON form."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from ..errors import DecodeError
from ..ids import MemberId, MessageId, RoomId, room_bytes, room_text
from .clock import MS_MAX
from .markup import Block, parse_markup

QUOTE_CHARS_MAX = 200
"""How much a quote tells of a text."""


class Status(StrEnum):
    """How far a message got; never goes backwards, except from SENT to REFUSED where the relay lost
    it, and its writer's chain ended before it by the room's log; and from REFUSED to QUEUED where
    the person tries again.

    Others' messages, and deleted ones, are DELIVERED.
    """

    QUEUED = "queued"
    """Durable here, not yet acknowledged by the relay."""
    REFUSED = "refused"
    """Parked: the relay refused it for good; see ``room.outbox()`` for the reason."""
    SENT = "sent"
    """Durable at the relay."""
    DELIVERED = "delivered"
    """On at least one other member's device."""
    READ = "read"
    """Read by at least one other member."""


@dataclass(frozen=True, slots=True)
class ReactionView:
    """Is one member's reaction; ``at_ms`` is since 1970."""

    member: MemberId
    name: str
    emoji: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Quote:
    """Is what a message answers, in short.

    ``is_here`` is False for a placeholder: the message has not arrived yet, and then there are
    only its id and who wrote it, as far as that is known.
    """

    id: MessageId
    sender: MemberId
    sender_name: str
    text: str = ""
    kind: str = "text"
    deleted: bool = False
    is_here: bool = True


@dataclass(frozen=True, slots=True)
class PollOption:
    """Is what can be chosen in a poll, and who chose it."""

    text: str
    votes: tuple[MemberId, ...] = ()


@dataclass(frozen=True, slots=True)
class Poll:
    """Is a poll as it stands; its question is the message's text.

    ``voters`` is how many members have voted, ``chosen`` the places of what this person chose.
    ``closed_at`` is when its author closed it (ms since 1970), None while it is open.
    """

    options: tuple[PollOption, ...]
    multiple: bool = False
    closed_at: int | None = None
    voters: int = 0
    chosen: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Forwarded:
    """Says who wrote a forwarded message, and when (ms since 1970); whoever forwarded it says so.

    ``sender`` is a member id that this room need not know, ``name`` what they were called.
    """

    sender: MemberId
    name: str
    sent_at: int


@dataclass(frozen=True, slots=True)
class TextVersion:
    """Is a text that a message had, and since when (ms since 1970)."""

    text: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Message:
    """Is one message as shown now.

    Times are milliseconds since 1970 by the writer's hybrid clock. ``clock_ahead`` flags a
    message from a clock that is minutes ahead of this machine's. A deleted message keeps its id,
    sender, time and thread, and nothing else. ``read_by`` are the other members who have read it,
    ``quote`` what it answers, ``replies`` how many there are in its thread; ``unread`` says
    whether it is for this person. ``hidden`` ones an admin has hidden: unless asked for, what
    others said in them is left out. ``expires_at`` is when it disappears, None for never.
    """

    id: MessageId
    room_id: RoomId
    sender: MemberId
    sender_name: str
    text: str
    kind: str
    sent_at: int
    edited_at: int | None = None
    deleted: bool = False
    reply_to: MessageId | None = None
    thread: MessageId | None = None
    reactions: tuple[ReactionView, ...] = ()
    read_by: tuple[MemberId, ...] = ()
    status: Status = Status.QUEUED
    metadata: dict[str, Any] | None = None
    attachments: tuple[dict[str, Any], ...] = ()
    mentions: tuple[MemberId, ...] = ()
    mine: bool = field(default=False, compare=False)
    clock_ahead: bool = field(default=False, compare=False)
    quote: Quote | None = field(default=None, compare=False)
    replies: int = field(default=0, compare=False)
    unread: bool = field(default=False, compare=False)
    hidden: bool = False
    pinned: bool = False
    expires_at: int | None = None
    forwarded: Forwarded | None = None
    poll: Poll | None = None

    @property
    def markup(self) -> tuple[Block, ...]:
        """Return the text as a tree to draw; see ``syncchat.markup``."""
        return parse_markup(self.text)

    def to_json(self) -> dict[str, Any]:
        """Return the message with the tutorial's field names, and this library's own after them.

        ``timestamp`` values are ISO 8601 in UTC.
        """
        return {
            "id": self.id,
            "senderId": self.sender,
            "content": self.text,
            "timestamp": _iso(self.sent_at),
            "type": self.kind,
            "replyTo": self.reply_to,
            "metadata": self.metadata or {},
            "readBy": list(self.read_by),
            "reactions": [
                {"userId": r.member, "emoji": r.emoji, "timestamp": _iso(r.at_ms), "name": r.name}
                for r in self.reactions
            ],
            "roomId": room_text(self.room_id),
            "senderName": self.sender_name,
            "editedAt": None if self.edited_at is None else _iso(self.edited_at),
            "deleted": self.deleted,
            "thread": self.thread,
            "status": self.status.value,
            "attachments": list(self.attachments),
            "mentions": list(self.mentions),
            "quote": None if self.quote is None else _quote_json(self.quote),
            "replies": self.replies,
            "unread": self.unread,
            "hidden": self.hidden,
            "pinned": self.pinned,
            "expiresAt": None if self.expires_at is None else _iso(self.expires_at),
            "forwarded": None if self.forwarded is None else _forwarded_json(self.forwarded),
            "poll": None if self.poll is None else _poll_json(self.poll),
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Message:
        """Return the message in what ``to_json`` gave; raises ``DecodeError``."""
        try:
            edited, expires = fields.get("editedAt"), fields.get("expiresAt")
            forwarded, poll = fields.get("forwarded"), fields.get("poll")
            return cls(
                id=MessageId(_text(fields["id"])),
                room_id=room_bytes(_text(fields["roomId"])),
                sender=MemberId(_text(fields["senderId"])),
                sender_name=_text(fields.get("senderName", "")),
                text=_text(fields["content"]),
                kind=_text(fields["type"]),
                sent_at=_ms(fields["timestamp"]),
                edited_at=None if edited is None else _ms(edited),
                deleted=bool(fields.get("deleted", False)),
                reply_to=fields.get("replyTo"),
                thread=fields.get("thread"),
                reactions=tuple(
                    ReactionView(
                        MemberId(_text(r["userId"])),
                        _text(r.get("name", "")),
                        _text(r["emoji"]),
                        _ms(r["timestamp"]),
                    )
                    for r in fields.get("reactions", ())
                ),
                read_by=tuple(fields.get("readBy", ())),
                status=Status(fields.get("status", "sent")),
                metadata=fields.get("metadata") or None,
                attachments=tuple(fields.get("attachments", ())),
                mentions=tuple(fields.get("mentions", ())),
                quote=_quote(fields.get("quote")),
                replies=int(fields.get("replies", 0)),
                unread=bool(fields.get("unread", False)),
                hidden=bool(fields.get("hidden", False)),
                pinned=bool(fields.get("pinned", False)),
                expires_at=None if expires is None else _ms(expires),
                forwarded=None if forwarded is None else _forwarded(forwarded),
                poll=None if poll is None else _poll(poll),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise DecodeError(f"not a message: {exc!r}") from exc


def _quote_json(quote: Quote) -> dict[str, Any]:
    return {
        "id": quote.id,
        "senderId": quote.sender,
        "senderName": quote.sender_name,
        "content": quote.text,
        "type": quote.kind,
        "deleted": quote.deleted,
        "isHere": quote.is_here,
    }


def _quote(fields: dict[str, Any] | None) -> Quote | None:
    if fields is None:
        return None
    return Quote(
        id=MessageId(_text(fields["id"])),
        sender=MemberId(_text(fields["senderId"])),
        sender_name=_text(fields["senderName"]),
        text=_text(fields["content"]),
        kind=_text(fields["type"]),
        deleted=bool(fields["deleted"]),
        is_here=bool(fields["isHere"]),
    )


def _forwarded_json(origin: Forwarded) -> dict[str, Any]:
    return {
        "senderId": origin.sender,
        "senderName": origin.name,
        "timestamp": _iso(origin.sent_at),
    }


def _forwarded(fields: dict[str, Any]) -> Forwarded:
    return Forwarded(
        MemberId(_text(fields["senderId"])),
        _text(fields["senderName"]),
        _ms(fields["timestamp"]),
    )


def _poll_json(poll: Poll) -> dict[str, Any]:
    return {
        "options": [{"text": each.text, "votes": list(each.votes)} for each in poll.options],
        "multiple": poll.multiple,
        "closedAt": None if poll.closed_at is None else _iso(poll.closed_at),
        "voters": poll.voters,
        "chosen": list(poll.chosen),
    }


def _poll(fields: dict[str, Any]) -> Poll:
    closed = fields.get("closedAt")
    return Poll(
        tuple(PollOption(_text(o["text"]), tuple(o["votes"])) for o in fields["options"]),
        bool(fields.get("multiple", False)),
        None if closed is None else _ms(closed),
        int(fields.get("voters", 0)),
        tuple(int(choice) for choice in fields.get("chosen", ())),
    )


def _iso(ms: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=min(ms, _ISO_MS_MAX))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ms(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return min((moment - _EPOCH) // timedelta(milliseconds=1), MS_MAX)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO_MS_MAX = 253_402_300_799_999
"""The last millisecond of the year 9999, where ISO dates of four digits end."""

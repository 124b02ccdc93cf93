"""Drafts: what is being written, kept until it is sent, on every device of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..core.message import Message
from ..errors import NotFoundError, ValidationError
from ..ids import MessageId, is_message_id, room_text
from .base import checked_text, json_object
from .writing import RoomWriting

if TYPE_CHECKING:
    from ..peer.later import Plan

DRAFT_FIELD = "draft/"
TEXT_CHARS_MAX = 16_384
"""A field of the personal room has at most 64 KiB."""

DRAFTS_MAX = 1_000
"""Of a room and its threads."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Is what is being written in a room, or in a thread of it.

    ``edits`` is the own message that is being changed, None for a new one. ``attachments`` are
    JSON objects of the app's own, such as paths of files that are to be attached. ``saved_ms`` is
    when it was kept, since 1970.
    """

    text: str
    thread: MessageId | None = None
    reply_to: MessageId | None = None
    edits: MessageId | None = None
    attachments: tuple[dict[str, Any], ...] = ()
    saved_ms: int = 0


class RoomDrafts(RoomWriting):
    """Is what a room's handle can do about drafts; part of ``Room``."""

    __slots__ = ()

    def draft(self, thread: str | None = None) -> Draft | None:
        """Return what is being written here, or in a thread; None for nothing."""
        return _draft_of(self._peer._personal.get(self._draft_key(thread)), thread)

    def drafts(self) -> list[Draft]:
        """Return the drafts of the room and of its threads, those of the room first."""
        prefix = self._draft_key(None)
        found = self._peer._personal.all(prefix)
        drafts = [_draft_of(value, key[len(prefix) :] or None) for key, value in found.items()]
        return [draft for draft in drafts if draft is not None]

    def set_draft(
        self,
        text: str,
        *,
        thread: str | None = None,
        reply_to: str | None = None,
        edits: str | None = None,
        attachments: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Keep what is being written; it is durable when this returns. Nothing at all clears it.

        An app saves when somebody rests, at most once a second: each save goes to the other
        devices. Raises ``ValidationError``.
        """
        if len(checked_text(text, "text")) > TEXT_CHARS_MAX:
            raise ValidationError(f"a draft has at most {TEXT_CHARS_MAX:,} characters")
        for reference in (reply_to, edits):
            if reference is not None and not is_message_id(checked_text(reference, "an id")):
                raise ValidationError(f"{reference!r} is not a message id")
        fields: dict[str, Any] = {
            "text": text,
            "reply_to": reply_to,
            "edits": edits,
            "attachments": [json_object(each, "an attachment") for each in attachments],
        }
        fields = {name: value for name, value in fields.items() if value}
        key = self._draft_key(thread)
        with self._peer._db.atomic():
            before = self._peer._personal.get(key)
            if not fields:
                self._peer._personal.put(key, None)
            elif not isinstance(before, dict) or before | {"saved": 0} != fields | {"saved": 0}:
                if before is None and len(self.drafts()) >= DRAFTS_MAX:
                    raise ValidationError(f"there are {DRAFTS_MAX:,} drafts here; clear some first")
                self._peer._personal.put(key, fields | {"saved": self._peer.now_ms()})
        self._peer._ring()

    def send_draft(self, thread: str | None = None) -> Message:
        """Send what the draft says, or make the change that it is, and clear it, in one step.

        Attachments are left to the app: attach them first. Raises ``NotFoundError`` where there
        is none, and what ``send`` and ``edit`` raise; the draft is kept then.
        """
        draft = self.draft(thread)
        if draft is None:
            raise NotFoundError("there is no draft here")
        with self._peer._db.atomic():
            if draft.edits is not None:
                sent = self.edit(draft.edits, draft.text)
            else:
                sent = self.send(draft.text, reply_to=draft.reply_to, thread=thread)
            self._peer._personal.put(self._draft_key(thread), None)
        self._peer._ring()
        return sent

    def schedule(
        self,
        text: str,
        at: datetime | int,
        *,
        reply_to: str | None = None,
        thread: str | None = None,
    ) -> Plan:
        """Have a text sent at a time: a ``datetime`` with a time zone, or ms since 1970.

        It goes out while any device of this person is online then, or as soon as one is. See
        ``Peer.scheduled`` and ``Peer.unschedule``. Raises ``ValidationError``.
        """
        if not checked_text(text, "text").strip() or len(text) > TEXT_CHARS_MAX:
            raise ValidationError(f"a scheduled message has 1 to {TEXT_CHARS_MAX:,} characters")
        for reference in (reply_to, thread):
            if reference is not None and not is_message_id(checked_text(reference, "an id")):
                raise ValidationError(f"{reference!r} is not a message id")
        fields = {"text": text, "reply_to": reply_to, "thread": thread}
        return self._peer._schedule(self._load().room_id, at, fields)

    def _draft_key(self, thread: str | None) -> str:
        if thread is not None and not is_message_id(thread):
            raise ValidationError(f"{thread!r} is not a message id")
        return f"{DRAFT_FIELD}{room_text(self._load().room_id)}/{thread or ''}"


def _draft_of(value: Any, thread: str | None) -> Draft | None:
    """Return the draft in a field of the personal room, None for what makes no sense."""
    if not isinstance(value, dict):
        return None
    text, attachments, saved = (value.get(name) for name in ("text", "attachments", "saved"))
    return Draft(
        text if isinstance(text, str) else "",
        _id(thread),
        _id(value.get("reply_to")),
        _id(value.get("edits")),
        tuple(each for each in attachments if isinstance(each, dict))
        if isinstance(attachments, list)
        else (),
        saved if isinstance(saved, int) else 0,
    )


def _id(value: object) -> MessageId | None:
    return MessageId(value) if isinstance(value, str) and is_message_id(value) else None

"""Writing in a room: messages, their edits and deletions, reactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace as changed
from typing import Any

import msgspec
from msgspec.structs import replace

from ..core.clock import ms_of
from ..core.emoji import emoji_form
from ..core.message import Message, Status, TextVersion
from ..core.values import (
    EARLIER_MAX,
    KIND_CHARS_MAX,
    TITLE_CHARS_MAX,
    VALUE_BYTES_MAX,
    EditValue,
    FieldValue,
    MessageValue,
    ReactionValue,
    Root,
    as_written,
    decode_value,
    encode_value,
    is_label,
)
from ..errors import DecodeError, NotAllowedError, NotFoundError, ValidationError
from ..ids import (
    MemberId,
    MessageId,
    author_device,
    is_message_id,
    message_id,
    stamp_of,
)
from ..storage import outbox, sending, view
from ..storage.erasing import delete_own
from ..storage.fields import last_sealed, seconds_of
from ..storage.outbox import Op
from .base import Write, checked_text, json_object
from .threads import RoomThreads

MENTIONS_MAX = 100
"""Whom one message calls; more are not called but alarmed."""

ONCE_CHARS_MAX = 200

EARLIER_BYTES_MAX = VALUE_BYTES_MAX // 2
"""Of earlier texts that an edit carries; the oldest are left out."""

EARLIER_BYTES_MIN = 1_024
"""What is left free in an edit beside its texts."""


class RoomWriting(RoomThreads):
    """Is what a room's handle can do about own messages and reactions; part of ``Room``."""

    __slots__ = ()

    def set_title(self, title: str) -> None:
        """Rename the room for everyone."""
        checked = checked_title(title)
        self._put_mark(Root.ROOM, "title", lambda at: FieldValue(at, checked))

    def send(
        self,
        text: str = "",
        *,
        reply_to: str | None = None,
        thread: str | None = None,
        kind: str = "text",
        metadata: Mapping[str, Any] | None = None,
        attachments: Sequence[Mapping[str, Any]] = (),
        mentions: Sequence[str] = (),
        once: str | None = None,
    ) -> Message:
        """Write a message; it is durable when this returns, and goes out when it can.

        ``reply_to`` and ``thread`` are message ids; those messages need not be here yet. An answer
        to a reply in a thread is in that thread, too: threads are one level deep. ``mentions`` are
        ids of members, ``metadata`` and ``attachments`` JSON objects. With ``once``, a key of
        the program's own choice, trying again is safe: where a message was sent from this database
        with the same key (of the last 10,000 in the room), that one is returned, and nothing is
        written. Raises ``ValidationError``.
        """
        value = self._new_value(
            text,
            reply_to=reply_to,
            thread=thread,
            kind=kind,
            metadata=metadata,
            attachments=attachments,
            mentions=mentions,
            once=once,
        )
        return self._write(value, once=once)

    def _write(self, value: MessageValue, *, once: str | None = None) -> Message:
        """Write a message, which disappears when the room's timer says so."""
        with self._writing() as write:
            if once is not None and (before := self._sent_before(once)) is not None:
                return before
            sent = self._write_message(write, value, once=once)
        self._stop_typing(sent.thread)
        return sent

    def edit(self, message: str, text: str, *, mentions: Sequence[str] | None = None) -> Message:
        """Change the text of an own message, and whom it mentions; None leaves them as they are.

        Of members only those are notified that were not mentioned before. One that was not sent
        yet changes as if it had been written so, and one that was parked goes then, with a new id
        where others were sent after it. Raises ``NotFoundError``, ``NotAllowedError``,
        ``ValidationError``.
        """
        if not checked_text(text, "text").strip():
            raise ValidationError("the new text is empty; delete the message instead")
        with self._writing() as (stamp, batch, _):
            own = self._own(message, "edit")
            now = own.mentions
            if mentions is not None:
                now = self._checked_mentions(mentions, before=own.mentions)
            pending = self._queued(own.id)
            if own.status is Status.REFUSED and pending is not None:
                own = changed(own, id=self._unparked(own.id))
                pending = self._queued(own.id)
            if pending is not None:
                value = replace(_said(pending, own), text=text, mentions=now)
                raw = encode_value(value)
                self._queue(Op(Root.MESSAGES, pending.key, pending.at, raw))
                batch.write(own.id, raw, value)
            else:
                earlier = self._earlier_texts(own.id, text)
                edit = EditValue(stamp, text, self._if_others(own.id, now), earlier)
                self._queue(Op(Root.EDITS, own.id, stamp, encode_value(edit)))
                batch.note(Root.EDITS, own.id, edit)
            batch.flush()
            edited = self.message(own.id)  # in the transaction, where no lock is to be taken anew
        return edited

    def delete(self, message: str) -> None:
        """Delete an own message for everyone; one that was not sent yet just goes.

        Raises ``NotFoundError``, ``NotAllowedError``.
        """
        with self._writing() as (stamp, batch, _):
            own = self._own(message, "delete")
            delete_own(
                self._peer._db,
                self._row,
                own.id,
                batch,
                at=stamp,
                me=self._peer.device,
                is_gone=own.expires_at is not None,
            )

    def edits(self, message: str) -> list[TextVersion]:
        """Return the texts that a message had, first written first; the last is the one shown.

        What was corrected before it was sent is not among them, nor what is older than the last
        20 of a device's edits. Raises ``NotFoundError``, also for a deleted message.
        """
        found = self.message(message)
        if found.deleted:
            raise NotFoundError("the message was deleted")
        if found.hidden and not found.mine:
            raise NotAllowedError("the message was hidden by an admin")
        me = self._peer.device
        with self._peer._db.reading():
            said = view.versions_of(self._peer._db, self._row, found.id, me=me)
        return [TextVersion(each.text, ms_of(each.at)) for each in said]

    def react(self, message: str, emoji: str) -> None:
        """Add a reaction; raises ``NotFoundError``, ``ValidationError``."""
        self._react(message, emoji, on=True)

    def unreact(self, message: str, emoji: str) -> None:
        """Take a reaction back; raises ``NotFoundError``, ``ValidationError``."""
        self._react(message, emoji, on=False)

    # Inside

    def _queued(self, message: MessageId) -> Op | None:
        """Return the op of a message that this device has not sent yet.

        A message of another own device may have the stamp of one that waits here.
        """
        if author_device(message) != self._peer.device:
            return None
        return outbox.find(self._peer._db, self._row, Root.MESSAGES, stamp_of(message))

    def _sent_before(self, once: str) -> Message | None:
        before = sending.find_sent(self._peer._db, self._row, once)
        return None if before is None else self._reading().one(before)

    def _unparked(self, message: MessageId) -> MessageId:
        """Let an own message go that may be parked; return its id from then on."""
        for each in outbox.parked(self._peer._db, self._row):
            if each.op.root is Root.MESSAGES and each.op.key == stamp_of(message):
                return self._unpark(each) or message
        return message

    def _new_value(
        self,
        text: str,
        *,
        reply_to: str | None,
        thread: str | None,
        kind: str,
        metadata: Mapping[str, Any] | None,
        attachments: Sequence[Mapping[str, Any]] = (),
        mentions: Sequence[str],
        once: str | None,
    ) -> MessageValue:
        """Return a message to be; raises ``ValidationError``."""
        checked_text(text, "text")
        checked_text(kind, "kind")
        if not text.strip() and kind == "text" and not attachments:
            raise ValidationError("the message is empty")
        if not 0 < len(kind) <= KIND_CHARS_MAX:
            raise ValidationError(f"kind must have 1 to {KIND_CHARS_MAX} characters")
        for reference in (reply_to, thread):
            if reference is not None and not is_message_id(checked_text(reference, "an id")):
                raise ValidationError(f"{reference!r} is not a message id")
        if once is not None and not 0 < len(checked_text(once, "once")) <= ONCE_CHARS_MAX:
            raise ValidationError(f"once must have 1 to {ONCE_CHARS_MAX} characters")
        return MessageValue(
            text=text,
            kind=kind,
            reply_to=reply_to,
            thread=self._thread_for(reply_to, thread),
            mentions=self._checked_mentions(mentions),
            attachments=tuple(json_object(a, "an attachment") for a in attachments),
            metadata=json_object(metadata, "metadata") if metadata else None,
        )

    def _write_message(
        self, write: Write, value: MessageValue, *, once: str | None = None
    ) -> Message:
        """Queue a new message, and return it as it is shown."""
        stamp, batch, footing = write
        timer_ms = seconds_of(msgspec.json.decode(footing.timer or "0")) * 1_000
        raw, said = as_written(replace(value, expires=timer_ms) if timer_ms else value)
        written = message_id(stamp, self._peer.device)
        if once is not None:
            sending.note_sent(self._peer._db, self._row, once, written)
        self._queue(Op(Root.MESSAGES, stamp, stamp, raw))
        batch.write(written, raw, said)
        return self._reading().just_written(written, said, footing)

    def _stop_typing(self, thread: str | None) -> None:
        if self._peer._say_typing is not None:
            self._peer._say_typing(self._load().room_id, thread or "", is_typing=False)

    def _thread_for(self, reply_to: str | None, thread: str | None) -> str | None:
        """Return the thread of a message to be: where it is put, or where what it answers is."""
        if thread is not None:
            return self._thread_of(thread)
        answered = None if reply_to is None else self._reading().one(reply_to)
        return None if answered is None else answered.thread

    def _checked_mentions(
        self, mentions: Sequence[str], *, before: Sequence[str] = ()
    ) -> tuple[MemberId, ...]:
        """Return whom to mention, each once; who was mentioned ``before`` may have left since."""
        if isinstance(mentions, str) or not all(isinstance(each, str) for each in mentions):
            raise ValidationError("mentions are a list of member ids, each a str")
        found = tuple(MemberId(each) for each in dict.fromkeys(mentions))
        if len(found) > MENTIONS_MAX:
            raise ValidationError(f"a message mentions at most {MENTIONS_MAX} members")
        for member in found:
            if member not in before and not self._peer._membership.has_member(self._row, member):
                raise ValidationError(f"{member[:40]!r} is the id of no member of this room")
        return found

    def _if_others(
        self, message: MessageId, mentions: tuple[MemberId, ...]
    ) -> tuple[MemberId, ...] | None:
        """Return mentions, None where the message was sent with just these."""
        return None if mentions == self._reading().mentions_as_sent(message) else mentions

    def _react(self, message: str, emoji: str, *, on: bool) -> None:
        form = emoji_form(checked_text(emoji, "an emoji"))
        if form is None:
            raise ValidationError(f"{emoji[:40]!r} is not an emoji; give exactly one")
        target = self.message(message)
        if target.deleted:
            raise NotFoundError("the message was deleted")
        forms = [form] if on else self._forms_used(target.id, form)
        for each in forms:
            key = target.id + each
            self._put_mark(Root.REACTIONS, key, lambda at: ReactionValue(at, on))

    def _earlier_texts(self, message: MessageId, text: str) -> tuple[tuple[str, str], ...]:
        """Return what this device's edit to ``text`` carries of those before it.

        Nothing where new members are not to read what was written before they came.
        """
        if self._peer._membership.is_from_join(self._row):
            return ()
        db, me = self._peer._db, self._peer.device
        before = last_sealed(db, self._row, Root.EDITS, message, me=me)
        return () if before is None else fitting(text, [*before.earlier, (before.at, before.text)])

    def _forms_used(self, message: MessageId, form: str) -> list[str]:
        """Return in which forms this person has put an emoji to a message; in its own, if none."""
        db, me = self._peer._db, self._peer.id
        used = [
            reaction.emoji
            for reaction in view.reactions_to(db, self._row, message)
            if reaction.member == me and emoji_form(reaction.emoji) == form
        ]
        return used or [form]


def _said(pending: Op, own: Message) -> MessageValue:
    """Return what waits to be sent; of one that others could not read, what is shown of it."""
    try:
        said: MessageValue = decode_value(Root.MESSAGES, pending.raw or "")
    except DecodeError:
        return MessageValue(kind=own.kind, reply_to=own.reply_to, thread=own.thread)
    return said


def checked_title(title: str) -> str:
    """Return a room's title without outer spaces; raises ``ValidationError``."""
    title = checked_text(title, "a title").strip()
    if not is_label(title, TITLE_CHARS_MAX):
        raise ValidationError(f"a title has 1 to {TITLE_CHARS_MAX} printable characters")
    return title


def fitting(text: str, earlier: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the newest of the earlier texts that go with a new one."""
    kept: list[tuple[str, str]] = []
    left = min(EARLIER_BYTES_MAX, VALUE_BYTES_MAX - _json_bytes(text) - EARLIER_BYTES_MIN)
    for at, said in reversed(earlier[-EARLIER_MAX:]):
        left -= _json_bytes((at, said)) + 1
        if left < 0:
            break
        kept.append((at, said))
    return tuple(reversed(kept))


def _json_bytes(value: object) -> int:
    try:
        return len(msgspec.json.encode(value))
    except (UnicodeError, ValueError) as exc:
        raise ValidationError(f"this cannot be written as JSON: {exc}") from exc

"""Writing in a room: messages, their edits and deletions, reactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..core.message import Message, Status
from ..core.values import (
    KIND_CHARS_MAX,
    TITLE_CHARS_MAX,
    DeleteValue,
    EditValue,
    FieldValue,
    MessageValue,
    ReactionValue,
    Root,
    decode_value,
    encode_value,
    is_emoji,
    is_label,
)
from ..errors import NotFoundError, ValidationError
from ..ids import (
    MemberId,
    MessageId,
    author_device,
    is_message_id,
    message_id,
    stamp_of,
)
from ..storage import chains, outbox, sending
from ..storage.outbox import Op
from .base import checked_text, json_object
from .threads import RoomThreads

MENTIONS_MAX = 100
"""Whom one message calls; more are not called but alarmed."""

ONCE_CHARS_MAX = 200


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
        value = MessageValue(
            text=text,
            kind=kind,
            reply_to=reply_to,
            thread=self._thread_for(reply_to, thread),
            mentions=self._checked_mentions(mentions),
            attachments=tuple(json_object(a, "an attachment") for a in attachments),
            metadata=json_object(metadata, "metadata") if metadata else None,
        )
        raw = encode_value(value)
        shown = decode_value(Root.MESSAGES, raw)  # as others read it: JSON has no sets, no NaN
        with self._writing() as (stamp, batch):
            if once is not None and (before := self._sent_before(once)) is not None:
                return before
            written = message_id(stamp, self._peer.device)
            if once is not None:
                sending.note_sent(self._peer._db, self._row, once, written)
            self._queue(Op(Root.MESSAGES, stamp, stamp, raw))
            batch.write(written, raw, shown)
            batch.flush()
            sent = self.message(written)  # in the transaction, where no lock is to be taken anew
        if self._peer._say_typing is not None:
            self._peer._say_typing(sent.room_id, thread or "", is_typing=False)
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
        with self._writing() as (stamp, batch):
            own = self._own(message, "edit")
            now = own.mentions
            if mentions is not None:
                now = self._checked_mentions(mentions, before=own.mentions)
            pending = self._queued(own.id)
            if own.status is Status.REFUSED and pending is not None:
                own = replace(own, id=self._unparked(own.id))
                pending = self._queued(own.id)
            if pending is not None:
                value = MessageValue(
                    text=text,
                    kind=own.kind,
                    reply_to=own.reply_to,
                    thread=own.thread,
                    mentions=now,
                    attachments=own.attachments,
                    metadata=own.metadata,
                )
                raw = encode_value(value)
                self._queue(Op(Root.MESSAGES, pending.key, pending.at, raw))
                batch.write(own.id, raw, value)
            else:
                edit = EditValue(stamp, text, self._if_others(own.id, now))
                self._queue(Op(Root.EDITS, own.id, stamp, encode_value(edit)))
                batch.note(Root.EDITS, own.id, edit)
        return self.message(own.id)

    def delete(self, message: str) -> None:
        """Delete an own message for everyone; one that was not sent yet just goes.

        Raises ``NotFoundError``, ``NotAllowedError``.
        """
        with self._writing() as (stamp, batch):
            own = self._own(message, "delete")
            if self._queued(own.id) is not None:
                outbox.drop_about(self._peer._db, self._row, own.id)
                batch.withdraw(own.id)
                return
            outbox.drop(self._peer._db, self._row, Root.EDITS, own.id)
            delete = DeleteValue(stamp, own.thread)
            self._queue(Op(Root.DELETES, own.id, stamp, encode_value(delete)))
            if author_device(own.id) == self._peer.device:
                self._queue(Op(Root.MESSAGES, stamp_of(own.id), stamp, None))
            chain = chains.find_chain(self._peer._db, self._row, self._peer.device)
            if chain is not None and chains.volumes_holding(
                self._peer._db, chain.id, chain.device, Root.EDITS, own.id
            ):
                self._queue(Op(Root.EDITS, own.id, stamp, None))
            batch.note(Root.DELETES, own.id, delete)

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
        if not is_emoji(checked_text(emoji, "an emoji")):
            raise ValidationError(f"{emoji!r} is not an emoji")
        target = self.message(message)
        if target.deleted:
            raise NotFoundError("the message was deleted")
        self._put_mark(Root.REACTIONS, target.id + emoji, lambda at: ReactionValue(at, on))


def checked_title(title: str) -> str:
    """Return a room's title without outer spaces; raises ``ValidationError``."""
    title = checked_text(title, "a title").strip()
    if not is_label(title, TITLE_CHARS_MAX):
        raise ValidationError(f"a title has 1 to {TITLE_CHARS_MAX} printable characters")
    return title

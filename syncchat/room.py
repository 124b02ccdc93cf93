"""Rooms: a small handle on one room of a peer's database. All calls touch the local disk only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .core.message import Message
from .core.values import (
    KIND_CHARS_MAX,
    ROOT_NAMES,
    TITLE_CHARS_MAX,
    DeleteValue,
    EditValue,
    FieldValue,
    MessageValue,
    ReactionValue,
    ReadValue,
    Root,
    Value,
    decode_value,
    encode_value,
    is_emoji,
    is_label,
)
from .errors import NotAllowedError, NotFoundError, ValidationError
from .ids import (
    MessageId,
    RoomId,
    Stamp,
    is_message_id,
    message_id,
    room_text,
    stamp_of,
)
from .membership import (
    why_no_member,
)
from .roster import Roster
from .storage import chains, history, members, outbox, rooms, view
from .storage.outbox import Op
from .storage.rooms import Standing


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """Is something written here that the relay has not acknowledged.

    ``what`` is the kind of entry ("messages", "edits", …), ``message_id`` the message it is
    about, if any. ``reason`` says why it is parked, empty while it just waits.
    """

    what: str
    message_id: MessageId | None
    text: str
    reason: str


class Room(Roster):
    """Is a handle on one room; it caches nothing. A peer's methods make it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<Room {self.title!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Room) and (self._peer, self._row) == (other._peer, other._row)

    def __hash__(self) -> int:
        return hash(self._row)

    @property
    def id(self) -> RoomId:
        """Return the room's id, 16 bytes; ``ids.room_text`` writes it out."""
        return self._load().room_id

    @property
    def title(self) -> str:
        """Return the room's title, or the start of its id while none is known."""
        row = self._load()
        return row.title or room_text(row.room_id)[:8]

    @property
    def relay(self) -> str:
        """Return the relay's address; empty for a room that has none."""
        return self._load().relay

    def set_title(self, title: str) -> None:
        """Rename the room for everyone."""
        checked = checked_title(title)
        self._put_mark(Root.ROOM, "title", lambda at: FieldValue(at, checked))

    # Writing

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
    ) -> Message:
        """Write a message; it is durable when this returns, and goes out when it can.

        ``reply_to`` and ``thread`` are message ids; those messages need not be here yet.
        ``metadata`` and ``attachments`` are JSON objects. Raises ``ValidationError``.
        """
        _check_text(text, "text")
        _check_text(kind, "kind")
        if not text.strip() and kind == "text" and not attachments:
            raise ValidationError("the message is empty")
        if not 0 < len(kind) <= KIND_CHARS_MAX:
            raise ValidationError(f"kind must have 1 to {KIND_CHARS_MAX} characters")
        for reference in (reply_to, thread):
            if reference is not None and not is_message_id(_check_text(reference, "an id")):
                raise ValidationError(f"{reference!r} is not a message id")
        value = MessageValue(
            text=text,
            kind=kind,
            reply_to=reply_to,
            thread=thread,
            mentions=tuple(mentions),
            attachments=tuple(_json_object(a, "an attachment") for a in attachments),
            metadata=_json_object(metadata, "metadata") if metadata else None,
        )
        raw = encode_value(value)
        shown = decode_value(Root.MESSAGES, raw)  # as others read it: JSON has no sets, no NaN
        with self._writing() as (stamp, batch):
            written = message_id(stamp, self._peer.device)
            self._queue(Op(Root.MESSAGES, stamp, stamp, raw))
            batch.write(written, raw, shown)
            batch.flush()
            sent = self.message(written)  # in the transaction, where no lock is to be taken anew
        return sent

    def edit(self, message: str, text: str) -> Message:
        """Change the text of an own message.

        One that was not sent yet changes as if it had been written so. Raises ``NotFoundError``,
        ``NotAllowedError``, ``ValidationError``.
        """
        if not _check_text(text, "text").strip():
            raise ValidationError("the new text is empty; delete the message instead")
        with self._writing() as (stamp, batch):
            own = self._own(message, "edit")
            pending = outbox.find(self._peer._db, self._row, Root.MESSAGES, stamp_of(own.id))
            if pending is not None:
                value = MessageValue(
                    text=text,
                    kind=own.kind,
                    reply_to=own.reply_to,
                    thread=own.thread,
                    mentions=own.mentions,
                    attachments=own.attachments,
                    metadata=own.metadata,
                )
                raw = encode_value(value)
                self._queue(Op(Root.MESSAGES, pending.key, pending.at, raw))
                batch.write(own.id, raw, value)
            else:
                edit = EditValue(stamp, text)
                self._queue(Op(Root.EDITS, own.id, stamp, encode_value(edit)))
                batch.note(Root.EDITS, own.id, edit)
        return self.message(own.id)

    def delete(self, message: str) -> None:
        """Delete an own message for everyone; one that was not sent yet just goes.

        Raises ``NotFoundError``, ``NotAllowedError``.
        """
        with self._writing() as (stamp, batch):
            own = self._own(message, "delete")
            key = stamp_of(own.id)
            if outbox.find(self._peer._db, self._row, Root.MESSAGES, key) is not None:
                outbox.drop_about(self._peer._db, self._row, own.id)
                batch.withdraw(own.id)
                return
            outbox.drop(self._peer._db, self._row, Root.EDITS, own.id)
            delete = DeleteValue(stamp)
            self._queue(Op(Root.DELETES, own.id, stamp, encode_value(delete)))
            self._queue(Op(Root.MESSAGES, key, stamp, None))
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

    def mark_read(self, message: str | None = None) -> None:
        """Mark a message and everything shown before it as read; without one, everything.

        Raises ``NotFoundError``.
        """
        with self._writing() as (stamp, batch):
            upto = None if message is None else self.message(message).id
            latest = history.last_stamps(self._peer._db, self._row, upto)
            at = stamp
            for writer, last in sorted(latest.items()):
                read = ReadValue(at, last)
                self._queue(Op(Root.READS, writer, at, encode_value(read)))
                batch.note(Root.READS, writer, read)
                at = rooms.next_stamp(self._peer._db, self._peer.now_ms())

    # Reading

    def messages(
        self,
        *,
        before: str | None = None,
        after: str | None = None,
        limit: int = 50,
        thread: str | None = None,
    ) -> list[Message]:
        """Return messages in display order: the last ``limit``, or those next to an id.

        ``before`` gives the ones just before that id, ``after`` those just after it; ``thread``
        only replies of that thread. Raises ``ValidationError`` for a limit outside 1 to 1,000.
        """
        if not 0 < limit <= history.PAGE_MAX:
            raise ValidationError(f"limit must be 1 to {history.PAGE_MAX}")
        ids = [None if i is None else self._checked_id(i) for i in (before, after, thread)]
        with self._peer._db.reading():
            return self._reading().page(before=ids[0], after=ids[1], thread=ids[2], limit=limit)

    def message(self, message: str) -> Message:
        """Return one message, by its id or an unmistakable beginning of it.

        Raises ``NotFoundError``.
        """
        found = self._reading().one(message) if is_message_id(message) else None
        if found is None and 8 <= len(message) < 26:
            fitting = self._reading().matching_prefix(message.upper())
            if len(fitting) == 1:
                found = self._reading().one(fitting[0])
        if found is None:
            raise NotFoundError(f"no message {message[:40]!r} in this room")
        return found

    def unread(self) -> int:
        """Return how many messages are unread."""
        return history.unread_count(self._peer._db, self._row)

    def outbox(self) -> list[OutboxItem]:
        """Return what is not acknowledged by the relay yet: first sent first."""
        db = self._peer._db
        with db.reading():
            own = chains.find_chain(db, self._row, self._peer.device)
            items: list[OutboxItem] = []
            reason = "" if own is None or own.frozen is None else own.frozen
            if own is not None:
                for message in history.unacked(db, own.id, own.acked):
                    text = self.message(message).text
                    items.append(OutboxItem(ROOT_NAMES[Root.MESSAGES], message, text, reason))
                if not items and own.seq > own.acked:
                    items.append(OutboxItem("changes", None, "", reason))
            for op in outbox.pending(db, self._row, limit=history.PAGE_MAX):
                target = outbox.target_of(op.root, op.key, self._peer.device)
                about = MessageId(target) if is_message_id(target) else None
                text = self.message(target).text if op.root is Root.MESSAGES and op.raw else ""
                items.append(OutboxItem(ROOT_NAMES[op.root], about, text, reason))
            return items

    def retry(self) -> None:
        """Try again to send what the relay refused; see ``outbox`` for the reasons."""
        db = self._peer._db
        with db.atomic():
            own = chains.find_chain(db, self._row, self._peer.device)
            if own is not None and own.frozen is not None:
                chains.freeze(db, own.id, None)
                history.touch_own(
                    db,
                    own.id,
                    after_seq=own.acked,
                    upto_seq=own.seq,
                    change=rooms.next_change(db),
                )
        self._peer._ring()

    def count(self) -> int:
        """Return how many messages the room shows."""
        return history.message_count(self._peer._db, self._row)

    def digest(self) -> str:
        """Return 64 hex digits that are equal on every peer whose room shows the same."""
        return rooms.digest(self._peer._db, self._row).hex()

    async def synced(self) -> None:
        """Wait until the outbox is empty and all that the relay has is here.

        A reader's outbox does not count, as no relay takes it.

        Waits for ever while there is no connection; bound it with ``asyncio.timeout``. Raises
        ``NotAllowedError`` when the relay has refused this room's outbox for good.
        """
        await self._peer._until(self._is_synced)

    def _is_synced(self) -> bool:
        db = self._peer._db
        row = self._load()
        own = chains.find_chain(db, self._row, self._peer.device)
        if own is not None and own.frozen is not None:
            raise NotAllowedError(own.frozen)
        if row.standing in (Standing.REMOVED, Standing.LEFT, Standing.REFUSED, Standing.OLD):
            raise NotAllowedError(why_no_member(db, row))
        return (
            row.standing is Standing.MEMBER
            and not members.intents(db, self._row, is_open=True)
            and not members.unsent_records(db, self._row)
            and (outbox.count(db, self._row) == 0 or bool(self._peer._membership.may_write(row)))
            and (own is None or own.seq == own.acked)
            and row.cursor >= row.head
            and self._peer._is_live(row)
        )

    # Inside

    def _react(self, message: str, emoji: str, *, on: bool) -> None:
        if not is_emoji(_check_text(emoji, "an emoji")):
            raise ValidationError(f"{emoji!r} is not an emoji")
        target = self.message(message)
        if target.deleted:
            raise NotFoundError("the message was deleted")
        self._put_mark(Root.REACTIONS, target.id + emoji, lambda at: ReactionValue(at, on))

    def _put_mark(self, root: Root, key: str, value_at: Any) -> None:
        with self._writing() as (stamp, batch):
            value: Value = value_at(stamp)
            self._queue(Op(root, key, stamp, encode_value(value)))
            batch.note(root, key, value)

    @contextmanager
    def _writing(self) -> Iterator[tuple[Stamp, view.ViewBatch]]:
        """Run a local write in one durable transaction, with a stamp of its own."""
        db = self._peer._db
        with db.atomic():
            if reason := self._peer._membership.may_write(self._load()):
                raise NotAllowedError(reason)
            stamp = rooms.next_stamp(db, self._peer.now_ms())
            batch = view.ViewBatch(db, self._row, me=self._peer.device)
            yield stamp, batch
            batch.flush()
        self._peer._ring()

    def _queue(self, op: Op) -> None:
        outbox.put(self._peer._db, self._row, op, device=self._peer.device)

    def _own(self, message: str, what: str) -> Message:
        found = self.message(message)
        if found.sender != self._peer.id:
            raise NotAllowedError(f"only its author may {what} a message")
        if found.deleted:
            raise NotFoundError("the message was deleted")
        return found

    def _checked_id(self, message: str) -> MessageId:
        if not is_message_id(message):
            raise ValidationError(f"{message!r} is not a message id")
        return MessageId(message)

    def _reading(self) -> history.Reading:
        row = self._load()
        return history.Reading(
            self._peer._db,
            self._row,
            row.room_id,
            me=self._peer.device,
            now_ms=self._peer.now_ms(),
        )


def checked_title(title: str) -> str:
    """Return a room's title without outer spaces; raises ``ValidationError``."""
    title = _check_text(title, "a title").strip()
    if not is_label(title, TITLE_CHARS_MAX):
        raise ValidationError(f"a title has 1 to {TITLE_CHARS_MAX} printable characters")
    return title


def _check_text(text: object, what: str) -> str:
    if not isinstance(text, str):
        raise ValidationError(f"{what} must be a str, not {type(text).__name__}")
    return text


def _json_object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValidationError(f"{what} must be a JSON object, not {type(value).__name__}")
    return dict(value)

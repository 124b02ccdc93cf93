"""What every part of a room's handle stands on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.message import Message
from ..core.refusals import Refusal
from ..core.values import (
    Root,
    Value,
    decode_value,
    encode_value,
)
from ..errors import NotAllowedError, NotFoundError, StorageError, ValidationError
from ..ids import (
    MemberId,
    MessageId,
    Stamp,
    is_message_id,
    message_id,
)
from ..storage import absent, chains, history, loose, outbox, rooms, view
from ..storage.erasing import fade
from ..storage.footing import Footing, footing_in
from ..storage.outbox import Op, Waiting

if TYPE_CHECKING:
    from ..peer import Peer


class Write(NamedTuple):
    """Is one local write on its way: its stamp, its batch of the view, and what it stands on."""

    stamp: Stamp
    batch: view.ViewBatch
    footing: Footing


class RoomPart:
    """Is a handle's foundation: which room of which peer, and how to write in it."""

    __slots__ = ("_peer", "_row")

    def __init__(self, peer: Peer, row: int) -> None:
        self._peer = peer
        self._row = row

    def message(self, message: str, *, hidden: bool = False) -> Message:
        """Return one message, by its id or an unmistakable beginning of it.

        ``hidden`` gives what it says also where an admin has hidden it. Raises ``NotFoundError``.
        """
        reading = self._reading(shows_hidden=hidden)
        with self._peer._db.reading():  # one lock, not one for each query
            found = reading.one(message) if is_message_id(message) else None
            if found is None and 8 <= len(message) < 26:
                fitting = reading.matching_prefix(message.upper())
                if len(fitting) == 1:
                    found = reading.one(fitting[0])
        if found is None:
            is_all = absent.count(self._peer._db, self._row) == 0
            more = "" if is_all else " that is here; older history is at the relay"
            raise NotFoundError(f"no message {message[:40]!r} in this room{more}")
        return found

    # For the parts

    def _load(self) -> rooms.RoomRow:
        return rooms.load_room(self._peer._db, self._row)

    def _names(self) -> dict[MemberId, str]:
        row = self._load()
        names = history.names_of(self._peer._db, self._row)
        if row.direct:  # whose name is known from elsewhere, while they have not come yet
            names.setdefault(row.direct, row.title)
        return names

    def _put_mark(self, root: Root, key: str, value_at: Any) -> None:
        with self._writing() as (stamp, batch, _):
            value: Value = value_at(stamp)
            self._queue(Op(root, key, stamp, encode_value(value)))
            batch.note(root, key, value)

    @contextmanager
    def _writing(self) -> Iterator[Write]:
        """Run a local write in one durable transaction, with a stamp of its own."""
        db, me = self._peer._db, self._peer.device
        with db.atomic():
            now_ms = self._peer.now_ms()
            footing = footing_in(db, self._row, me=me)
            if footing.may_fade(now_ms) and fade(db, me=me, now_ms=now_ms):
                footing = footing_in(db, self._row, me=me)
            self._check_may_write(footing)
            last = footing.last_stamp, footing.last_change
            stamp, change = rooms.begin_write(db, *last, now_ms)
            batch = view.ViewBatch(db, self._row, me=me, footing=footing, change=change)
            yield Write(stamp, batch, footing)
            batch.flush()
            is_any_loose = loose.are_any(db)
        if is_any_loose:
            with suppress(StorageError):  # what was written is; those are swept again later
                loose.sweep(db)
        self._peer._ring()

    def _check_may_write(self, footing: Footing | None = None) -> None:
        if reason := self._peer._membership.may_write(self._row, footing):
            raise NotAllowedError(reason)

    def _queue(self, op: Op) -> None:
        outbox.put(self._peer._db, self._row, op, device=self._peer.device)

    def _unpark(self, parked: Waiting) -> MessageId | None:
        """Let a parked op go, behind what was sealed meanwhile; inside a transaction.

        Returns the message that it is, which may have another id now.
        """
        db, me, op = self._peer._db, self._peer.device, parked.op
        own = chains.find_chain(db, self._row, me)
        outbox.unpark(db, self._row, parked.id)
        old = outbox.target_of(op.root, op.key, me)
        if own is None or own.last_stamp < op.at or op.raw is None:
            history.touch(db, self._row, [old], change=rooms.next_change(db))
            return MessageId(old) if op.root is Root.MESSAGES else None
        stamp = rooms.next_stamp(db, self._peer.now_ms())
        batch = view.ViewBatch(db, self._row, me=me)
        if op.root is Root.MESSAGES:
            batch.withdraw(MessageId(old))
            batch.flush()
        outbox.give_stamp(db, self._row, parked.id, stamp, device=me)
        moved = outbox.find_waiting(db, self._row, parked.id)
        assert moved is not None and moved.op.raw is not None
        new = message_id(stamp, me) if op.root is Root.MESSAGES else None
        if parked.refusal is not Refusal.INVALID:
            value = decode_value(op.root, moved.op.raw)
            if new is None:
                batch.note(op.root, op.key, value)
            else:
                batch.write(new, moved.op.raw, value)
                for each in outbox.about(db, self._row, new):
                    batch.note(each.root, each.key, None)
        for each in outbox.naming(db, self._row, new) if new is not None else ():
            raw = each.raw or ""
            batch.write(message_id(Stamp(each.key), me), raw, decode_value(each.root, raw))
        batch.flush()
        return new

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

    def _thread_of(self, message: str) -> MessageId:
        """Return which thread is meant by a message: that of a reply is the one that it is in."""
        id_ = self._checked_id(message)
        found = self._reading().one(id_)
        return id_ if found is None or found.thread is None else found.thread

    def _require_admin(self, what: str) -> None:
        """Raise ``NotAllowedError`` unless this person's word counts on what admins may say."""
        if self._peer.id not in view.admins_of(self._peer._db, self._row):
            raise NotAllowedError(f"only admins may {what}")

    def _reading(self, *, is_whole: bool = False, shows_hidden: bool = False) -> history.Reading:
        return history.Reading(
            self._peer._db,
            self._row,
            me=self._peer.device,
            now_ms=self._peer.now_ms(),
            is_whole=is_whole,
            shows_hidden=shows_hidden,
        )


def checked_limit(limit: int) -> int:
    """Return how many things a page may have; raises ``ValidationError``."""
    if not 0 < limit <= history.PAGE_MAX:
        raise ValidationError(f"limit must be 1 to {history.PAGE_MAX}")
    return limit


def checked_text(text: object, what: str) -> str:
    """Return ``text`` if it is a str; raises ``ValidationError``."""
    if not isinstance(text, str):
        raise ValidationError(f"{what} must be a str, not {type(text).__name__}")
    return text


def json_object(value: object, what: str) -> dict[str, Any]:
    """Return a JSON object as a dict; raises ``ValidationError``."""
    if not isinstance(value, Mapping):
        raise ValidationError(f"{what} must be a JSON object, not {type(value).__name__}")
    return dict(value)

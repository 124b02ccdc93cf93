"""What of a room is still to go out."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.values import (
    ROOT_NAMES,
    Root,
)
from ..errors import NotAllowedError
from ..ids import (
    MessageId,
    is_message_id,
)
from ..membership import (
    why_no_member,
)
from ..storage import chains, history, members, outbox, rooms
from ..storage.rooms import Standing
from .base import RoomPart


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


class RoomOutbox(RoomPart):
    """Is what a room's handle can do about what is not at the relay yet; part of ``Room``."""

    __slots__ = ()

    def outbox(self) -> list[OutboxItem]:
        """Return what is not acknowledged by the relay yet: first sent first."""
        db = self._peer._db
        with db.reading():
            own = chains.find_chain(db, self._row, self._peer.device)
            items: list[OutboxItem] = []
            reason = "" if own is None or own.frozen is None else own.frozen
            if own is not None:
                for message in history.unacked(db, own.id, own.acked):
                    text = self._said(message)
                    items.append(OutboxItem(ROOT_NAMES[Root.MESSAGES], message, text, reason))
                if not items and own.seq > own.acked:
                    items.append(OutboxItem("changes", None, "", reason))
            for op in outbox.pending(db, self._row, limit=history.PAGE_MAX):
                target = outbox.target_of(op.root, op.key, self._peer.device)
                about = MessageId(target) if is_message_id(target) else None
                text = self._said(target) if op.root is Root.MESSAGES and op.raw else ""
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

    async def synced(self) -> None:
        """Wait until the outbox is empty and all that the relay has is here.

        A reader's outbox does not count, as no relay takes it.

        Waits for ever while there is no connection; bound it with ``asyncio.timeout``. Raises
        ``NotAllowedError`` when the relay has refused this room's outbox for good.
        """
        await self._peer._until(self._is_synced)

    def _said(self, message: str) -> str:
        """Return what a message says, be it left out of what is shown or not."""
        found = self._reading(is_whole=True).one(message)
        return "" if found is None else found.text

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
            and (outbox.count(db, self._row) == 0 or bool(self._peer._membership.may_write(row.id)))
            and (own is None or own.seq == own.acked)
            and row.cursor >= row.head
            and self._peer._is_live(row)
        )

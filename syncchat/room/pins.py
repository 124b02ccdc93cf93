"""Pins: messages that are kept in view for everyone in a room."""

from __future__ import annotations

from ..core.message import Message
from ..core.values import PIN_FIELD, FieldValue, Root
from ..errors import NotFoundError, ValidationError
from ..storage import history
from ..storage.fields import pinned_before
from .base import RoomPart


class RoomPins(RoomPart):
    """Is what a room's handle can do to keep messages in view; part of ``Room``."""

    __slots__ = ()

    def pin(self, message: str) -> None:
        """Pin a message for all, as an admin; raises ``NotFoundError``, ``NotAllowedError``."""
        self._set_pin(message, is_on=True)

    def unpin(self, message: str) -> None:
        """Take a pin off, as an admin; raises ``NotFoundError``, ``NotAllowedError``."""
        self._set_pin(message, is_on=False)

    def pins(self, *, before: str | None = None, limit: int = 50) -> list[Message]:
        """Return pinned messages in display order: the last ``limit``, or those before an id.

        Those that are not here (yet), or deleted, are left out. Raises ``ValidationError`` for a
        limit outside 1 to 1,000.
        """
        if not 0 < limit <= history.PAGE_MAX:
            raise ValidationError(f"limit must be 1 to {history.PAGE_MAX}")
        upto = None if before is None else self._checked_id(before)
        with self._peer._db.reading():
            ids = pinned_before(
                self._peer._db, self._row, upto, limit=limit, now_ms=self._peer.now_ms()
            )
            return self._reading().many(ids)

    def _set_pin(self, message: str, *, is_on: bool) -> None:
        self._require_admin("pin messages")
        found = self.message(message)
        if is_on and found.deleted:
            raise NotFoundError("the message was deleted")
        if found.pinned is not is_on:
            value = True if is_on else None
            self._put_mark(Root.ROOM, PIN_FIELD + found.id, lambda at: FieldValue(at, value))

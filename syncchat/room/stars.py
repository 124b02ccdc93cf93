"""One's own marks on messages: stars, and what one does not want to see any more."""

from __future__ import annotations

from ..core.message import Message
from ..errors import NotFoundError, ValidationError
from ..ids import MessageId, room_text
from ..storage.aside import GONE_FIELD
from ..storage.history import PAGE_MAX
from .base import RoomPart

STAR_FIELD = "star/"


class RoomStars(RoomPart):
    """Is what a room's handle can do about stars; part of ``Room``."""

    __slots__ = ()

    def star(self, message: str) -> None:
        """Mark a message to find it again, on every own device; raises ``NotFoundError``."""
        found = self.message(message)
        if found.deleted:
            raise NotFoundError("the message was deleted")
        with self._peer._db.atomic():
            if not self.is_starred(found.id):
                self._peer._personal.put(self._star_key(found.id), self._peer.now_ms())
        self._peer._ring()

    def unstar(self, message: str) -> None:
        """Take the mark away again; raises ``NotFoundError``."""
        found = self.message(message)
        with self._peer._db.atomic():
            self._peer._personal.put(self._star_key(found.id), None)
        self._peer._ring()

    def is_starred(self, message: str) -> bool:
        """Tell whether a message is marked, by its whole id."""
        return self._peer._personal.get(self._star_key(message)) is not None

    def starred(self, *, before: str | None = None, limit: int = 50) -> list[Message]:
        """Return marked messages in display order: the last ones, or those before an id.

        One that was deleted since, or is not here yet, is left out. Raises ``ValidationError``
        for a limit outside 1 to 1,000.
        """
        if not 0 < limit <= PAGE_MAX:
            raise ValidationError(f"limit must be 1 to {PAGE_MAX}")
        prefix = self._star_key("")
        ids = [MessageId(key[len(prefix) :]) for key in self._peer._personal.all(prefix)]
        ids = [each for each in ids if before is None or each < before]
        found: list[Message] = []
        with self._peer._db.reading():
            while ids and len(found) < limit:
                ids, part = ids[:-limit], ids[-limit:]
                found = [m for m in self._reading().many(part) if not m.deleted] + found
        return found[-limit:]

    def delete_for_me(self, message: str) -> None:
        """Leave a message out of what is shown, on every own device; the others keep it.

        It stays in the database until its author deletes it. Raises ``NotFoundError``.
        """
        found = self.message(message)
        with self._peer._db.atomic():
            key = f"{GONE_FIELD}{room_text(self._load().room_id)}/{found.id}"
            self._peer._personal.put(key, True)
        self._peer._ring()

    def _star_key(self, message: str) -> str:
        return f"{STAR_FIELD}{room_text(self._load().room_id)}/{message}"

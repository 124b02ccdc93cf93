"""Presence: whether this person is seen, and what others hear of them in passing."""

from __future__ import annotations

from typing import Protocol

from ..core.values import is_label
from ..errors import ValidationError
from ..wire.signal import STATUS_CHARS_MAX
from .base import PeerPart

_STATUS, _INVISIBLE = "me/status", "me/invisible"


class SayTyping(Protocol):
    """Says in a room that this person types, or stopped."""

    def __call__(self, room: bytes, thread: str, *, is_typing: bool) -> None: ...


class PeerPresence(PeerPart):
    """Is what a peer can do about being seen; part of ``Peer``."""

    @property
    def status(self) -> str:
        """Return what this person says about themselves, empty for nothing."""
        found = self._personal.get(_STATUS)
        return found if isinstance(found, str) and is_label(found, STATUS_CHARS_MAX) else ""

    def set_status(self, text: str) -> None:
        """Say something about oneself to those who see that one is here; empty for nothing.

        It holds for all own devices. Raises ``ValidationError``.
        """
        text = text.strip()
        if text and not is_label(text, STATUS_CHARS_MAX):
            raise ValidationError(
                f"a status has at most {STATUS_CHARS_MAX} printable characters in one line"
            )
        with self._db.atomic():
            self._personal.put(_STATUS, text or None)
        self._ring()

    @property
    def is_invisible(self) -> bool:
        """Tell whether this person wants not to be seen, on any device."""
        return self._personal.get(_INVISIBLE) is True

    def set_invisible(self, invisible: bool) -> None:
        """Be seen by nobody as here or typing, on any device, or be seen again."""
        with self._db.atomic():
            self._personal.put(_INVISIBLE, True if invisible else None)
        self._ring()

    def _myself(self, *, visible: bool) -> tuple[bool, str]:
        return visible and not self.is_invisible, self.status

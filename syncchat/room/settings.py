"""What a person has set for a room, for themselves: nobody but their own devices sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..core.clock import MS_MAX
from ..errors import ValidationError
from ..ids import room_text
from ..personal import SETTINGS_FIELD
from .base import RoomPart

LEVELS = ("all", "mentions", "none")
"""What one is notified of."""

RECEIPTS = ("public", "private")
"""Whether others see what one has read."""

MUTED_FOR_EVER_MS = MS_MAX


@dataclass(frozen=True, slots=True)
class Settings:
    """Is what a person has set for one room.

    ``level`` is what notifies: "all", "mentions" or "none"; until ``muted_until_ms`` nothing does.
    ``receipts`` is "public" or "private", None where the size of the room decides. An archived
    room is out of the way (``Peer.rooms``), a favourite one comes first.
    """

    level: str = "all"
    muted_until_ms: int = 0
    receipts: str | None = None
    archived: bool = False
    favourite: bool = False


class RoomSettings(RoomPart):
    """Is what a room's handle can do about one's own settings; part of ``Room``."""

    __slots__ = ()

    @property
    def settings(self) -> Settings:
        """Return what is set for this room, on any of one's devices."""
        return settings_of(self._peer._personal.get(self._settings_key()))

    def set_level(self, level: str) -> None:
        """Say what of this room notifies: "all", "mentions" or "none"."""
        if level not in LEVELS:
            raise ValidationError(f"level is one of {', '.join(LEVELS)}, not {level!r}")
        self._set("level", level)

    def mute(self, duration: timedelta | None = None) -> None:
        """Have nothing of this room notify for a while, or until ``unmute``."""
        until = MUTED_FOR_EVER_MS
        if duration is not None:
            if duration <= timedelta(0):
                raise ValidationError("say how long to mute the room: more than nothing")
            until = min(until, self._peer.now_ms() + round(duration.total_seconds() * 1000))
        self._set("muted_until", until)

    def unmute(self) -> None:
        """Have this room notify again, as its level says."""
        self._set("muted_until", None)

    @property
    def is_muted(self) -> bool:
        """Tell whether the room is muted now."""
        return self.settings.muted_until_ms > self._peer.now_ms()

    def set_receipts(self, receipts: str | None) -> None:
        """Say whether others see what one reads from now on: "public" or "private".

        None leaves it to the size of the room; see ``Peer.receipts_up_to``.
        """
        if receipts is not None and receipts not in RECEIPTS:
            raise ValidationError(f"receipts are one of {', '.join(RECEIPTS)}, not {receipts!r}")
        self._set("receipts", receipts)

    def archive(self, archived: bool = True) -> None:
        """Put the room out of the way, or back; it goes on as before."""
        self._set("archived", True if archived else None)

    def set_favourite(self, favourite: bool = True) -> None:
        """Have the room come first, or no longer."""
        self._set("favourite", True if favourite else None)

    @property
    def receipts(self) -> str:
        """Return whether others see what one reads now: "public" or "private"."""
        chosen = self.settings.receipts
        if chosen is not None:
            return chosen
        size = self._peer._membership.size(self._row)
        is_small = size is not None and size <= self._peer.receipts_up_to
        return "public" if is_small else "private"

    def _set(self, name: str, value: Any) -> None:
        with self._peer._db.atomic():
            kept = self._peer._personal.get(self._settings_key())
            fields = dict(kept) if isinstance(kept, dict) else {}
            fields[name] = value
            fields = {key: each for key, each in fields.items() if each is not None}
            self._peer._personal.put(self._settings_key(), fields or None)
        self._peer._ring()

    def _settings_key(self) -> str:
        return SETTINGS_FIELD + room_text(self._load().room_id)


def settings_of(value: Any) -> Settings:
    """Return the settings in a field of the personal room; what makes no sense is not set."""
    fields = value if isinstance(value, dict) else {}
    level, muted = fields.get("level"), fields.get("muted_until")
    receipts = fields.get("receipts")
    return Settings(
        level if level in LEVELS else "all",
        muted if isinstance(muted, int) else 0,
        receipts if receipts in RECEIPTS else None,
        fields.get("archived") is True,
        fields.get("favourite") is True,
    )

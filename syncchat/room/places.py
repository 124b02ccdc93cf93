"""Places: a location as a message."""

from __future__ import annotations

import math

from ..core.message import Message
from ..errors import ValidationError
from .writing import RoomWriting

ACCURACY_M_MAX = 40_000_000
"""The way around the Earth."""


class RoomPlaces(RoomWriting):
    """Is what a room's handle can do about places; part of ``Room``."""

    __slots__ = ()

    def send_location(
        self,
        latitude: float,
        longitude: float,
        *,
        accuracy_m: float | None = None,
        text: str = "",
        reply_to: str | None = None,
        thread: str | None = None,
    ) -> Message:
        """Write where somebody or something is, at one moment; ``text`` may name the place.

        Degrees of WGS 84, as phones and maps have them. The message's ``metadata`` holds
        ``latitude``, ``longitude`` and ``accuracy``, the radius in metres in which it is true.
        Raises ``ValidationError``.
        """
        checked = {
            "latitude": _number(latitude, "latitude", -90, 90),
            "longitude": _number(longitude, "longitude", -180, 180),
        }
        if accuracy_m is not None:
            checked["accuracy"] = _number(accuracy_m, "accuracy", 0, ACCURACY_M_MAX)
        return self.send(text, kind="location", metadata=checked, reply_to=reply_to, thread=thread)


def _number(value: object, what: str, low: float, high: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValidationError(f"{what} must be a number, not {value!r}")
    if not low <= value <= high:
        raise ValidationError(f"{what} {value} is not between {low} and {high}")
    return float(value)

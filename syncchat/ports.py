"""Time and chance, as arguments: the only module that touches the system's clocks and entropy."""

from __future__ import annotations

import os
import random
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now_ms(self) -> int:
        """Return wall time in milliseconds since 1970; may jump and step back."""

    def monotonic(self) -> float:
        """Return seconds since some fixed moment; never runs backwards in one process."""


class Random(Protocol):
    """Gives chance."""

    def bytes(self, size: int) -> bytes:
        """Return ``size`` unpredictable bytes."""

    def uniform(self, low: float, high: float) -> float:
        """Return a number between ``low`` and ``high``; for jitter, not for secrets."""


class SystemClock:
    """Reads the machine's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class SystemRandom:
    """Draws from the operating system's entropy."""

    def bytes(self, size: int) -> bytes:
        return os.urandom(size)

    def uniform(self, low: float, high: float) -> float:
        return random.uniform(low, high)

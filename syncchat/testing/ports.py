"""Simulated time and chance: both follow from the world's seed alone."""

from __future__ import annotations

import random
from collections.abc import Callable

EPOCH_MS = 1_700_000_000_000
"""Wall time at the start of a simulated world."""


class SeededRandom:
    """Gives the same chance for the same seed."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def bytes(self, size: int) -> bytes:
        return self._random.randbytes(size)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def below(self, bound: int) -> int:
        """Return a whole number from 0 to ``bound`` - 1."""
        return self._random.randrange(bound)

    def chance(self, probability: float) -> bool:
        """Tell whether something of this probability happens."""
        return self._random.random() < probability


class SimClock:
    """Is one machine's clock: the world's time, and how far the wall clock is off.

    ``slept_ms`` tells how long machines have slept, which only wall clocks count.
    """

    def __init__(self, now_ms: Callable[[], int], slept_ms: Callable[[], int] = lambda: 0) -> None:
        self._now_ms = now_ms
        self._slept_ms = slept_ms
        self.skew_most_ms = self.skew_least_ms = 0
        self._skew_ms = 0

    @property
    def skew_ms(self) -> int:
        """Return how far the wall clock is ahead of the world's."""
        return self._skew_ms

    @skew_ms.setter
    def skew_ms(self, skew_ms: int) -> None:
        self._skew_ms = skew_ms
        self.skew_most_ms = max(self.skew_most_ms, skew_ms)
        self.skew_least_ms = min(self.skew_least_ms, skew_ms)

    @property
    def went_back(self) -> bool:
        """Tell whether the wall clock has once been further ahead than it is now."""
        return self._skew_ms < self.skew_most_ms

    def now_ms(self) -> int:
        return max(0, EPOCH_MS + self._now_ms() + self._slept_ms() + self._skew_ms)

    def monotonic(self) -> float:
        return self._now_ms() / 1000

"""Time and chance for tests."""

from __future__ import annotations

from tests.contracts.chains import FixedRandom

START_MS = 1_800_000_000_000
"""A wall time in 2027."""


class FakeClock:
    """Tells a wall time and a monotonic time that move only when told to."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.wall_ms = now_ms
        self.elapsed_ms = 0

    def now_ms(self) -> int:
        return self.wall_ms

    def monotonic(self) -> float:
        return self.elapsed_ms / 1000

    def advance(self, ms: int) -> None:
        """Let time pass on both."""
        self.wall_ms += ms
        self.elapsed_ms += ms


def chance(seed: int) -> FixedRandom:
    """Return bytes that repeat from the same seed."""
    return FixedRandom(seed)

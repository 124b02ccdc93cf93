"""When to connect again after a connection failed or ended.

Doubling delays with full jitter (Brooker, "Exponential Backoff and Jitter", AWS 2015): between
nothing and a bound that doubles from ``FIRST_MS`` to ``MOST_MS``. A connection that stays healthy
for ``HEALTHY_MS`` starts the bound anew, and so does any sign that the network is there.
"""

from __future__ import annotations

from ..ports import Random

FIRST_MS = 500
MOST_MS = 30_000
HEALTHY_MS = 10_000


class Backoff:
    """Counts failures in a row."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._bound_ms = FIRST_MS
        self._since_ms: int | None = None

    def connected(self, now_ms: int) -> None:
        """Note that a connection is up; what follows the first word of it changes nothing."""
        if self._since_ms is None:
            self._since_ms = now_ms

    def failed(self, now_ms: int, *, permanent: bool = False) -> int:
        """Note that a connection ended or failed; return the ms to wait before the next.

        ``permanent`` is for refusals that trying again does not mend: the wait is the longest.
        """
        if self._since_ms is not None and now_ms - self._since_ms >= HEALTHY_MS:
            self._bound_ms = FIRST_MS
        self._since_ms = None
        if permanent:
            return MOST_MS
        delay = self._random.uniform(0, self._bound_ms)
        self._bound_ms = min(self._bound_ms * 2, MOST_MS)
        return round(delay)

    def reset(self) -> None:
        """Start anew, at a sign that the network is there."""
        self._bound_ms = FIRST_MS

"""The simulated loop: one virtual clock and everything that is to happen on it."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable

EVENTS_MAX = 200_000
"""Events in one run before it counts as a loop that never rests."""


class Loop:
    """Runs callbacks in the order of virtual time; ties in the order of scheduling."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.slept_ms = 0
        """How long all machines have slept: wall clocks went on, and nothing happened."""
        self.events = 0
        self._seen = hashlib.blake2b(digest_size=16)
        self._count = 0
        self._heap: list[tuple[int, int, Callable[[], None]]] = []

    def note(self, what: str, data: bytes) -> None:
        """Let the run's fingerprint count something that happened now."""
        self._seen.update(f"{self.now_ms} {what} {len(data)} ".encode())
        self._seen.update(data)

    def fingerprint(self) -> str:
        """Return a hash of all that was noted; equal runs have equal ones."""
        return self._seen.hexdigest()

    def at(self, time_ms: int, callback: Callable[[], None]) -> None:
        """Have ``callback`` run at a time, at once if that has passed."""
        self._count += 1
        heapq.heappush(self._heap, (max(time_ms, self.now_ms), self._count, callback))

    def after(self, delay_ms: int, callback: Callable[[], None]) -> None:
        """Have ``callback`` run after a delay."""
        self.at(self.now_ms + delay_ms, callback)

    def run(self, until_ms: int) -> None:
        """Run everything up to a time."""
        while self._heap and self._heap[0][0] <= until_ms:
            self.step()
        self.now_ms = max(self.now_ms, until_ms)

    def step(self) -> None:
        """Run the next callback."""
        self.now_ms, _, callback = heapq.heappop(self._heap)
        self.events += 1
        if self.events > EVENTS_MAX:
            raise AssertionError(f"{EVENTS_MAX} events in one run: something never rests")
        callback()

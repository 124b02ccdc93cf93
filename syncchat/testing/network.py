"""Simulated connections: ordered byte-message pipes that can be slow, cut, half open or garbled.

Within one connection messages keep their order, as on a real WebSocket. Across connections they
do not: what was under way when a connection was cut may still reach the other end, after the
next connection has begun.
"""

from __future__ import annotations

from collections.abc import Callable

from .loop import Loop
from .ports import SeededRandom

DELAY_MS = (1, 40)


class SimLink:
    """Is one connection between a peer and a relay."""

    def __init__(
        self,
        loop: Loop,
        random: SeededRandom,
        *,
        to_relay: Callable[[SimLink, bytes], None],
        to_peer: Callable[[SimLink, bytes], None],
        relay_lost: Callable[[SimLink], None],
        peer_lost: Callable[[SimLink], None],
    ) -> None:
        self._loop = loop
        self._random = random
        self._to_relay = to_relay
        self._to_peer = to_peer
        self._relay_lost = relay_lost
        self._peer_lost = peer_lost
        self._up_free_ms = self._down_free_ms = 0
        self.is_open = True
        self.is_half_open = False
        self.delay_ms = 0
        self.garble = 0
        self.bytes_up = self.bytes_down = 0

    def send_up(self, raw: bytes) -> None:
        """Send from the peer to the relay."""
        self.bytes_up += len(raw)
        self._up_free_ms = self._send(raw, self._up_free_ms, self._to_relay)

    def send_down(self, raw: bytes) -> None:
        """Send from the relay to the peer."""
        self.bytes_down += len(raw)
        self._down_free_ms = self._send(raw, self._down_free_ms, self._to_peer)

    def cut(self) -> None:
        """Break the connection: each end notices on its own, in its own time.

        Of one that is half open neither end is told: only silence tells.
        """
        if not self.is_open:
            return
        self.is_open = False
        if self.is_half_open:
            return
        self._loop.after(self._delay(), lambda: self._peer_lost(self))
        self._loop.at(
            max(self._up_free_ms, self._loop.now_ms + self._delay()),
            lambda: self._relay_lost(self),
        )

    def close(self) -> None:
        """End the connection from the relay's side: what it sent before still arrives."""
        self._loop.at(self._down_free_ms, self.cut)

    def _send(self, raw: bytes, free_ms: int, deliver: Callable[[SimLink, bytes], None]) -> int:
        is_up = deliver is self._to_relay
        self._loop.note("up" if is_up else "down", raw)
        if not self.is_open or self.is_half_open:
            return free_ms
        if self.garble:
            self.garble -= 1
            raw = self._garbled(raw)
        at_ms = max(free_ms, self._loop.now_ms + self._delay())

        def arrive() -> None:
            if self.is_half_open or (not self.is_open and not (is_up and self._survives())):
                return
            deliver(self, raw)

        self._loop.at(at_ms, arrive)
        return at_ms

    def _survives(self) -> bool:
        """Tell whether what was under way to the relay when the link was cut still arrives."""
        return self._random.chance(0.5)

    def _delay(self) -> int:
        low, high = DELAY_MS
        return self.delay_ms + round(self._random.uniform(low, high))

    def _garbled(self, raw: bytes) -> bytes:
        at = self._random.below(len(raw))
        return raw[:at] + bytes([raw[at] ^ 1 << self._random.below(8)]) + raw[at + 1 :]

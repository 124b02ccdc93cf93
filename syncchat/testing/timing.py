"""When messages of a simulated world disappear."""

from __future__ import annotations

from typing import NamedTuple

from ..core.message import Message
from .simpeer import SimPeer


class Timed(NamedTuple):
    """Says when a message disappears, in ms; ``is_exact`` where the author's program told."""

    by: str
    at_ms: int
    is_exact: bool


class Timing:
    """Is the part of a world that knows what is to disappear."""

    peers: list[SimPeer]

    def __init__(self) -> None:
        self.timed: dict[str, Timed] = {}
        self.ever_restored: set[str] = set()

    def note_timer(self, peer: SimPeer, token: str, timer: int, sent: list[Message]) -> None:
        """Keep in mind when a message that was just written disappears, if it does."""
        if not timer:
            return
        at_ms = peer.clock.now_ms() + timer * 1_000
        if sent and sent[0].expires_at is not None:
            at_ms = sent[0].expires_at
        self.timed[token] = Timed(peer.name, at_ms, bool(sent))

    def may_be_gone(self, peer: SimPeer, token: str) -> bool:
        """Tell whether a message may have disappeared: by the peer's clock, or its author's, as
        far ahead as they ever were."""
        found = self.timed.get(token)
        if found is None:
            return False
        clocks = [each.clock for each in (peer, self.called(found.by))]
        most = max(c.now_ms() - c.skew_ms + c.skew_most_ms for c in clocks)
        return most >= found.at_ms

    def must_be_gone(self, peer: SimPeer, token: str) -> bool:
        """Tell whether a message must have disappeared by a peer's clock.

        What a restored machine had not sent goes out with a later stamp, and stays for longer.
        """
        found = self.timed.get(token)
        if found is None or not found.is_exact or found.by in self.ever_restored:
            return False
        return peer.clock.now_ms() >= found.at_ms

    def called(self, name: str) -> SimPeer:
        """Return the peer with a name."""
        return next(peer for peer in self.peers if peer.name == name)

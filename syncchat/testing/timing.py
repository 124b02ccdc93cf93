"""When messages of a simulated world disappear, or are older than its room keeps them."""

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
        self.kept_ms: int | None = None
        """The shortest time for which the room was ever set to keep messages, None for never."""
        self._written_ms: dict[str, int] = {}
        self.ever_restored: set[str] = set()

    def note_timer(self, peer: SimPeer, token: str, timer: int, sent: list[Message]) -> None:
        """Keep in mind when a message that was just written disappears, if it does."""
        self._written_ms[token] = peer.clock.now_ms()
        if not timer:
            return
        at_ms = peer.clock.now_ms() + timer * 1_000
        if sent and sent[0].expires_at is not None:
            at_ms = sent[0].expires_at
        self.timed[token] = Timed(peer.name, at_ms, bool(sent))

    def may_be_gone(self, peer: SimPeer, token: str) -> bool:
        """Tell whether a message may have disappeared: by the peer's clock, or its author's, as
        far ahead as they ever were."""
        if self.is_over(token):
            return True
        found = self.timed.get(token)
        if found is None:
            return False
        clocks = [each.clock for each in (peer, self.called(found.by))]
        most = max(c.now_ms() - c.skew_ms + c.skew_most_ms for c in clocks)
        return most >= found.at_ms

    @property
    def may_pass(self) -> bool:
        """Tell whether anything goes by itself in this world."""
        return bool(self.timed) or self.kept_ms is not None

    def passing(self) -> list[str]:
        """Return the tokens of all messages that may go by themselves, now or later."""
        over = [token for token, at_ms in self._written_ms.items() if self.may_be_over(at_ms)]
        return [*self.timed, *(token for token in over if token not in self.timed)]

    def is_over(self, token: str) -> bool:
        """Tell whether a message may be too old for anybody."""
        return self.may_be_over(self._written_ms.get(token, 0))

    def may_be_over(self, written_ms: int) -> bool:
        """Tell whether anybody's clock was ever so far ahead that a message was too old for them.

        Then what they had said of it may be gone for everyone.
        """
        if self.kept_ms is None:
            return False
        clocks = [peer.clock for peer in self.peers]
        most = max(c.now_ms() - c.skew_ms + c.skew_most_ms for c in clocks)
        return most - self.kept_ms >= written_ms

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

"""The public state of a relay connection."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """How far a connection is."""

    OFFLINE = "offline"
    CONNECTING = "connecting"
    CATCHING_UP = "catching up"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """Is the state of one relay connection.

    ``left`` counts envelopes still to fetch while catching up. ``problem`` says why the last
    connection ended or failed, empty when all is well. ``retry_in_ms`` is the wait before the
    next attempt while offline.
    """

    phase: Phase
    left: int = 0
    problem: str = ""
    retry_in_ms: int = 0

    def __str__(self) -> str:
        if self.phase is Phase.CATCHING_UP:
            return f"catching up ({self.left} left)"
        if self.phase is Phase.OFFLINE and self.problem:
            return f"offline ({self.problem})"
        return self.phase.value

"""How far one room is on one connection."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Progress:
    """Is how far one room is on this connection; ``row`` is its row, ``room`` its id.

    ``pushed`` is the chain seq up to which the own chain is at the relay or on its way there,
    ``relay_own_seq`` how much of it the relay had when the room was opened, ``is_parked`` that no
    more of it is sent until somebody says retry. Times are monotonic ms. ``refills`` are (chain
    row, after, upto) of others' chains that the relay lost, ``refilled`` those of the round before.
    """

    row: int
    room: bytes
    is_open: bool = False
    is_live: bool = False
    head: int = 0
    cursor: int = 0
    relay_own_seq: int = 0
    is_behind_itself: bool = False
    is_parked: bool = False
    pushed: int = 0
    applied: int = 0
    applied_at_ms: int = 0
    applied_due_ms: int | None = None
    resume_at_ms: int = 0
    seal_at_ms: int = 0
    refill_at_ms: int | None = None
    refills: list[tuple[int, int, int]] = field(default_factory=list)
    refilled: list[tuple[int, int, int]] = field(default_factory=list)

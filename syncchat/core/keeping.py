"""Keeping: how long a room keeps its messages, and what a journal lets go of after that.

An admin says so in the field ``keep`` of root ``room``: ``[seconds, floor]``, 0 seconds for ever.
``floor`` is a time in ms since 1970: what was written before it is over for good, so that what is
over stays over when a room is set to keep for longer. Older is what has an older stamp, whoever
wrote it and however late it comes.

What is over by a peer's clock it shows no more. What is about such a message (its text, edits,
reactions, votes, and its tombstone) its writers let go of: the next snapshot of the volume does
not have it, and no tombstone stands for it, or a history would grow for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ..ids import STAMP_CHARS, Stamp
from .clock import MS_MAX, ZERO, ms_of, stamp
from .reader import Change
from .values import ABOUT_MESSAGES, Root

DAY_MS = 24 * 3_600 * 1_000
KEEP_MS_MIN = DAY_MS
"""The shortest time. A snapshot may leave out only what is older than that when it is made."""

KEEP_MS_MAX = 3_660 * DAY_MS
"""Ten years."""

STEP_MS = 3_600 * 1_000
"""Messages go hour by hour, many at once, and so at most an hour late."""


class Keep(NamedTuple):
    """Says how long messages are kept, in ms, 0 for ever, and before when all are over."""

    for_ms: int = 0
    floor_ms: int = 0

    def cutoff(self, now_ms: int) -> Stamp:
        """Return the stamp before which all is over at a moment, ``ZERO`` where nothing is.

        A floor that lies too late is none: nothing is over before the shortest time.
        """
        until_ms = min(self.floor_ms, now_ms - KEEP_MS_MIN)
        if self.for_ms:
            until_ms = max(until_ms, now_ms - self.for_ms)
        return ZERO if until_ms < STEP_MS else stamp(until_ms - until_ms % STEP_MS)


KEEP_ALL = Keep()


def keep_in(value: Any) -> Keep:
    """Return what a field says; what makes no sense keeps all."""
    if not isinstance(value, list) or len(value) < 2:
        return KEEP_ALL
    seconds, floor_ms = value[:2]
    if not _is_number(seconds) or not _is_number(floor_ms) or not 0 <= floor_ms <= MS_MAX:
        return KEEP_ALL
    for_ms = seconds * 1_000
    if for_ms and not KEEP_MS_MIN <= for_ms <= KEEP_MS_MAX:
        for_ms = 0
    return Keep(for_ms, floor_ms)


def target_stamp(root: Root, key: str) -> Stamp | None:
    """Return the stamp of the message that an entry is, or is about; None for all else."""
    if root is Root.MESSAGES or root in ABOUT_MESSAGES:
        return Stamp(key[:STAMP_CHARS])
    return None


def is_before(change: Change, cutoff: Stamp) -> bool:
    """Tell whether an entry is, or is about, a message from before a stamp."""
    target = target_stamp(change.root, change.key)
    return target is not None and target < cutoff


def is_early_enough(cutoff: Stamp, made: Stamp) -> bool:
    """Tell whether a snapshot that is made at a stamp may leave out what is older than another."""
    return ms_of(cutoff) <= ms_of(made) - KEEP_MS_MIN


def erasures(entries: Iterable[Change]) -> list[Change]:
    """Return the changes that take entries away."""
    return [Change(each.root, each.key, each.clock, ZERO, None, None) for each in entries]


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)

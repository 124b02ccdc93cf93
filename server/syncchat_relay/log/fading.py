"""Fading: at which places of a log, of those whose envelopes are gone, its fingerprint stays known.

It is asked for at two kinds of places. A gap that is delivered ends with the fingerprint there: so
it is kept at the end of every run of what is gone, before an envelope that stands. And who comes
back names the fingerprint at its cursor: so it is kept where a device may stand, which is from
where it last said or showed that it is, to the last that was sent to it, and a little before and
behind. Everywhere else it is let go of. Who comes back to such a place after all (a copy of an old
database, a guest) is taken for one that has read another log, and reads the room anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate

BACK = 64
"""Places before what a device said that it has applied: what a power cut took from it again."""

SLACK = 512
"""Places behind it, where less is known to be sent: what a relay that died did not save, or what a
connection brought that is broken and does not show it yet."""


class Places:
    """Is where devices may stand: from each (cursor, sent) on."""

    def __init__(self, devices: Iterable[tuple[int, int]]) -> None:
        spans = sorted((cursor - BACK, max(sent, cursor + SLACK)) for cursor, sent in devices)
        self._begins = [begin for begin, _ in spans]
        self._ends = list(accumulate((end for _, end in spans), max))

    def __contains__(self, seq: object) -> bool:
        assert isinstance(seq, int)
        at = bisect_right(self._begins, seq)
        return at > 0 and seq <= self._ends[at - 1]


def stays_known(seq: int, *, is_end: bool, places: Places) -> bool:
    """Tell whether the fingerprint at a place that is gone is kept; ``is_end`` where an envelope
    stands behind it."""
    return is_end or seq in places

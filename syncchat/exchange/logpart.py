"""A part of a room's log as it was delivered: envelopes at their places, and gaps between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..errors import SyncchatError
from ..trust.chain import next_fingerprint


class HoleInDelivery(SyncchatError):
    """The relay left out a part of the log; the connection is to be made anew."""


Early = Callable[[int, int], Sequence[tuple[int, bytes]]]
"""Takes two places of a log, returns (place, record) of what a relay told ahead that stands behind
the first, up to the second."""


class LogPart(NamedTuple):
    """Is what of the log is to be applied: (seq, envelope) from ``first`` to ``last``, both 0 for
    what was told ahead of its place; and the log's fingerprint at ``last``."""

    first: int
    last: int
    envelopes: tuple[tuple[int, bytes], ...]
    fingerprint: bytes


def delivered(
    after: int,
    envelopes: Sequence[bytes],
    gaps: Sequence[tuple[int, int, bytes]],
    *,
    cursor: int,
    fingerprint: bytes,
    early: Early = lambda after, upto: (),
) -> LogPart:
    """Return the part of a delivery that lies behind a cursor, at which the log has a fingerprint.

    ``gaps`` are (index, upto, fingerprint): the log goes on behind ``upto`` before the envelope at
    an index. What stood in them is taken to have been as the relay says, but for what came
    ``early``, which is as if it were delivered there. Raises ``HoleInDelivery`` for a delivery that
    begins beyond the cursor, or whose gaps cannot be.
    """
    if after > cursor:
        raise HoleInDelivery(f"log goes from {cursor} to {after + 1}")
    first = cursor + 1
    found: list[tuple[int, bytes]] = []
    waiting = [*gaps]
    seq = after
    for index, raw in enumerate([*envelopes, None]):
        while waiting and waiting[0][0] == index:
            _, upto, there = waiting.pop(0)
            if upto <= seq:
                raise HoleInDelivery(f"a gap of the log ends at {upto}, and begins after {seq}")
            came = early(max(seq, cursor), upto)
            is_whole = len(came) == upto - max(seq, cursor)
            for place, raw_there in came:
                found.append((place, raw_there))
                fingerprint = next_fingerprint(fingerprint, raw_there)
            seq = upto
            if seq > cursor and not is_whole:
                fingerprint = there
        if raw is None:
            break
        seq += 1
        if seq > cursor:
            found.append((seq, raw))
            fingerprint = next_fingerprint(fingerprint, raw)
    if waiting:
        raise HoleInDelivery("a gap of the log is beyond what was delivered")
    return LogPart(first, max(seq, cursor), tuple(found), fingerprint)


def told(envelopes: Sequence[bytes]) -> LogPart:
    """Return snapshots that were told of ahead of their places."""
    return LogPart(0, 0, tuple((0, raw) for raw in envelopes), b"")

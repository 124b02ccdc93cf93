"""Hybrid logical clock: display order close to wall time that never runs backwards.

After Kulkarni et al., "Logical Physical Clocks" (OPODIS 2014): 48 bits of milliseconds since
1970 and a 16-bit counter. Unlike there, a reading follows others' clocks only as far as
``DRIFT_MS_MAX`` beyond the own wall clock, so that one wrong clock cannot drag a room along.
"""

from __future__ import annotations

from functools import lru_cache

from ..ids import STAMP_CHARS, Stamp, base32_from_int, int_from_base32

DRIFT_MS_MAX = 5 * 60 * 1000
"""Clocks of machines without time service are off by minutes, rarely by more."""

MS_MAX = 2**48 - 1
COUNTER_MAX = 2**16 - 1
ZERO = Stamp("0" * STAMP_CHARS)


def stamp(ms: int, counter: int = 0) -> Stamp:
    """Return the reading of ``ms`` since 1970 and ``counter``."""
    return Stamp(base32_from_int(ms << 16 | counter, chars=STAMP_CHARS))


@lru_cache(maxsize=4_096)
def ms_of(reading: Stamp) -> int:
    """Return the milliseconds since 1970 of a reading."""
    return int_from_base32(reading, bits=64) >> 16


def tick(last: Stamp, now_ms: int) -> Stamp:
    """Return a reading greater than ``last``, at ``now_ms`` if the wall clock allows it."""
    number = int_from_base32(last, bits=64)
    wall = min(max(now_ms, 0), MS_MAX) << 16
    return Stamp(base32_from_int(max(number + 1, wall), chars=STAMP_CHARS))


def observe(last: Stamp, seen: Stamp, now_ms: int) -> Stamp:
    """Return ``last`` moved up to ``seen``, unless that is too far ahead of the wall clock."""
    if seen > last and not is_ahead(seen, now_ms):
        return seen
    return last


def is_ahead(reading: Stamp, now_ms: int) -> bool:
    """Tell whether a reading lies further in the future than honest clocks drift."""
    return ms_of(reading) > now_ms + DRIFT_MS_MAX

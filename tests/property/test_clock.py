"""Laws of the hybrid logical clock."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from syncchat.core import clock
from syncchat.ids import Stamp, is_stamp

MS = st.integers(0, 2**47)
WALLS = st.lists(st.integers(-(2**40), 2**47), min_size=1, max_size=20)
READINGS = st.builds(clock.stamp, MS, st.integers(0, clock.COUNTER_MAX))
DAY = 24 * 3_600_000


def number(reading: Stamp) -> tuple[int, int]:
    """Return what a reading was made of, reckoned apart from the code under test."""
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    value = 0
    for char in reading:
        value = value * 32 + alphabet.index(char)
    return divmod(value, 2**16)


@given(READINGS, WALLS)
def test_readings_strictly_increase_whatever_the_wall_clock_does(
    last: Stamp, walls: list[int]
) -> None:
    readings = [last]
    for wall in walls:
        readings.append(clock.tick(readings[-1], wall))
    assert all(one < other for one, other in pairwise(readings))
    assert all(is_stamp(reading) for reading in readings)


@given(MS, st.integers(0, clock.COUNTER_MAX), MS, st.integers(0, clock.COUNTER_MAX))
def test_text_sorts_as_the_numbers_do(a: int, i: int, b: int, j: int) -> None:
    one, other = clock.stamp(a, i), clock.stamp(b, j)
    assert number(one) == (a, i)
    assert (one < other) == ((a, i) < (b, j))
    assert clock.ms_of(one) == a


@given(READINGS, READINGS, MS)
def test_clock_follows_others_up_to_the_drift_and_no_further(
    last: Stamp, seen: Stamp, now_ms: int
) -> None:
    moved = clock.observe(last, seen, now_ms)
    assert moved in (last, seen)
    assert moved >= last
    if clock.ms_of(seen) > now_ms + clock.DRIFT_MS_MAX:
        assert moved == last
    else:
        assert moved == max(last, seen)


@given(MS.filter(lambda ms: ms > 2 * DAY), st.integers(1, 30))
def test_two_clocks_a_day_apart_keep_their_own_time_and_the_slow_one_never_runs_ahead(
    now_ms: int, rounds: int
) -> None:
    slow, fast = clock.stamp(now_ms - DAY), clock.stamp(now_ms)
    for step in range(rounds):
        slow = clock.tick(clock.observe(slow, fast, now_ms - DAY + step), now_ms - DAY + step)
        fast = clock.tick(clock.observe(fast, slow, now_ms + step), now_ms + step)
        assert clock.ms_of(slow) <= now_ms - DAY + step + clock.DRIFT_MS_MAX
        assert clock.ms_of(fast) == now_ms + step


@given(MS)
def test_counter_that_is_full_carries_into_the_milliseconds(now_ms: int) -> None:
    full = clock.stamp(now_ms, clock.COUNTER_MAX)
    assert clock.tick(full, now_ms) == clock.stamp(now_ms + 1, 0)

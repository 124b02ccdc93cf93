"""Tests of the system's clock and entropy."""

from __future__ import annotations

from datetime import UTC, datetime

from syncchat.ports import Clock, Random, SystemClock, SystemRandom


def test_system_clock_tells_milliseconds_since_1970() -> None:
    clock: Clock = SystemClock()
    now = clock.now_ms()
    assert isinstance(now, int)
    assert 2025 <= datetime.fromtimestamp(now / 1000, UTC).year < 2200


def test_system_clock_never_runs_backwards_when_monotonic() -> None:
    clock: Clock = SystemClock()
    readings = [clock.monotonic() for _ in range(1_000)]
    assert readings == sorted(readings)


def test_system_random_gives_other_bytes_each_time() -> None:
    random: Random = SystemRandom()
    drawn = {random.bytes(16) for _ in range(100)}
    assert len(drawn) == 100
    assert {len(value) for value in drawn} == {16}


def test_system_random_stays_between_its_bounds_and_moves() -> None:
    random: Random = SystemRandom()
    drawn = [random.uniform(0.5, 30.0) for _ in range(1_000)]
    assert all(0.5 <= value <= 30.0 for value in drawn)
    assert max(drawn) - min(drawn) > 10.0

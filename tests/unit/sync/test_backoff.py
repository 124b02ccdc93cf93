"""When to connect again."""

from __future__ import annotations

from syncchat.sync.backoff import FIRST_MS, HEALTHY_MS, MOST_MS, Backoff


class Highest:
    """Draws the highest number every time."""

    def bytes(self, size: int) -> bytes:
        return bytes(size)

    def uniform(self, low: float, high: float) -> float:
        assert low == 0
        return high


def test_waits_double_from_half_a_second_to_half_a_minute() -> None:
    backoff = Backoff(Highest())
    waits = [backoff.failed(0) for _ in range(9)]
    assert waits == [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]
    assert (FIRST_MS, MOST_MS) == (500, 30_000)


def test_connection_that_stayed_healthy_starts_the_waits_anew() -> None:
    backoff = Backoff(Highest())
    for _ in range(4):
        backoff.failed(0)
    backoff.connected(1_000)
    backoff.connected(1_000 + HEALTHY_MS)  # still the same connection
    assert backoff.failed(1_000 + HEALTHY_MS) == FIRST_MS


def test_connection_that_ends_at_once_does_not_start_the_waits_anew() -> None:
    backoff = Backoff(Highest())
    backoff.failed(0)
    backoff.connected(1_000)
    assert backoff.failed(1_000 + HEALTHY_MS - 1) == 2 * FIRST_MS


def test_refusal_for_good_waits_longest() -> None:
    assert Backoff(Highest()).failed(0, permanent=True) == MOST_MS


def test_sign_of_network_starts_the_waits_anew() -> None:
    backoff = Backoff(Highest())
    for _ in range(4):
        backoff.failed(0)
    backoff.reset()
    assert backoff.failed(0) == FIRST_MS

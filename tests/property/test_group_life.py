"""Random lives of groups: whoever is in reads everything, and who is out nothing new."""

from __future__ import annotations

import pytest

from tests.support.group_lives import live

CHUNK = 25
QUICK_CHUNKS = 6
SLOW_CHUNKS = 400


def _play(chunk: int) -> int:
    lives = [live(seed) for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK)]
    return sum(len(life.told) for life in lives)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("chunk", range(QUICK_CHUNKS))
def test_members_read_everything_and_those_who_are_out_nothing_new(chunk: int) -> None:
    assert _play(chunk) > CHUNK, "hardly anybody said anything"


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("chunk", range(QUICK_CHUNKS, SLOW_CHUNKS))
def test_members_read_everything_whatever_happens_at_length(chunk: int) -> None:
    assert _play(chunk) > CHUNK, "hardly anybody said anything"

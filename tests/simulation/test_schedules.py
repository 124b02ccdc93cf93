"""Random schedules: everyone shows the same in the end, and what everyone wrote.

A failure prints its seed, the schedule cut down to what matters, and the command that plays it
again.
"""

from __future__ import annotations

from itertools import combinations

import pytest

from syncchat.testing import Fault, minimise
from syncchat.testing.playing import Outcome, Report, simulate
from syncchat.testing.schedule import ALL_FAULTS, FAULT_OF_ACT, Schedule, random_schedule

PEERS, STEPS = 5, 60
CHUNK = 100
QUICK_CHUNKS = 20
SLOW_CHUNKS = 180
MINIMISE_PLAYS = 120


@pytest.mark.timeout(180)
@pytest.mark.parametrize("chunk", range(QUICK_CHUNKS))
def test_peers_converge_whatever_happens(chunk: int) -> None:
    _play_chunk(chunk)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("chunk", range(QUICK_CHUNKS, QUICK_CHUNKS + SLOW_CHUNKS))
def test_peers_converge_whatever_happens_at_length(chunk: int) -> None:
    _play_chunk(chunk)


def test_schedules_of_a_quick_run_have_every_fault_and_every_pair_of_faults() -> None:
    report = Report()
    for seed in range(QUICK_CHUNKS * CHUNK):
        report.add(Outcome(_schedule(seed)))
    assert set(report.faults) == set(ALL_FAULTS)
    assert report.pairs == set(combinations(sorted(map(str, ALL_FAULTS)), 2))


def test_every_kind_of_fault_has_acts() -> None:
    assert set(FAULT_OF_ACT.values()) == set(Fault)


def _play_chunk(chunk: int) -> None:
    report = simulate(range(chunk * CHUNK, (chunk + 1) * CHUNK), peers=PEERS, steps=STEPS)
    for outcome in report.failures:
        pytest.fail(_told(outcome), pytrace=False)
    assert report.schedules == CHUNK


def _told(outcome: Outcome) -> str:
    """Return a failure in words, with what it takes to see it again."""
    seed = outcome.schedule.seed
    shortest = minimise(outcome.schedule, plays_max=MINIMISE_PLAYS)
    steps = "\n".join(f"  {step}" for step in shortest.steps)
    command = f"syncchat simulate --seed {seed} --runs 1 --peers {PEERS} --steps {STEPS}"
    return (
        f"schedule {seed} failed: {outcome.failure}\n"
        f"caught by {outcome.caught_by}; play it again with\n  {command} --faults all\n"
        f"{len(shortest.steps)} of {STEPS} steps with {shortest.peers} peers are enough:\n{steps}\n"
        f"{outcome.trace}"
    )


def _schedule(seed: int) -> Schedule:
    return random_schedule(seed, peers=PEERS, steps=STEPS)

"""Plays schedules, judges them, and cuts a failing one down to what matters."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from .oracle import Divergence
from .schedule import ALL_FAULTS, FAULT_OF_ACT, Fault, Schedule, perform, random_schedule
from .world import World

SAFETY_EVERY = 4
DEEP_EVERY = 10


@dataclass(slots=True)
class Outcome:
    """Is how one schedule ended; ``failure`` is empty when all held."""

    schedule: Schedule
    failure: str = ""
    trace: str = ""
    crashes: int = 0
    events: int = 0
    bytes_up: int = 0
    fingerprint: str = ""


@dataclass(slots=True)
class Report:
    """Sums up many schedules."""

    schedules: int = 0
    deeds: int = 0
    crashes: int = 0
    events: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    pairs: set[tuple[str, str]] = field(default_factory=set)
    failures: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one outcome in."""
        self.schedules += 1
        self.crashes += outcome.crashes
        self.events += outcome.events
        met = set()
        for step in outcome.schedule.steps:
            fault = FAULT_OF_ACT.get(step.act)
            if fault is None:
                self.deeds += step.act != "wait"
            else:
                self.faults[fault] += 1
                met.add(str(fault))
        self.pairs.update((one, other) for one in met for other in met if one < other)
        if outcome.failure:
            self.failures.append(outcome)


def play(schedule: Schedule) -> Outcome:
    """Play a schedule to its end, heal the world, and judge it."""
    outcome = Outcome(schedule)
    world = World(seed=schedule.seed, peers=schedule.peers)
    try:
        for number, step in enumerate(schedule.steps):
            perform(world, step)
            if number % SAFETY_EVERY == 0:
                world.check_safety(world.peers[step.peer % len(world.peers)])
        world.heal()
        world.check(deep=schedule.seed % DEEP_EVERY == 0)
        outcome.fingerprint = world.peers[0].room.digest()
    except Exception as exc:
        outcome.failure = (
            str(exc) if isinstance(exc, Divergence) else f"{type(exc).__name__}: {exc}"
        )
        outcome.trace = traceback.format_exc()
    finally:
        outcome.crashes = sum(peer.crashes for peer in world.peers)
        outcome.events = world.loop.events
        world.__exit__(None, None, None)
    return outcome


def simulate(
    seeds: Iterable[int],
    *,
    peers: int = 5,
    steps: int = 60,
    faults: Collection[Fault] = ALL_FAULTS,
    played: Callable[[Outcome], None] | None = None,
    failures_max: int = 1,
) -> Report:
    """Play a random schedule for each seed and return what happened.

    Stops after ``failures_max`` failures. ``played`` is told of each outcome.
    """
    report = Report()
    for seed in seeds:
        outcome = play(random_schedule(seed, peers=peers, steps=steps, faults=faults))
        report.add(outcome)
        if played is not None:
            played(outcome)
        if len(report.failures) >= failures_max:
            break
    return report


def minimise(schedule: Schedule, *, plays_max: int = 400) -> Schedule:
    """Return the shortest schedule found that still fails: steps taken out in ever smaller parts."""
    plays = 0
    size = max(1, len(schedule.steps) // 2)
    while size >= 1:
        start = 0
        while start < len(schedule.steps):
            if plays >= plays_max:
                return schedule
            rest = schedule.steps[:start] + schedule.steps[start + size :]
            shorter = Schedule(schedule.seed, schedule.peers, rest)
            plays += 1
            if play(shorter).failure:
                schedule = shorter
            else:
                start += size
        size //= 2
    return schedule

"""Plays schedules, judges them, and cuts a failing one down to what matters."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace

from .knobs import scaled_down
from .oracle import Divergence
from .pace import sparing
from .schedule import (
    ALL_FAULTS,
    FAULT_OF_ACT,
    Fault,
    Schedule,
    Step,
    perform,
    random_schedule,
)
from .world import World

SAFETY_EVERY = 4
DEEP_EVERY = 5
FETCH_EVERY = 7
"""One step in so many is followed by somebody's look at old history."""


@dataclass(slots=True)
class Outcome:
    """Is how one schedule ended; ``failure`` is empty when all held.

    ``caught_by`` names the function that noticed the failure; ``fingerprint`` is a hash of every
    frame that was sent, and when.
    """

    schedule: Schedule
    failure: str = ""
    trace: str = ""
    caught_by: str = ""
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


def play(
    schedule: Schedule,
    *,
    make_world: Callable[..., World] = World,
    before: Callable[[World, Step], None] | None = None,
) -> Outcome:
    """Play a schedule to its end, heal the world, and judge it.

    ``make_world`` is called with ``seed`` and ``peers``; ``before`` is told of each step before it
    happens. Whatever is raised is the outcome's failure: a schedule never ends the program.
    """
    with scaled_down(schedule.seed), sparing():
        return _play(schedule, make_world, before)


def _play(
    schedule: Schedule,
    make_world: Callable[..., World],
    before: Callable[[World, Step], None] | None,
) -> Outcome:
    outcome = Outcome(schedule)
    world = None
    try:
        world = make_world(seed=schedule.seed, peers=schedule.peers)
        world.little.draw(schedule.seed)
        for number, step in enumerate(schedule.steps):
            if before is not None:
                before(world, step)
            perform(world, step)
            if step.amount % FETCH_EVERY == 0:
                world.little.fetch(world.peers[step.pick % len(world.peers)])
            if number % SAFETY_EVERY == 0:
                world.check_safety(world.peers[step.peer % len(world.peers)])
        world.heal()
        world.check()
        if world.little.peers:
            world.look_up()
        if schedule.seed % DEEP_EVERY == 0:
            world.shake()
            world.check(deep=True)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as exc:  # a panic in the CRDT library is no Exception
        outcome.failure = (
            str(exc) if isinstance(exc, Divergence) else f"{type(exc).__name__}: {exc}"
        )
        outcome.trace = traceback.format_exc()
        outcome.caught_by = _innermost(exc)
    finally:
        if world is not None:
            outcome.crashes = sum(peer.crashes for peer in world.peers)
            outcome.events = world.loop.events
            outcome.fingerprint = world.loop.fingerprint()
            world.__exit__(None, None, None)
    return outcome


def _innermost(exc: BaseException) -> str:
    """Return the function in which something was raised, as ``module.function``."""
    trace = exc.__traceback__
    assert trace is not None
    while trace.tb_next is not None:
        trace = trace.tb_next
    frame = trace.tb_frame
    return f"{frame.f_globals.get('__name__', '?').rpartition('.')[2]}.{frame.f_code.co_name}"


def simulate(
    seeds: Iterable[int],
    *,
    peers: int = 5,
    steps: int = 60,
    faults: Collection[Fault] = ALL_FAULTS,
    played: Callable[[Outcome], None] | None = None,
    failures_max: int = 1,
    jobs: int = 1,
) -> Report:
    """Play a random schedule for each seed and return what happened.

    Stops after ``failures_max`` failures. ``played`` is told of each outcome. With several
    ``jobs`` worker processes play; the report is the same. A script that asks for them needs the
    usual ``if __name__ == "__main__":`` around its own start.
    """
    from .workers import play_all

    report = Report()
    schedules = (random_schedule(seed, peers=peers, steps=steps, faults=faults) for seed in seeds)
    with closing(play_all(schedules, jobs=jobs)) as outcomes:
        for outcome in outcomes:
            report.add(outcome)
            if played is not None:
                played(outcome)
            if len(report.failures) >= failures_max:
                break
    return report


def minimise(
    schedule: Schedule, *, plays_max: int = 400, tried: Callable[[Schedule], None] | None = None
) -> Schedule:
    """Return the shortest schedule found that still fails: steps taken out in ever smaller parts.

    Peers that do nothing go, too. ``tried`` is told of the shortest so far after every attempt.
    """
    plays = 0

    def fails(shorter: Schedule) -> bool:
        nonlocal plays
        plays += 1
        if tried is not None:
            tried(schedule)
        return bool(play(shorter).failure)

    size = max(1, len(schedule.steps) // 2)
    while size >= 1 and plays < plays_max:
        start, before = 0, schedule
        while start < len(schedule.steps) and plays < plays_max:
            rest = schedule.steps[:start] + schedule.steps[start + size :]
            shorter = Schedule(schedule.seed, schedule.peers, rest)
            if fails(shorter):
                schedule = shorter
            else:
                start += size
        if size > 1 or schedule == before:
            size //= 2
    fewer = _without_idle_peers(schedule)
    return fewer if fewer != schedule and fails(fewer) else schedule


def _without_idle_peers(schedule: Schedule) -> Schedule:
    """Return a schedule with only the peers that do something, two at least."""
    busy = sorted({step.peer for step in schedule.steps})
    places = {peer: place for place, peer in enumerate(busy)}
    steps = tuple(replace(step, peer=places[step.peer]) for step in schedule.steps)
    return Schedule(schedule.seed, max(2, len(busy)), steps)

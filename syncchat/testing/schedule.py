"""Schedules: what happens in a simulated run, as data that can be cut down and replayed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from ..errors import DecodeError
from .acts import ACTS, DEEDS, FAULT_ACTS, FAULT_OF_ACT, WEIGHTED_DEEDS, Fault, Step, perform
from .ports import SeededRandom

__all__ = [
    "ALL_FAULTS",
    "DEEDS",
    "FAULT_OF_ACT",
    "PEERS_MAX",
    "PEERS_MIN",
    "Fault",
    "Schedule",
    "Step",
    "perform",
    "random_schedule",
]

SWARM_FROM = 4
"""Kinds of fault that a schedule has all of, because they are few."""

KEEPING = 0.15
"""How many schedules have a room that does not keep all."""

PEERS_MIN, PEERS_MAX = 2, 50
"""A world of one has nobody to differ from; one of more than fifty takes minutes to settle."""

ALL_FAULTS = tuple(Fault)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Is a whole run: the world's seed, how many peers, and every step."""

    seed: int
    peers: int
    steps: tuple[Step, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the schedule for a file; a step is ``[act, peer, pick, amount]``."""
        steps = [[step.act, step.peer, step.pick, step.amount] for step in self.steps]
        return {"seed": self.seed, "peers": self.peers, "steps": steps}

    @classmethod
    def from_json(cls, fields: object) -> Schedule:
        """Return the schedule that ``to_json`` gave; raises ``DecodeError``."""
        try:
            parts = msgspec.convert(fields, _ScheduleJson)
        except msgspec.ValidationError as exc:
            raise DecodeError(f"not a schedule: {exc}") from exc
        for act, *_ in parts.steps:
            if act not in ACTS:
                raise DecodeError(f"not a schedule: no act is called {act!r}")
        return cls(parts.seed, parts.peers, tuple(Step(*step) for step in parts.steps))


_Count = Annotated[int, Meta(ge=0, lt=1_000_000)]


class _ScheduleJson(Struct):
    """Is a schedule's JSON form, to check one that comes from outside."""

    seed: int
    peers: Annotated[int, Meta(ge=PEERS_MIN, le=PEERS_MAX)]
    steps: list[tuple[str, _Count, _Count, _Count]]


def random_schedule(
    seed: int, *, peers: int = 5, steps: int = 60, faults: Collection[Fault] = ALL_FAULTS
) -> Schedule:
    """Return a schedule that follows from the seed.

    Where many ``faults`` are allowed, most schedules have only some of them, and each has some
    deeds more often than others: what every run does in the same mix hides what only shows when
    something else does not happen (Groce et al., "Swarm Testing", ISSTA 2012).
    """
    random = SeededRandom(f"schedule {seed}")
    acts = list(WEIGHTED_DEEDS) * 2
    for _ in range(2):
        acts += [WEIGHTED_DEEDS[random.below(len(WEIGHTED_DEEDS))]] * 5
    for fault in sorted(faults):
        if len(faults) <= SWARM_FROM or seed % 4 == 0 or random.chance(0.5):
            acts += FAULT_ACTS[fault]
    made = [
        Step(
            acts[random.below(len(acts))],
            random.below(peers),
            random.below(1000),
            random.below(1000),
        )
        for _ in range(steps)
    ]
    _forget_some(made, seed)
    return Schedule(seed, peers, tuple(made))


def _forget_some(steps: list[Step], seed: int) -> None:
    """Have the room of some schedules keep messages for days only, which then pass.

    With chance of its own, so that all other schedules are what they were before.
    """
    random = SeededRandom(f"keeping {seed}")
    if not steps or not random.chance(KEEPING):
        return
    places = sorted(random.below(len(steps)) for _ in range(2 + random.below(6)))
    for number, place in enumerate(places):
        act = "set keep" if number == 0 or random.chance(0.2) else "sleep"
        steps[place] = replace(steps[place], act=act)

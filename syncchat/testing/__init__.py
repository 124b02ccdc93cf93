"""The convergence kit: a deterministic simulator, an oracle and hypothesis machines.

``World`` runs real peers and a real relay on one virtual clock, with a network, disks and clocks
that fail on command; the same seed gives the same run to the byte. ``simulate`` plays random
schedules in it and compares every peer with an ``Oracle`` that is not the engine; a failure is cut
down to a schedule that a person can read. ``WorldMachine`` and the module ``strategies`` do the
same under hypothesis, the pytest fixture ``syncchat_world`` (module ``plugin``) makes worlds for
tests, and ``assert_converges`` tests merge rules that have nothing to do with syncchat.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = [
    "Divergence",
    "Fault",
    "Lie",
    "LyingRelay",
    "Oracle",
    "Outcome",
    "Replica",
    "Report",
    "Schedule",
    "SimPeer",
    "SimRelay",
    "Step",
    "ToldWorld",
    "World",
    "WorldMachine",
    "assert_converges",
    "minimise",
    "play",
    "random_schedule",
    "simulate",
    "story",
]

if TYPE_CHECKING:
    from .acts import Fault, Step
    from .converges import Replica, assert_converges
    from .liar import LyingRelay
    from .lies import Lie
    from .machines import WorldMachine
    from .oracle import Divergence, Oracle
    from .playing import Outcome, Report, minimise, play, simulate
    from .relay import SimRelay
    from .report import ToldWorld, story
    from .schedule import Schedule, random_schedule
    from .simpeer import SimPeer
    from .world import World
else:
    _HOMES = {
        "Divergence": "oracle",
        "Fault": "acts",
        "Lie": "lies",
        "LyingRelay": "liar",
        "Oracle": "oracle",
        "Outcome": "playing",
        "Replica": "converges",
        "Report": "playing",
        "Schedule": "schedule",
        "SimPeer": "simpeer",
        "SimRelay": "relay",
        "Step": "acts",
        "ToldWorld": "report",
        "World": "world",
        "WorldMachine": "machines",
        "assert_converges": "converges",
        "minimise": "playing",
        "play": "playing",
        "random_schedule": "schedule",
        "simulate": "playing",
        "story": "report",
    }

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)

    def __dir__() -> list[str]:
        return list(__all__)

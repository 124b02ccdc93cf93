"""The convergence kit: a deterministic simulator, an oracle and hypothesis machines.

``World`` runs real peers and a real relay on one virtual clock, with a network, disks and clocks
that fail on command; the same seed gives the same run to the byte. ``simulate`` plays random
schedules in it and compares every peer with an ``Oracle`` that is not the engine; a failure is cut
down to a schedule that a person can read. ``machines`` and ``strategies`` do the same under
hypothesis, and ``converges`` tests merge rules that have nothing to do with syncchat.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = [
    "Divergence",
    "Fault",
    "Oracle",
    "Report",
    "Schedule",
    "SimPeer",
    "SimRelay",
    "Step",
    "World",
    "assert_converges",
    "minimise",
    "play",
    "random_schedule",
    "simulate",
]

if TYPE_CHECKING:
    from .converges import assert_converges
    from .oracle import Divergence, Oracle
    from .playing import Report, minimise, play, simulate
    from .relay import SimRelay
    from .schedule import Fault, Schedule, Step, random_schedule
    from .simpeer import SimPeer
    from .world import World
else:
    _HOMES = {
        "Divergence": "oracle",
        "Fault": "schedule",
        "Oracle": "oracle",
        "Report": "playing",
        "Schedule": "schedule",
        "SimPeer": "simpeer",
        "SimRelay": "relay",
        "Step": "schedule",
        "World": "world",
        "assert_converges": "converges",
        "minimise": "playing",
        "play": "playing",
        "random_schedule": "schedule",
        "simulate": "playing",
    }

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)

    def __dir__() -> list[str]:
        return list(__all__)

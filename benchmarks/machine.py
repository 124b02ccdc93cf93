"""What a figure was measured on, and how two ways are compared fairly."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")

LIBRARIES = (
    "syncchat",
    "pycrdt",
    "websockets",
    "sqlite-utils",
    "PyNaCl",
    "msgspec",
    "zstandard",
    "uvloop",
)


def describe() -> dict[str, str]:
    """Return what a reader must know of this machine; nothing that names it or its owner."""
    return {
        "processor": _processor(),
        "cores": str(_cores()),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
    } | {name: _version(name) for name in LIBRARIES}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Is what ``alternate`` measured; times are seconds of one call.

    ``spread`` is the distance between the quartiles by the median. ``ratio`` is the median of
    the ratios a / b of each round: over 1 means that b is faster.
    """

    a_median: float
    a_spread: float
    b_median: float
    b_spread: float
    ratio: float
    rounds: int

    def figures(self, *, a: str, b: str) -> dict[str, float]:
        """Return the comparison as figures of a scenario, under the names of both ways."""
        return {
            f"{a} median ms": round(self.a_median * 1000, 3),
            f"{a} spread": round(self.a_spread, 3),
            f"{b} median ms": round(self.b_median * 1000, 3),
            f"{b} spread": round(self.b_spread, 3),
            f"{a} / {b}": round(self.ratio, 3),
        }


def alternate(a: Callable[[], object], b: Callable[[], object], rounds: int) -> Comparison:
    """Time two ways in turn, so that a change of the machine's mood strikes both.

    Each is called once unmeasured; after that the one that goes first changes every round.
    """
    if rounds < 2:
        raise ValueError("a comparison takes at least two rounds")
    a()
    b()
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        for which in (0, 1) if number % 2 == 0 else (1, 0):
            times[which].append(_seconds(b if which else a))
    return Comparison(
        a_median=statistics.median(times[0]),
        a_spread=spread(times[0]),
        b_median=statistics.median(times[1]),
        b_spread=spread(times[1]),
        ratio=ratio(*times),
        rounds=rounds,
    )


async def in_turn(
    ways: Mapping[str, Callable[[], Awaitable[Result]]], rounds: int, *, warm: int = 0
) -> dict[str, list[Result]]:
    """Go every way once a round, and begin each round with another; return what each gave.

    What the first ``warm`` rounds give is not kept.
    """
    found: dict[str, list[Result]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(warm + rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            result = await ways[name]()
            if number >= warm:
                found[name].append(result)
    return found


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios ours / theirs of each round."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def spread(values: Sequence[float]) -> float:
    """Return the distance between the quartiles by the median."""
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / statistics.median(values)


def range_of(values: Sequence[float], digits: int = 3) -> str:
    """Return the lowest and the highest, for a reader."""
    return f"{min(values):,.{digits}f} to {max(values):,.{digits}f}"


def _seconds(way: Callable[[], object]) -> float:
    started = time.perf_counter()
    way()
    return max(time.perf_counter() - started, 1e-9)


def _processor() -> str:
    for line in _lines("/proc/cpuinfo"):
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine() or "unknown"


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> str:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal:"):
            return f"{int(line.split()[1]) / 1024**2:.1f} GiB"
    return "unknown"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "not installed"

"""How costs grow with messages, members, rooms, devices and time; and plots of it.

Each cost is measured at several sizes, which take turns; as CPU time where nothing is waited for,
because that holds on a busy machine. ``--plots FOLDER`` draws what was found
(``benchmarks.plots``); the pictures in the documentation are made so. Each axis is a file here.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..plots import Plot, draw, middle, slope
from . import crowds, devices, keeping, members, messages, newcomers, offline, rooms

NAME = "growth"
SUMMARY = (
    "how the costs of reading, writing, joining, delivering, reconnecting, catching up and keeping "
    "grow with messages, members, rooms, devices, offline time and time, at four or five sizes "
    "each, and with which power of the size"
)
AXES = {
    module.AXIS.name: module.AXIS
    for module in (messages, members, rooms, devices, offline, newcomers, keeping, crowds)
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add where to draw, and what of it to measure."""
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw the plots there")
    parser.add_argument(
        "--axis",
        choices=AXES,
        action="append",
        metavar="AXIS",
        help=f"only this: {', '.join(AXES)}",
    )


def run(
    smoke: bool, plots: Path | None = None, axis: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return the figures; Linux only, for CPU time and memory come from /proc."""
    figures: dict[str, Any] = {}
    for name in axis or AXES:
        chosen = AXES[name]
        sizes = chosen.smoke if smoke else chosen.sizes
        rounds = 1 if smoke or chosen.is_exact else chosen.rounds
        found = asyncio.run(chosen.measure(sizes, rounds))
        for file, plot in chosen.plots(sizes, found):
            figures |= _figures(plot)
            if plots is not None:
                plots.mkdir(parents=True, exist_ok=True)
                (plots / f"{file}.svg").write_text(draw(plot), encoding="utf-8")
    return figures


def _figures(plot: Plot) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for cost, line in plot.lines.items():
        what = f"{plot.across}: {cost}, {plot.up}"
        for size, each in zip(plot.sizes, line, strict=True):
            found[f"{what}, {size:,}"] = float(f"{middle(each):.4g}")
        found[f"{what}, power of the size"] = f"{slope(plot.sizes, line):.2f}"
        widest = max((max(each) - min(each)) / middle(each) for each in line)
        found[f"{what}, widest spread"] = f"{widest:.2f} of the median"
    return found

"""Tests of the pictures that benchmarks draw."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from benchmarks import growth
from benchmarks.plots import Plot, draw, middle, slope
from tests.tidy.tree import ROOT

SIZES = (10, 100, 1_000, 10_000)
PLOTS = ROOT / "docs" / "explanation" / "plots"


def _plot(**lines: list[list[float]]) -> Plot:
    return Plot("Reading & writing", "messages", "ms", SIZES, lines)


def test_slope_is_the_power_with_which_a_cost_grows() -> None:
    assert slope(SIZES, [[5.0]] * 4) == pytest.approx(0)
    assert slope(SIZES, [[size * 3.0] for size in SIZES]) == pytest.approx(1)
    assert slope(SIZES, [[size**2.0] for size in SIZES]) == pytest.approx(2)


def test_middle_was_measured() -> None:
    assert middle([9.0, 1.0, 2.0]) == 2.0
    assert middle([4.0, 1.0]) == 1.0


def test_picture_is_small_well_formed_and_the_same_for_the_same_figures() -> None:
    lines = {name: [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0], [80.0]] for name in "abcde"}
    drawn = draw(_plot(**lines))
    assert drawn == draw(_plot(**lines))
    assert len(drawn.encode()) < 8_000
    root = ElementTree.fromstring(drawn)
    texts = [each.text for each in root.iter() if each.tag.endswith("}text")]
    assert "Reading & writing, ms" in texts
    assert {f"{size:,}" for size in SIZES} <= set(texts)
    assert "prefers-color-scheme:dark" in drawn


def test_line_goes_through_the_medians_and_up_where_costs_grow() -> None:
    drawn = draw(_plot(cost=[[1.0, 2.0, 9.0], [20.0], [200.0], [2_000.0]]))
    found = re.search(r'<g class="c0"><path d="M([^"]+)"', drawn)
    assert found is not None
    points = [tuple(map(float, point.split())) for point in found[1].split("L")]
    assert len(points) == 4
    steps = [(b[0] - a[0], a[1] - b[1]) for a, b in pairwise(points)]
    assert [round(x) for x, _ in steps] == [round(steps[0][0])] * 3
    assert [round(y) for _, y in steps] == [round(steps[0][1])] * 3
    assert steps[0][1] > 0


def test_growth_draws_every_picture_that_the_documentation_shows() -> None:
    drawn = {f"{each.file}.svg" for axis in growth.AXES.values() for each in axis.drawn}
    assert {path.name for path in PLOTS.iterdir()} == drawn
    assert all(len(axis.sizes) >= 4 for axis in growth.AXES.values())

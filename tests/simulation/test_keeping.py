"""Rooms that keep messages for a time only, in simulated worlds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from . import scenarios_of_keeping as scenarios


@pytest.mark.parametrize(
    "scenario",
    [
        scenarios.shown_too_late,
        scenarios.left_young_ones_out,
        scenarios.sent_too_late,
        scenarios.said_of_nothing,
        scenarios.kept_small,
        scenarios.kept_in_full_again,
    ],
)
def test_scenario(scenario: Callable[[], None]) -> None:
    scenario()

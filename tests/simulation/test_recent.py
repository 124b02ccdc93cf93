"""The newest of a room first: what is shown before the rest has come, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from . import scenarios_of_recent as scenarios


@pytest.mark.parametrize(
    "scenario",
    [
        scenarios.newest_first,
        scenarios.read_too_early,
        scenarios.deleted_meanwhile,
        scenarios.edited_meanwhile,
        scenarios.taken_back,
        scenarios.forged_entry,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_newest_first_holds(scenario: Callable[[], None]) -> None:
    scenario()

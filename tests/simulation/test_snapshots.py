"""Snapshots between peers and a relay: what becomes small, what stays, and who may make them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from . import scenarios_of_snapshots as scenarios


@pytest.mark.parametrize(
    "scenario",
    [
        scenarios.newcomer,
        scenarios.deleted_for_everyone,
        scenarios.wiped_relay,
        scenarios.away_while_it_became_small,
        scenarios.folded_anew,
        scenarios.removed_device,
        scenarios.room_that_hands_on_no_keys,
        scenarios.too_scattered,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_snapshots_hold(scenario: Callable[[], None]) -> None:
    scenario()

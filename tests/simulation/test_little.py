"""Peers that keep little: what they leave at the relay, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from . import scenarios_of_little as scenarios


@pytest.mark.parametrize(
    "scenario",
    [
        scenarios.left_and_fetched,
        scenarios.said_about_what_is_left,
        scenarios.gone_meanwhile,
        scenarios.folded_anew,
        scenarios.waits_while_the_chain_goes_on,
        scenarios.deleted_while_away,
        scenarios.wiped_relay,
        scenarios.cut_off_while_fetching,
        scenarios.lied_to,
        scenarios.lied_to_with_stubs,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_little_holds(scenario: Callable[[], None]) -> None:
    scenario()

"""Every seeded defect is caught: a simulator that finds nothing proves nothing by itself.

``python -m pytest tests/simulation/test_mutants.py -m slow -s`` prints which check caught which
mutant, and after how many schedules.
"""

from __future__ import annotations

import pytest

from .mutants import MUTANTS
from .seeding import Mutant, hunt

SCHEDULES_MAX = 400

QUICK = (
    "squashing drops what did not fit",
    "compression does not reload",
    "file outlives its message",
    "clock step hides rows",
    "coalescing keeps the older",
    "bodies are not encrypted",
    "chain head saved without its envelope",
    "first writer wins",
    "equal stamps collide",
    "fan-out skips one",
)
"""Those that the first schedules catch, for every run of the tests."""


def test_there_are_mutants_enough_and_each_has_a_name_of_its_own() -> None:
    names = [mutant.name for mutant in MUTANTS]
    assert len(names) == len(set(names)) >= 28
    assert set(QUICK) <= set(names)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_fits_the_source(mutant: Mutant) -> None:
    with mutant.seeded():
        pass


@pytest.mark.parametrize(
    "mutant", [m for m in MUTANTS if m.scenario is not None], ids=lambda mutant: mutant.name
)
def test_scenario_passes_without_the_defect_and_fails_with_it(mutant: Mutant) -> None:
    assert mutant.scenario is not None
    mutant.scenario()
    assert hunt(mutant, schedules_max=0).is_caught


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", QUICK)
def test_quick_mutant_is_caught(name: str) -> None:
    (mutant,) = [mutant for mutant in MUTANTS if mutant.name == name]
    verdict = hunt(mutant, schedules_max=30)
    assert verdict.is_caught, f"{mutant.says}\n{verdict}"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_caught(mutant: Mutant) -> None:
    verdict = hunt(mutant, schedules_max=SCHEDULES_MAX)
    print(f"\n{verdict}")
    assert verdict.is_caught, f"{mutant.says}\n{verdict}"

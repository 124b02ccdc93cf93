"""The kit's public names: complete, sorted, documented, and loaded when they are used."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import syncchat.testing as kit
from syncchat.testing import Fault, Lie, World, WorldMachine, strategies
from syncchat.testing.deeds import Deeds

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reference" / "testing.md").read_text(encoding="utf-8")
LIES = (ROOT / "docs" / "explanation" / "lying-relay.md").read_text(encoding="utf-8")


def is_told(name: str) -> bool:
    return re.search(rf"`[^`]*(?<!\w){re.escape(name)}(?!\w)[^`]*`", PAGE) is not None


def members(kind: type) -> list[str]:
    """Return the public methods that a class defines itself."""
    return [name for name in vars(kind) if not name.startswith("_") and name != "TestCase"]


def test_names_are_sorted_and_each_is_where_it_is_said_to_be() -> None:
    assert kit.__all__ == sorted(kit.__all__)
    homes: dict[str, str] = vars(kit)["_HOMES"]
    assert set(homes) == set(kit.__all__) == set(dir(kit))
    for name, home in homes.items():
        module = getattr(kit, name).__module__
        assert module == f"syncchat.testing.{home}", name


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Multiverse'"):
        kit.__getattr__("Multiverse")


@pytest.mark.parametrize("name", kit.__all__)
def test_every_public_name_has_a_docstring_and_is_in_the_reference(name: str) -> None:
    value = getattr(kit, name)
    assert value.__doc__, f"{name} has no docstring of its own"
    assert is_told(name)


@pytest.mark.parametrize("kind", [World, Deeds, WorldMachine], ids=lambda kind: kind.__name__)
def test_every_method_of_the_main_classes_is_in_the_reference(kind: type) -> None:
    told_elsewhere = {"begin", "everyone_is_safe", "teardown", "relay_knows"}
    assert [n for n in members(kind) if not is_told(n) and n not in told_elsewhere] == []


def test_every_strategy_is_in_the_reference() -> None:
    names = [
        name
        for name, value in vars(strategies).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == strategies.__name__
    ]
    assert len(names) > 20
    assert [name for name in names if not is_told(name)] == []
    assert [name for name in names if not getattr(strategies, name).__doc__] == []


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_is_in_the_reference(fault: Fault) -> None:
    assert f"| `{fault}` |" in PAGE


@pytest.mark.parametrize("function", [kit.simulate, kit.play, kit.minimise, kit.assert_converges])
def test_signatures_in_the_reference_name_every_parameter(function: object) -> None:
    name = function.__name__  # type: ignore[attr-defined]
    told = next(t for t in re.findall(r"`([^`]+)`", PAGE) if t.startswith(f"{name}("))
    wanted = inspect.signature(function).parameters  # type: ignore[arg-type]
    assert [p for p in wanted if not re.search(rf"\b{p}\b", told)] == []


def test_number_of_lies_is_the_one_that_is_told() -> None:
    page = (ROOT / "docs" / "explanation" / "how-we-know-it-converges.md").read_text("utf-8")
    assert f"in {_in_words(len(Lie))} ways" in page


def _in_words(number: int) -> str:
    tens = ("", "ten", "twenty", "thirty", "forty", "fifty", "sixty")
    ones = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return f"{tens[number // 10]}-{ones[number % 10]}".rstrip("-")

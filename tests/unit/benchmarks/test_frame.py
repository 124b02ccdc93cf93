"""Tests of the frame around benchmarks."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import benchmarks.__main__ as command
from benchmarks import machine


def _scenario(name: str) -> ModuleType:
    module: Any = ModuleType(name)
    module.NAME = name
    module.SUMMARY = f"Measures {name}."

    def run(smoke: bool, count: int = 1) -> dict[str, Any]:
        return {"smoke": smoke, "count": count, "rate": 1234.5}

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--count", type=int, default=7)

    module.run = run
    if name == "second":
        module.add_arguments = add_arguments
    found: ModuleType = module
    return found


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {name: _scenario(name) for name in ("first", "second")}
    monkeypatch.setattr(command, "scenarios", lambda: known)


@pytest.mark.usefixtures("two")
def test_all_scenarios_run_when_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--smoke", "--json", str(tmp_path / "out.json")]) == 0
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["machine"] == machine.describe()
    assert report["results"] == {
        name: {"smoke": True, "count": 1, "rate": 1234.5} for name in ("first", "second")
    }
    printed = capsys.readouterr().out
    assert "first: Measures first." in printed
    assert "1,234" in printed
    assert platform.python_version() in printed


@pytest.mark.usefixtures("two")
def test_named_scenario_takes_options_of_its_own(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert command.main(["second", "--count", "9", "--json", str(out)]) == 0
    assert json.loads(out.read_text())["results"] == {
        "second": {"smoke": False, "count": 9, "rate": 1234.5}
    }


@pytest.mark.usefixtures("two")
def test_unknown_scenario_is_named_with_those_that_exist(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command.main(["third"]) == 2
    assert "no scenario third; there are: first, second" in capsys.readouterr().err


def test_every_scenario_is_found_by_its_name_and_says_what_it_measures() -> None:
    for name, module in command.scenarios().items():
        assert name == module.NAME
        assert len(module.SUMMARY) > 20
        assert callable(module.run)


def test_description_of_the_machine_does_not_name_it() -> None:
    description = machine.describe()
    assert {"processor", "cores", "memory", "python", "pycrdt", "websockets"} <= set(description)
    assert all(description.values())
    assert platform.node() not in description.values()


def test_alternate_takes_turns_and_gives_the_ratio_of_the_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []
    times = {"a": [2.0, 4.0, 6.0], "b": [1.0, 2.0, 3.0]}

    def seconds(way: Callable[[], object]) -> float:
        way()
        return times[calls[-1]].pop(0)

    monkeypatch.setattr(machine, "_seconds", seconds)
    result = machine.alternate(lambda: calls.append("a"), lambda: calls.append("b"), 3)
    assert calls == ["a", "b", "a", "b", "b", "a", "a", "b"]
    assert (result.a_median, result.b_median) == pytest.approx((4.0, 2.0))
    assert result.ratio == pytest.approx(2.0)
    assert (result.a_spread, result.b_spread) == pytest.approx((0.5, 0.5))
    assert result.figures(a="x", b="y")["x / y"] == pytest.approx(2.0)


def test_alternate_needs_two_rounds_to_tell_a_spread() -> None:
    with pytest.raises(ValueError, match="two rounds"):
        machine.alternate(lambda: None, lambda: None, 1)

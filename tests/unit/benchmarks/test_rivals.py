"""Tests of what the rivals are measured with; those that are not installed are skipped."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import benchmarks.__main__ as command
from benchmarks import catchup, fanout, local_send, machine, offline_queue, open_room, rivals
from benchmarks.rivals import installing, wire

WITH_RIVALS = (catchup, fanout, local_send, offline_queue, open_room)


@pytest.mark.timeout(240)  # dozens of processes are started where all rivals are installed
@pytest.mark.parametrize("module", WITH_RIVALS, ids=lambda module: str(module.NAME))
def test_rivals_are_measured_tiny_beside_ours(module: ModuleType) -> None:
    there = [name for name in module.RIVALS if rivals.RIVALS[name].is_installed]
    if not there:
        names = ", ".join(module.RIVALS)
        pytest.skip(f"none of {names} is installed: {rivals.HOW_TO_INSTALL}")
    figures = module.run(smoke=True, against=there)
    json.dumps(figures)
    for name in there:
        ratios = [value for what, value in figures.items() if what.endswith(f"/ {name}")]
        assert ratios, name
        assert all(ratio > 0 for ratio in ratios), name


def test_unknown_rival_is_refused_with_those_that_exist(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command.main(["open_room", "--smoke", "--against", "matrix"]) == 2
    told = capsys.readouterr().err
    assert "no rival matrix; there are: automerge, hocuspocus, loro, pycrdt, yjs, all" in told


def test_rival_that_is_not_installed_is_skipped_and_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rivals, "FOLDER", tmp_path)
    figures = local_send.run(smoke=True, against=["all"])
    assert figures["pycrdt"] == "skipped: not installed (python -m benchmarks setup)"
    assert figures["speed / bare"] > 0


def test_rival_that_a_scenario_does_not_measure_is_named_when_it_was_asked_for() -> None:
    found, skipped = rivals.ready(["loro"], local_send.RIVALS)
    assert found == []
    assert skipped == {"loro": "skipped: this scenario does not measure it"}


def test_every_package_of_a_rival_is_pinned() -> None:
    manifest = json.loads((rivals.HERE / "package.json").read_text(encoding="utf-8"))
    lines = (rivals.HERE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0] for line in lines if "==" in line}
    for rival in rivals.RIVALS.values():
        assert (rivals.HERE / rival.driver).exists(), rival.name
        known = set(manifest["dependencies"]) if rival.is_node else pinned
        assert set(rival.packages) <= known, rival.name
    assert all(re.fullmatch(r"[\d.]+", version) for version in manifest["dependencies"].values())


def test_every_scenario_with_rivals_names_ones_that_exist() -> None:
    scenarios = command.scenarios().values()
    named = {module.NAME: module.RIVALS for module in scenarios if hasattr(module, "RIVALS")}
    assert set(named) == {module.NAME for module in WITH_RIVALS}
    assert set().union(*named.values()) == set(rivals.RIVALS)


def test_each_round_begins_with_another_way_and_warm_rounds_are_not_kept() -> None:
    gone: list[str] = []

    async def measure() -> dict[str, list[int]]:
        async def way(name: str) -> int:
            gone.append(name)
            return len(gone)

        ways = {name: (lambda name=name: way(name)) for name in "abc"}
        return await machine.in_turn(ways, 2, warm=1)

    found = asyncio.run(measure())
    assert "".join(gone) == "abcbcacab"
    assert found == {"a": [6, 8], "b": [4, 9], "c": [5, 7]}


def test_pushes_are_one_message_each_and_hold_their_texts() -> None:
    said = ["good morning", "good night"]
    for name, dialect in wire.DIALECTS.items():
        messages = wire.pushes(dialect, said)
        assert len(messages) == 2, name
        for text, message in zip(said, messages, strict=True):
            assert message.startswith(dialect.prefix)
            assert text.encode() in message


def test_setup_installs_and_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "install", lambda: 7)
    monkeypatch.setattr(command, "_run", lambda *_: pytest.fail("something was measured"))
    assert command.main(["setup"]) == 7


def test_bare_relay_forwards_and_keeps(tmp_path: Path) -> None:
    said = ["one", "two", "three"]

    async def measure() -> tuple[dict[str, Any], dict[str, Any]]:
        async with rivals.serving(rivals.BARE, tmp_path) as (_, url):
            sent = await rivals.call(rivals.BARE, "offline", url, said)
            return sent, await rivals.call(rivals.BARE, "catchup", url, {"count": 3})

    sent, caught_up = asyncio.run(measure())
    assert sent["isRight"]
    assert caught_up["shown"] == said
    masked = 3 * 4
    assert sent["up"] == sent["down"] + masked == caught_up["down"] + masked


def test_driver_that_fails_is_an_error_that_names_it() -> None:
    with pytest.raises(RuntimeError, match="bare's driver ended with 1 at no_such_verb"):
        asyncio.run(rivals.call(rivals.BARE, "no_such_verb", "", None))

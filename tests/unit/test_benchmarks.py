"""Tests that the scenarios run, tiny, and that what they build is what they say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmarks import (
    catchup,
    challenge,
    crowd,
    fanout,
    growth,
    history,
    local_send,
    many_rooms,
    memory,
    newcomer,
    offline_queue,
    open_room,
    pages,
    reconnect,
    relay_load,
    replay,
    retention,
    search,
    trust,
    unread,
    wire_bytes,
    workload,
    year,
)
from syncchat.core.values import MessageValue

SCENARIOS = [
    catchup,
    challenge,
    crowd,
    fanout,
    history,
    local_send,
    many_rooms,
    memory,
    newcomer,
    offline_queue,
    open_room,
    pages,
    reconnect,
    relay_load,
    replay,
    retention,
    search,
    trust,
    unread,
    wire_bytes,
    year,
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: str(scenario.NAME))
def test_scenario_runs_tiny_and_gives_figures(scenario: ModuleType) -> None:
    _check(scenario.run(smoke=True))


@pytest.mark.parametrize("axis", growth.AXES)
def test_every_axis_of_growth_is_measured_tiny(axis: str, tmp_path: Path) -> None:
    _check(growth.run(smoke=True, axis=[axis], plots=tmp_path))
    drawn = {f"{each.file}.svg" for each in growth.AXES[axis].drawn}
    assert {path.name for path in tmp_path.iterdir()} == drawn


def _check(figures: dict[str, Any]) -> None:
    assert figures
    json.dumps(figures)
    for name, figure in figures.items():
        if isinstance(figure, int | float) and "memory" not in name and "MB" not in name:
            assert figure > 0, name


def test_replay_takes_every_writer_as_a_device(tmp_path: Path) -> None:
    rows = [
        {"file": "a", "line": 5, "nick": "ann", "kind": "message", "text": "hello"},
        {"file": "a", "line": 6, "nick": None, "kind": "system", "text": "ben joins"},
        {"file": "a", "line": 7, "nick": "ben", "kind": "message", "text": "hi", "reply_to": [5]},
        {"file": "b", "line": 5, "nick": "cat", "kind": "action", "text": "waves"},
    ]
    corpus = tmp_path / "chat.jsonl"
    corpus.write_text("\n".join(json.dumps(row) for row in rows))
    figures = replay.run(smoke=False, input=corpus, peers=0)
    assert (figures["messages"], figures["writers"], figures["devices"]) == (3, 3, 3)
    assert figures["replies"] == 1
    assert replay.run(smoke=False, input=corpus, peers=2)["devices"] == 2


def test_catch_up_of_a_log_with_a_lost_message_is_not_measured() -> None:
    log = workload.room_log(40, batch=1)
    with pytest.raises(AssertionError):
        catchup._direct("one by one", workload.texts(40), log[:-1], 2)


def test_writer_goes_on_in_the_next_volume_when_one_is_full(tmp_path: Path) -> None:
    log = workload.room_log(2_500, batch=200, devices=1)
    with workload.reader(tmp_path / "reader.db") as reader:
        for portion in workload.deliveries(log):
            reader.receive(portion)
        assert [m.text for m in reader.room.messages(limit=1_000)] == workload.texts(2_500)[1_500:]
        assert reader.room.count() == 2_500


def test_deliveries_hold_the_whole_log_in_portions_of_a_bounded_size() -> None:
    log = workload.room_log(1_500, batch=1)
    portions = list(workload.deliveries(log))
    assert [raw for portion in portions for raw in portion] == log
    assert len(portions) > 1
    assert all(sum(map(len, portion)) <= workload.DELIVER_BYTES_MAX for portion in portions)


@pytest.mark.parametrize(
    "make",
    [
        lambda: workload.room_log(50, batch=3),
        lambda: workload.Writer("ann").write([(1, MessageValue(text="hello"))]),
    ],
)
def test_workload_is_the_same_every_time(make: Callable[[], list[bytes]]) -> None:
    assert make() == make()

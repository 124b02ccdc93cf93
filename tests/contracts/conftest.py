"""Logs that ask rooms' records who may read and write, in memory and in SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from syncchat_relay.log import Log
from syncchat_relay.log.memory import MemoryLog
from syncchat_relay.log.sqlite import SqliteLog

from tests.contracts.chains import FixedRandom


@pytest.fixture(params=["memory", "sqlite"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Log]]:
    made: list[Log] = []

    def build(*, is_open: bool = False) -> Log:
        found: Log = (
            MemoryLog(random=FixedRandom(), is_open=is_open)
            if request.param == "memory"
            else SqliteLog(tmp_path, random=FixedRandom(), is_open=is_open)
        )
        made.append(found)
        return found

    yield build
    for log in made:
        log.close()


@pytest.fixture
def log(make: Callable[..., Log]) -> Log:
    return make()

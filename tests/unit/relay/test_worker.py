"""Tests of the log's worker: which pushes share a commit, and which wait for nobody.

Where something is to be held, flushes keep a distance of ten minutes: a test that waited that out
would fail by its time limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from syncchat_relay import Config
from syncchat_relay.effects import Append, Appended, Check, LogAnswer
from syncchat_relay.log.memory import MemoryLog
from syncchat_relay.worker import Worker

from syncchat.ports import SystemClock, SystemRandom
from syncchat.wire.codes import ItemStatus
from tests.contracts.chains import ROOM, Writer

HELD = Config(flush_every_ms=600_000)


class Working:
    """Is a worker at work, and what it has answered: the tickets of each flush, and of reads."""

    def __init__(self, executor: ThreadPoolExecutor, config: Config) -> None:
        log = MemoryLog(random=SystemRandom())
        self.worker = Worker(
            executor, log, config=config, clock=SystemClock(), answered=self._answered
        )
        self.flushes: list[list[int]] = []
        self.reads: list[int] = []
        self._writers = {name: Writer(seed) for seed, name in enumerate("abcdefgh", 1)}
        self._tickets = 0
        self._came = asyncio.Event()

    def push(self, devices: str) -> None:
        """Push an envelope of each device."""
        for device in devices:
            self._tickets += 1
            writer = self._writers[device]
            push = Append(self._tickets, ROOM, (writer.write(),), writer.keys.public)
            self.worker.add(push)

    async def flushed(self, count: int) -> None:
        """Wait for so many flushes in all."""
        while len(self.flushes) < count:
            self._came.clear()
            await self._came.wait()

    async def read(self) -> None:
        """Have the log read, and wait for the answer."""
        self._tickets += 1
        self.worker.add(Check(self._tickets, ROOM, ()))
        while self._tickets not in self.reads:
            self._came.clear()
            await self._came.wait()

    def _answered(self, answers: Sequence[LogAnswer]) -> None:
        pushes = [answer for answer in answers if isinstance(answer, Appended)]
        if pushes:
            outcomes = [outcome for answer in pushes for outcome in answer.outcomes]
            assert {outcome.status for outcome in outcomes} == {ItemStatus.STORED}
            self.flushes.append([answer.ticket for answer in pushes])
        else:
            self.reads += [answer.ticket for answer in answers]
        self._came.set()


@asynccontextmanager
async def _working(config: Config) -> AsyncIterator[Working]:
    with ThreadPoolExecutor(1) as executor:
        working = Working(executor, config)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(working.worker.run())
            yield working
            working.worker.stop()


async def test_what_many_devices_push_soon_after_a_flush_shares_the_next_one() -> None:
    async with _working(HELD) as working:
        working.push("abc")
        await working.flushed(1)
        for device in "defa":
            working.push(device)
            await working.read()
        assert working.flushes == [[1, 2, 3]]
    assert working.flushes == [[1, 2, 3], [4, 6, 8, 10]], "stopped, it waits for nobody"


async def test_held_pushes_are_flushed_when_it_is_time() -> None:
    async with _working(Config(flush_every_ms=1)) as working:
        working.push("abc")
        await working.flushed(1)
        working.push("de")
        await working.flushed(2)
        assert working.flushes == [[1, 2, 3], [4, 5]]


async def test_two_devices_that_push_in_turn_wait_for_nobody() -> None:
    async with _working(HELD) as working:
        for count, device in enumerate("ababab", 1):
            working.push(device)
            await working.flushed(count)
    assert working.flushes == [[1], [2], [3], [4], [5], [6]]


async def test_a_full_transaction_waits_for_nobody() -> None:
    async with _working(Config(flush_every_ms=600_000, flush_envelopes_max=3)) as working:
        working.push("abc")
        await working.flushed(1)
        working.push("ab")
        await working.read()
        assert len(working.flushes) == 1
        working.push("c")
        await working.flushed(2)
        assert working.flushes == [[1, 2, 3], [4, 5, 7]]

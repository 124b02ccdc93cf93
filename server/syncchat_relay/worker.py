"""The log's worker: one thread for all log work, and group commit.

While one flush is written to disk, appends gather; the next flush takes all of them up to a size.
Where many devices push, flushes keep a distance as well (``flush_every_ms``): a commit costs about
as much for one push as for ten. One or two that push alone, each after what it got from the other,
wait for nobody. Other work (look-ups, reads) is done between flushes. What a flush raises leaves
its outcome unknown, so the very same batch is tried again, and only then given up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from math import inf

from syncchat.errors import SyncchatError
from syncchat.ports import Clock

from .config import Config
from .effects import (
    Append,
    Failed,
    LogAnswer,
    LogWork,
    SaveCursors,
)
from .log import Log
from .performing import perform, perform_appends

logger = logging.getLogger(__name__)

RETRY_DELAYS_S = (0.05, 0.2, 0.8)
"""A full disk or a backup that holds the lock is often over within a second."""

SHARERS_MIN = 3
"""Devices that push at the same time, from which on flushes keep their distance."""

COUNTING_S = 0.1
"""For how long who pushes is counted among them, and at most twice as long."""

WORK_PER_TURN = 64
"""Reads that may stand between a push and its commit."""


class Worker:
    """Feeds a log, and the hub with its answers."""

    def __init__(
        self,
        executor: ThreadPoolExecutor,
        log: Log,
        *,
        config: Config,
        clock: Clock,
        answered: Callable[[Sequence[LogAnswer]], None],
    ) -> None:
        self._executor = executor
        self._log = log
        self._config = config
        self._clock = clock
        self._answered = answered
        self._appends: deque[Append] = deque()
        self._waiting = 0
        """Envelopes in ``_appends``."""
        self._work: deque[LogWork] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self._is_holding = False
        """Whether appends wait for others."""
        self._flushed_at = -inf
        self._pushers: set[bytes] = set()
        """Who has pushed since ``_counted_at``, and before that while it was counted last."""
        self._pushers_before: set[bytes] = set()
        self._counted_at = -inf

    def add(self, work: Append | LogWork) -> None:
        """Take work; the hub's own limits bound what waits here."""
        if isinstance(work, Append):
            self._appends.append(work)
            self._pushers.add(work.pusher)
            self._waiting += len(work.envelopes)
            if self._is_holding and self._waiting < self._config.flush_envelopes_max:
                return
        else:
            self._work.append(work)
        self._wake.set()

    def stop(self) -> None:
        """Have ``run`` return when all that it was given is done."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Do log work until stopped."""
        while True:
            if self._appends and not self._hold_s():
                self._answered(await self._flush(self._gather()))
            if self._work:
                count = min(WORK_PER_TURN, len(self._work))
                works = [self._work.popleft() for _ in range(count)]
                loop = asyncio.get_running_loop()
                self._answered(
                    await loop.run_in_executor(
                        self._executor, _perform_all, self._log, works, self._clock
                    )
                )
            hold_s = self._hold_s() if self._appends else None
            if not self._work and hold_s != 0:
                if self._stopping:
                    return
                await self._wait(hold_s)

    async def _wait(self, hold_s: float | None) -> None:
        """Wait for work, or for the time to flush what is there."""
        self._wake.clear()
        self._is_holding = hold_s is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(hold_s):
                await self._wake.wait()
        self._is_holding = False

    def _hold_s(self) -> float:
        """Return how long appends are to wait for others that may share their commit."""
        is_full = self._waiting >= self._config.flush_envelopes_max
        if self._stopping or is_full or not self._is_shared():
            return 0
        due = self._flushed_at + self._config.flush_every_ms / 1000
        return max(0, due - self._clock.monotonic())

    def _is_shared(self) -> bool:
        """Tell whether so many have pushed lately that others may come in a moment."""
        return len(self._pushers | self._pushers_before) >= SHARERS_MIN

    def _gather(self) -> list[Append]:
        now = self._flushed_at = self._clock.monotonic()
        if now - self._counted_at > COUNTING_S:
            is_recent = now - self._counted_at < 2 * COUNTING_S
            self._pushers_before = self._pushers if is_recent else set()
            self._pushers = {work.pusher for work in self._appends}
            self._counted_at = now
        batch: list[Append] = []
        envelopes = octets = 0
        while self._appends:
            work = self._appends[0]
            envelopes += len(work.envelopes)
            octets += sum(map(len, work.envelopes))
            is_over = (
                envelopes > self._config.flush_envelopes_max
                or octets > self._config.flush_bytes_max
            )
            if batch and is_over:
                break
            batch.append(self._appends.popleft())
        self._waiting -= sum(len(work.envelopes) for work in batch)
        return batch

    async def _flush(self, batch: list[Append]) -> Sequence[LogAnswer]:
        loop = asyncio.get_running_loop()
        for delay_s in (*RETRY_DELAYS_S, None):
            try:
                flush = partial(perform_appends, self._log, batch, now_ms=self._clock.now_ms())
                return await loop.run_in_executor(self._executor, flush)
            except SyncchatError as exc:
                logger.error("flush of %d pushes failed: %s", len(batch), exc)
                if delay_s is not None:
                    await asyncio.sleep(delay_s)
        return [Failed(work.ticket) for work in batch]


def _perform_all(log: Log, works: Sequence[LogWork], clock: Clock) -> list[LogAnswer]:
    answers: list[LogAnswer] = []
    for work in works:
        try:
            answer = perform(log, work, now_ms=clock.now_ms())
        except SyncchatError as exc:
            logger.error("%s failed: %s", type(work).__name__, exc)
            answer = None if isinstance(work, SaveCursors) else Failed(work.ticket)
        if answer is not None:
            answers.append(answer)
    return answers

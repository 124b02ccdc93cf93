"""The worker of files: asks the log who may do what, then has threads of its own do it.

What is to be stored is taken together, so that blobs which came meanwhile share one flush, and in
its order: an answer tells of everything that was asked before it. While one flush is on its way to
the disk, the blobs of the next are hashed by another thread. What is to be read has a third, so
that nobody's download waits for somebody's disk. The log's thread only looks things up here, so
that messages wait for none of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from syncchat.errors import SyncchatError
from syncchat.ports import Clock

from .blobs import Blobs
from .blobs.work import Permit, hashed, perform, permitted, permitted_already
from .effects import BlobAnswer, BlobWork, Failed, LoadBlob, StoreBlob
from .log import Log

logger = logging.getLogger(__name__)

FLUSH_BYTES_MAX = 16 * 1024 * 1024
"""Blobs that share a flush: all that one peer may have waiting."""

LOADS_PER_TURN = 4
"""Blobs that are read before their readers hear of the first."""

_Batch = tuple[list[BlobWork], list[Permit] | SyncchatError]


@dataclass(frozen=True, slots=True)
class BlobThreads:
    """Is a thread each for what is stored, for what is read, and for hashes."""

    stores: ThreadPoolExecutor
    loads: ThreadPoolExecutor
    hashes: ThreadPoolExecutor


class BlobWorker:
    """Feeds the blobs, and the hub with their answers."""

    def __init__(
        self,
        threads: BlobThreads,
        blobs: Blobs,
        *,
        log_executor: ThreadPoolExecutor,
        log: Log,
        clock: Clock,
        answered: Callable[[Sequence[BlobAnswer]], None],
    ) -> None:
        """``log_executor`` is the thread of the log."""
        self._threads = threads
        self._blobs = blobs
        self._log_executor = log_executor
        self._log = log
        self._clock = clock
        self._answered = answered
        self._stores = _Queue()
        self._loads = _Queue()
        self._hashed: asyncio.Queue[_Batch | None] = asyncio.Queue()
        self._stopping = False

    def add(self, work: BlobWork) -> None:
        """Take work; the hub's own limits bound what waits here."""
        queue = self._loads if isinstance(work, LoadBlob) else self._stores
        queue.work.append(work)
        queue.wake.set()

    def stop(self) -> None:
        """Have ``run`` return when all that it was given is done."""
        self._stopping = True
        for queue in (self._stores, self._loads):
            queue.wake.set()

    async def run(self) -> None:
        """Do blob work until stopped."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._prepare_stores())
            tasks.create_task(self._store())
            tasks.create_task(self._load())

    async def _prepare_stores(self) -> None:
        """Ask the log about what is to be stored, found or dropped, and hash what is new."""
        while (works := await self._next(self._stores)) is not None:
            self._stores.turn.clear()  # the longer it waits, the more share a flush
            self._hashed.put_nowait((works, await self._permits(works)))
        self._hashed.put_nowait(None)

    async def _store(self) -> None:
        while (batch := await self._hashed.get()) is not None:
            self._stores.turn.set()
            self._answered(await self._perform(self._threads.stores, *batch))

    async def _load(self) -> None:
        while (works := await self._next(self._loads)) is not None:
            permits = await self._permits(works)
            self._answered(await self._perform(self._threads.loads, works, permits))

    async def _next(self, queue: _Queue) -> list[BlobWork] | None:
        """Return what is to be done together; None when there will be nothing any more."""
        await queue.turn.wait()
        while not queue.work:
            if self._stopping:
                return None
            queue.wake.clear()
            await queue.wake.wait()
        return queue.gather()

    async def expire(self, days: int) -> bool:
        """Delete what is older than so many days; tell whether anything was."""
        before_ms = self._clock.now_ms() - days * 24 * 3600 * 1000
        loop = asyncio.get_running_loop()
        try:
            gone = await loop.run_in_executor(self._threads.stores, self._blobs.expire, before_ms)
        except SyncchatError as exc:
            logger.error("old files stay: %s", exc)
            return False
        if gone:
            logger.info("%d parts of files were too old and are deleted", gone)
        return bool(gone)

    async def _permits(self, works: Sequence[BlobWork]) -> list[Permit] | SyncchatError:
        loop = asyncio.get_running_loop()
        try:
            permits = permitted_already(works)
            if permits is None:
                ask = partial(permitted, self._log, works, now_ms=self._clock.now_ms())
                permits = await loop.run_in_executor(self._log_executor, ask)
        except SyncchatError as exc:
            return exc
        if any(isinstance(work, StoreBlob) for work in works):
            permits = await loop.run_in_executor(self._threads.hashes, hashed, permits)
        return permits

    async def _perform(
        self,
        executor: ThreadPoolExecutor,
        works: Sequence[BlobWork],
        permits: list[Permit] | SyncchatError,
    ) -> Sequence[BlobAnswer]:
        """Do what is permitted in a thread; nothing of it is done where the log failed."""
        try:
            if isinstance(permits, SyncchatError):
                raise permits
            do = partial(perform, self._blobs, permits, now_ms=self._clock.now_ms())
            return await asyncio.get_running_loop().run_in_executor(executor, do)
        except SyncchatError as exc:
            stores = sum(isinstance(work, StoreBlob) for work in works)
            logger.error("%d pieces of blob work (%d stores) failed: %s", len(works), stores, exc)
            return [Failed(work.ticket) for work in works]


class _Queue:
    """Is work that waits for one thread; ``turn`` is set while more of it may be taken."""

    def __init__(self) -> None:
        self.turn = asyncio.Event()
        self.turn.set()
        self.work: deque[BlobWork] = deque()
        self.wake = asyncio.Event()

    def gather(self) -> list[BlobWork]:
        """Take what is to be done together."""
        works: list[BlobWork] = []
        octets = 0
        while self.work:
            work = self.work[0]
            octets += len(work.data) if isinstance(work, StoreBlob) else 0
            is_over = octets > FLUSH_BYTES_MAX
            if works and (is_over or (isinstance(work, LoadBlob) and len(works) >= LOADS_PER_TURN)):
                break
            works.append(self.work.popleft())
        return works

"""Plays schedules on several cores; what comes out is the same as on one, in the same order."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice
from multiprocessing import resource_tracker

from .playing import Outcome, play
from .schedule import Schedule

CHUNK = 4
"""Schedules that a worker gets at a time: half a second's work, so that stopping is quick."""

CHUNKS_AHEAD = 3
"""Chunks for each worker that are handed out before their turn."""


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def play_all(schedules: Iterable[Schedule], *, jobs: int = 1) -> Generator[Outcome, None, None]:
    """Yield how each schedule ends, in their order, whatever the number of ``jobs``.

    One job plays in this process; several in new ones, which are gone when the generator is
    closed.
    """
    rest = iter(schedules)
    if jobs <= 1:
        for schedule in rest:
            yield play(schedule)
        return
    # Not forked: a fork would take along threads' locks, such as a progress bar's.
    pool = ProcessPoolExecutor(
        jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_ignore_interrupts
    )
    waiting: deque[Future[list[Outcome]]] = deque()
    try:
        while True:
            with _interrupts_held_back():
                while len(waiting) < jobs * CHUNKS_AHEAD and (chunk := [*islice(rest, CHUNK)]):
                    waiting.append(pool.submit(_play_each, chunk))
            if not waiting:
                return
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _play_each(schedules: list[Schedule]) -> list[Outcome]:
    return [play(schedule) for schedule in schedules]


def _ignore_interrupts() -> None:
    """Leave ctrl-c, which goes to all processes of a terminal, to the one that started them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Have processes that start now hear no ctrl-c from their first moment on; here it waits."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # or it would start now, and end the blocking
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

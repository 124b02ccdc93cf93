"""Plays schedules on several cores; what comes out is the same as on one, in the same order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice

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
            with _interrupts_ignored_by_children():
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
def _interrupts_ignored_by_children() -> Iterator[None]:
    """Have processes that start now ignore ctrl-c from their first moment on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

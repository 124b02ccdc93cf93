"""Progress of files: bars on a terminal, silence elsewhere, and when to give up."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ...core.files import File, FileState
from ...core.safe import safe_line
from .online import LOOK_SECONDS, connection

if TYPE_CHECKING:
    from rich.progress import TaskID

    from ...peer import Peer
    from ...room import Room

NAME_CHARS_MAX = 30
ON_ITS_WAY = (FileState.SENDING, FileState.FETCHING)


@contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows how many bytes of how many a file has got to.

    Bars go to standard error, and only if a person looks at it.
    """
    if not sys.stderr.isatty():
        yield lambda name, done, size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    tasks: dict[str, TaskID] = {}
    columns: list[Any] = ["{task.description}", BarColumn(), DownloadColumn()]
    with Progress(*columns, TransferSpeedColumn(), console=Console(stderr=True)) as shown:

        def show(name: str, done: int, size: int) -> None:
            if name not in tasks:
                safe = safe_line(name, chars_max=NAME_CHARS_MAX).replace("[", "\\[")
                tasks[name] = shown.add_task(safe, total=size or None)
            shown.update(tasks[name], completed=done)

        yield show


async def carried(
    peer: Peer, room: Room, files: Callable[[], Sequence[File]], *, stall_seconds: float
) -> str:
    """Wait while files are on their way; return why some still are, empty if none is.

    Gives up after so many seconds in which nothing moved.
    """
    loop = asyncio.get_running_loop()
    seen: list[tuple[int, FileState]] = []
    deadline = loop.time() + stall_seconds
    with bars() as show:
        while True:
            now = files()
            for file in now:
                show(file.safe_name, file.done, file.size)
            if not any(file.state in ON_ITS_WAY for file in now):
                return ""
            moved = [(file.done, file.state) for file in now]
            if moved != seen:
                seen, deadline = moved, loop.time() + stall_seconds
            if loop.time() >= deadline:
                reasons = sorted({file.reason for file in now if file.reason})
                return "; ".join(reasons) or connection(peer, room)
            await asyncio.sleep(LOOK_SECONDS)

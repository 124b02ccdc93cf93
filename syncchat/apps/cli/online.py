"""What commands that wait for the relay share."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from ...core.safe import safe_line

if TYPE_CHECKING:
    from ...peer import Peer
    from ...room import Room

LOOK_SECONDS = 0.05
"""How often a condition is looked at; the library itself watches the file at this pace."""

_T = TypeVar("_T")


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run an async command to its end.

    SIGTERM and SIGHUP end it in good order: the terminal is as it was, and another process on
    the same database may sync at once. The exit code is then 128 + the signal's number.
    """
    ended_by: list[int] = []

    async def ended_in_order() -> _T:
        task = asyncio.current_task()
        assert task is not None

        def end(number: int) -> None:
            ended_by.append(number)
            task.cancel()

        for name in ("SIGTERM", "SIGHUP"):
            if sys.platform != "win32":
                number = getattr(signal, name)
                asyncio.get_running_loop().add_signal_handler(number, end, number)
        return await work

    try:
        return asyncio.run(ended_in_order())
    except asyncio.CancelledError:
        if not ended_by:
            raise
        raise SystemExit(128 + ended_by[0]) from None


async def until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Wait until ``condition`` holds; tell whether it did in time."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - another process may make it true
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        return condition()
    return True


def is_offline(state: str) -> bool:
    """Tell whether a state of ``connection`` is that the relay cannot be reached."""
    return state.startswith("offline (")


def is_catching_up(state: str) -> bool:
    """Tell whether a state of ``connection`` is that a room still comes."""
    return state.startswith("catching up")


def connection(peer: Peer, room: Room) -> str:
    """Return the state of the connection to a room's relay, in words safe to print."""
    relay = room.relay
    if not relay:
        return "no relay"
    return safe_line(peer.connections.get(relay, "offline"), chars_max=120)

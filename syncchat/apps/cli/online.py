"""What commands that wait for the relay share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from ..safe import safe_line

if TYPE_CHECKING:
    from ...peer import Peer
    from ...room import Room

LOOK_SECONDS = 0.05
"""How often a condition is looked at; the library itself watches the file at this pace."""

_T = TypeVar("_T")


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run an async command to its end."""
    return asyncio.run(work)


async def until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Wait until ``condition`` holds; tell whether it did in time."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - another process may make it true
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        return condition()
    return True


def connection(peer: Peer, room: Room) -> str:
    """Return the state of the connection to a room's relay, in words safe to print."""
    relay = room.relay
    if not relay:
        return "no relay"
    return safe_line(peer.connections.get(relay, "offline"), chars_max=120)

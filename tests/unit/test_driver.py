"""The driver's own part: it ends when it is told to, whatever ends at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import syncchat
from syncchat.errors import ConnectionLost
from syncchat.peer import open_peer


class _FailsWhenCancelled:
    """Is a pipe that never brings anything, and breaks in the moment it is given up."""

    def __init__(self, opened: asyncio.Event) -> None:
        self._opened = opened

    async def send(self, raw: bytes) -> None:
        pass

    async def receive(self) -> bytes:
        self._opened.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionLost("the pipe broke") from None
        raise AssertionError

    async def close(self) -> None:
        pass


async def test_going_offline_ends_although_the_connection_breaks_in_the_same_moment(
    tmp_path: Path,
) -> None:
    opened = asyncio.Event()

    @asynccontextmanager
    async def connect(relay: str) -> AsyncIterator[_FailsWhenCancelled]:
        yield _FailsWhenCancelled(opened)

    with syncchat.open(tmp_path / "a.db", name="Alice") as peer:
        peer.create_room("Team", relay="ws://relay.example")
    with open_peer(tmp_path / "a.db", connect=connect) as peer:
        async with asyncio.timeout(10):
            async with peer.online():
                await opened.wait()
            assert peer.connections == {"ws://relay.example": "offline"}

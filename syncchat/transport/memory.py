"""A transport inside one process: two ends, joined by bounded queues."""

from __future__ import annotations

import asyncio
from collections import deque

from ..errors import ConnectionLost

QUEUE_MAX = 64
"""Messages under way in one direction before ``send`` waits."""


class MemoryTransport:
    """Is one end; make both with ``memory_pair``."""

    def __init__(self, incoming: _Pipe, outgoing: _Pipe) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    async def send(self, raw: bytes) -> None:
        await self._outgoing.put(bytes(raw))

    async def receive(self) -> bytes:
        return await self._incoming.get()

    async def close(self) -> None:
        self._incoming.close()
        self._outgoing.close()


def memory_pair() -> tuple[MemoryTransport, MemoryTransport]:
    """Return the two ends of a pipe."""
    there, back = _Pipe(), _Pipe()
    return MemoryTransport(back, there), MemoryTransport(there, back)


class _Pipe:
    def __init__(self) -> None:
        self._messages: deque[bytes] = deque()
        self._is_closed = False
        self._changed = asyncio.Event()

    async def put(self, raw: bytes) -> None:
        while len(self._messages) >= QUEUE_MAX and not self._is_closed:
            await self._change()
        if self._is_closed:
            raise ConnectionLost("the connection was closed")
        self._messages.append(raw)
        self._changed.set()

    async def get(self) -> bytes:
        while not self._messages:
            if self._is_closed:
                raise ConnectionLost("the connection was closed")
            await self._change()
        self._changed.set()
        return self._messages.popleft()

    def close(self) -> None:
        self._is_closed = True
        self._changed.set()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

"""Counts what goes over the wire, in WebSocket frames as they are sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from syncchat.transport.base import Connect, Transport
from syncchat.transport.websocket import connect_websocket


class Meter:
    """Is a ``connect`` that counts: pass ``meter.connect`` to ``syncchat.open``."""

    def __init__(self, connect: Connect = connect_websocket) -> None:
        self._connect = connect
        self.up = 0
        self.down = 0
        self.frames_up = 0
        self.frames_down = 0

    @asynccontextmanager
    async def connect(self, relay: str) -> AsyncIterator[Transport]:
        """Open a transport whose bytes are counted."""
        async with self._connect(relay) as transport:
            yield _Metered(transport, self)


class _Metered:
    def __init__(self, transport: Transport, meter: Meter) -> None:
        self._transport = transport
        self._meter = meter

    async def send(self, raw: bytes) -> None:
        await self._transport.send(raw)
        self._meter.up += len(raw) + _header_bytes(len(raw)) + 4  # what a client sends is masked
        self._meter.frames_up += 1

    async def receive(self) -> bytes:
        raw = await self._transport.receive()
        self._meter.down += len(raw) + _header_bytes(len(raw))
        self._meter.frames_down += 1
        return raw

    async def close(self) -> None:
        await self._transport.close()


def _header_bytes(size: int) -> int:
    """Return the size of a WebSocket frame's header without the mask (RFC 6455, section 5.2)."""
    return 2 if size < 126 else 4 if size < 65_536 else 10

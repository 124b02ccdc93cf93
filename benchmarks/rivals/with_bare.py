"""Drives the least that can be: a WebSocket relay that keeps texts in memory and forwards them.

It checks, orders, stores and encrypts nothing. The kept texts go to whoever connects; what comes in
goes to every connection, the sender's too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.asyncio.server import serve as listen

from .driver import SHOWN, Channel, Meter, Watch, main


@asynccontextmanager
async def serve(_: str) -> AsyncIterator[str]:
    """Keep and forward."""
    kept: list[bytes] = []

    async def connection(websocket: ServerConnection) -> None:
        for raw in kept.copy():
            await websocket.send(raw)
        async for message in websocket:
            assert isinstance(message, bytes)
            kept.append(message)
            broadcast(server.connections, message)

    async with listen(
        connection, "127.0.0.1", 0, compression=None, ping_interval=None, max_size=None
    ) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def fill(url: str, texts: list[str]) -> dict[str, Any]:
    """Send texts, and wait for the last to come back."""

    async def work() -> dict[str, Any]:
        async with Meter().connect(url) as channel, asyncio.TaskGroup() as tasks:
            tasks.create_task(_send(channel, texts))
            await _receive(channel, len(texts))
        return {}

    return asyncio.run(work())


def catchup(url: str, given: dict[str, Any]) -> dict[str, Any]:
    """Connect, and wait until all texts are there."""

    async def work() -> dict[str, Any]:
        meter, watch = Meter(), Watch()
        async with meter.connect(url) as channel:
            received = await _receive(channel, given["count"])
            shown = received[-SHOWN:]
            took = watch.read()
        found = took | {"down": meter.down}
        return found | {"shown": shown, "count": len(received)}

    return asyncio.run(work())


def offline(url: str, texts: list[str]) -> dict[str, Any]:
    """Connect with texts to send, and wait until another connection has them."""

    async def work() -> dict[str, Any]:
        writing, reading = Meter(), Meter()
        async with reading.connect(url) as other, asyncio.TaskGroup() as tasks:
            watch = Watch()
            async with writing.connect(url) as channel:
                tasks.create_task(_send(channel, texts))
                tasks.create_task(_receive(channel, len(texts)))
                received = await _receive(other, len(texts))
                took = watch.read()
        found = took | {"up": writing.up, "down": reading.down}
        return found | {"shown": received[-SHOWN:], "isRight": received == texts}

    return asyncio.run(work())


async def _send(channel: Channel, texts: list[str]) -> None:
    for text in texts:
        await channel.send(text.encode())


async def _receive(channel: Channel, count: int) -> list[str]:
    return [(await channel.recv()).decode() for _ in range(count)]


if __name__ == "__main__":
    main({"fill": fill, "catchup": catchup, "offline": offline}, serve)

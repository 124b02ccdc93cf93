"""What the drivers written for Python share: the words they are called with, how they measure.

A driver runs in the rivals' own environment, as ``python -m benchmarks.rivals.with_NAME VERB
[ARGUMENT]``, finds JSON on its input and prints one line of JSON; ``serve`` prints the server's
address instead, and ends when its input does.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import websockets.asyncio.client
import websockets.asyncio.server

SHOWN = 50
Verb = Callable[[str, Any], dict[str, Any]]
Serve = Callable[[str], AbstractAsyncContextManager[str]]


class Meter:
    """Counts a connection's WebSocket frames, as ours are counted: payload, header, and mask."""

    def __init__(self) -> None:
        self.up = 0
        self.down = 0

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator[Channel]:
        """Open a connection whose frames are counted."""
        async with websockets.asyncio.client.connect(
            url, compression=None, proxy=None, max_size=None, ping_interval=None
        ) as websocket:
            yield Channel(websocket, self)


class Channel:
    """Is a WebSocket as pycrdt wants a channel: path, send, receive, iterate."""

    def __init__(
        self,
        websocket: (
            websockets.asyncio.client.ClientConnection | websockets.asyncio.server.ServerConnection
        ),
        meter: Meter,
    ) -> None:
        self._websocket = websocket
        self._meter = meter
        self.path = "room"

    async def send(self, message: bytes) -> None:
        self._meter.up += _frame_bytes(len(message)) + 4
        await self._websocket.send(message)

    async def recv(self) -> bytes:
        message = await self._websocket.recv(decode=False)
        self._meter.down += _frame_bytes(len(message))
        return bytes(message)

    def __aiter__(self) -> Channel:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self.recv()
        except websockets.exceptions.ConnectionClosed:
            raise StopAsyncIteration from None


def main(verbs: dict[str, Verb], serve: Serve | None = None) -> None:
    """Run the verb that the program was started with."""
    verb, *rest = sys.argv[1:]
    argument = rest[0] if rest else ""
    if verb == "serve":
        assert serve is not None
        _run_server(serve(argument))
    else:
        print(json.dumps(verbs[verb](argument, json.load(sys.stdin))))


def measured(work: Callable[[], list[str]]) -> dict[str, Any]:
    """Return the time and the memory that some work took, and what it returned."""
    before, watch = _memory(), Watch()
    shown = work()
    took = watch.read()
    grown = _memory() - before
    ms = {"ms": took["seconds"] * 1000, "cpuMs": took["cpu"] * 1000}
    return ms | {"bytes": grown, "shown": shown}


class Watch:
    """Tells how many seconds have gone by, and how many of CPU all threads have used."""

    def __init__(self) -> None:
        self._started, self._used = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, Any]:
        """Return both, since it was made."""
        seconds = time.perf_counter() - self._started
        return {"seconds": seconds, "cpu": time.process_time() - self._used}


def _run_server(server: AbstractAsyncContextManager[str]) -> None:
    async def serve() -> None:
        async with server as url:
            print(url, flush=True)
            await asyncio.to_thread(sys.stdin.read)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve())


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes uvloop's loop, where it is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _frame_bytes(size: int) -> int:
    return size + (2 if size < 126 else 4 if size < 65_536 else 10)


def _memory() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    except OSError:
        return 0

"""A TCP proxy that is as bad as a network can be: it cuts, stutters, swallows, and moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

PART_BYTES = 4_096


class Proxy:
    """Passes bytes between peers and a relay; how is up to its attributes.

    ``target`` is the relay's port. ``budget`` is asked, for each new connection, after how many
    bytes in both directions together it is cut; None for never. With ``is_hole`` bytes are taken
    and go nowhere. ``stutter`` is asked for the size of each next part, passed on by itself.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.budget: Callable[[], int | None] = lambda: None
        self.stutter: Callable[[], int] | None = None
        self.is_hole = False
        self.connections = 0
        self.cuts = 0
        self.bytes_up = self.bytes_down = 0
        """What was passed on to the relay, and to peers, over all connections."""
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Return the address that peers use."""
        return f"ws://127.0.0.1:{self.port}"

    def cut_all(self) -> None:
        """Cut every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, up: asyncio.StreamReader, down: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        self._writers.add(down)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            down.transport.abort()
            self._writers.discard(down)
            return
        self._writers.add(back)
        left = [self.budget()]
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pass(up, back, left, is_up=True))
                tasks.create_task(self._pass(there, down, left, is_up=False))
        except* (_Cut, OSError):
            pass
        finally:
            for writer in (down, back):
                self._writers.discard(writer)
                writer.transport.abort()

    async def _pass(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        left: list[int | None],
        *,
        is_up: bool,
    ) -> None:
        while data := await source.read(PART_BYTES):
            if self.is_hole:
                continue
            while data:
                size = len(data) if self.stutter is None else self.stutter()
                part, data = data[:size], data[size:]
                if left[0] is not None:
                    left[0] -= len(part)
                    if left[0] < 0:
                        part = part[: left[0]]
                        self.cuts += 1
                sink.write(part)
                await sink.drain()
                if is_up:
                    self.bytes_up += len(part)
                else:
                    self.bytes_down += len(part)
                if self.stutter is not None:
                    await asyncio.sleep(0)
                if left[0] is not None and left[0] < 0:
                    raise _Cut
        raise _Cut


class _Cut(Exception):
    """The connection is over."""


@asynccontextmanager
async def proxy_to(target: int) -> AsyncIterator[Proxy]:
    """Run a proxy to a port of this machine for the length of the block."""
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut_all()
        while proxy._writers:  # noqa: ASYNC110 -- their tasks are the server's
            await asyncio.sleep(0)
        await server.wait_closed()

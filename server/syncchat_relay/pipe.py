"""Pipes: how frames get out of the relay, and how the hub hears that they left.

A healthy connection is written to at once, with a WebSocket frame that is built once for all
receivers of the same bytes; what one flush of the log has for it goes in one write. One whose
socket is full gets a queue and a task that sends with backpressure; the hub's budget of unsent
bytes bounds the queue.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

WRITE_BYTES_HIGH = 64 * 1024
"""A socket with less than this waiting takes more; the same as the library's write limit."""

CLOSE_TIMEOUT_S = 2.0
"""For the last frames and the closing handshake; then the socket is cut."""


def websocket_frame(data: bytes) -> bytes:
    """Return the bytes of a server's WebSocket message (RFC 6455, 5.2: final, not masked)."""
    size = len(data)
    if size < 126:
        return b"\x82%c%b" % (size, data)
    if size < 65_536:
        return b"\x82\x7e%b%b" % (size.to_bytes(2), data)
    return b"\x82\x7f%b%b" % (size.to_bytes(8), data)


class Pipe:
    """Is the way out of one connection; used from the event loop's thread only."""

    __slots__ = (
        "_gathered",
        "_gathered_bytes",
        "_left",
        "_queue",
        "_sending",
        "_tasks",
        "_websocket",
        "conn",
    )

    def __init__(
        self,
        conn: int,
        websocket: ServerConnection,
        *,
        tasks: asyncio.TaskGroup,
        left: Callable[[int, int], None],
    ) -> None:
        self.conn = conn
        self._websocket = websocket
        self._tasks = tasks
        self._left = left
        self._queue: deque[bytes] = deque()
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._sending: asyncio.Task[None] | None = None

    @property
    def transport_bytes(self) -> int:
        """Return what waits in the socket's own buffer."""
        return self._websocket.transport.get_write_buffer_size()

    def write(self, data: bytes, frame: bytes, unwritten: list[Pipe]) -> bool:
        """Take ``data``, of which ``frame`` is the WebSocket frame; tell whether it has left.

        What has left may still be gathered here: then this is in ``unwritten``, and ``flush`` is to
        be called before anything is awaited.
        """
        if self._sending is None:
            websocket = self._websocket
            if websocket.protocol.state is not State.OPEN:
                return True  # it ends, and the hub hears of that by itself
            waiting = websocket.transport.get_write_buffer_size() + self._gathered_bytes
            if waiting < WRITE_BYTES_HIGH:
                if not self._gathered:
                    unwritten.append(self)
                self._gathered.append(frame)
                self._gathered_bytes += len(frame)
                return True
            self._sending = self._tasks.create_task(self._send_queue())
        self._queue.append(data)
        return False

    def flush(self) -> None:
        """Write what was gathered, at once."""
        gathered = self._gathered
        self._gathered, self._gathered_bytes = [], 0
        self._websocket.transport.write(gathered[0] if len(gathered) == 1 else b"".join(gathered))

    def close(self, reason: str) -> None:
        """End the connection after what was written to it, or when that takes too long."""
        self._tasks.create_task(self._close(reason))

    def cut(self) -> None:
        """End the connection at once."""
        self._websocket.transport.abort()

    async def _send_queue(self) -> None:
        try:
            while self._queue:
                data = self._queue.popleft()
                await self._websocket.send(data)
                self._left(self.conn, len(data))
        except ConnectionClosed:
            self._queue.clear()
        finally:
            self._sending = None

    async def _close(self, reason: str) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                if self._sending is not None:
                    await asyncio.wait([self._sending])
                await self._websocket.close(reason=reason[:100])
        except TimeoutError:
            pass
        finally:
            self.cut()

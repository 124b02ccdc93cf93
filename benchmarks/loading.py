"""Many WebSocket clients in one process, as cheap as can be, for loading a relay.

A client takes its frames apart by hand and masks with zeros, which is allowed and costs nothing:
what a relay can do is to be measured, not what a WebSocket library can.
"""

from __future__ import annotations

import asyncio
import base64
import resource
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from . import workload

_OTHER_FILES = 200
"""Descriptors beside the sockets."""

_BINARY = 0x82
_PING = 0x89
_PONG = 0x8A


def frame(payload: bytes, *, kind: int = _BINARY) -> bytes:
    """Return a client's frame (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((kind, 0x80 | size)) + bytes(4) + payload
    if size < 65_536:
        return bytes((kind, 0x80 | 126)) + size.to_bytes(2) + bytes(4) + payload
    return bytes((kind, 0x80 | 127)) + size.to_bytes(8) + bytes(4) + payload


class Client(asyncio.Protocol):
    """Is one connection; ``take`` is called with every message that comes, which waits in
    ``messages`` until somebody else takes it."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[bytes] = asyncio.Queue()
        self.take: Callable[[bytes], None] = self.messages.put_nowait
        self.greeted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_lost = False
        self._rest = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        at = 0
        if not self.greeted.done():
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._rest = data
                return
            assert b" 101 " in data[:end].split(b"\r\n")[0], data[:end]
            self.greeted.set_result(None)
            at = end + 4
        while len(data) - at >= 2:
            size, begin = data[at + 1], at + 2
            if size == 126:
                size, begin = int.from_bytes(data[at + 2 : at + 4]), at + 4
            elif size == 127:
                size, begin = int.from_bytes(data[at + 2 : at + 10]), at + 10
            if len(data) < begin + size or begin > len(data):
                break
            kind, payload = data[at], data[begin : begin + size]
            at = begin + size
            if kind == _BINARY:
                self.take(payload)
            elif kind == _PING:
                self.write(frame(payload, kind=_PONG))
        self._rest = data[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True

    def write(self, raw: bytes) -> None:
        """Send bytes that ``frame`` has made."""
        self._transport.write(raw)

    def close(self) -> None:
        """End the connection without a word."""
        self._transport.abort()


def allow_sockets(count: int) -> None:
    """Raise the limit of open files, of this process and those it starts, so far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def connect(url: str) -> Client:
    """Open a connection."""
    where = urlsplit(url)
    host, port = where.hostname, where.port
    assert host is not None and port is not None
    _, client = await asyncio.get_running_loop().create_connection(Client, host, port)
    key = base64.b64encode(workload.seeded("websocket", 16)).decode()
    asked = (
        f"GET / HTTP/1.1\r\nHost: {where.netloc}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    client.write(asked.encode())
    await client.greeted
    return client

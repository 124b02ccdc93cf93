"""Tests of the way out: the bytes of WebSocket frames, and how many writes they take."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from syncchat_relay.pipe import WRITE_BYTES_HIGH, Pipe, websocket_frame
from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import State


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 262_144])
def test_a_websocket_frame_is_what_the_library_would_write(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    assert websocket_frame(data) == Frame(Opcode.BINARY, data).serialize(mask=False)


class Socket:
    """Is a socket that takes all, and counts the writes."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    async def send(self, data: bytes) -> None:
        self.writes.append(data)


def _pipe(socket: Socket, tasks: asyncio.TaskGroup) -> Pipe:
    protocol = SimpleNamespace(state=State.OPEN)
    websocket: Any = SimpleNamespace(transport=socket, protocol=protocol, send=socket.send)
    return Pipe(1, cast(ServerConnection, websocket), tasks=tasks, left=lambda conn, octets: None)


async def test_what_is_gathered_goes_in_one_write_and_in_order() -> None:
    async with asyncio.TaskGroup() as tasks:
        socket = Socket()
        pipe = _pipe(socket, tasks)
        unwritten: list[Pipe] = []
        assert all(pipe.write(data, b"<" + data + b">", unwritten) for data in (b"a", b"b", b"c"))
        assert (unwritten, socket.writes) == ([pipe], [])
        pipe.flush()
        assert socket.writes == [b"<a><b><c>"]
        unwritten.clear()
        assert pipe.write(b"d", b"<d>", unwritten)
        unwritten.pop().flush()
        assert socket.writes == [b"<a><b><c>", b"<d>"]


async def test_what_is_gathered_counts_as_unsent_and_goes_before_what_is_queued() -> None:
    socket = Socket()
    full = bytes(WRITE_BYTES_HIGH - 1)
    async with asyncio.TaskGroup() as tasks:
        pipe = _pipe(socket, tasks)
        unwritten: list[Pipe] = []
        assert pipe.write(b"", full, unwritten)
        assert pipe.write(b"", b"x", unwritten)
        assert not pipe.write(b"y", b"<y>", unwritten)
        for each in unwritten:
            each.flush()
    assert socket.writes == [full + b"x", b"y"]

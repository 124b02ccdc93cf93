"""The transport contract, held for the memory transport and for real WebSockets alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from syncchat.errors import ConnectFailed, ConnectionLost
from syncchat.transport.base import Transport
from syncchat.transport.memory import memory_pair
from syncchat.transport.websocket import connect_websocket
from syncchat.wire.limits import FRAME_BYTES_MAX

SECONDS_MAX = 20


class ServerEnd:
    """Is the relay's end of a WebSocket, in the form of a transport."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    async def send(self, raw: bytes) -> None:
        await self._connection.send(raw)

    async def receive(self) -> bytes:
        try:
            message = await self._connection.recv()
        except ConnectionClosed as exc:
            raise ConnectionLost(str(exc)) from exc
        assert isinstance(message, bytes)
        return message

    async def close(self) -> None:
        await self._connection.close()


Pair = tuple[Transport, Transport]
Open = Callable[[], AbstractAsyncContextManager[Pair]]


@asynccontextmanager
async def memory() -> AsyncIterator[Pair]:
    here, there = memory_pair()
    yield here, there
    await here.close()


@asynccontextmanager
async def websocket() -> AsyncIterator[Pair]:
    ends: asyncio.Queue[ServerConnection] = asyncio.Queue(1)
    over = asyncio.Event()

    async def stay(connection: ServerConnection) -> None:
        await ends.put(connection)
        await over.wait()

    async with serve(
        stay,
        "127.0.0.1",
        0,
        compression=None,
        max_size=FRAME_BYTES_MAX,
        max_queue=4,
        close_timeout=0.2,
    ) as server:
        (socket,) = server.sockets
        async with connect_websocket(f"ws://127.0.0.1:{socket.getsockname()[1]}") as here:
            yield here, ServerEnd(await ends.get())
        over.set()


@pytest.fixture(params=[memory, websocket], ids=["memory", "websocket"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    opened: Open = request.param
    async with asyncio.timeout(SECONDS_MAX), opened() as ends:
        yield ends


async def test_messages_arrive_whole_and_in_order_both_ways(pair: Pair) -> None:
    here, there = pair
    messages = [b"", b"\0", b"x" * FRAME_BYTES_MAX, *(b"%d" % n for n in range(30))]
    for sender, receiver in ((here, there), (there, here)):
        for raw in messages[:3]:
            await sender.send(raw)
            assert await receiver.receive() == raw
        for raw in messages[3:]:
            await sender.send(raw)
        assert [await receiver.receive() for _ in messages[3:]] == messages[3:]


async def test_receiver_that_waits_gets_what_is_sent_later(pair: Pair) -> None:
    here, there = pair
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(there.receive())
        await asyncio.sleep(0)
        assert not waiting.done()
        await here.send(b"late")
    assert waiting.result() == b"late"


@pytest.mark.parametrize("closer", [0, 1], ids=["closed here", "closed there"])
async def test_close_from_either_side_ends_both(pair: Pair, closer: int) -> None:
    await pair[closer].close()
    for end in pair:
        with pytest.raises(ConnectionLost):
            await end.receive()
    with pytest.raises(ConnectionLost):
        await pair[0].send(b"too late")


async def test_close_ends_a_receive_that_waits(pair: Pair) -> None:
    here, there = pair
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(_lost(here))
        await asyncio.sleep(0)
        await there.close()
    assert waiting.result()


async def test_what_was_sent_before_the_close_still_arrives(pair: Pair) -> None:
    here, there = pair
    await there.send(b"last words")
    await there.close()
    assert await here.receive() == b"last words"
    with pytest.raises(ConnectionLost):
        await here.receive()


async def test_close_is_idempotent(pair: Pair) -> None:
    for end in (*pair, *pair):
        await end.close()


async def test_send_waits_while_the_pipe_is_full(pair: Pair) -> None:
    here, there = pair
    sent = 0

    async def flood() -> None:
        nonlocal sent
        while True:
            await here.send(bytes(FRAME_BYTES_MAX))
            sent += 1

    async with asyncio.TaskGroup() as tasks:
        flooding = tasks.create_task(flood())
        seen = -1
        while seen < sent:  # until it stands still
            seen = sent
            for _ in range(2_000):
                await asyncio.sleep(0)
        stuck_at = sent
        assert 0 < stuck_at < 400
        for _ in range(stuck_at):
            assert len(await there.receive()) == FRAME_BYTES_MAX
        for _ in range(10):  # and it goes on
            assert len(await there.receive()) == FRAME_BYTES_MAX
        assert sent > stuck_at
        flooding.cancel()


async def test_close_frees_a_send_that_waits() -> None:
    here, there = memory_pair()

    async def flood() -> None:
        while True:
            await here.send(b"x")

    async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(_ends(flood))
        for _ in range(200):
            await asyncio.sleep(0)
        await there.close()
    assert waiting.result()


@pytest.mark.parametrize("kind", ["refused", "no relay", "cut off"])
async def test_address_that_does_not_serve_fails_to_connect_with_a_reason(kind: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if kind == "no relay":
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    if kind == "refused":
        server.close()
        await server.wait_closed()
    async with asyncio.timeout(SECONDS_MAX):
        with pytest.raises(ConnectFailed, match=f"ws://127.0.0.1:{port}"):
            async with connect_websocket(f"ws://127.0.0.1:{port}"):
                raise AssertionError("there is nobody")
    server.close()


async def _lost(end: Transport) -> bool:
    with pytest.raises(ConnectionLost):
        await end.receive()
    return True


async def _ends(run: Callable[[], object]) -> bool:
    with pytest.raises(ConnectionLost):
        await run()  # type: ignore[misc]
    return True

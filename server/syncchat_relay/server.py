"""The server: the only asyncio code of the relay, a thin shell around hub and log.

Frames go from WebSockets into the hub, effects out of it; log work goes to one thread. Everything
that touches the hub runs in the event loop's thread and between two awaits, so there is nothing to
lock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import websockets.asyncio.server
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from syncchat.errors import ConnectFailed
from syncchat.ports import Clock, Random, SystemClock, SystemRandom
from syncchat.wire.limits import FRAME_BYTES_MAX

from .config import Config
from .effects import (
    Append,
    Close,
    Effect,
    LogAnswer,
    Lookup,
    Pause,
    Read,
    ReadChains,
    ReadCursors,
    SaveCursors,
    Send,
)
from .hub import Hub
from .log import Log
from .log.memory import MemoryLog
from .log.sqlite import SqliteLog
from .pipe import WRITE_BYTES_HIGH, Pipe, websocket_frame
from .worker import Worker

logger = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 5.0
"""For the HTTP handshake, so that a socket that says nothing goes soon."""

MESSAGES_QUEUED_MAX = 4
"""Frames that the library reads ahead per connection; each may be FRAME_BYTES_MAX."""


@dataclass(frozen=True, slots=True)
class Relay:
    """Is a relay that is listening."""

    url: str
    port: int
    incarnation: bytes


@asynccontextmanager
async def serve(
    config: Config | None = None,
    *,
    data_dir: str | Path | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    names: Sequence[str] = (),
    clock: Clock | None = None,
    random: Random | None = None,
) -> AsyncIterator[Relay]:
    """Run a relay until the block ends; port 0 takes a free one, see ``Relay.port``.

    Give a whole ``config``, or the settings that matter most. What is in flight when the block
    ends is committed and acked first. Raises ``ValidationError`` for settings that cannot serve,
    ``StorageError`` for a data folder that cannot, ``ConnectFailed`` for an address that is taken.
    """
    if config is None:
        folder = Path(data_dir) if data_dir is not None else None
        config = Config(data_dir=folder, host=host, port=port, names=tuple(names))
    clock, random = clock or SystemClock(), random or SystemRandom()
    loop = asyncio.get_running_loop()
    failure: BaseException | None = None
    with ThreadPoolExecutor(1, "syncchat-relay-log") as executor:
        log = await loop.run_in_executor(executor, _open_log, config, random)
        try:
            async with asyncio.TaskGroup() as tasks:
                server = _Server(config, log, executor, tasks, clock=clock, random=random)
                try:
                    async with server.listening() as relay:
                        yield relay
                except BaseException as exc:  # the block's own, not to be wrapped in a group
                    failure = exc
        finally:
            await loop.run_in_executor(executor, log.close)
    if failure is not None:
        raise failure


def _open_log(config: Config, random: Random) -> Log:
    if config.data_dir is None:
        return MemoryLog(random=random)
    return SqliteLog(config.data_dir, random=random)


class _Server:
    def __init__(
        self,
        config: Config,
        log: Log,
        executor: ThreadPoolExecutor,
        tasks: asyncio.TaskGroup,
        *,
        clock: Clock,
        random: Random,
    ) -> None:
        self._config = config
        self._clock = clock
        self._tasks = tasks
        self._incarnation = log.incarnation
        self._hub = Hub(incarnation=log.incarnation, config=config, random=random)
        self._worker = Worker(executor, log, config=config, answered=self._answered)
        self._pipes: dict[int, Pipe] = {}
        self._pauses: dict[int, float] = {}
        self._next_conn = 1

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Relay]:
        """Listen for connections within the block, and leave nothing running after it."""
        working = self._tasks.create_task(self._worker.run())
        ticking = self._tasks.create_task(self._tick())
        try:
            async with self._listen() as listener:
                port = listener.sockets[0].getsockname()[1]
                host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
                try:
                    yield Relay(f"ws://{host}:{port}", port, self._incarnation)
                finally:
                    listener.close(close_connections=False)
                    self._worker.stop()
                    await asyncio.wait([working])
                    self._perform(self._hub.shut_down())
                    await self._worker.run()  # what the end of connections left to save
        finally:
            self._worker.stop()
            ticking.cancel()

    @asynccontextmanager
    async def _listen(self) -> AsyncIterator[websockets.asyncio.server.Server]:
        config = self._config
        try:
            listener = await websockets.asyncio.server.serve(
                self._connection,
                config.host,
                config.port,
                compression=None,
                max_size=FRAME_BYTES_MAX,
                max_queue=MESSAGES_QUEUED_MAX,
                write_limit=WRITE_BYTES_HIGH,
                open_timeout=OPEN_TIMEOUT_S,
                ping_interval=None,  # the protocol's own Ping and silence limit do that
                server_header=None,
                logger=logging.getLogger(f"{__name__}.websockets"),
            )
        except OSError as exc:
            raise ConnectFailed(
                f"cannot listen on {config.host} port {config.port}: {exc.strerror or exc}; "
                "choose another host or port"
            ) from exc
        async with listener:
            yield listener

    async def _connection(self, websocket: ServerConnection) -> None:
        conn, self._next_conn = self._next_conn, self._next_conn + 1
        self._pipes[conn] = Pipe(conn, websocket, tasks=self._tasks, left=self._left)
        self._perform(self._hub.connected(conn, self._now_ms()))
        try:
            while True:
                data = await websocket.recv()
                raw = data if isinstance(data, bytes) else b""  # text is no frame of ours
                self._perform(self._hub.receive(conn, raw, self._now_ms()))
                if conn in self._pauses:
                    await asyncio.sleep(self._pauses.pop(conn))
        except ConnectionClosed:
            pass
        finally:
            self._pauses.pop(conn, None)
            del self._pipes[conn]
            self._perform(self._hub.lost(conn))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._config.tick_ms / 1000)
            self._perform(self._hub.tick(self._now_ms()))
            for pipe in list(self._pipes.values()):
                if pipe.transport_bytes > self._config.transport_bytes_max:
                    pipe.cut()

    def _answered(self, answers: Sequence[LogAnswer]) -> None:
        self._perform(self._hub.done(answers))

    def _left(self, conn: int, octets: int) -> None:
        self._perform(self._hub.sent(conn, octets))

    def _perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self._send(effect)
                case Append() | Lookup() | Read() | ReadChains() | ReadCursors() | SaveCursors():
                    self._worker.add(effect)
                case Pause():
                    self._pauses[effect.conn] = effect.ms / 1000
                case Close():
                    if effect.conn in self._pipes:
                        self._pipes[effect.conn].close(effect.reason)
                case _:
                    assert_never(effect)

    def _send(self, effect: Send) -> None:
        frame = websocket_frame(effect.data)
        octets = len(effect.data)
        for conn in effect.conns:
            pipe = self._pipes.get(conn)
            if pipe is not None and pipe.write(effect.data, frame):
                more = self._hub.sent(conn, octets)
                if more:
                    self._perform(more)

    def _now_ms(self) -> int:
        return int(self._clock.monotonic() * 1000)

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
from functools import partial
from pathlib import Path
from typing import Any, assert_never

import websockets.asyncio.server
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from syncchat.errors import ConnectFailed, SyncchatError, ValidationError
from syncchat.ports import Clock, Random, SystemClock, SystemRandom
from syncchat.wire.limits import FRAME_BYTES_MAX

from . import operator_secret
from .admission import Revoked
from .blob_worker import BlobThreads, BlobWorker
from .blobs import Blobs
from .config import Admit, Config
from .effects import (
    Append,
    BlobAnswer,
    Check,
    Close,
    Effect,
    FindBlobs,
    FindRoom,
    KeepRevocation,
    LoadBlob,
    LogAnswer,
    Lookup,
    Pause,
    Read,
    ReadChains,
    ReadContents,
    ReadCursors,
    ReadNewest,
    ReleaseBlobs,
    SaveCursors,
    Send,
    StoreBlob,
    Vouch,
)
from .handle import Relay
from .hub import Hub
from .pipe import WRITE_BYTES_HIGH, Pipe, websocket_frame
from .quiet import quiet
from .stored import Stored, open_blobs
from .tls import Tls, tls_of
from .vouching import Verify, Vouching
from .worker import Worker

logger = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 5.0
"""For the HTTP handshake, so that a socket that says nothing goes soon."""

MESSAGES_QUEUED_MAX = 4
"""Frames that the library reads ahead per connection; each may be FRAME_BYTES_MAX."""


TLS_TIMEOUT_S = 5.0
"""For the TLS handshake, and for the other side to end TLS in good order."""

EXPIRE_S = 3600.0
"""How often files that are too old are looked for."""

REREAD_S = 2.0
"""How often it is looked who was revoked by another process."""


@asynccontextmanager
async def serve(
    config: Config | None = None,
    *,
    data_dir: str | Path | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    names: Sequence[str] = (),
    admission: Admit | None = None,
    verify: Verify | None = None,
    clock: Clock | None = None,
    random: Random | None = None,
) -> AsyncIterator[Relay]:
    """Run a relay until the block ends; port 0 takes a free one, see ``Relay.port``.

    Give a whole ``config``, or the settings that matter most. ``verify`` says what a token grants a
    device (``Verify``), and makes the admission ``token``; it may be async, else it is to be quick.
    What is in flight when the block ends is committed and acked first. Raises ``ValidationError``
    for settings that cannot serve, ``StorageError`` for a data folder that cannot,
    ``ConnectFailed`` for an address that is taken.
    """
    if config is None:
        folder = Path(data_dir) if data_dir is not None else None
        mode = admission or (Admit.ROOMS if verify is None else Admit.TOKEN)
        config = Config(data_dir=folder, host=host, port=port, names=tuple(names), admission=mode)
    if (config.admission == Admit.TOKEN) is (verify is None):
        raise ValidationError(
            "admission 'token' and a verifier belong together: give serve() both, or neither"
        )
    tls = tls_of(config)
    clock, random = clock or SystemClock(), random or SystemRandom()
    loop = asyncio.get_running_loop()
    failure: BaseException | None = None
    with (
        ThreadPoolExecutor(1, "syncchat-relay-log") as executor,
        ThreadPoolExecutor(1, "syncchat-relay-blobs") as blob_executor,
        ThreadPoolExecutor(1, "syncchat-relay-loads") as load_executor,
        ThreadPoolExecutor(1, "syncchat-relay-hashes") as hash_executor,
    ):
        stored = await loop.run_in_executor(executor, Stored, config, clock, random)
        blobs: Blobs | None = None
        try:
            blobs = await loop.run_in_executor(blob_executor, open_blobs, config)
            async with asyncio.TaskGroup() as tasks:
                server = _Server(
                    config,
                    stored,
                    executor,
                    blobs,
                    BlobThreads(blob_executor, load_executor, hash_executor),
                    tasks,
                    tls,
                    verify,
                    clock=clock,
                    random=random,
                )
                try:
                    async with server.listening() as relay:
                        yield relay
                except BaseException as exc:  # the block's own, not to be wrapped in a group
                    failure = exc
        finally:
            if blobs is not None:
                await loop.run_in_executor(blob_executor, blobs.close)
            await loop.run_in_executor(executor, stored.close)
    if failure is not None:
        raise failure


class _Server:
    def __init__(
        self,
        config: Config,
        stored: Stored,
        executor: ThreadPoolExecutor,
        blobs: Blobs,
        blob_threads: BlobThreads,
        tasks: asyncio.TaskGroup,
        tls: Tls | None,
        verify: Verify | None,
        *,
        clock: Clock,
        random: Random,
    ) -> None:
        self._config = config
        self._clock = clock
        self._tasks = tasks
        self._executor = executor
        self._stored = stored
        self._revoked = stored.revoked_at_start
        self._hub = Hub(
            incarnation=stored.log.incarnation,
            config=config,
            random=random,
            operator_secret=stored.operator_secret,
        )
        self._hub.turn_away(self._revoked)
        self._vouching = None if verify is None else Vouching(verify, clock=clock)
        self._tls = tls
        self._held: dict[int, Vouch | KeepRevocation] = {}
        self._worker = Worker(
            executor, stored.log, config=config, clock=clock, answered=self._answered
        )
        self._blob_worker = BlobWorker(
            blob_threads,
            blobs,
            log_executor=executor,
            log=stored.log,
            clock=clock,
            answered=self._blobs_answered,
        )
        self._pipes: dict[int, Pipe] = {}
        self._pauses: dict[int, float] = {}
        self._next_conn = 1

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Relay]:
        """Listen for connections within the block, and leave nothing running after it."""
        working = self._tasks.create_task(self._worker.run())
        carrying = self._tasks.create_task(self._blob_worker.run())
        expiring = self._tasks.create_task(self._expire_files())
        ticking = self._tasks.create_task(self._tick())
        watching = self._tasks.create_task(self._watch_revocations())
        try:
            async with self._listen() as listener:
                try:
                    yield self._handle(listener.sockets[0].getsockname()[1])
                finally:
                    listener.close(close_connections=False)
                    self._worker.stop()
                    self._blob_worker.stop()
                    await asyncio.wait([working, carrying])
                    self._perform(self._hub.shut_down())
                    await self._worker.run()  # what the end of connections left to save
        finally:
            self._worker.stop()
            self._blob_worker.stop()
            expiring.cancel()
            ticking.cancel()
            watching.cancel()

    def _handle(self, port: int) -> Relay:
        config, stored = self._config, self._stored
        host = f"[{config.host}]" if ":" in config.host else config.host
        scheme = "ws" if self._tls is None else "wss"
        secret = stored.operator_secret
        return Relay(
            f"{scheme}://{host}:{port}",
            port,
            stored.log.incarnation,
            operator_link=operator_secret.link_of(config, port, secret) if secret else "",
            is_first_start=stored.is_first_start,
            _revoke=self._revoke,
            _reload_tls=self._reload_tls,
        )

    @asynccontextmanager
    async def _listen(self) -> AsyncIterator[websockets.asyncio.server.Server]:
        config = self._config
        tls: dict[str, Any] = {}
        if self._tls is not None:
            tls = {
                "ssl": self._tls.context,
                "ssl_handshake_timeout": TLS_TIMEOUT_S,
                "ssl_shutdown_timeout": TLS_TIMEOUT_S,
            }
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
                logger=quiet(logging.getLogger(f"{__name__}.websockets")),
                **tls,
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
                if conn in self._held:
                    await self._settle(self._held.pop(conn))
                if conn in self._pauses:
                    await asyncio.sleep(self._pauses.pop(conn))
        except ConnectionClosed:
            pass
        finally:
            self._pauses.pop(conn, None)
            self._held.pop(conn, None)
            del self._pipes[conn]
            self._perform(self._hub.lost(conn))

    async def _settle(self, held: Vouch | KeepRevocation) -> None:
        """Do what a connection must wait for before it is listened to again."""
        match held:
            case Vouch():
                assert self._vouching is not None
                answer = await self._vouching.answer(held)
                self._perform(self._hub.vouched(answer, self._now_ms()))
            case KeepRevocation():
                try:
                    await self._revoke(held.device, held.subject, held.undo, True)
                except SyncchatError as exc:
                    logger.error("a revocation was not kept: %s", exc)
                    self._pipes[held.conn].cut()

    async def _revoke(self, device: bytes, subject: str, undo: bool, for_good: bool) -> None:
        """Turn somebody away from now on, or let them in again."""
        revoke = partial(self._stored.revoke, device, subject, undo=undo, for_good=for_good)
        loop = asyncio.get_running_loop()
        self._turn_away(await loop.run_in_executor(self._executor, revoke))

    async def _watch_revocations(self) -> None:
        """See what another process revokes; also lets in whose time is over."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(REREAD_S)
            try:
                found = await loop.run_in_executor(self._executor, self._stored.revoked)
            except SyncchatError as exc:
                logger.error("who is revoked stays as it was: %s", exc)
            else:
                self._turn_away(found)

    def _turn_away(self, revoked: Revoked) -> None:
        if revoked != self._revoked:
            self._revoked = revoked
            self._perform(self._hub.turn_away(revoked))

    def _reload_tls(self) -> None:
        if self._tls is not None:
            self._tls.reload()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._config.tick_ms / 1000)
            self._perform(self._hub.tick(self._now_ms()))
            for pipe in list(self._pipes.values()):
                if pipe.transport_bytes > self._config.transport_bytes_max:
                    pipe.cut()

    async def _expire_files(self) -> None:
        while self._config.blob_days_max:
            if await self._blob_worker.expire(self._config.blob_days_max):
                self._hub.forget_recent()
            await asyncio.sleep(EXPIRE_S)

    def _blobs_answered(self, answers: Sequence[BlobAnswer]) -> None:
        self._perform(self._hub.blobs_done(answers))

    def _answered(self, answers: Sequence[LogAnswer]) -> None:
        self._perform(self._hub.done(answers))

    def _left(self, conn: int, octets: int) -> None:
        self._perform(self._hub.sent(conn, octets))

    def _perform(self, effects: Sequence[Effect]) -> None:
        unwritten: list[Pipe] = []
        self._do(effects, unwritten)
        for pipe in unwritten:
            pipe.flush()

    def _do(self, effects: Sequence[Effect], unwritten: list[Pipe]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self._send(effect, unwritten)
                case (
                    Append()
                    | Lookup()
                    | Check()
                    | Read()
                    | ReadNewest()
                    | ReadContents()
                    | ReadChains()
                    | ReadCursors()
                    | FindRoom()
                    | SaveCursors()
                ):
                    self._worker.add(effect)
                case StoreBlob() | FindBlobs() | ReleaseBlobs() | LoadBlob():
                    self._blob_worker.add(effect)
                case Vouch() | KeepRevocation():
                    self._held[effect.conn] = effect
                case Pause():
                    self._pauses[effect.conn] = effect.ms / 1000
                case Close():
                    if effect.conn in self._pipes:
                        self._pipes[effect.conn].close(effect.reason)
                case _:
                    assert_never(effect)

    def _send(self, effect: Send, unwritten: list[Pipe]) -> None:
        data, pipes = effect.data, self._pipes
        frame = websocket_frame(data)
        left: list[int] = []
        for conn in effect.conns:
            pipe = pipes.get(conn)
            if pipe is not None and pipe.write(data, frame, unwritten):
                left.append(conn)
        if left and (more := self._hub.all_sent(left, len(data))):
            self._do(more, unwritten)

    def _now_ms(self) -> int:
        return int(self._clock.monotonic() * 1000)

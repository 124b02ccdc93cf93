"""A peer of nothing but frames over a real WebSocket, and a relay in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import websockets.asyncio.client
from websockets.asyncio.client import ClientConnection

from syncchat.trust.chain import EMPTY_FINGERPRINT
from syncchat.trust.keys import DeviceKeys
from syncchat.wire.frames import (
    AnyFrame,
    Deliver,
    Frame,
    Hello,
    Open,
    Opened,
    Push,
    RoomCursor,
    decode,
    encode,
)
from tests.contracts.chains import ROOM
from tests.unit.relay.world import answer

F = TypeVar("F", bound=Frame)


@dataclass
class Client:
    """Is a connection; frames that were not waited for are kept in ``seen``."""

    websocket: ClientConnection
    incarnation: bytes = b""
    seen: list[AnyFrame] = field(default_factory=list)

    async def send(self, frame: Frame) -> None:
        await self.websocket.send(encode(frame))

    async def next(self) -> AnyFrame:
        """Return the next frame."""
        data = await self.websocket.recv(decode=False)
        frame = decode(bytes(data))
        assert frame is not None
        self.seen.append(frame)
        return frame

    async def until(self, kind: type[F]) -> F:
        """Return the next frame of one kind."""
        while True:
            frame = await self.next()
            if isinstance(frame, kind):
                return frame

    async def enter(self, keys: DeviceKeys, *, host: str = "127.0.0.1") -> Hello:
        """Answer the challenge; return the Hello."""
        hello = await self.until(Hello)
        self.incarnation = hello.incarnation
        await self.send(answer(hello, keys, host=host))
        return hello

    async def open(self, room: bytes = ROOM, *, own_seq: int = 0) -> int:
        """Open a room from its beginning; return the alias."""
        asked = RoomCursor(room, 0, EMPTY_FINGERPRINT, own_seq)
        await self.send(Open(self.incarnation, [asked]))
        return (await self.until(Opened)).aliases[0]

    async def push(self, alias: int, number: int, envelopes: Sequence[bytes]) -> None:
        await self.send(Push(alias, number, list(envelopes)))

    async def take(self, count: int) -> list[bytes]:
        """Return the next delivered envelopes."""
        found: list[bytes] = []
        while len(found) < count:
            found += (await self.until(Deliver)).envelopes
        return found


@asynccontextmanager
async def connected(url: str, *, max_queue: int = 16) -> AsyncIterator[Client]:
    """Connect; nothing is said yet."""
    async with websockets.asyncio.client.connect(
        url, compression=None, ping_interval=None, proxy=None, max_queue=max_queue, close_timeout=1
    ) as websocket:
        yield Client(websocket)


@asynccontextmanager
async def joined(
    url: str, keys: DeviceKeys, room: bytes = ROOM
) -> AsyncIterator[tuple[Client, int]]:
    """Connect, enter and open one room."""
    async with connected(url) as client:
        await client.enter(keys)
        yield client, await client.open(room)


@dataclass
class RelayProcess:
    """Is a relay in its own process."""

    process: asyncio.subprocess.Process
    url: str
    port: int
    incarnation: str

    @property
    def resident_bytes(self) -> int:
        """Return how much memory it has in use; Linux only."""
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()


@asynccontextmanager
async def relay_process(folder: Path, *arguments: str) -> AsyncIterator[RelayProcess]:
    """Start ``syncchat-relay`` on a free port; it is gone when the block ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "syncchat_relay", "--data-dir", str(folder)),
        *("--port", "0", "--admission", "open", "--json", *arguments),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        said = json.loads(await process.stdout.readline())
        yield RelayProcess(process, said["url"], said["port"], said["incarnation"])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

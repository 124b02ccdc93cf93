"""How long it takes until others have what was written offline, and what it costs on the wire."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from pathlib import Path
from typing import Any

from pycrdt import Array, Doc
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

import syncchat
from syncchat.apps.demo.metered import Meter
from syncchat.ports import SystemClock

from . import workload

NAME = "offline_queue"
SUMMARY = (
    "from reconnecting with messages written offline until another peer, which is online, shows "
    "them all, and the bytes on the wire for it; beside a plaintext WebSocket echo of the texts, "
    "which keeps nothing, and the updates of pycrdt; loopback, relay in a process of its own"
)


def run(smoke: bool) -> dict[str, Any]:
    """Return the figures."""
    count, rounds = (50, 2) if smoke else (1_000, 7)
    return asyncio.run(_measure(count, rounds))


async def _measure(count: int, rounds: int) -> dict[str, Any]:
    said = workload.texts(count)
    ours: list[float] = []
    bare: list[float] = []
    up: list[int] = []
    down: list[int] = []
    with tempfile.TemporaryDirectory() as name:
        for number in range(rounds):
            for is_bare in (False, True) if number % 2 == 0 else (True, False):
                if is_bare:
                    bare.append(await _echo(said))
                    continue
                folder = Path(name) / str(number)
                folder.mkdir()
                seconds, meters = await _reconnect(folder, said)
                ours.append(seconds)
                up.append(meters[0].up)
                down.append(meters[1].down)
    text_bytes = sum(len(text.encode()) for text in said)
    return {
        "messages": count,
        "rounds": rounds,
        "seconds": round(statistics.median(ours), 4),
        "seconds, lowest to highest": f"{min(ours):.4f} to {max(ours):.4f}",
        "echo: seconds": round(statistics.median(bare), 4),
        "time / echo": round(statistics.median(a / b for a, b in zip(ours, bare, strict=True)), 2),
        "bytes of text": text_bytes,
        "bytes up, writer": round(statistics.median(up)),
        "bytes down, other peer": round(statistics.median(down)),
        "bytes up / bytes of text": round(statistics.median(up) / text_bytes, 3),
        "pycrdt updates, plaintext: bytes": _pycrdt_bytes(said),
    }


async def _reconnect(folder: Path, said: list[str]) -> tuple[float, tuple[Meter, Meter]]:
    clock = SystemClock()
    writing, reading = Meter(), Meter()
    async with workload.relay_process(folder) as relay:
        with (
            syncchat.open(folder / "a.db", name="ann", connect=writing.connect) as ann,
            syncchat.open(folder / "b.db", name="ben", connect=reading.connect) as ben,
        ):
            mine = ann.create_room("benchmark", relay=relay)
            theirs = ben.join(mine.invite())
            async with asyncio.timeout(60), ben.online():
                async with ann.online():
                    await mine.synced()
                await theirs.synced()
                for text in said:
                    mine.send(text)
                writing.up = reading.down = 0
                started = clock.monotonic()
                async with ann.online():
                    await ben._until(lambda: theirs.count() >= len(said))
                    seconds = clock.monotonic() - started
                    await mine.synced()
            assert [m.text for m in theirs.messages(limit=len(said))] == said
            assert mine.digest() == theirs.digest()
    return seconds, (writing, reading)


async def _echo(said: list[str]) -> float:
    """Send texts to a server that gives each back to another connection; return the seconds."""
    clock = SystemClock()
    others: list[ServerConnection] = []

    async def forward(connection: ServerConnection) -> None:
        others.append(connection)
        async for message in connection:
            for other in others:
                if other is not connection:
                    await other.send(message)

    async with serve(forward, "127.0.0.1", 0, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        async with (
            connect(f"ws://127.0.0.1:{port}", compression=None) as near,
            connect(f"ws://127.0.0.1:{port}", compression=None) as far,
            asyncio.TaskGroup() as tasks,
        ):
            started = clock.monotonic()
            tasks.create_task(_send_all(near, said))
            received = [await far.recv() for _ in said]
            seconds = clock.monotonic() - started
    assert received == said
    return seconds


async def _send_all(connection: Any, said: list[str]) -> None:
    for text in said:
        await connection.send(text)


def _pycrdt_bytes(said: list[str]) -> int:
    """Return the size of one update for each text, as a Yjs provider sends them."""
    sizes: list[int] = []
    doc: Doc[Any] = Doc()
    messages = doc.get("messages", type=Array)
    subscription = doc.observe(lambda event: sizes.append(len(event.update)))
    for text in said:
        messages.append(text)
    doc.unobserve(subscription)
    return sum(sizes)

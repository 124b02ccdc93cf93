"""What a delivery costs the relay, beside one that only keeps texts in memory and forwards them.

All run in processes of their own; their CPU time comes from the operating system. One peer pushes
messages of the corpus' size: alone, each after the answer to the one before, and streamed, eight
under way, where the relay commits and delivers several at once.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import websockets.asyncio.client
from syncchat_relay.log import Append
from syncchat_relay.log.sqlite import FILE_NAME, SqliteLog
from websockets.asyncio.client import ClientConnection

from syncchat.ports import SystemRandom
from syncchat.trust.chain import EMPTY_FINGERPRINT
from syncchat.trust.keys import DeviceKeys
from syncchat.wire.frames import Deliver, Hello, Open, Opened, Push, RoomCursor, decode, encode
from tests.contracts.chains import ROOM, Writer
from tests.unit.relay.world import answer

from . import machine, rivals
from .rivals import wire

NAME = "fanout"
SUMMARY = (
    "relay CPU per delivery with a durable append, beside a bare relay and, with --against, "
    "servers of documents, in memory only and with their stores, without what they have not yet "
    "stored when all is delivered; bytes at rest; memory per idle connection (not the peers' CPU)"
)
RIVALS = ("hocuspocus", "pycrdt", "yjs")
RELAY = ("-m", "syncchat_relay", "--port", "0", "--admission", "open")
BODY_BYTES = 118
"""Makes an envelope of about 236 bytes, which is what a corpus message of 58 bytes costs."""
TEXT_BYTES = 58


def run(smoke: bool, against: Sequence[str] = ()) -> dict[str, Any]:
    """Return the figures; Linux only, for CPU time and memory come from /proc."""
    receivers, messages, rounds = (
        (5, 20, 2) if smoke else (100, 500 if against else 1_000, 3 if against else 5)
    )
    idle = 20 if smoke else 500
    figures = asyncio.run(_measure(receivers, messages, rounds, against))
    return figures | asyncio.run(_idle_memory(idle)) | _at_rest(smoke)


async def _measure(
    receivers: int, messages: int, rounds: int, against: Sequence[str]
) -> dict[str, Any]:
    found, skipped = rivals.ready(against, RIVALS)
    figures: dict[str, Any] = {
        "receivers": receivers,
        "messages per round": messages,
        "rounds": rounds,
    }
    for window, how in ((1, "alone"), (8, "streamed")):
        ways: dict[str, Callable[[], Awaitable[float]]] = {
            "relay": partial(relay_round, receivers, messages, window)
        }
        for rival in (rivals.BARE, *found):
            round_of = partial(_rival_round, rival, receivers, messages, window)
            ways[rival.name] = partial(round_of, keeps=False)
            if rival in found:
                ways[f"{rival.name} that stores"] = partial(round_of, keeps=True)
        costs = await machine.in_turn(ways, rounds)
        for name, each in costs.items():
            what = f"{how}: {name}"
            figures[f"{what}: CPU per delivery µs"] = round(statistics.median(each), 2)
            figures[f"{what}: lowest to highest"] = machine.range_of(each, 2)
            if name != "relay":
                ratio = machine.ratio(costs["relay"], each)
                figures[f"{how}: relay / {name}"] = round(ratio, 3)
    return figures | skipped


async def relay_round(receivers: int, messages: int, window: int) -> float:
    writer = Writer(1)
    with tempfile.TemporaryDirectory() as folder:
        async with process(*RELAY, "--data-dir", folder) as relay:
            pid, url = relay
            async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
                for seed in range(2, receivers + 2):
                    reader, _ = await _join(stack, url, Writer(seed).keys)
                    tasks.create_task(_count_envelopes(reader, messages))
                pusher, alias = await _join(stack, url, writer.keys)
                pushes = [
                    encode(Push(alias, number, [writer.write(body_bytes=BODY_BYTES)]))
                    for number in range(messages)
                ]
                before = cpu_seconds(pid)
                await _push_all(pusher, pushes, window)
            return (cpu_seconds(pid) - before) / (receivers * messages) * 1e6


async def _rival_round(
    rival: rivals.Rival, receivers: int, messages: int, window: int, *, keeps: bool
) -> float:
    dialect = wire.DIALECTS[rival.name]
    said = [f"{number:08} {'x' * (TEXT_BYTES - 9)}" for number in range(messages)]
    pushes = wire.pushes(dialect, said)
    with tempfile.TemporaryDirectory() as folder:
        async with rivals.serving(rival, Path(folder) if keeps else None) as (pid, url):
            async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
                for _ in range(receivers - 1):  # the pusher gets each as well
                    reader = await wire.join(stack, url, dialect)
                    tasks.create_task(wire.receive_until(reader, said[-1].encode()))
                pusher = await wire.join(stack, url, dialect)
                before = cpu_seconds(pid)
                await wire.push_all(pusher, dialect, pushes, window)
            return (cpu_seconds(pid) - before) / (receivers * messages) * 1e6


async def _push_all(pusher: ClientConnection, pushes: list[bytes], window: int) -> None:
    """Send all, at most ``window`` unanswered."""
    answered = 0
    for number, push in enumerate(pushes):
        while number - answered >= window:
            await pusher.recv()
            answered += 1
        await pusher.send(push)
    while answered < len(pushes):
        await pusher.recv()
        answered += 1


async def _idle_memory(count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        async with process(*RELAY, "--data-dir", folder) as relay:
            pid, url = relay
            async with AsyncExitStack() as stack:
                for seed in range(1, count // 5 + 1):  # fills what is allocated once
                    await _join(stack, url, Writer(seed).keys)
                before = _resident_bytes(pid)
                for seed in range(1, count + 1):
                    await _join(stack, url, Writer(seed).keys)
                each = (_resident_bytes(pid) - before) / count
    return {"idle connections": count, "KiB per idle connection": round(each / 1024, 1)}


def _at_rest(smoke: bool) -> dict[str, Any]:
    count = 500 if smoke else 20_000
    return {
        "bytes per envelope": len(Writer(1).fork().write_many(3, body_bytes=BODY_BYTES)[2]),
        "bytes at rest, one room": _bytes_at_rest(count, rooms=1),
        "bytes at rest, 300 rooms in turn": _bytes_at_rest(count, rooms=300),
    }


def _bytes_at_rest(count: int, *, rooms: int) -> float:
    writers = [
        Writer(seed, room=number.to_bytes(16))
        for number in range(1, rooms + 1)
        for seed in range(1, 5)
    ]
    with tempfile.TemporaryDirectory() as folder:
        log = SqliteLog(Path(folder), random=SystemRandom())
        for start in range(0, count, 100):
            turn = [writers[number * 7 % len(writers)] for number in range(start, start + 100)]
            log.append(
                [Append(found.room, (found.write(body_bytes=BODY_BYTES),)) for found in turn]
            )
        log.close()
        return round((Path(folder) / FILE_NAME).stat().st_size / count, 1)


async def _join(stack: AsyncExitStack, url: str, keys: DeviceKeys) -> tuple[ClientConnection, int]:
    websocket = await stack.enter_async_context(_connection(url))
    hello = decode(bytes(await websocket.recv(decode=False)))
    assert isinstance(hello, Hello)
    await websocket.send(encode(answer(hello, keys, host="127.0.0.1")))
    asked = RoomCursor(ROOM, 0, EMPTY_FINGERPRINT, 0)
    await websocket.send(encode(Open(hello.incarnation, [asked])))
    opened = decode(bytes(await websocket.recv(decode=False)))
    assert isinstance(opened, Opened)
    return websocket, opened.aliases[0]


def _connection(url: str) -> websockets.asyncio.client.connect:
    return websockets.asyncio.client.connect(
        url, compression=None, ping_interval=None, proxy=None, close_timeout=1
    )


async def _count_envelopes(websocket: ClientConnection, count: int) -> None:
    while count > 0:
        frame = decode(bytes(await websocket.recv(decode=False)))
        if isinstance(frame, Deliver):
            count -= len(frame.envelopes)


@asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[tuple[int, str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield process.pid, (await process.stdout.readline()).decode().split()[-1]
    finally:
        process.kill()
        await process.wait()


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads; /proc/PID/stat would count in steps of 10 ms."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def _resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")

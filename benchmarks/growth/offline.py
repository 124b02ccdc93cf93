"""How coming back grows with the days that a peer was away."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import count as counting
from pathlib import Path

import syncchat
from syncchat.apps.demo.metered import Meter
from syncchat.apps.demo.processes import RelayProcess
from syncchat.ports import SystemClock

from .. import workload
from .axis import Axis, Drawn, Found, Way, in_turn

SIZES = (1, 3, 10, 30, 90)
A_DAY = 200
"""Messages that a room gets a day."""
BEFORE = 1_000
"""Messages that are there before somebody leaves."""


async def _offline(sizes: Sequence[int], rounds: int) -> list[list[Found]]:
    ways: dict[str, Way] = {}
    a_day, before = (A_DAY, BEFORE) if max(sizes) > 10 else (5, 20)
    said = workload.varied_texts(before + a_day * max(sizes))
    log = workload.room_log(len(said), batch=1, said=said)
    base = len(log) - len(said) + before
    with tempfile.TemporaryDirectory() as name:
        async with AsyncExitStack() as stack:
            for days in sizes:
                folder = Path(name) / str(days)
                folder.mkdir()
                enter = stack.enter_async_context
                url = await enter(_left(folder, log[:base], log[base : base + days * a_day]))
                shown = said[: before + days * a_day]
                queue = _Queue(folder / "queue", shown[-days * a_day :])
                (folder / "queue").mkdir()
                await queue.prepare()
                ways[str(days)] = partial(
                    _away, folder, url, shown, a_day * days, counting(), queue
                )
            return await in_turn(ways, rounds)


@asynccontextmanager
async def _left(folder: Path, there: list[bytes], missed: list[bytes]) -> AsyncIterator[str]:
    """Run a relay with a room that a peer was in, left, and has missed the rest of."""
    async with workload.relay_process(folder) as relay:
        await workload.push_log(relay, there)
        with syncchat.open(folder / "left.db", name="reader") as peer:
            room = peer.join(workload.invite(relay))
            async with peer.online(), asyncio.timeout(60):
                await room.synced()
        await workload.push_log(relay, missed)
        yield relay


async def _away(
    folder: Path, relay: str, said: list[str], missed: int, turns: counting[int], queue: _Queue
) -> Found:
    meter, clock = Meter(), SystemClock()
    path = folder / f"{next(turns)}.db"
    shutil.copy(folder / "left.db", path)
    with syncchat.open(path, connect=meter.connect) as peer:
        (room,) = peer.rooms()
        started = clock.monotonic()
        async with peer.online(), asyncio.timeout(120):
            await room.synced()
            seconds = clock.monotonic() - started
        assert room.count() == len(said)
        assert [message.text for message in room.messages(limit=50)] == said[-50:]
    sent, up = await queue.send()
    return {
        "catch up with what others wrote": seconds * 1_000,
        "send what one wrote oneself": sent * 1_000,
        "others' messages, down": meter.down / missed,
        "own messages, up": up / missed,
    }


class _Queue:
    """Is a peer that wrote while it was offline, as often as it is asked for."""

    def __init__(self, folder: Path, said: list[str]) -> None:
        self._folder = folder
        self._said = said
        self._relay = RelayProcess(folder)

    async def prepare(self) -> None:
        """Write; the relay is only asked where it will be."""
        await self._relay.start()
        await self._relay.stop()
        with syncchat.open(self._folder / "wrote.db", name="ann") as peer:
            workload.hurry(peer)
            room = peer.create_room("benchmark", relay=self._relay.url)
            for text in self._said:
                room.send(text)

    async def send(self) -> tuple[float, int]:
        """Return how long it takes until a relay that knows nothing has all, and the bytes up."""
        meter, clock = Meter(), SystemClock()
        path = self._folder / "sends.db"
        shutil.copy(self._folder / "wrote.db", path)
        shutil.rmtree(self._relay.data_dir)
        await self._relay.start()
        try:
            with syncchat.open(path, connect=meter.connect) as peer:
                (room,) = peer.rooms()
                started = clock.monotonic()
                async with peer.online(), asyncio.timeout(120):
                    await room.synced()
                    seconds = clock.monotonic() - started
                assert room.messages(limit=1)[0].status is syncchat.Status.SENT
        finally:
            await self._relay.stop()
        return seconds, meter.up


AXIS = Axis(
    "offline",
    f"days away, {A_DAY} messages each",
    SIZES,
    (2, 6),
    _offline,
    (
        Drawn(
            "offline-time",
            "Coming back",
            "milliseconds",
            ("catch up with what others wrote", "send what one wrote oneself"),
        ),
        Drawn(
            "offline-bytes",
            "A message on the wire",
            "bytes",
            ("others' messages, down", "own messages, up"),
        ),
    ),
)

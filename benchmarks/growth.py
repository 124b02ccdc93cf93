"""How costs grow with messages, members, rooms, devices and offline time; and plots of it.

Each cost is measured at several sizes, which take turns; as CPU time where nothing is waited for,
because that holds on a busy machine. ``--plots FOLDER`` draws what was found
(``benchmarks.plots``); the pictures in the documentation are made so.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import count as counting
from pathlib import Path
from time import process_time
from typing import Any

import syncchat
from syncchat.apps.demo.metered import Meter
from syncchat.apps.demo.processes import RelayProcess
from syncchat.ids import RoomId
from syncchat.ports import SystemClock
from syncchat.wire.invite import INVITE_SECRET_BYTES, InviteKind, InviteLink, encode_invite

from . import fanout, join, machine, open_room, reconnect, trust, workload
from .plots import Plot, draw, middle, slope

NAME = "growth"
SUMMARY = (
    "how the costs of reading, writing, joining, delivering, reconnecting and catching up grow "
    "with messages, members, rooms, devices and offline time, at five sizes each, and with which "
    "power of the size"
)
Found = dict[str, float]
Way = Callable[[], Awaitable[Found]]

MESSAGES = (1_000, 4_000, 16_000, 64_000, 256_000)
MEMBERS = (4, 16, 64, 256, 500)
ROOMS = (10, 30, 100, 300, 1_000)
DEVICES = (1, 8, 64, 256, 900)
DAYS = (1, 3, 10, 30, 90)
WRITTEN = 4_000
"""Messages in the room that so many devices wrote."""
A_DAY = 200
"""Messages that a room gets a day."""
BEFORE = 1_000
"""Messages that are there before somebody leaves."""

_READ = """
import json, statistics, sys, time
import syncchat; syncchat.open

given = json.load(sys.stdin)
found = {}

def timed(what, calls):
    times = []
    for call in calls:
        started = time.process_time()
        call()
        times.append(time.process_time() - started)
    found[what] = statistics.median(times) * 1000

def opened():
    global room
    room = syncchat.open(sys.argv[1]).rooms()[0]
    return room.messages(limit=50)

timed("open and show 50", [opened])
places = given["places"]
timed("page at any place", [lambda place=place: room.messages(before=place) for place in places])
timed("search", [lambda word=word: room.search(word) for word in given["words"]])
timed("send", [lambda text=text: room.send(text) for text in given["texts"]])
print(json.dumps(found))
"""
_START = """
import json, sys, time
import syncchat; syncchat.open

json.load(sys.stdin)
started = time.process_time()
rooms = syncchat.open(sys.argv[1]).rooms()
print(json.dumps({"start": (time.process_time() - started) * 1000, "rooms": len(rooms)}))
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add where to draw, and what of it to measure."""
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw the plots there")
    parser.add_argument(
        "--of", choices=DIMENSIONS, action="append", metavar="WHAT", help="measure this only"
    )


def run(smoke: bool, plots: Path | None = None, of: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the figures; Linux only, for CPU time and memory come from /proc."""
    figures: dict[str, Any] = {}
    for name in of or DIMENSIONS:
        sizes, measure, drawn = DIMENSIONS[name]
        sizes = (2, 6) if smoke else sizes
        found = asyncio.run(measure(sizes, 1 if smoke else 3))
        for file, title, up, costs in drawn:
            lines = {cost: [[each[cost] for each in runs] for runs in found] for cost in costs}
            plot = Plot(title, _ACROSS[name], up, sizes, lines)
            figures |= _figures(plot)
            if plots is not None:
                plots.mkdir(parents=True, exist_ok=True)
                (plots / f"{file}.svg").write_text(draw(plot), encoding="utf-8")
    return figures


def _figures(plot: Plot) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for cost, line in plot.lines.items():
        what = f"{plot.across}: {cost}, {plot.up}"
        for size, each in zip(plot.sizes, line, strict=True):
            found[f"{what}, {size:,}"] = float(f"{middle(each):.4g}")
        found[f"{what}, power of the size"] = f"{slope(plot.sizes, line):.2f}"
        widest = max((max(each) - min(each)) / middle(each) for each in line)
        found[f"{what}, widest spread"] = f"{widest:.2f} of the median"
    return found


async def _in_turn(ways: dict[str, Way], rounds: int) -> list[list[Found]]:
    return list((await machine.in_turn(ways, rounds)).values())


async def _messages(sizes: Sequence[int], rounds: int) -> list[list[Found]]:
    said = workload.varied_texts(max(sizes))
    long_words = [word for text in workload.texts(1_000) for word in text.split() if len(word) > 4]
    words = [word for word in long_words if word.isascii() and word.isalpha()][::97]
    ways: dict[str, Way] = {}
    with tempfile.TemporaryDirectory() as name:
        for size in sizes:
            path = Path(name) / str(size)
            received = open_room.build_room(path, said[:size]) / size * 1e6
            _settle(path)
            places = [
                workload.id_in_log(size * n // 20, batch=open_room.BATCH) for n in range(1, 20)
            ]
            given = {"places": places, "words": words, "texts": said[:30]}
            fixed = {"receive": received, "database": path.stat().st_size / size}
            ways[str(size)] = partial(_read, path, given, fixed)
        return await _in_turn(ways, rounds)


def _settle(path: Path) -> None:
    """Send until the messages that wait for the index, which each send takes some of, are in it."""
    with syncchat.open(path) as peer:
        workload.hurry(peer)
        (room,) = peer.rooms()
        sizes = peer._db.search_sizes
        for text in workload.texts(sizes.many // sizes.step + 1):
            room.send(text)


async def _read(path: Path, given: object, fixed: Found) -> Found:
    return fixed | await workload.fresh_process(_READ, str(path), given)


async def _members(sizes: Sequence[int], rounds: int) -> list[list[Found]]:
    ways: dict[str, Way] = {}
    with tempfile.TemporaryDirectory() as name:
        async with AsyncExitStack() as stack:
            for size in sizes:
                folder = Path(name) / str(size)
                large = trust.LargeRoom(size)
                secret = workload.seeded("join", INVITE_SECRET_BYTES)
                link = InviteLink(RoomId(large.room), "", InviteKind.ROOM, secret, "Large")
                folder.mkdir()
                join.keep(folder / "relay", large, link)
                url = await stack.enter_async_context(workload.relay_process(folder))
                there = InviteLink(link.room_id, url, link.kind, link.secret, link.title)
                ways[str(size)] = partial(
                    _member_costs, folder, encode_invite(there), size, counting()
                )
            return await _in_turn(ways, rounds)


async def _member_costs(folder: Path, link: str, size: int, turns: counting[int]) -> Found:
    meter, clock = Meter(), SystemClock()
    path = folder / f"{next(turns)}.db"
    with syncchat.open(path, name="newcomer", connect=meter.connect) as peer:
        room = peer.join(link)
        started = clock.monotonic()
        async with peer.online(), asyncio.timeout(60):
            await room.synced()
            seconds = clock.monotonic() - started
        assert room.standing == "member"
    key = trust.new_key(size, 2)
    return {
        "join": seconds * 1_000,
        "new key": key["new key: ms"],
        "CPU of the relay a message": await fanout.relay_round(size, 60, 1) * size / 1_000,
        "join: down": float(meter.down),
        "new key: record": float(key["new key: bytes"]),
    }


async def _rooms(sizes: Sequence[int], rounds: int) -> list[list[Found]]:
    ways: dict[str, Way] = {}
    with tempfile.TemporaryDirectory() as name:
        async with workload.relay_process(Path(name)) as relay, asyncio.timeout(600):
            for size in sizes:
                path = Path(name) / f"{size}.db"
                await reconnect.fill(path, Path(name) / f"{size}-other.db", relay, size)
                ways[str(size)] = partial(_room_costs, path, size)
            return await _in_turn(ways, rounds)


async def _room_costs(path: Path, size: int) -> Found:
    found = await workload.fresh_process(_START, str(path), None)
    assert found["rooms"] == size
    seconds, meter = await reconnect.reconnect(path, size)
    return {
        "start and list, CPU": found["start"],
        "reconnect, nothing new": seconds * 1_000,
        "reconnect: up and down": float(meter.up + meter.down),
    }


async def _devices(sizes: Sequence[int], rounds: int) -> list[list[Found]]:
    ways: dict[str, Way] = {}
    count = WRITTEN if max(sizes) > 10 else 40
    said = workload.varied_texts(count)
    with tempfile.TemporaryDirectory() as name:
        for size in sizes:
            log = workload.room_log(count, batch=1, devices=size, said=said)
            ways[str(size)] = partial(_device_costs, Path(name), size, said, log, counting())
        return await _in_turn(ways, rounds)


async def _device_costs(
    folder: Path, size: int, said: list[str], log: list[bytes], turns: counting[int]
) -> Found:
    path = folder / f"{size}-{next(turns)}.db"
    with workload.reader(path) as reader:
        started = process_time()
        for portion in workload.deliveries(log):
            reader.receive(portion)
        seconds = process_time() - started
        shown = [message.text for message in reader.room.messages(limit=50)]
        assert shown == said[-50:]
    each = 1 / len(said)
    return {
        "receive": seconds * each * 1e6,
        "log": sum(map(len, log)) * each,
        "database": path.stat().st_size * each,
    }


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
            return await _in_turn(ways, rounds)


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


_ACROSS = {
    "messages": "messages in a room",
    "members": "members of a room",
    "rooms": "rooms of a peer",
    "devices": f"devices that wrote {WRITTEN:,} messages",
    "offline": f"days away, {A_DAY} messages each",
}
Drawn = tuple[str, str, str, tuple[str, ...]]
Measure = Callable[[Sequence[int], int], Awaitable[list[list[Found]]]]
DIMENSIONS: dict[str, tuple[tuple[int, ...], Callable[..., Any], tuple[Drawn, ...]]] = {
    "messages": (
        MESSAGES,
        _messages,
        (
            (
                "messages-time",
                "Reading and writing",
                "milliseconds of CPU",
                ("open and show 50", "page at any place", "search", "send"),
            ),
            (
                "messages-receive",
                "Receiving a message in a batch",
                "microseconds of CPU",
                ("receive",),
            ),
            ("messages-bytes", "A message on disk", "bytes", ("database",)),
        ),
    ),
    "members": (
        MEMBERS,
        _members,
        (
            (
                "members-time",
                "Joining, delivering, changing the key",
                "milliseconds",
                ("join", "new key", "CPU of the relay a message"),
            ),
            (
                "members-bytes",
                "Joining, changing the key",
                "bytes",
                ("join: down", "new key: record"),
            ),
        ),
    ),
    "rooms": (
        ROOMS,
        _rooms,
        (
            (
                "rooms-time",
                "Starting and reconnecting",
                "milliseconds",
                ("start and list, CPU", "reconnect, nothing new"),
            ),
            ("rooms-bytes", "Reconnecting", "bytes", ("reconnect: up and down",)),
        ),
    ),
    "devices": (
        DEVICES,
        _devices,
        (
            ("devices-time", "Receiving a message", "microseconds of CPU", ("receive",)),
            ("devices-bytes", "A message", "bytes", ("log", "database")),
        ),
    ),
    "offline": (
        DAYS,
        _offline,
        (
            (
                "offline-time",
                "Coming back",
                "milliseconds",
                ("catch up with what others wrote", "send what one wrote oneself"),
            ),
            (
                "offline-bytes",
                "A message on the wire",
                "bytes",
                ("others' messages, down", "own messages, up"),
            ),
        ),
    ),
}

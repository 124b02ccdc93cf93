"""A relay with a thousand rooms of ten: how much may be sent until deliveries come late.

The rooms' members are devices that share connections, each in fifty rooms, or with ``--connections
10000`` have one each, in one room; everybody is online, and they send in turn, at a rate that is
raised step by step, whether answers come or not. Every connection says each 20 s that it is there.
How late a delivery is counts from when its send was due, so what waits because the sender is behind
counts as well. Beside it, a bare WebSocket relay that keeps nothing does the same with as many
bytes. The load comes from this process, which speaks the protocol with envelopes that were sealed
before; it needs a core of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from syncchat.testing.ports import SeededRandom
from syncchat.trust.chain import EMPTY_FINGERPRINT
from syncchat.wire.codes import ItemStatus
from syncchat.wire.frames import (
    Ack,
    Deliver,
    Hello,
    Live,
    Open,
    Opened,
    Ping,
    Push,
    RoomCursor,
    decode,
    encode,
)
from tests.contracts.chains import Writer
from tests.unit.relay.world import answer

from . import fanout, loading, workload
from .loading import Client, connect, frame
from .made_room import MadeRoom

NAME = "relay_load"
SUMMARY = (
    "a relay with 1,000 rooms of 10 members over 200 connections: the highest rate of sends at "
    "which 99 of 100 deliveries come within 50 ms, its CPU per delivery, beside a bare WebSocket "
    "relay that keeps nothing (peers' CPU, and what they say of how far they are, are left out)"
)
ROOMS = 1_000
MEMBERS = 10
CONNECTIONS = 200
P99_MS_MAX = 50.0
FIRST_RATE = 100
"""Sends a second of the first step."""
FASTER = 1.5
STEPS_MAX = 30
TRIES = 3
"""How often a rate is tried before it counts as too much: others use the machine, too."""
FINER_STEPS = 3
"""Steps between the last rate that was kept and the first that was not."""
SECONDS = 5.0
WARM_SECONDS = 1.0
"""At the beginning of a step, not counted."""
SETTLE_SECONDS_MAX = 5.0
PING_SECONDS = 20.0
"""Of one connection, as peers do it."""
KEY_BYTES = 16
"""At the end of what is sent, by which it is known again."""

_BARE = """
import asyncio, json
from websockets.asyncio.server import broadcast, serve

rooms = {}

async def connection(websocket):
    for room in json.loads(await websocket.recv()):
        rooms.setdefault(room, set()).add(websocket)
    await websocket.send(b"")
    async for message in websocket:
        room = int.from_bytes(message[:4])
        broadcast(rooms[room] - {websocket}, message)
        await websocket.send(message[:4])

async def main():
    async with serve(
        connection, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=1000
    ) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.Future()

try:
    import uvloop
except ImportError:
    asyncio.run(main())
else:
    uvloop.run(main())
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sizes."""
    parser.add_argument("--rooms", type=int, default=ROOMS, metavar="N")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, metavar="N")
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="N", help="of a step")


def run(
    smoke: bool, rooms: int = ROOMS, connections: int = CONNECTIONS, seconds: float = SECONDS
) -> dict[str, Any]:
    """Return the figures; Linux only, for CPU time comes from /proc."""
    if smoke:
        rooms, connections, seconds = 4, 20, 0.3
    climb = partial(_climb, seconds=seconds)
    if smoke:  # a busy machine is no fault
        climb = partial(_climb, seconds=seconds, steps_max=1, p99_ms_max=10_000)
    places = _places(rooms, connections)
    loading.allow_sockets(connections)
    with _loop() as runner:
        return runner.run(_measure(places, connections, climb))


def _loop() -> asyncio.Runner:
    """Return a runner of the quickest loop that is here, as the relay has it."""
    try:
        import uvloop
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def _places(rooms: int, connections: int) -> list[list[int]]:
    """Return of each room which connections are in it; all are in as many."""
    chance = SeededRandom("relay load")
    order: list[int] = []
    found: list[list[int]] = []
    while len(found) < rooms:
        if len(order) < MEMBERS:
            order = list(range(connections))
            for at in range(connections - 1, 0, -1):
                other = chance.below(at + 1)
                order[at], order[other] = order[other], order[at]
        found.append([order.pop() for _ in range(MEMBERS)])
    return found


@dataclass(frozen=True, slots=True)
class Step:
    """Is what became of one rate; times are seconds."""

    rate: float
    sends: int
    deliveries: int
    late: Sequence[float]
    behind: Sequence[float]
    """How late the sends themselves were."""
    relay_cpu: float
    own_cpu: float
    seconds: float
    is_complete: bool
    is_refused: bool
    p99_ms_max: float

    @property
    def p99_ms(self) -> float:
        return _quantile(self.late, 0.99) * 1e3 if self.late else float("inf")

    @property
    def is_kept(self) -> bool:
        """Tell whether all came, and nearly all in time."""
        return self.is_complete and self.p99_ms <= self.p99_ms_max


class Target(ABC):
    """Is a relay under load: what is said to it, and how what comes is understood."""

    def __init__(self, pid: int, url: str, places: Sequence[Sequence[int]]) -> None:
        self.pid = pid
        self.url = url
        self.places = places
        self.clients: list[Client] = []
        self.came: Callable[[bytes], None] = lambda key: None
        """Is called for each delivery, and without a key for each answer to a send."""
        self.is_full = False
        """Whether it took no more; a chain has a gap then, so that nothing can follow."""

    async def enter(self, connections: int) -> None:
        """Open all connections, and every room on those of its members."""
        rooms_of: dict[int, list[int]] = {number: [] for number in range(connections)}
        for room, members in enumerate(self.places):
            for number in members:
                rooms_of[number].append(room)
        for number, rooms in rooms_of.items():
            client = await connect(self.url)
            await self.join(client, number, rooms)
            self.clients.append(client)

    @abstractmethod
    async def say_alive(self) -> None:
        """Have each connection say now and then that it is there, as far as it must."""

    @abstractmethod
    async def join(self, client: Client, number: int, rooms: Sequence[int]) -> None:
        """Open the rooms of one connection."""

    @abstractmethod
    def send(self, room: int, number: int) -> tuple[bytes, bytes]:
        """Return the next frame of a connection to a room, and the key by which it is known."""

    def leave(self) -> None:
        """End all connections."""
        assert not any(client.is_lost for client in self.clients), "a connection was lost"
        for client in self.clients:
            client.close()


class Ours(Target):
    """Is our relay, which has the rooms' logs."""

    def __init__(
        self, pid: int, url: str, places: Sequence[Sequence[int]], made: Sequence[MadeRoom]
    ) -> None:
        super().__init__(pid, url, places)
        self._made = made
        self._aliases: dict[int, int] = {}
        self._writers: dict[tuple[int, int], Writer] = {}
        self._pushes = [0] * (1 + max(max(members) for members in places))

    async def say_alive(self) -> None:
        ping = frame(encode(Ping(1)))
        at, before, owed = 0, perf_counter(), 0.0
        while True:
            await asyncio.sleep(0.02)
            now = perf_counter()
            owed, before = owed + len(self.clients) * (now - before) / PING_SECONDS, now
            while owed >= 1:
                self.clients[at % len(self.clients)].write(ping)
                at, owed = at + 1, owed - 1

    async def join(self, client: Client, number: int, rooms: Sequence[int]) -> None:
        hello = decode(await client.messages.get())
        assert isinstance(hello, Hello)
        keys = workload.device_keys(f"member {number}")
        client.write(frame(encode(answer(hello, keys, host="127.0.0.1"))))
        asked = [RoomCursor(self._made[room].id, 0, EMPTY_FINGERPRINT, 0) for room in rooms]
        client.write(frame(encode(Open(hello.incarnation, asked))))
        opened, live = False, 0
        while not opened or live < len(rooms):
            match decode(await client.messages.get()):
                case Opened(aliases, states):
                    assert not any(state.is_closed for state in states)
                    self._aliases |= dict(zip(rooms, aliases, strict=True))
                    opened = True
                case Live():
                    live += 1
        client.take = self._take

    def _take(self, raw: bytes) -> None:
        match decode(raw):
            case Deliver(envelopes=envelopes):
                for envelope in envelopes:
                    self.came(envelope[-KEY_BYTES:])
            case Ack(items=items):
                self.is_full = self.is_full or items[0].status == ItemStatus.FULL
                assert self.is_full or items[0].status == ItemStatus.STORED, items
                self.came(b"")

    def send(self, room: int, number: int) -> tuple[bytes, bytes]:
        writer = self._writers.get((room, number))
        if writer is None:
            keys = workload.device_keys(f"member {number}")
            writer = self._writers[room, number] = Writer(keys, room=self._made[room].id)
        raw = writer.write(body_bytes=fanout.BODY_BYTES)
        self._pushes[number] += 1
        push = Push(self._aliases[room], self._pushes[number], [raw])
        return frame(encode(push)), raw[-KEY_BYTES:]


class Bare(Target):
    """Is a WebSocket relay that forwards what comes for a room, and answers with four bytes."""

    def __init__(self, pid: int, url: str, places: Sequence[Sequence[int]]) -> None:
        super().__init__(pid, url, places)
        self._count = 0

    async def say_alive(self) -> None:
        """Say nothing: it does not ask for that."""

    async def join(self, client: Client, number: int, rooms: Sequence[int]) -> None:
        client.write(frame(json.dumps(rooms).encode()))
        await client.messages.get()
        client.take = self._take

    def _take(self, raw: bytes) -> None:
        if len(raw) == 4:
            self.came(b"")
        else:
            self.came(raw[-KEY_BYTES:])

    def send(self, room: int, number: int) -> tuple[bytes, bytes]:
        self._count += 1
        key = self._count.to_bytes(KEY_BYTES)
        return frame(room.to_bytes(4) + bytes(fanout.BODY_BYTES * 2 - 4 - KEY_BYTES) + key), key


async def _measure(
    places: Sequence[Sequence[int]],
    connections: int,
    climb: Callable[[Target], Awaitable[list[Step]]],
) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "rooms": len(places),
        "members of each": MEMBERS,
        "connections": connections,
        "rooms of a connection": len(places) * MEMBERS // connections,
    }
    kept: dict[str, Step] = {}
    for name, serve in (("relay", _ours), ("bare", _bare)):
        async with serve(places) as target:
            async with asyncio.TaskGroup() as tasks:
                alive = tasks.create_task(target.say_alive())
                await target.enter(connections)
                steps = await climb(target)
                alive.cancel()
            target.leave()
        good = [step for step in steps if step.is_kept]
        assert good, f"p99 of {steps[0].p99_ms:.0f} ms at {steps[0].rate:.0f} a second already"
        best = kept[name] = max(good, key=lambda step: step.rate)
        figures |= _shown(name, best)
        figures[f"{name}: p99 ms by sends a second"] = ", ".join(
            f"{step.p99_ms:.1f} at {step.rate:,.0f}{_ended(step)}"
            for step in sorted(steps, key=lambda step: step.rate)
        )
    ours, bare = kept["relay"], kept["bare"]
    figures["sends per second, relay / bare"] = round(ours.rate / bare.rate, 3)
    figures["CPU per delivery, relay / bare"] = round(
        (ours.relay_cpu / ours.deliveries) / (bare.relay_cpu / bare.deliveries), 2
    )
    return figures


def _shown(name: str, step: Step) -> dict[str, Any]:
    return {
        f"{name}: sends per second": round(step.rate),
        f"{name}: deliveries per second": round(step.rate * (MEMBERS - 1)),
        f"{name}: p50 ms": round(_quantile(step.late, 0.5) * 1e3, 2),
        f"{name}: p99 ms": round(step.p99_ms, 2),
        f"{name}: CPU per delivery µs": round(step.relay_cpu / step.deliveries * 1e6, 1),
        f"{name}: CPU per send µs": round(step.relay_cpu / step.sends * 1e6),
        f"{name}: of a core": round(step.relay_cpu / step.seconds, 2),
        f"{name}: of a core, the load": round(step.own_cpu / step.seconds, 2),
        f"{name}: sends late, p99": f"{_quantile(step.behind, 0.99) * 1e3:.2f} ms",
    }


def _ended(step: Step) -> str:
    return " (refused)" if step.is_refused else "" if step.is_complete else " (not all came)"


async def _climb(
    target: Target,
    *,
    seconds: float,
    steps_max: int = STEPS_MAX,
    p99_ms_max: float = P99_MS_MAX,
) -> list[Step]:
    """Raise the rate until it is not kept, then look more closely where that began."""
    chance = SeededRandom("sends")
    steps: list[Step] = []
    step = partial(_step, target, seconds=seconds, chance=chance, p99_ms_max=p99_ms_max)
    rate, good = float(FIRST_RATE), 0.0
    while len(steps) < steps_max:
        steps.append(await _best(partial(step, rate)))
        if not steps[-1].is_kept:
            break
        good, rate = rate, rate * FASTER
    bad = rate
    for _ in range(FINER_STEPS if steps_max > 1 and good and not target.is_full else 0):
        rate = (good * bad) ** 0.5
        steps.append(await _best(partial(step, rate)))
        if steps[-1].is_kept:
            good = rate
        else:
            bad = rate
    return steps


async def _best(step: Callable[[], Awaitable[Step]]) -> Step:
    """Take a step, again where the rate was not kept; return the best try."""
    tries: list[Step] = []
    while len(tries) < TRIES and not any(each.is_kept or each.is_refused for each in tries):
        tries.append(await step())
    return min(tries, key=lambda each: (not each.is_complete, each.p99_ms))


async def _step(
    target: Target, rate: float, *, seconds: float, chance: SeededRandom, p99_ms_max: float
) -> Step:
    """Send at one rate for a while, and wait until all has come."""
    warm = min(WARM_SECONDS, seconds / 3)
    count = round(rate * (warm + seconds))
    sends = []
    for _ in range(count):
        room = chance.below(len(target.places))
        number = target.places[room][chance.below(MEMBERS)]
        raw, key = target.send(room, number)
        sends.append((target.clients[number], raw, key))
    due_of: dict[bytes, float] = {}
    late: list[float] = []
    behind: list[float] = []
    left = count * MEMBERS
    all_came = asyncio.Event()

    def came(key: bytes) -> None:
        nonlocal left
        left -= 1
        if (due := due_of.get(key)) is not None:
            late.append(perf_counter() - due)
        if not left:
            all_came.set()

    target.came = came
    counted = round(rate * warm)
    begun = perf_counter() + 0.01
    relay_cpu = own_cpu = started = 0.0
    at = 0
    while at < count and not target.is_full:
        now = perf_counter()
        while at < count and (due := begun + at / rate) <= now:
            client, raw, key = sends[at]
            if at == counted:
                relay_cpu, own_cpu = fanout.cpu_seconds(target.pid), process_time()
                started = now
            if at >= counted:
                due_of[key] = due
                behind.append(now - due)
            client.write(raw)
            at += 1
        await asyncio.sleep(0.0005)
    with suppress(TimeoutError):
        async with asyncio.timeout(0 if target.is_full else SETTLE_SECONDS_MAX):
            await all_came.wait()
    ended, is_complete = perf_counter(), not left
    async with asyncio.timeout(60):  # or they would come into the next step
        while left and not target.is_full:  # noqa: ASYNC110 - two things may end it
            await asyncio.sleep(0.01)
    return Step(
        rate,
        count - counted,
        len(late),
        late,
        behind,
        fanout.cpu_seconds(target.pid) - relay_cpu,
        process_time() - own_cpu,
        ended - started,
        is_complete,
        target.is_full,
        p99_ms_max,
    )


@asynccontextmanager
async def _ours(places: Sequence[Sequence[int]]) -> AsyncIterator[Target]:
    made = [
        MadeRoom(f"room {room}", [f"member {number}" for number in members])
        for room, members in enumerate(places)
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        records = ((room.id, [record.raw for record in room.records]) for room in made)
        workload.store_logs(folder, records)
        arguments = ("-m", "syncchat_relay", "--port", "0", "--data-dir", str(folder / "relay"))
        async with fanout.process(*arguments) as (pid, url):
            yield Ours(pid, url, places, made)


@asynccontextmanager
async def _bare(places: Sequence[Sequence[int]]) -> AsyncIterator[Target]:
    async with fanout.process("-c", _BARE) as (pid, url):
        yield Bare(pid, url, places)


def _quantile(values: Sequence[float], part: float) -> float:
    found = sorted(values)
    return found[min(len(found) - 1, int(len(found) * part))]

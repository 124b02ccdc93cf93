"""What it costs to reconnect when nothing has happened."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import syncchat
from syncchat.apps.demo.metered import Meter
from syncchat.ports import SystemClock

from . import workload

NAME = "reconnect"
SUMMARY = (
    "reconnecting a peer whose rooms, of two members each, have all stayed the same: frames and "
    "bytes until it is live again, and time on loopback, beside the same with one room"
)


def run(smoke: bool) -> dict[str, Any]:
    """Return the figures."""
    count, rounds = (20, 2) if smoke else (1_000, 5)
    return asyncio.run(_measure(count, rounds))


async def _measure(count: int, rounds: int) -> dict[str, Any]:
    many: list[tuple[float, Meter]] = []
    one: list[tuple[float, Meter]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with workload.relay_process(folder) as relay, asyncio.timeout(600):
            for which, rooms in (("many", count), ("one", 1)):
                await fill(folder / f"{which}.db", folder / f"{which}-other.db", relay, rooms)
            for _ in range(rounds):
                many.append(await reconnect(folder / "many.db", count))
                one.append(await reconnect(folder / "one.db", 1))
    meter = many[-1][1]
    return {
        "rooms": count,
        "rounds": rounds,
        "frames up": meter.frames_up,
        "frames down": meter.frames_down,
        "bytes up": meter.up,
        "bytes down": meter.down,
        "bytes": meter.up + meter.down,
        "ms": round(statistics.median(seconds for seconds, _ in many) * 1000, 1),
        "ms, one room": round(statistics.median(seconds for seconds, _ in one) * 1000, 1),
    }


async def fill(path: Path, other: Path, relay: str, count: int) -> None:
    """Make rooms of two peers with a message each, which is sent, received and known to be."""
    with syncchat.open(path, name="ann") as ann, syncchat.open(other, name="ben") as ben:
        workload.hurry(ann)
        workload.hurry(ben)
        rooms = [ann.create_room(f"room {number}", relay=relay) for number in range(count)]
        for room, text in zip(rooms, workload.texts(count), strict=True):
            room.send(text)
        theirs = [ben.join(room.invite()) for room in rooms]
        async with ann.online(), ben.online():
            for room in [*rooms, *theirs]:
                await room.synced()
            for room, other_room in zip(rooms, theirs, strict=True):
                await ann._until(partial(_is_delivered, room))
                assert room.digest() == other_room.digest()


def _is_delivered(room: syncchat.Room) -> bool:
    return all(message.status is syncchat.Status.DELIVERED for message in room.messages())


async def reconnect(path: Path, count: int) -> tuple[float, Meter]:
    meter, clock = Meter(), SystemClock()
    with syncchat.open(path, connect=meter.connect) as peer:
        started = clock.monotonic()
        async with peer.online():
            live = [syncchat.Phase.LIVE.value]
            await peer._until(lambda: list(peer.connections.values()) == live)
            seconds = clock.monotonic() - started
            for room in peer.rooms():
                await room.synced()
        assert len(peer.rooms()) == count
    return seconds, meter

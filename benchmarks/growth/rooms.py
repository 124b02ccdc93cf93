"""How starting and reconnecting grow with the rooms of a peer."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from .. import reconnect, workload
from .axis import Axis, Drawn, Found, Way, in_turn

SIZES = (10, 30, 100, 300, 1_000)

_START = """
import json, sys, time
import syncchat; syncchat.open

json.load(sys.stdin)
started = time.process_time()
rooms = syncchat.open(sys.argv[1]).rooms()
print(json.dumps({"start": (time.process_time() - started) * 1000, "rooms": len(rooms)}))
"""


async def _rooms(sizes: Sequence[int], rounds: int) -> list[list[Found]]:
    ways: dict[str, Way] = {}
    with tempfile.TemporaryDirectory() as name:
        async with workload.relay_process(Path(name)) as relay, asyncio.timeout(600):
            for size in sizes:
                path = Path(name) / f"{size}.db"
                await reconnect.fill(path, Path(name) / f"{size}-other.db", relay, size)
                ways[str(size)] = partial(_room_costs, path, size)
            return await in_turn(ways, rounds)


async def _room_costs(path: Path, size: int) -> Found:
    found = await workload.fresh_process(_START, str(path), None)
    assert found["rooms"] == size
    seconds, meter = await reconnect.reconnect(path, size)
    return {
        "start and list, CPU": found["start"],
        "reconnect, nothing new": seconds * 1_000,
        "reconnect: up and down": float(meter.up + meter.down),
    }


AXIS = Axis(
    "rooms",
    "rooms of a peer",
    SIZES,
    (2, 6),
    _rooms,
    (
        Drawn(
            "rooms-time",
            "Starting and reconnecting",
            "milliseconds",
            ("start and list, CPU", "reconnect, nothing new"),
        ),
        Drawn("rooms-bytes", "Reconnecting", "bytes", ("reconnect: up and down",)),
    ),
)

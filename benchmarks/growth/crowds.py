"""How joining grows with the devices that wrote, far beyond the members that a room may have."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from syncchat.trust.records import is_record

from .. import crowd, joining, workload
from .axis import Axis, Drawn, Found, Way, in_turn

SIZES = (250, 1_000, 4_000, 15_751)
EACH = 2
"""Messages of each device."""


async def _crowds(sizes: Sequence[int], rounds: int) -> list[list[Found]]:
    said = workload.varied_texts(EACH * max(sizes))
    ways: dict[str, Way] = {}
    for size in sizes:
        some = [(f"writer {n % size}", text) for n, text in enumerate(said[: EACH * size])]
        room, _ = crowd.room_of(some, crowd.DEVICES_EACH)
        ways[str(size)] = partial(_joined, room, is_smoke=tuple(sizes) == AXIS.smoke)
    return await in_turn(ways, rounds)


async def _joined(room: joining.Room, *, is_smoke: bool) -> Found:
    with tempfile.TemporaryDirectory() as name:
        found = await joining.join(Path(name) / "relay", room, checks=is_smoke)
    return {
        "newest 50 shown, time": found["screen"] * 1_000,
        "newest 50 shown, CPU": found["screen_cpu"] * 1_000,
        "all there, CPU": found["cpu"] * 1_000,
        "records": sum(len(raw) for raw in room.log if is_record(raw)),
        "newest 50 shown": found["screen_down"],
        "all there": found["down"],
        "memory": found["memory"],
    }


AXIS = Axis(
    "crowds",
    f"devices that wrote {EACH} messages each, {crowd.DEVICES_EACH} to a member",
    SIZES,
    (20, 60),
    _crowds,
    (
        Drawn(
            "crowds-time",
            "Joining a crowd",
            "milliseconds",
            ("newest 50 shown, time", "newest 50 shown, CPU", "all there, CPU"),
        ),
        Drawn(
            "crowds-bytes",
            "Joining a crowd",
            "bytes",
            ("records", "newest 50 shown", "all there", "memory"),
        ),
    ),
)

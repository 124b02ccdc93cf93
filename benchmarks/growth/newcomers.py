"""How joining grows with the messages in a room: the first screen, catching up, all of it.

The room is that of ``newcomer`` with snapshots; who joins keeps all, or what is recent.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from .. import joining, little, newcomer, workload
from .axis import Axis, Drawn, Found, Way, in_turn

SIZES = (1_000, 4_000, 16_000, 64_000, 196_000)
SCREEN, ALL = "newest 50 shown", "all there"
LIGHT, DONE = "keeps little: caught up", "keeps little: has what it asks for"


async def _newcomers(sizes: Sequence[int], rounds: int) -> list[list[Found]]:
    said = workload.varied_texts(max(sizes))
    members, is_smoke = (2, True) if tuple(sizes) == AXIS.smoke else (newcomer.MEMBERS, False)
    ways: dict[str, Way] = {}
    for size in sizes:
        room = newcomer.room_of(said[:size], members, is_small=True)
        ways[str(size)] = partial(_joined, room, is_smoke=is_smoke)
    return await in_turn(ways, rounds)


async def _joined(room: joining.Room, *, is_smoke: bool) -> Found:
    with tempfile.TemporaryDirectory() as name:
        whole = await joining.join(Path(name) / "relay", room, checks=is_smoke)
    light = await little.join(room.log, "recent", checks=is_smoke)
    return {
        f"{SCREEN}, time": whole["screen"] * 1_000,
        f"{LIGHT}, time": light["synced"] * 1_000,
        f"{DONE}, time": light["done"] * 1_000,
        f"{ALL}, time": whole["all"] * 1_000,
        SCREEN: whole["screen_cpu"] * 1_000,
        LIGHT: light["synced_cpu"] * 1_000,
        DONE: light["done_cpu"] * 1_000,
        ALL: whole["cpu"] * 1_000,
        f"{SCREEN}, down": whole["screen_down"],
        f"{LIGHT}, down": light["synced_down"],
        f"{DONE}, down": light["down"],
        f"{ALL}, down": whole["down"],
    }


AXIS = Axis(
    "newcomers",
    f"messages in a room by {newcomer.MEMBERS} members, with snapshots",
    SIZES,
    (100, 300),
    _newcomers,
    (
        Drawn(
            "newcomers-time",
            "Joining",
            "milliseconds",
            (f"{SCREEN}, time", f"{LIGHT}, time", f"{DONE}, time", f"{ALL}, time"),
        ),
        Drawn("newcomers-cpu", "Joining", "milliseconds of CPU", (SCREEN, LIGHT, DONE, ALL)),
        Drawn(
            "newcomers-bytes",
            "Joining",
            "bytes down",
            (f"{SCREEN}, down", f"{LIGHT}, down", f"{DONE}, down", f"{ALL}, down"),
        ),
    ),
)

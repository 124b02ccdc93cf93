"""How joining, delivering and changing the key grow with the members of a room."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from itertools import count as counting
from pathlib import Path

import syncchat
from syncchat.apps.demo.metered import Meter
from syncchat.ids import RoomId
from syncchat.ports import SystemClock
from syncchat.wire.invite import INVITE_SECRET_BYTES, InviteKind, InviteLink, encode_invite

from .. import fanout, join, trust, workload
from .axis import Axis, Drawn, Found, Way, in_turn

SIZES = (4, 16, 64, 256, 500)


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
            return await in_turn(ways, rounds)


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


AXIS = Axis(
    "members",
    "members of a room",
    SIZES,
    (2, 6),
    _members,
    (
        Drawn(
            "members-time",
            "Joining, delivering, changing the key",
            "milliseconds",
            ("join", "new key", "CPU of the relay a message"),
        ),
        Drawn(
            "members-bytes",
            "Joining, changing the key",
            "bytes",
            ("join: down", "new key: record"),
        ),
    ),
)

"""How long it takes to come into a large room by a link."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from pathlib import Path
from typing import Any

import nacl.bindings as sodium
from syncchat_relay.log import Append
from syncchat_relay.log.sqlite import SqliteLog

import syncchat
from syncchat.ids import RoomId
from syncchat.ports import SystemClock, SystemRandom
from syncchat.trust.boxes import seal_box
from syncchat.trust.changes import Invite, Role
from syncchat.trust.keys import DeviceKeys
from syncchat.wire.codes import ItemStatus
from syncchat.wire.invite import INVITE_SECRET_BYTES, InviteKind, InviteLink, encode_invite

from . import workload
from .trust import NOW, LargeRoom

NAME = "join"
SUMMARY = (
    "a new person comes into a room of 500 by a link, from connecting until all is synced and the "
    "room's log shows them, beside the bare Ed25519 verifications of that log; loopback, relay of "
    "mode rooms in a process of its own"
)
PUSH = 100


def run(smoke: bool) -> dict[str, Any]:
    """Return the figures."""
    members, rounds = (20, 2) if smoke else (500, 7)
    return asyncio.run(_join(members, rounds))


async def _join(members: int, rounds: int) -> dict[str, Any]:
    clock = SystemClock()
    joined, bare = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        room = LargeRoom(members)
        secret = workload.seeded("join", INVITE_SECRET_BYTES)
        link = InviteLink(RoomId(room.room), "", InviteKind.ROOM, secret, "Large")
        keep(folder / "relay", room, link)
        text = workload.seeded("trust", 200)
        signed = room.owner.sign(text) + text
        async with workload.relay_process(folder) as relay:
            there = InviteLink(link.room_id, relay, link.kind, link.secret, link.title)
            for number in range(rounds):
                started = clock.monotonic()
                for _ in range(3 * members):
                    sodium.crypto_sign_open(signed, room.owner.public)
                bare.append(clock.monotonic() - started)
                with syncchat.open(folder / f"{number}.db", name="newcomer") as peer:
                    found = peer.join(encode_invite(there))
                    started = clock.monotonic()
                    async with peer.online(), asyncio.timeout(60):
                        await found.synced()
                        joined.append(clock.monotonic() - started)
                    assert found.standing == "member"
                    assert len(found.members()) == members + number + 1
    return {
        "members": members,
        "join: s": round(statistics.median(joined), 3),
        "join: slowest s": round(max(joined), 3),
        "bare verifications: s": round(statistics.median(bare), 3),
        "ratio": round(statistics.median(a / b for a, b in zip(joined, bare, strict=True)), 2),
    }


def keep(folder: Path, room: LargeRoom, link: InviteLink) -> None:
    """Put the room's log, and an open invite on top of it, into a relay's database."""
    keys = DeviceKeys(link.seed)
    box = seal_box(keys.box_public, room.key, room.random)
    room.record(Invite(keys.public, keys.box_public, Role.MEMBER, 0, 0, False, 0, box))
    raws = [record.raw for record in room.log]
    folder.mkdir()
    log = SqliteLog(folder, random=SystemRandom(), is_open=False)
    try:
        for start in range(0, len(raws), PUSH):
            some = tuple(raws[start : start + PUSH])
            work = Append(room.room, some, room.owner.public, may_create=True)
            (outcomes,) = log.append([work], now_ms=NOW)
            assert {found.status for found in outcomes} == {ItemStatus.STORED}
    finally:
        log.close()

"""What it costs to say how much is unread in every room, as a list of rooms does."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

import syncchat
from syncchat.core.clock import stamp
from syncchat.core.reader import Change
from syncchat.core.values import MessageValue, Root, encode_value
from syncchat.ids import DeviceId, DeviceKey, MessageId, message_id
from syncchat.ports import SystemClock
from syncchat.storage import chains
from syncchat.storage.view import ViewBatch

from . import workload

NAME = "unread"
SUMMARY = (
    "saying how many messages are unread and how many of them mention oneself, for all rooms at "
    "once and room by room, and marking one room as read; each room has unread messages, a part "
    "of them in threads"
)
WRITER = DeviceId("B" * 13)


def run(smoke: bool) -> dict[str, Any]:
    """Return the figures."""
    rooms, each, rounds = (5, 20, 3) if smoke else (200, 1_000, 25)
    clock = SystemClock()

    def timed(call: Any) -> tuple[float, Any]:
        started = clock.monotonic()
        result = call()
        return (clock.monotonic() - started) * 1000, result

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "peer.db"
        with syncchat.open(path, name="ann") as peer:
            for number in range(rooms):
                _fill(peer, peer.create_room(f"room {number}"), each)
        with syncchat.open(path) as peer:
            at_once, by_room, first = [], [], []
            for _ in range(rounds):
                ms, counts = timed(peer.unread)
                at_once.append(ms)
                assert all(found.messages + found.in_threads == each for found in counts.values())
                found_rooms = peer.rooms()
                ms, unread = timed(lambda here=found_rooms: [room.unread() for room in here])
                by_room.append(ms)
                assert unread == [found.messages for found in counts.values()]
                first.append(timed(found_rooms[0].first_unread)[0])
            marking, _ = timed(peer.rooms()[0].mark_read)
            assert peer.rooms()[0].unread() == 0
    return {
        "rooms": rooms,
        "unread in each": each,
        "rounds": rounds,
        "all rooms at once: ms": round(statistics.median(at_once), 3),
        "all rooms at once: ms, slowest": round(max(at_once), 3),
        "room by room: ms": round(statistics.median(by_room), 3),
        "first unread of a room: ms": round(statistics.median(first), 3),
        "marking a room as read: ms": round(marking, 3),
    }


def _fill(peer: syncchat.Peer, room: syncchat.Room, count: int) -> None:
    """Have somebody write in a room; every fourth message is in a thread, every tenth mentions."""
    changes, root = [], MessageId("")
    for number, text in enumerate(workload.texts(count)):
        at = stamp(1_700_000_000_000 + number * 1_000)
        value = MessageValue(
            text=text,
            thread=root if number % 4 == 3 else None,
            mentions=(peer.id,) if number % 10 == 0 else (),
        )
        if number % 40 == 0:
            root = message_id(at, WRITER)
        changes.append(Change(Root.MESSAGES, at, number, at, encode_value(value), value))
    with peer._db.atomic(durable=False):
        chain = chains.add_chain(peer._db, room._row, WRITER, DeviceKey(bytes(32)))
        batch = ViewBatch(peer._db, room._row, me=peer.device)
        batch.add(chain=chain.id, device=WRITER, volume=0, seq=1, changes=changes)
        batch.flush()

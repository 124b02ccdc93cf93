"""One person in a thousand rooms: what it costs at first, at a start, at rest and on reconnecting.

Each room has four other members, who wrote in turn, each message in an envelope of its own. The
person comes into all of them by their links, starts the program again and comes online again, each
time in a fresh process; the relay is a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from syncchat.core.values import MessageValue

from . import joining, machine, workload
from .made_room import MadeRoom

NAME = "many_rooms"
SUMMARY = (
    "a person in 1,000 rooms of 200 messages: first sync of all (beside as many messages in one "
    "room), a start until all are listed with what is unread, memory and CPU at rest online, and "
    "a reconnect; fresh processes, after imports (nothing is drawn)"
)
ROOMS = 1_000
MESSAGES = 200
WRITERS = 4
IDLE_SECONDS = 20
ROUNDS = 5

_FRAME = """
import asyncio, json, sys, time
import syncchat, syncchat.driver, syncchat.exchange.signals, syncchat.transport.websocket
syncchat.open
from syncchat.apps.demo.metered import Meter

def used(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))

given = json.load(sys.stdin)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the highest mark is set back to what is in use now
before, meter = used("VmRSS"), Meter()
started, cpu = time.perf_counter(), time.process_time()

def passed():
    return {
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - cpu,
        "down": meter.down,
        "up": meter.up,
        "frames_down": meter.frames_down,
        "frames_up": meter.frames_up,
        "now": used("VmRSS") - before,
        "peak": used("VmHWM") - before,
    }
"""
_FIRST = (
    _FRAME
    + """
async def first():
    with syncchat.open(sys.argv[1], name="ann", connect=meter.connect) as peer:
        rooms = [peer.join(link) for link in given["links"]]
        joined = passed()
        async with peer.online(visible=False), asyncio.timeout(given["seconds_max"]):
            for room in rooms:
                await room.synced()
        found = passed() | {"joined": joined["seconds"]}
        counts = {room.count() for room in rooms}
        unread = [each.messages for each in peer.unread().values()]
        last = [room.messages(limit=1)[0].text for room in rooms]
        return found | {"counts": list(counts), "unread": sum(unread), "last": last}

print(json.dumps(asyncio.run(first())))
"""
)
_START = (
    _FRAME
    + """
peer = syncchat.open(sys.argv[1])
unread = peer.unread()
listed = [(room.title, unread[room.id].messages) for room in peer.rooms()]
print(json.dumps(passed() | {"listed": listed}))
"""
)
_AGAIN = (
    _FRAME
    + """
async def again():
    with syncchat.open(sys.argv[1], connect=meter.connect) as peer:
        opened = passed()
        async with peer.online(), asyncio.timeout(600):
            live = [syncchat.Phase.LIVE.value]
            await peer._until(lambda: list(peer.connections.values()) == live)
            found = passed()
            for room in peer.rooms():
                await room.synced()
            await asyncio.sleep(1)
            at_rest = passed()
            await asyncio.sleep(given["idle"])
            idle = passed()
    return found | {
        "seconds": found["seconds"] - opened["seconds"],
        "cpu": found["cpu"] - opened["cpu"],
        "at_rest": at_rest["now"],
        "idle_cpu": idle["cpu"] - at_rest["cpu"],
        "idle_bytes": idle["down"] + idle["up"] - at_rest["down"] - at_rest["up"],
        "whole": idle["down"] + idle["up"],
    }

print(json.dumps(asyncio.run(again())))
"""
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sizes."""
    parser.add_argument("--rooms", type=int, default=ROOMS, metavar="N")
    parser.add_argument("--messages", type=int, default=MESSAGES, metavar="N", help="in each room")
    parser.add_argument(
        "--input", type=Path, metavar="PATH", help="JSON lines, may be .gz; else the bundled chat"
    )


def run(
    smoke: bool, rooms: int = ROOMS, messages: int = MESSAGES, input: Path | None = None
) -> dict[str, Any]:
    """Return the figures; memory comes from /proc, so Linux only."""
    rooms, messages = (10, 20) if smoke else (rooms, messages)
    said = workload.varied_texts(rooms * messages, input)
    return asyncio.run(_measure(rooms, said, messages, 1 if smoke else ROUNDS, is_smoke=smoke))


async def _measure(
    count: int, said: Sequence[str], each: int, rounds: int, *, is_smoke: bool
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writers = [f"writer {number}" for number in range(WRITERS)]
        made = [MadeRoom(f"room {number}", writers) for number in range(count)]
        workload.store_logs(folder, _logs(made, writers, said))
        path = str(folder / "ann.db")
        async with workload.relay_process(folder) as relay:
            given = {"links": [room.link(relay) for room in made], "seconds_max": 60 + len(said)}
            first = await workload.fresh_process(_FIRST, path, given)
            assert first["counts"] == [each]
            assert first["last"] == list(said[each - 1 :: each])
            starts, again = [], []
            for _ in range(rounds):
                starts.append(await workload.fresh_process(_START, path, None))
                idle = {"idle": 1 if is_smoke else IDLE_SECONDS}
                again.append(await workload.fresh_process(_AGAIN, path, idle))
        size = _size(path)
        log = workload.room_log(len(said), batch=1, devices=WRITERS, said=said)
        last = range(max(0, len(said) - joining.SHOWN), len(said))
        newest = [workload.id_in_log(n, batch=1, devices=WRITERS) for n in last]
        one = await joining.join(folder / "one", joining.Room(log, said, newest), checks=is_smoke)
    listed = [(room.name, each) for room in made]
    assert all([tuple(row) for row in start["listed"]] == listed for start in starts)
    return {
        "rooms": count,
        "messages in each": each,
        **_first(first, one, count, len(said)),
        "database bytes per message": round(size / len(said)),
        **_starts(starts),
        **_again(again, count),
    }


def _logs(
    made: Sequence[MadeRoom], writers: Sequence[str], said: Sequence[str]
) -> Iterator[tuple[bytes, list[bytes]]]:
    texts = iter(said)
    each = len(said) // len(made)
    for room in made:
        theirs = [workload.Writer(name, room=room.id, key=room.key) for name in writers]
        log = [record.raw for record in room.records]
        for number, text in enumerate(islice(texts, each)):
            log += theirs[number % len(theirs)].write([(number, MessageValue(text=text))])
        yield room.id, log


def _first(first: dict[str, Any], one: dict[str, Any], count: int, messages: int) -> dict[str, Any]:
    assert first["unread"] == messages
    return {
        "first sync: join all by links, offline, s": round(first["joined"], 2),
        "first sync: until all is there, s": round(first["seconds"] - first["joined"], 2),
        "first sync: ms of CPU per room": round(first["cpu"] / count * 1e3, 2),
        "first sync: messages per second": round(messages / (first["seconds"] - first["joined"])),
        "first sync: bytes down per message": round(first["down"] / messages, 1),
        "first sync: bytes up per room": round(first["up"] / count, 1),
        "first sync: frames up": first["frames_up"],
        "first sync: frames down": first["frames_down"],
        "first sync: memory MB": round(first["peak"] / 1e6, 1),
        "the same in one room: until all is there, s": round(one["all"], 2),
        "first sync: time / the same in one room": round(
            (first["seconds"] - first["joined"]) / one["all"], 2
        ),
        "first sync: CPU / the same in one room": round(first["cpu"] / one["cpu"], 2),
    }


def _starts(starts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "start and list: ms": round(_middle(starts, "seconds") * 1e3, 1),
        "start and list: ms, lowest to highest": machine.range_of(
            [start["seconds"] * 1e3 for start in starts], 1
        ),
        "start and list: ms of CPU": round(_middle(starts, "cpu") * 1e3, 1),
        "start and list: memory MB": round(_middle(starts, "peak") / 1e6, 1),
    }


def _again(again: Sequence[dict[str, Any]], count: int) -> dict[str, Any]:
    return {
        "reconnect: ms until live": round(_middle(again, "seconds") * 1e3, 1),
        "reconnect: ms, lowest to highest": machine.range_of(
            [each["seconds"] * 1e3 for each in again], 1
        ),
        "reconnect: ms of CPU": round(_middle(again, "cpu") * 1e3, 1),
        "reconnect: frames up until live": round(_middle(again, "frames_up")),
        "reconnect: frames down until live": round(_middle(again, "frames_down")),
        "reconnect: bytes up and down until live": round(
            _middle(again, "up") + _middle(again, "down")
        ),
        "reconnect: bytes a room": round(
            (_middle(again, "up") + _middle(again, "down")) / count, 1
        ),
        "at rest, online: memory MB": round(_middle(again, "at_rest") / 1e6, 1),
        "at rest, online: ms of CPU": round(_middle(again, "idle_cpu") * 1e3, 1),
        "at rest, online: bytes up and down": f"{_middle(again, 'idle_bytes'):,.0f}",
    }


def _size(path: str) -> int:
    return Path(path).stat().st_size


def _middle(found: Sequence[dict[str, Any]], name: str) -> float:
    return float(statistics.median(each[name] for each in found))

"""How a newcomer is measured: in a fresh process, from joining until all of a room is there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncchat.ids import MessageId

from . import workload

SHOWN = 50
"""Messages on the first screen."""

_MEASURED = """
import asyncio, hashlib, json, sys, time
import syncchat, syncchat.driver, syncchat.exchange.signals, syncchat.transport.websocket
from syncchat.apps.demo.metered import Meter

def used(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))

async def join(given):
    meter, times, screen = Meter(), {}, given["screen"]
    with syncchat.open(sys.argv[1], name="newcomer", connect=meter.connect) as peer:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the highest mark is set back to what is in use now
        before, started = used("VmRSS"), time.perf_counter()
        cpu = time.process_time()
        room = peer.join(given["link"])

        def seen(what):
            if what not in times:
                times[what] = time.perf_counter() - started
                meter_at[what] = meter.down
                cpu_at[what] = time.process_time() - cpu

        meter_at, cpu_at = {}, {}

        async def watch():
            while "screen" not in times:
                shown = [message.id for message in room.messages(limit=len(screen))]
                if shown:
                    seen("anything")
                if shown and shown[-1] == screen[-1]:
                    seen("newest")
                if shown == screen:
                    seen("screen")
                await asyncio.sleep(0.02)

        async with peer.online(visible=False), asyncio.timeout(given["seconds_max"]):
            watching = asyncio.create_task(watch())
            await room.synced()
            seen("all")
            await watching
        found = {
            "messages": room.count(),
            "cpu": time.process_time() - cpu,
            "down": meter.down,
            "screen_down": meter_at["screen"],
            "screen_cpu": cpu_at["screen"],
            "memory": used("VmHWM") - before,
            "resident": used("VmHWM"),
        }
        found |= times | {"texts": texts(room), "faults": peer.check() if given["checks"] else []}
        return found

def texts(room):
    pages, before = [], None
    while page := room.messages(before=before, limit=1000):
        pages.append("".join(message.text + "\\0" for message in page))
        before = page[0].id
    return hashlib.sha256("".join(reversed(pages)).encode()).hexdigest()

print(json.dumps(asyncio.run(join(json.load(sys.stdin)))))
"""


@dataclass(frozen=True, slots=True)
class Room:
    """Is a room to be joined: its log as a relay has it, and what its members see."""

    log: list[bytes]
    texts: Sequence[str]
    newest: Sequence[MessageId]
    """The ids of the messages of the first screen, in order."""


async def join(folder: Path, room: Room, *, checks: bool) -> dict[str, Any]:
    """Let somebody join a room at a relay of its own; return what was found, already checked."""
    workload.store_log(folder, room.log)
    async with workload.relay_process(folder) as relay:
        given = {
            "link": workload.invite(relay),
            "screen": list(room.newest),
            "seconds_max": 120 + len(room.texts) / 100,
            "checks": checks,
        }
        found = await workload.fresh_process(_MEASURED, f"{folder}/late.db", given)
    assert found["messages"] == len(room.texts), found
    told = "".join(text + "\0" for text in room.texts)
    assert found["texts"] == hashlib.sha256(told.encode()).hexdigest(), found
    assert found["faults"] == [], found
    return found


def figures(found: dict[str, Any], count: int, *, what: str = "") -> dict[str, Any]:
    """Return what a newcomer found as figures, under the name of how the room was kept."""
    lead = f"{what}: " if what else ""
    return {
        f"{lead}anything shown after s": round(found["anything"], 3),
        f"{lead}newest shown after s": round(found["newest"], 3),
        f"{lead}first screen shown after s": round(found["screen"], 3),
        f"{lead}bytes down until then": found["screen_down"],
        f"{lead}all there after s": round(found["all"], 3),
        f"{lead}messages per second": round(count / found["all"]),
        f"{lead}CPU per message µs": round(found["cpu"] / count * 1e6, 1),
        f"{lead}bytes down": found["down"],
        f"{lead}bytes down per message": round(found["down"] / count, 1),
        f"{lead}memory MB": round(found["memory"] / 1e6, 1),
        f"{lead}peak memory of the process, MB": round(found["resident"] / 1e6, 1),
    }

"""Somebody joins a large room with a device that keeps little, and then looks at what is older.

The room is that of ``newcomer`` with snapshots. A fresh process joins, and is done when it has
caught up and has asked for nothing more for a second.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from . import newcomer, workload

NAME = "little"
SUMMARY = (
    "the large room of newcomer, with a device that keeps what is recent and with one that keeps "
    "all: until it has caught up; messages here, bytes down, memory and disk; then older ones on "
    "demand (what the members do is not measured)"
)

_MEASURED = """
import asyncio, json, os, sys, time
import syncchat, syncchat.driver, syncchat.exchange.signals, syncchat.transport.websocket
from syncchat.apps.demo.metered import Meter

def used(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))

async def join(given):
    meter, found = Meter(), {}
    with syncchat.open(sys.argv[1], name="newcomer", connect=meter.connect) as peer:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the highest mark is set back to what is in use now
        before, started = used("VmRSS"), time.perf_counter()
        cpu = time.process_time()
        room = peer.join(given["link"])
        room.keep_history(given["kept"])
        async with peer.online(visible=False), asyncio.timeout(given["seconds_max"]):
            await room.synced()
            found["synced"], down = time.perf_counter() - started, -1
            found["synced_cpu"] = time.process_time() - cpu
            found["synced_down"] = meter.down
            while down != meter.down or time.perf_counter() - changed < 1:
                if down != meter.down:
                    changed, down = time.perf_counter(), meter.down
                    found["done_cpu"] = time.process_time() - cpu
                await asyncio.sleep(0.02)
            found["done"] = changed - started
            found |= {"messages": room.count(), "down": down, "has_older": room.has_older}
            found["memory"] = used("VmHWM") - before
            peer._db.execute("pragma wal_checkpoint(truncate)")
            found["size"] = os.path.getsize(sys.argv[1])
            started = time.perf_counter()
            found["older"] = await room.fetch_older(100)
            found["fetch"] = time.perf_counter() - started
            found["fetched"] = meter.down - down
        found["faults"] = peer.check() if given["checks"] else []
        return found

print(json.dumps(asyncio.run(join(json.load(sys.stdin)))))
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to write, and how much of it."""
    newcomer.add_arguments(parser)


def run(
    smoke: bool, messages: int = newcomer.MESSAGES, input: Path | None = None
) -> dict[str, Any]:
    """Return the figures; memory comes from /proc, so Linux only."""
    count, members = (400, 2) if smoke else (messages, newcomer.MEMBERS)
    said = (row["text"] for row in workload.corpus_rows(input) if row.get("text"))
    texts = list(islice(cycle(list(said)), count))
    return asyncio.run(_measure(texts, members, is_smoke=smoke))


async def _measure(texts: list[str], members: int, *, is_smoke: bool) -> dict[str, Any]:
    figures: dict[str, Any] = {"messages": len(texts), "members": members}
    log = newcomer.log_of(texts, members, is_small=True)
    for kept in ("recent", "all"):
        found = await join(log, kept, checks=is_smoke)
        assert kept == "recent" or found["messages"] == len(texts), found
        figures |= {
            f"{kept}: caught up after s": round(found["synced"], 3),
            f"{kept}: done after s": round(found["done"], 3),
            f"{kept}: messages here": found["messages"],
            f"{kept}: bytes down": found["down"],
            f"{kept}: memory MB": round(found["memory"] / 1e6, 1),
            f"{kept}: database MB": round(found["size"] / 1e6, 1),
        }
        if found["has_older"]:
            figures |= {
                f"{kept}: older fetched": found["older"],
                f"{kept}: those after s": round(found["fetch"], 3),
                f"{kept}: bytes down for those": found["fetched"],
            }
    return figures


async def join(log: list[bytes], kept: str, *, checks: bool) -> dict[str, Any]:
    """Let a device that keeps so much join a room; return what was found."""
    with tempfile.TemporaryDirectory() as name:
        workload.store_log(Path(name) / "relay", log)
        async with workload.relay_process(Path(name) / "relay") as relay:
            given = {
                "link": workload.invite(relay),
                "kept": kept,
                "seconds_max": 600,
                "checks": checks,
            }
            found = await workload.fresh_process(_MEASURED, f"{name}/late.db", given)
    assert found["faults"] == [], found
    return found

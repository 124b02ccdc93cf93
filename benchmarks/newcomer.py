"""Somebody joins a large room: when they see what, and what it takes, with snapshots and without.

The room's log is that of members who each wrote one message at a time. With snapshots it is as it
is in the end: each full volume one envelope, and of the last one what a member would leave loose.
A fresh process joins through a relay in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from syncchat.core.values import MessageValue
from tests.support.room import opening

from . import workload

NAME = "newcomer"
SUMMARY = (
    "a large room by 30 members: until a newcomer shows anything, the newest message, and all of "
    "it; bytes down and memory; with snapshots and without (what the members do is not measured)"
)
MESSAGES = 196_000
MEMBERS = 30
LOOSE = 40
"""Envelopes of each member that no snapshot covers."""

_MEASURED = """
import asyncio, json, sys, time
import syncchat, syncchat.driver, syncchat.exchange.signals, syncchat.transport.websocket
from syncchat.apps.demo.metered import Meter

def used(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))

async def join(given):
    meter, times = Meter(), {}
    with syncchat.open(sys.argv[1], name="newcomer", connect=meter.connect) as peer:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the highest mark is set back to what is in use now
        before, started = used("VmRSS"), time.perf_counter()
        cpu = time.process_time()
        room = peer.join(given["link"])

        async def watch():
            while "newest" not in times:
                shown = room.messages(limit=1)
                if shown and "anything" not in times:
                    times["anything"] = time.perf_counter() - started
                if shown and shown[0].text == given["last"]:
                    times["newest"] = time.perf_counter() - started
                await asyncio.sleep(0.02)

        async with peer.online(visible=False), asyncio.timeout(given["seconds_max"]):
            watching = asyncio.create_task(watch())
            await room.synced()
            times["all"] = time.perf_counter() - started
            await watching
        return times | {
            "messages": room.count(),
            "cpu": time.process_time() - cpu,
            "down": meter.down,
            "memory": used("VmHWM") - before,
            "faults": peer.check() if given["checks"] else [],
            "digest": room.digest(),
        }

print(json.dumps(asyncio.run(join(json.load(sys.stdin)))))
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to write, and how much of it."""
    parser.add_argument("--messages", type=int, default=MESSAGES, metavar="N")
    parser.add_argument(
        "--input", type=Path, metavar="PATH", help="JSON lines, may be .gz; else the bundled chat"
    )


def run(smoke: bool, messages: int = MESSAGES, input: Path | None = None) -> dict[str, Any]:
    """Return the figures; memory comes from /proc, so Linux only."""
    count, members = (400, 2) if smoke else (messages, MEMBERS)
    said = (row["text"] for row in workload.corpus_rows(input) if row.get("text"))
    texts = list(islice(cycle(list(said)), count - 1))
    return asyncio.run(_measure([*texts, "the newest of all"], members, is_smoke=smoke))


async def _measure(texts: Sequence[str], members: int, *, is_smoke: bool) -> dict[str, Any]:
    figures: dict[str, Any] = {"messages": len(texts), "members": members}
    digests = []
    for how, is_small in (("snapshots", True), ("none", False)):
        log = _log(texts, members, is_small=is_small)
        with tempfile.TemporaryDirectory() as name:
            async with workload.relay_process(Path(name)) as relay:
                await workload.push_log(relay, log)
                given = {
                    "link": workload.invite(relay),
                    "last": texts[-1],
                    "seconds_max": 600,
                    "checks": is_smoke,
                }
                found = await workload.fresh_process(_MEASURED, f"{name}/late.db", given)
        assert found["messages"] == len(texts), found
        assert found["faults"] == [], found
        digests.append(found["digest"])
        figures |= {
            f"{how}: anything shown after s": round(found["anything"], 3),
            f"{how}: newest shown after s": round(found["newest"], 3),
            f"{how}: all there after s": round(found["all"], 3),
            f"{how}: messages per second": round(len(texts) / found["all"]),
            f"{how}: CPU per message µs": round(found["cpu"] / len(texts) * 1e6, 1),
            f"{how}: bytes down per message": round(found["down"] / len(texts), 1),
            f"{how}: memory MB": round(found["memory"] / 1e6, 1),
        }
    return figures


def _log(texts: Sequence[str], members: int, *, is_small: bool) -> list[bytes]:
    """Return a room's log; where it is small, snapshots stand for all but the last of each."""
    writers = [workload.Writer(str(number)) for number in range(members)]
    log = opening(writer.keys for writer in writers)
    loose: list[bytes] = []
    for turn, writer in enumerate(writers):
        mine = list(range(turn, len(texts), members))
        for place, number in enumerate(mine):
            raws = writer.write([(number, MessageValue(text=texts[number]))])
            left = len(mine) - place - 1
            if not is_small or left < LOOSE:
                loose += raws
            elif writer.is_full or left == LOOSE:
                log.append(writer.snapshot())
    return log + loose

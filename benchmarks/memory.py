"""How much memory a peer takes while it catches up with a large room."""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import tempfile
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from syncchat.core.values import MessageValue
from tests.support.room import opening

from . import workload

NAME = "memory"
SUMMARY = (
    "by how much a fresh process grows, at most, while it catches up with a large room through a "
    "relay, and a reader of its events beside it, after imports"
)
MESSAGES = 200_000

_MEASURED = """
import asyncio, json, sys
import syncchat, syncchat.driver, syncchat.exchange.signals, syncchat.transport.websocket

def grown(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))

async def catch_up(given):
    with syncchat.open(sys.argv[1], name="reader") as peer:
        room, start = peer.join(given["link"]), peer.cursor
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the highest mark is set back to what is in use now
        before, told = grown("VmRSS"), 0
        if given["listens"]:
            async with peer.online(visible=False), asyncio.timeout(given["seconds_max"]):
                async for event in peer.events(after=start):
                    told += isinstance(event, syncchat.MessageAdded)
                    if told == given["messages"]:
                        break
        else:
            async with peer.online(visible=False), asyncio.timeout(given["seconds_max"]):
                await room.synced()
        return {
            "bytes": grown("VmHWM") - before,
            "messages": room.count(),
            "is_right": room.messages(limit=1)[0].text == given["last"],
        }

print(json.dumps(asyncio.run(catch_up(json.load(sys.stdin)))))
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to write, and how much of it."""
    parser.add_argument("--messages", type=int, default=MESSAGES, metavar="N")
    parser.add_argument(
        "--input", type=Path, metavar="PATH", help="JSON lines, may be .gz; else the bundled chat"
    )


def run(smoke: bool, messages: int = MESSAGES, input: Path | None = None) -> dict[str, Any]:
    """Return the figures; memory comes from /proc, so Linux only."""
    count = 300 if smoke else messages
    return asyncio.run(_measure(count, list(islice(cycle(_texts(input)), count))))


async def _measure(count: int, texts: list[str]) -> dict[str, Any]:
    figures: dict[str, Any] = {"messages": count}
    for how, batch in (("one by one", 1), ("in batches", 100)):
        log = _log(texts, batch)
        with tempfile.TemporaryDirectory() as name:
            async with workload.relay_process(Path(name)) as relay:
                await workload.push_log(relay, log)
                del log
                for what, listens in (("", False), (", events read too", True)):
                    given = {
                        "link": workload.invite(relay),
                        "listens": listens,
                        "messages": count,
                        "last": texts[-1],
                        "seconds_max": 60 + count / 200,
                    }
                    path = Path(name) / f"{batch}{listens}.db"
                    found = await workload.fresh_process(_MEASURED, str(path), given)
                    assert found["messages"] == count
                    assert found["is_right"]
                    figures[f"{how}{what}: memory grown by MB"] = round(found["bytes"] / 1e6, 1)
    return figures


def _log(texts: list[str], batch: int) -> list[bytes]:
    """Return a room's log in which several devices take turns."""
    writers = [workload.Writer(str(number)) for number in range(workload.DEVICES)]
    log = opening(writer.keys for writer in writers)
    for start in range(0, len(texts), batch):
        part = list(enumerate(texts[start : start + batch], start))
        values = [(number, MessageValue(text=text)) for number, text in part]
        log += writers[start // batch % len(writers)].write(values)
    return log


def _texts(path: Path | None) -> Iterator[str]:
    if path is None:
        yield from workload.texts(2_000)
        return
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        for line in file:
            row = json.loads(line)
            if row["kind"] != "system" and row["text"].strip():
                yield row["text"]

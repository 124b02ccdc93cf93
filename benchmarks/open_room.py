"""How long a person waits until a large room shows, in a program that has just started."""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

from . import machine, rivals, workload

NAME = "open_room"
SUMMARY = (
    "time and memory to open a peer's database and read the last 50 messages of a large room in a "
    "fresh process, after imports, beside a bare SQLite table of the texts and, with --against, "
    "documents of the same texts, written by eight devices; nothing is drawn"
)
RIVALS = ("automerge", "loro", "pycrdt", "yjs")
MESSAGES = 100_000
BATCH = 100
"""Messages in an envelope."""
SHOWN = 50
SMALL = 2_000
"""Messages of the small room, to see how much the size matters."""

_MEASURED = """
import json, sys, time
{imports}

def memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

path = sys.argv[1]
before, started, used = memory(), time.perf_counter(), time.process_time()
{work}
seconds, cpu = time.perf_counter() - started, time.process_time() - used
found = {{"ms": seconds * 1000, "cpuMs": cpu * 1000, "bytes": memory() - before, "shown": shown}}
print(json.dumps(found))
"""
_OURS = _MEASURED.format(
    imports="import syncchat; syncchat.open",
    work=f"""
peer = syncchat.open(path)
shown = [message.text for message in peer.rooms()[0].messages(limit={SHOWN})]
""",
)
_BARE = _MEASURED.format(
    imports="import sqlite3",
    work=f"""
db = sqlite3.connect(path)
rows = db.execute("select text from message order by id desc limit {SHOWN}").fetchall()
shown = [text for (text,) in reversed(rows)]
""",
)
Way = Callable[[], Awaitable[dict[str, Any]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the option for other sizes."""
    parser.add_argument("--messages", type=int, default=MESSAGES, metavar="N")


def run(smoke: bool, messages: int = MESSAGES, against: Sequence[str] = ()) -> dict[str, Any]:
    """Return the figures; Linux only, for memory comes from /proc."""
    count, rounds = (SMALL, 2) if smoke else (messages, 5 if against else 9)
    return asyncio.run(_measure(count, rounds, against))


async def _measure(count: int, rounds: int, against: Sequence[str]) -> dict[str, Any]:
    found, skipped = rivals.ready(against, RIVALS)
    said = workload.varied_texts(count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = f"room of {SMALL:,}"
        build_room(folder / small, said[:SMALL])
        build_room(folder / "room", said)
        _build_table(folder / "bare SQLite", said)
        ways: dict[str, Way] = {
            "room": partial(_opened, _OURS, folder / "room", said),
            small: partial(_opened, _OURS, folder / small, said[:SMALL]),
            "bare SQLite": partial(_opened, _BARE, folder / "bare SQLite", said),
        }
        for rival in found:
            path = folder / rival.name
            await rivals.call(rival, "build", str(path), said)
            ways[rival.name] = partial(_opened_by, rival, path, said)
        runs = await machine.in_turn(ways, rounds, warm=1)
        sizes = {way: (folder / way).stat().st_size / count for way in ways if way != small}
    figures: dict[str, Any] = {"messages": count, "rounds": rounds}
    times = {way: [run["ms"] for run in each] for way, each in runs.items()}
    for way, each in times.items():
        figures[f"{way}: ms"] = round(statistics.median(each), 2)
        figures[f"{way}: ms lowest to highest"] = machine.range_of(each, 2)
        cpu = statistics.median(run["cpuMs"] for run in runs[way])
        figures[f"{way}: ms of CPU"] = round(cpu, 2)
        grown = statistics.median(run["bytes"] for run in runs[way])
        figures[f"{way}: MB"] = round(grown / 1e6, 1)
    for way in ways:
        if way not in ("room", small):
            figures[f"time / {way}"] = round(machine.ratio(times["room"], times[way]), 4)
            cpu = machine.ratio(*([run["cpuMs"] for run in runs[each]] for each in ("room", way)))
            figures[f"CPU / {way}"] = round(cpu, 4)
    for way, size in sizes.items():
        figures[f"{way}: file bytes per message"] = round(size, 1)
    return figures | skipped


async def _opened(code: str, path: Path, said: list[str]) -> dict[str, Any]:
    found = await workload.fresh_process(code, str(path), None)
    assert found["shown"] == said[-SHOWN:]
    return found


async def _opened_by(rival: rivals.Rival, path: Path, said: list[str]) -> dict[str, Any]:
    found = await rivals.call(rival, "open", str(path), None)
    assert found["shown"] == said[-SHOWN:], rival.name
    return found


def build_room(path: Path, said: list[str]) -> float:
    """Fill a database by receiving what others wrote, in batches; return the seconds of CPU."""
    portions = list(workload.deliveries(workload.room_log(len(said), batch=BATCH, said=said)))
    with workload.reader(path) as reader:
        started = process_time()
        for portion in portions:
            reader.receive(portion)
        seconds = process_time() - started
        assert reader.room.count() == len(said)
    return seconds


def _build_table(path: Path, said: list[str]) -> None:
    db = sqlite3.connect(path)
    db.execute("create table message (id integer primary key, text text)")
    db.executemany("insert into message (text) values (?)", [(text,) for text in said])
    db.commit()
    db.close()

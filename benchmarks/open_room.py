"""How long a person waits until a large room shows, in a program that has just started."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from pathlib import Path
from typing import Any

from pycrdt import Doc, Map

from . import workload

NAME = "open_room"
SUMMARY = (
    "time and memory to open a peer's database and read the last 50 messages of a large room in a "
    "fresh process, after imports, beside one pycrdt Doc with the same texts in a Map by their "
    "order (an Array of so many is quadratic to build); nothing is drawn"
)
MESSAGES = 100_000
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
before, started = memory(), time.perf_counter()
{work}
seconds, grown = time.perf_counter() - started, memory() - before
is_right = shown == json.load(sys.stdin)
print(json.dumps({{"ms": seconds * 1000, "bytes": grown, "is_right": is_right}}))
"""
_OURS = _MEASURED.format(
    imports="import syncchat; syncchat.open",
    work=f"""
peer = syncchat.open(path)
shown = [message.text for message in peer.rooms()[0].messages(limit={SHOWN})]
""",
)
_DOC = _MEASURED.format(
    imports="from pycrdt import Doc, Map",
    work=f"""
doc = Doc()
messages = doc.get("messages", type=Map)
with open(path, "rb") as file:
    doc.apply_update(file.read())
shown = [messages[key] for key in sorted(messages.keys())[-{SHOWN}:]]
""",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the option for other sizes."""
    parser.add_argument("--messages", type=int, default=MESSAGES, metavar="N")


def run(smoke: bool, messages: int = MESSAGES) -> dict[str, Any]:
    """Return the figures; Linux only, for memory comes from /proc."""
    count, rounds = (SMALL, 2) if smoke else (messages, 9)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _build_room(folder / "small.db", SMALL)
        _build_room(folder / "large.db", count)
        _build_doc(folder / "doc", count)
        ways = {
            "room": (_OURS, folder / "large.db", count),
            f"room of {SMALL:,}": (_OURS, folder / "small.db", SMALL),
            "pycrdt Doc": (_DOC, folder / "doc", count),
        }
        found = asyncio.run(_measure(ways, rounds))
        sizes = {
            "room: database bytes per message": (folder / "large.db").stat().st_size / count,
            "pycrdt Doc: bytes per message": (folder / "doc").stat().st_size / count,
        }
    figures: dict[str, Any] = {"messages": count, "rounds": rounds}
    for way, runs in found.items():
        times = sorted(run["ms"] for run in runs)
        figures[f"{way}: ms"] = round(statistics.median(times), 2)
        figures[f"{way}: ms lowest to highest"] = f"{times[0]:.2f} to {times[-1]:.2f}"
        figures[f"{way}: MB"] = round(statistics.median(run["bytes"] for run in runs) / 1e6, 1)
    ratios = [a["ms"] / b["ms"] for a, b in zip(found["room"], found["pycrdt Doc"], strict=True)]
    figures["time / pycrdt Doc"] = round(statistics.median(ratios), 4)
    return figures | {what: round(size, 1) for what, size in sizes.items()}


async def _measure(
    ways: dict[str, tuple[str, Path, int]], rounds: int
) -> dict[str, list[dict[str, float]]]:
    """Run every way in turn; the first round only warms the file cache."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way, (code, path, count) in ways.items():
            result = await workload.fresh_process(code, str(path), workload.texts(count)[-SHOWN:])
            assert result["is_right"], way
            if number:
                found[way].append(result)
    return found


def _build_room(path: Path, count: int) -> None:
    """Fill a database by receiving what others wrote, in batches."""
    with workload.reader(path) as reader:
        for portion in workload.deliveries(workload.room_log(count, batch=100)):
            reader.receive(portion)
        assert reader.room.count() == count


def _build_doc(path: Path, count: int) -> None:
    doc: Doc[Any] = Doc()
    messages: Map[str] = doc.get("messages", type=Map)
    with doc.transaction():
        for number, text in enumerate(workload.texts(count)):
            messages[f"{number:013}"] = text
    path.write_bytes(doc.get_update())

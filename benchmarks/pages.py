"""How fast any page of a very large room is."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from itertools import count as numbers
from pathlib import Path
from typing import Any

from syncchat.core.values import MessageValue
from tests.support.room import opening

from . import workload

NAME = "pages"
SUMMARY = (
    "time for a page of 50 messages at any place of a very large room, in a fresh process: the "
    "page before an id, the page after it, and the window around it; beside bare SQLite that reads "
    "50 rows by a key at the same places"
)
MESSAGES = 1_000_000
SHOWN = 50

_MEASURED = """
import json, sqlite3, sys, time
import syncchat

given = json.load(sys.stdin)
peer = syncchat.open(sys.argv[1])
room = peer.rooms()[0]
bare = sqlite3.connect(sys.argv[1])
row = room._row
seconds = {"before": [], "after": [], "window": [], "bare": []}

def timed(what, call):
    started = time.perf_counter()
    found = call()
    seconds[what].append(time.perf_counter() - started)
    return found

def read(place):
    return bare.execute(
        "select message, value from message where room = ? and message >= ? "
        "order by message limit 50", (row, place)).fetchall()

is_right = True
for place in given["places"]:
    before = timed("before", lambda: room.messages(before=place, limit=50))
    after = timed("after", lambda: room.messages(after=place, limit=50))
    window = timed("window", lambda: room.window(place, before=25, after=24))
    rows = timed("bare", lambda: read(place))
    shown = [*before[-25:], window[25], *after[:24]]
    is_right = is_right and window == shown and rows[0][0] == place
found = {"is_right": is_right}
for what, each in seconds.items():
    each = sorted(each)
    found[f"{what} p50"] = each[len(each) // 2] * 1000
    found[f"{what} p95"] = each[len(each) * 95 // 100] * 1000
    found[f"{what} max"] = each[-1] * 1000
print(json.dumps(found))
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the option for other sizes."""
    parser.add_argument("--messages", type=int, default=MESSAGES, metavar="N")


def run(smoke: bool, messages: int = MESSAGES) -> dict[str, Any]:
    """Return the figures."""
    count, places = (400, 5) if smoke else (messages, 500)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "large.db"
        ids = _build(path, count)
        middle = ids[SHOWN:-SHOWN]
        picked = [middle[len(middle) * each // places] for each in range(places)]
        found = asyncio.run(workload.fresh_process(_MEASURED, str(path), {"places": picked}))
    assert found.pop("is_right"), "a page is not what it should be"
    return {"messages": count, "places": places} | {
        f"{what}: ms": round(figure, 3) for what, figure in found.items()
    }


def _build(path: Path, count: int) -> list[str]:
    """Fill a database by receiving what others wrote, in batches; return all ids, in order."""
    writers = [workload.Writer(str(number)) for number in range(workload.DEVICES)]
    texts = workload.texts(2_000)
    ids: list[str] = []
    with workload.reader(path) as reader:
        log = opening(writer.keys for writer in writers)
        for start, turn in zip(range(0, count, 100), numbers(), strict=False):
            writer = writers[turn % len(writers)]
            part = range(start, min(start + 100, count))
            ids += [writer.id_of(number) for number in part]
            said = [(n, MessageValue(text=f"{texts[n % 2_000]} {n}")) for n in part]
            log += writer.write(said)
            if len(log) > 2_000 or part[-1] == count - 1:
                for portion in workload.deliveries(log):
                    reader.receive(portion)
                log = []
        assert reader.room.count() == count
    return ids

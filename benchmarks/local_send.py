"""What a durable local send costs."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from itertools import count as counting
from pathlib import Path
from typing import Any

import syncchat
from syncchat.core.values import MessageValue, encode_value
from syncchat.ports import SystemClock

from . import machine, rivals, workload

NAME = "local_send"
SUMMARY = (
    "durable room.send of chat messages, offline, beside a bare SQLite loop of INSERT and COMMIT "
    "of the same values with the same durability and, with --against, stores of updates; nothing "
    "is sealed or sent"
)
RIVALS = ("pycrdt",)

Way = Callable[[], Awaitable[list[float]]]


def run(smoke: bool, against: Sequence[str] = ()) -> dict[str, Any]:
    """Return the figures."""
    count, rounds = (30, 4) if smoke else (500, 6 if against else 12)
    return asyncio.run(_measure(count, rounds, against))


async def _measure(count: int, rounds: int, against: Sequence[str]) -> dict[str, Any]:
    found, skipped = rivals.ready(against, RIVALS)
    said = workload.texts(count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = _bare_database(folder / "bare.db")
        with syncchat.open(folder / "peer.db", name="writer") as peer:
            room = peer.create_room("benchmark")

            async def ours() -> list[float]:
                return _send(room, said)

            async def bare() -> list[float]:
                return _write_bare(db, said)

            ways: dict[str, Way] = {"ours": ours, "bare": bare}
            ways |= {rival.name: _storing(rival, folder, said) for rival in found}
            times = await machine.in_turn(ways, rounds)
            assert room.count() == count * rounds
            shown = [message.text for message in room.messages(limit=count)]
            assert shown == said
        assert db.execute("select count(*) from message").fetchone() == (count * rounds,)
        db.close()
    seconds = {way: [sum(each) for each in runs] for way, runs in times.items()}
    speeds = [b / a for a, b in zip(seconds["ours"], seconds["bare"], strict=True)]
    figures: dict[str, Any] = {
        "messages per round": count,
        "rounds": rounds,
        "sends per second": round(count / statistics.median(seconds["ours"])),
        "bare commits per second": round(count / statistics.median(seconds["bare"])),
        "speed / bare": round(statistics.median(speeds), 3),
        "speed / bare, lowest to highest": machine.range_of(speeds),
    }
    for rival in found:
        theirs = seconds[rival.name]
        figures |= {
            f"{rival.name}: stores per second": round(count / statistics.median(theirs)),
            f"speed / {rival.name}": round(machine.ratio(theirs, seconds["ours"]), 3),
        }
    for way, runs in times.items():
        every = sorted(time for each in runs for time in each)
        what = "send" if way == "ours" else way
        figures[f"{what} median ms"] = round(statistics.median(every) * 1000, 3)
        figures[f"{what} p99 ms"] = round(every[int(len(every) * 0.99)] * 1000, 3)
    return figures | skipped


def _storing(rival: rivals.Rival, folder: Path, said: list[str]) -> Way:
    """Return a way that stores the texts in a new file of the rival's."""
    turns = counting()

    async def store() -> list[float]:
        path = folder / f"{rival.name}-{next(turns)}.db"
        found = await rivals.call(rival, "store", str(path), said)
        assert found["is_right"], rival.name
        times: list[float] = found["times"]
        return times

    return store


def _send(room: syncchat.Room, said: list[str]) -> list[float]:
    clock = SystemClock()
    times = []
    for text in said:
        started = clock.monotonic()
        room.send(text)
        times.append(clock.monotonic() - started)
    return times


def _bare_database(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = full")
    db.execute("create table message (id integer primary key, value text)")
    return db


def _write_bare(db: sqlite3.Connection, said: list[str]) -> list[float]:
    clock = SystemClock()
    times = []
    for text in said:
        started = clock.monotonic()
        db.execute("begin immediate")
        db.execute(
            "insert into message (value) values (?)", (encode_value(MessageValue(text=text)),)
        )
        db.execute("commit")
        times.append(clock.monotonic() - started)
    return times

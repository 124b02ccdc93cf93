"""How fast a peer catches up: from delivered envelopes to rows that can be read."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from itertools import count as counting
from pathlib import Path
from typing import Any

import syncchat
from syncchat.apps.demo.metered import Meter
from syncchat.ports import SystemClock
from syncchat.storage.database import CACHE_KIB

from . import machine, rivals, workload
from .rivals.driver import Watch

NAME = "catchup"
SUMMARY = (
    "messages caught up per second, verified, opened, strictly read and folded, beside bare SQLite "
    "inserts of the same envelopes and texts; searchable, at first by looking at each, not "
    "indexed; then through a relay until shown, beside a bare relay that keeps texts in memory "
    "and, with --against, documents and their servers, whose clients keep nothing on disk"
)
RIVALS = ("automerge", "hocuspocus", "pycrdt", "yjs")
BATCH = 100
"""Messages in an envelope of somebody who wrote offline."""
SHOWN = 50


def run(smoke: bool, against: Sequence[str] = ()) -> dict[str, Any]:
    """Return the figures."""
    count, rounds = (400, 2) if smoke else (10_000, 5)
    figures: dict[str, Any] = {"messages": count, "devices": workload.DEVICES}
    said = workload.varied_texts(count)
    logs = {
        "one by one": workload.room_log(count, batch=1, said=said),
        "in batches": workload.room_log(count, batch=BATCH, said=said),
    }
    for how, log in logs.items():
        figures |= _direct(how, said, log, rounds)
    return figures | asyncio.run(_through_relays(said, logs, 1 if smoke else rounds, against))


def _direct(how: str, said: list[str], log: list[bytes], rounds: int) -> dict[str, Any]:
    count = len(said)
    portions = list(workload.deliveries(log))
    per_portion = -(-count // len(portions))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        turn = iter(range(2 * rounds + 2))
        seconds: dict[str, list[float]] = {"ours": [], "bare": []}
        clock = SystemClock()

        def ours() -> None:
            with workload.reader(folder / f"{next(turn)}.db") as reader:
                started = clock.monotonic()
                for portion in portions:
                    reader.receive(portion)
                seconds["ours"].append(clock.monotonic() - started)
                _check(reader.room, count, said)

        def bare() -> None:
            db = sqlite3.connect(folder / f"{next(turn)}.db", isolation_level=None)
            db.execute("pragma journal_mode = wal")
            db.execute("pragma synchronous = normal")
            db.execute(f"pragma cache_size = -{CACHE_KIB}")
            db.execute("create table envelope (raw blob)")
            db.execute("create table message (id text primary key, text text)")
            started = clock.monotonic()
            for number, portion in enumerate(portions):
                start = number * per_portion
                db.execute("begin")
                db.executemany("insert into envelope values (?)", [(raw,) for raw in portion])
                db.executemany(
                    "insert into message values (?, ?)",
                    [
                        (f"{start + each:026}", text)
                        for each, text in enumerate(said[start : start + per_portion])
                    ],
                )
                db.execute("commit")
            seconds["bare"].append(clock.monotonic() - started)
            assert db.execute("select count(*) from message").fetchone() == (count,)
            db.close()

        machine.alternate(ours, bare, rounds)
    rates = [count / each for each in seconds["ours"][1:]]
    ratio = statistics.median(
        a / b for a, b in zip(seconds["ours"][1:], seconds["bare"][1:], strict=True)
    )
    return {
        f"{how}: envelopes": len(log),
        f"{how}: bytes per message": round(sum(map(len, log)) / count, 1),
        f"{how}: messages per second": round(statistics.median(rates)),
        f"{how}: lowest": round(min(rates)),
        f"{how}: highest": round(max(rates)),
        f"{how}: time / bare inserts": round(ratio, 2),
    }


async def _through_relays(
    said: list[str], logs: dict[str, list[bytes]], rounds: int, against: Sequence[str]
) -> dict[str, Any]:
    """Let newcomers catch up in turn, each way with a relay that has been there all the time."""
    found, skipped = rivals.ready(against, RIVALS)
    ways: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {}
    with tempfile.TemporaryDirectory() as name:
        async with AsyncExitStack() as stack:
            for how, log in logs.items():
                folder = Path(name) / how
                folder.mkdir()
                relay = await stack.enter_async_context(workload.relay_process(folder))
                await workload.push_log(relay, log)
                ways[how] = _joining(folder, relay, said)
            for rival in (rivals.BARE, *found):
                folder = Path(name) / rival.name
                folder.mkdir()
                _, url = await stack.enter_async_context(rivals.serving(rival, folder))
                filled = await rivals.call(rival, "fill", url, said)
                ways[rival.name] = _catching_up(rival, url, said, filled)
            runs = await machine.in_turn(ways, rounds, warm=int(rounds > 1))
    figures: dict[str, Any] = {}
    times = {way: [each["seconds"] for each in rows] for way, rows in runs.items()}
    for way, seconds in times.items():
        rates = [len(said) / each for each in seconds]
        what = f"{way}, through a relay"
        figures[f"{what}: messages per second"] = round(statistics.median(rates))
        figures[f"{what}: lowest to highest"] = machine.range_of(rates, 0)
        cpu = statistics.median(each["cpu"] for each in runs[way]) / len(said)
        figures[f"{what}: µs of CPU per message, at the peer"] = round(cpu * 1e6, 1)
        down = statistics.median(each["down"] for each in runs[way]) / len(said)
        figures[f"{what}: bytes down per message"] = round(down, 1)
    for rival in (rivals.BARE, *found):
        for how in logs:
            ratio = machine.ratio(times[how], times[rival.name])
            figures[f"{how}: time / {rival.name}"] = round(ratio, 2)
            both = ([each["cpu"] for each in runs[way]] for way in (how, rival.name))
            figures[f"{how}: CPU / {rival.name}"] = round(machine.ratio(*both), 2)
    return figures | skipped


def _joining(folder: Path, relay: str, said: list[str]) -> Callable[[], Awaitable[dict[str, Any]]]:
    turns = counting()

    async def join() -> dict[str, Any]:
        meter = Meter()
        path = folder / f"{next(turns)}.db"
        with syncchat.open(path, name="reader", connect=meter.connect) as peer:
            room = peer.join(workload.invite(relay))
            watch = Watch()
            async with peer.online(), asyncio.timeout(60):
                await room.synced()
                shown = [message.text for message in room.messages(limit=SHOWN)]
                took = watch.read()
            assert shown == said[-SHOWN:]
            _check(room, len(said), said)
        return took | {"down": meter.down}

    return join


def _catching_up(
    rival: rivals.Rival, url: str, said: list[str], filled: dict[str, Any]
) -> Callable[[], Awaitable[dict[str, Any]]]:
    async def catch_up() -> dict[str, Any]:
        found = await rivals.call(rival, "catchup", url, {"count": len(said), **filled})
        assert found["count"] == len(said), rival.name
        assert found["shown"] == said[-SHOWN:], rival.name
        return found

    return catch_up


def _check(room: syncchat.Room, count: int, said: list[str]) -> None:
    """Assert that the room shows what was written."""
    assert room.count() == count
    shown = [message.text for message in room.messages(limit=min(count, 1_000))]
    assert shown == said[-len(shown) :]

"""How fast a peer catches up: from delivered envelopes to rows that can be read."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
from pathlib import Path
from typing import Any

import syncchat
from syncchat.apps.demo.metered import Meter
from syncchat.ports import SystemClock
from syncchat.storage.database import CACHE_KIB

from . import machine, workload

NAME = "catchup"
SUMMARY = (
    "messages caught up per second, verified, opened, strictly read and folded, beside bare SQLite "
    "inserts of the same envelopes and texts; searchable, at first by looking at each, not indexed"
)
BATCH = 100
"""Messages in an envelope of somebody who wrote offline."""


def run(smoke: bool) -> dict[str, Any]:
    """Return the figures."""
    count, rounds = (400, 2) if smoke else (10_000, 5)
    figures: dict[str, Any] = {"messages": count, "devices": workload.DEVICES}
    for how, batch in (("one by one", 1), ("in batches", BATCH)):
        log = workload.room_log(count, batch=batch)
        figures |= _direct(how, count, log, rounds)
        figures |= asyncio.run(_through_relay(how, count, log, 1 if smoke else 3))
    return figures


def _direct(how: str, count: int, log: list[bytes], rounds: int) -> dict[str, Any]:
    portions = list(workload.deliveries(log))
    said = workload.texts(count)
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


async def _through_relay(how: str, count: int, log: list[bytes], rounds: int) -> dict[str, Any]:
    clock = SystemClock()
    said = workload.texts(count)
    rates: list[float] = []
    meter = Meter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with workload.relay_process(folder) as relay:
            await workload.push_log(relay, log)
            for number in range(rounds):
                meter = Meter()
                path = folder / f"{number}.db"
                with syncchat.open(path, name="reader", connect=meter.connect) as peer:
                    room = peer.join(workload.invite(relay))
                    started = clock.monotonic()
                    async with peer.online(), asyncio.timeout(60):
                        await room.synced()
                        rates.append(count / (clock.monotonic() - started))
                    _check(room, count, said)
    return {
        f"{how}, through a relay: messages per second": round(statistics.median(rates)),
        f"{how}, through a relay: lowest": round(min(rates)),
        f"{how}, through a relay: bytes down per message": round(meter.down / count, 1),
    }


def _check(room: syncchat.Room, count: int, said: list[str]) -> None:
    """Assert that the room shows what was written."""
    assert room.count() == count
    shown = [message.text for message in room.messages(limit=min(count, 1_000))]
    assert shown == said[-len(shown) :]

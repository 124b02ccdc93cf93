"""What a durable local send costs."""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
from pathlib import Path
from typing import Any

import syncchat
from syncchat.core.values import MessageValue, encode_value
from syncchat.ports import SystemClock

from . import workload

NAME = "local_send"
SUMMARY = (
    "durable room.send of chat messages, offline, beside a bare SQLite loop of INSERT and COMMIT "
    "of the same values with the same durability; nothing is sealed or sent"
)


def run(smoke: bool) -> dict[str, Any]:
    """Return the figures."""
    count, rounds = (30, 4) if smoke else (500, 12)
    said = workload.texts(count)
    ours: list[list[float]] = []
    bare: list[list[float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = _bare_database(folder / "bare.db")
        with syncchat.open(folder / "peer.db", name="writer") as peer:
            room = peer.create_room("benchmark")
            for number in range(rounds):
                for is_bare in (False, True) if number % 2 == 0 else (True, False):
                    if is_bare:
                        bare.append(_write_bare(db, said))
                    else:
                        ours.append(_send(room, said))
            assert room.count() == count * rounds
            shown = [message.text for message in room.messages(limit=count)]
            assert shown == said
        assert db.execute("select count(*) from message").fetchone() == (count * rounds,)
        db.close()
    every = sorted(time for times in ours for time in times)
    every_bare = sorted(time for times in bare for time in times)
    speeds = [sum(b) / sum(a) for a, b in zip(ours, bare, strict=True)]
    return {
        "messages per round": count,
        "rounds": rounds,
        "sends per second": round(count / statistics.median(map(sum, ours))),
        "bare commits per second": round(count / statistics.median(map(sum, bare))),
        "speed / bare": round(statistics.median(speeds), 3),
        "speed / bare, lowest to highest": f"{min(speeds):.3f} to {max(speeds):.3f}",
        "send median ms": round(statistics.median(every) * 1000, 3),
        "send p99 ms": round(every[int(len(every) * 0.99)] * 1000, 3),
        "bare median ms": round(statistics.median(every_bare) * 1000, 3),
        "bare p99 ms": round(every_bare[int(len(every_bare) * 0.99)] * 1000, 3),
    }


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

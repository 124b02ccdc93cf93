"""How long it takes until others have what was written offline, and what it costs on the wire."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from itertools import count as counting
from pathlib import Path
from typing import Any

import syncchat
from syncchat.apps.demo.metered import Meter

from . import machine, rivals, workload
from .rivals.driver import Watch

NAME = "offline_queue"
SUMMARY = (
    "from reconnecting with messages written offline until another peer, which is online, shows "
    "them all: seconds, bytes on the wire, and at rest at the relay, once it is closed; beside a "
    "bare relay that keeps texts in memory and, with --against, documents and their servers; "
    "loopback, relays in processes of their own, both peers in one"
)
RIVALS = ("automerge", "hocuspocus", "pycrdt", "yjs")


def run(smoke: bool, against: Sequence[str] = ()) -> dict[str, Any]:
    """Return the figures."""
    count, rounds = (50, 2) if smoke else (1_000, 5 if against else 7)
    return asyncio.run(_measure(count, rounds, against))


async def _measure(count: int, rounds: int, against: Sequence[str]) -> dict[str, Any]:
    found, skipped = rivals.ready(against, RIVALS)
    said = workload.texts(count)
    text_bytes = sum(len(text.encode()) for text in said)
    with tempfile.TemporaryDirectory() as name:
        ways = {"ours": _ours(Path(name), said)}
        ways |= {rival.name: _theirs(rival, Path(name), said) for rival in (rivals.BARE, *found)}
        runs = await machine.in_turn(ways, rounds)
    figures: dict[str, Any] = {"messages": count, "rounds": rounds, "bytes of text": text_bytes}
    times = {way: [each["seconds"] for each in rows] for way, rows in runs.items()}
    used = {way: [each["cpu"] for each in rows] for way, rows in runs.items()}
    for way, rows in runs.items():
        figures[f"{way}: seconds"] = round(statistics.median(times[way]), 4)
        figures[f"{way}: seconds, lowest to highest"] = machine.range_of(times[way], 4)
        figures[f"{way}: ms of CPU, both peers"] = round(statistics.median(used[way]) * 1000, 1)
        if way != "ours":
            figures[f"time / {way}"] = round(machine.ratio(times["ours"], times[way]), 2)
            figures[f"CPU / {way}"] = round(machine.ratio(used["ours"], used[way]), 2)
        for what in ("up", "down"):
            size = statistics.median(each[what] for each in rows)
            figures[f"{way}: bytes {what}"] = round(size)
        figures[f"{way}: bytes up / bytes of text"] = round(
            figures[f"{way}: bytes up"] / text_bytes, 3
        )
        if way != rivals.BARE.name:
            at_rest = statistics.median(each["at_rest"] for each in rows)
            figures[f"{way}: bytes at rest"] = round(at_rest)
    return figures | skipped


def _ours(folder: Path, said: list[str]) -> Callable[[], Awaitable[dict[str, Any]]]:
    turns = counting()

    async def reconnect() -> dict[str, Any]:
        own = folder / f"ours-{next(turns)}"
        (own / "relay").mkdir(parents=True)
        found = await _reconnect(own, said)
        return found | {"at_rest": _size(own / "relay")}

    return reconnect


def _theirs(
    rival: rivals.Rival, folder: Path, said: list[str]
) -> Callable[[], Awaitable[dict[str, Any]]]:
    turns = counting()

    async def reconnect() -> dict[str, Any]:
        own = folder / f"{rival.name}-{next(turns)}"
        own.mkdir()
        async with rivals.serving(rival, own) as (_, url):
            found = await rivals.call(rival, "offline", url, said)
            assert found["isRight"], rival.name
        return found | {"at_rest": _size(own)}

    return reconnect


async def _reconnect(folder: Path, said: list[str]) -> dict[str, Any]:
    writing, reading = Meter(), Meter()
    async with workload.relay_process(folder / "relay") as relay:
        with (
            syncchat.open(folder / "a.db", name="ann", connect=writing.connect) as ann,
            syncchat.open(folder / "b.db", name="ben", connect=reading.connect) as ben,
        ):
            mine = ann.create_room("benchmark", relay=relay)
            theirs = ben.join(mine.invite())
            async with asyncio.timeout(60), ben.online():
                async with ann.online():
                    await mine.synced()
                await theirs.synced()
                for text in said:
                    mine.send(text)
                writing.up = reading.down = 0
                watch = Watch()
                async with ann.online():
                    await ben._until(lambda: theirs.count() >= len(said))
                    took = watch.read()
                    await mine.synced()
            assert [m.text for m in theirs.messages(limit=len(said))] == said
            assert mine.digest() == theirs.digest()
    return took | {"up": writing.up, "down": reading.down}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("**/*") if path.is_file())

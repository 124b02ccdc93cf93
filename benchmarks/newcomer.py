"""Somebody joins a large room: when they see what, and what it takes, with snapshots and without.

The room's log is that of members who each wrote one message at a time. With snapshots it is as it
is in the end: each full volume one envelope, and of the last one what a member would leave loose.
What is loose stands in the log as it was written, one member after the other.
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

from . import joining, workload

NAME = "newcomer"
SUMMARY = (
    "a large room by 30 members: until a newcomer shows anything, the newest message, the newest "
    "50, and all of it; bytes down, CPU and memory; with snapshots and without (what the members "
    "do is not measured)"
)
MESSAGES = 196_000
MEMBERS = 30
LOOSE = 40
"""Envelopes of each member that no snapshot covers."""


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
    for how, is_small in (("snapshots", True), ("none", False)):
        room = room_of(texts, members, is_small=is_small)
        with tempfile.TemporaryDirectory() as name:
            found = await joining.join(Path(name) / "relay", room, checks=is_smoke)
        figures |= joining.figures(found, len(texts), what=how)
    return figures


def room_of(texts: Sequence[str], members: int, *, is_small: bool) -> joining.Room:
    """Return a room of messages by members in turn; see ``log_of``."""
    writers = [workload.Writer(str(number)) for number in range(members)]
    last = range(max(0, len(texts) - joining.SHOWN), len(texts))
    newest = [writers[number % members].id_of(number) for number in last]
    return joining.Room(log_of(texts, members, is_small=is_small), texts, newest)


def log_of(texts: Sequence[str], members: int, *, is_small: bool) -> list[bytes]:
    """Return a room's log; where it is small, snapshots stand for all but the last of each."""
    writers = [workload.Writer(str(number)) for number in range(members)]
    log = opening(writer.keys for writer in writers)
    loose: list[tuple[int, bytes]] = []
    for turn, writer in enumerate(writers):
        mine = list(range(turn, len(texts), members))
        for place, number in enumerate(mine):
            raws = writer.write([(number, MessageValue(text=texts[number]))])
            left = len(mine) - place - 1
            if not is_small or left < LOOSE:
                loose += [(number, raw) for raw in raws]
            elif writer.is_full or left == LOOSE:
                log.append(writer.snapshot())
    loose.sort(key=lambda each: each[0])
    return log + [raw for _, raw in loose]

"""A whole public channel as one room: everybody of the corpus with a device of their own.

A room has at most 1,000 members, so sixteen writers are the devices of one person. Each person
comes in where the first of them writes. Nobody writes enough for a snapshot, so a newcomer gets
every message in an envelope of its own, and every chain and person once.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from syncchat.core.values import MessageValue
from syncchat.ids import MessageId
from tests.support.room import RECORDS, join

from . import joining, workload

NAME = "crowd"
SUMMARY = (
    "a room in which each of the corpus' thousands of writers has a device, sixteen to a member: "
    "until a newcomer shows anything, the newest 50 and all of it; bytes down, CPU and memory (the "
    "log is written straight to the relay: what the writers do is not measured)"
)
DEVICES_EACH = 16
"""The least with which the corpus' 15,756 names stay below 1,000 members."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to write, and by how many."""
    parser.add_argument("--messages", type=int, metavar="N", help="at most so many; else all")
    parser.add_argument("--devices-each", type=int, default=DEVICES_EACH, metavar="N")
    parser.add_argument(
        "--input", type=Path, metavar="PATH", help="JSON lines, may be .gz; else the bundled chat"
    )


def run(
    smoke: bool,
    messages: int | None = None,
    devices_each: int = DEVICES_EACH,
    input: Path | None = None,
) -> dict[str, Any]:
    """Return the figures; memory comes from /proc, so Linux only."""
    rows = workload.corpus_rows(input)
    said = ((row["nick"], row["text"]) for row in rows if row["kind"] != "system")
    some = list(islice(((nick, text) for nick, text in said if text), 400 if smoke else messages))
    return asyncio.run(_measure(some, devices_each, is_smoke=smoke))


async def _measure(
    said: list[tuple[str, str]], devices_each: int, *, is_smoke: bool
) -> dict[str, Any]:
    room, people = room_of(said, devices_each)
    with tempfile.TemporaryDirectory() as name:
        found = await joining.join(Path(name) / "relay", room, checks=is_smoke)
    return {
        "messages": len(said),
        "members": len(people),
        "devices": sum(map(len, people)),
        "bytes of the log per message": round(sum(map(len, room.log)) / len(said), 1),
    } | joining.figures(found, len(said))


def room_of(
    said: list[tuple[str, str]], devices_each: int
) -> tuple[joining.Room, list[tuple[str, ...]]]:
    """Return the room of what (name, text) were said, and who are the devices of one person."""
    nicks = tuple(dict.fromkeys(nick for nick, _ in said))
    people = [nicks[at : at + devices_each] for at in range(0, len(nicks), devices_each)]
    return _room(said, people), people


def _room(said: list[tuple[str, str]], people: Iterable[tuple[str, ...]]) -> joining.Room:
    person_of = {nick: person for person in people for nick in person}
    writers: dict[str, workload.Writer] = {}
    log, head = [record.raw for record in RECORDS], RECORDS[-1].hash
    for number, (nick, text) in enumerate(said):
        if nick not in writers:
            person = person_of[nick]
            writers |= {each: workload.Writer(each) for each in person}
            first, *others = (writers[each].keys for each in person)
            record = join(first, prev=head, others=others)
            log.append(record.raw)
            head = record.hash
        log += writers[nick].write([(number, MessageValue(text=text))])
    return joining.Room(log, [text for _, text in said], list(_newest(said, writers)))


def _newest(
    said: list[tuple[str, str]], writers: dict[str, workload.Writer]
) -> Iterator[MessageId]:
    start = max(0, len(said) - joining.SHOWN)
    for number in range(start, len(said)):
        yield writers[said[number][0]].id_of(number)

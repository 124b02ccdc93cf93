"""How reading, writing and receiving grow with the messages in a room."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import syncchat

from .. import open_room, workload
from .axis import Axis, Drawn, Found, Way, in_turn

SIZES = (1_000, 4_000, 16_000, 64_000, 256_000)

_READ = """
import json, statistics, sys, time
import syncchat; syncchat.open

given = json.load(sys.stdin)
found = {}

def timed(what, calls):
    times = []
    for call in calls:
        started = time.process_time()
        call()
        times.append(time.process_time() - started)
    found[what] = statistics.median(times) * 1000

def opened():
    global room
    room = syncchat.open(sys.argv[1]).rooms()[0]
    return room.messages(limit=50)

timed("open and show 50", [opened])
places = given["places"]
timed("page at any place", [lambda place=place: room.messages(before=place) for place in places])
timed("search", [lambda word=word: room.search(word) for word in given["words"]])
timed("send", [lambda text=text: room.send(text) for text in given["texts"]])
print(json.dumps(found))
"""


async def _messages(sizes: Sequence[int], rounds: int) -> list[list[Found]]:
    said = workload.varied_texts(max(sizes))
    long_words = [word for text in workload.texts(1_000) for word in text.split() if len(word) > 4]
    words = [word for word in long_words if word.isascii() and word.isalpha()][::97]
    ways: dict[str, Way] = {}
    with tempfile.TemporaryDirectory() as name:
        for size in sizes:
            path = Path(name) / str(size)
            received = open_room.build_room(path, said[:size]) / size * 1e6
            _settle(path)
            places = [
                workload.id_in_log(size * n // 20, batch=open_room.BATCH) for n in range(1, 20)
            ]
            given = {"places": places, "words": words, "texts": said[:30]}
            fixed = {"receive": received, "database": path.stat().st_size / size}
            ways[str(size)] = partial(_read, path, given, fixed)
        return await in_turn(ways, rounds)


def _settle(path: Path) -> None:
    """Send until the messages that wait for the index, which each send takes some of, are in it."""
    with syncchat.open(path) as peer:
        workload.hurry(peer)
        (room,) = peer.rooms()
        sizes = peer._db.search_sizes
        for text in workload.texts(sizes.many // sizes.step + 1):
            room.send(text)


async def _read(path: Path, given: object, fixed: Found) -> Found:
    return fixed | await workload.fresh_process(_READ, str(path), given)


AXIS = Axis(
    "messages",
    "messages in a room",
    SIZES,
    (2, 6),
    _messages,
    (
        Drawn(
            "messages-time",
            "Reading and writing",
            "milliseconds of CPU",
            ("open and show 50", "page at any place", "search", "send"),
        ),
        Drawn(
            "messages-receive",
            "Receiving a message in a batch",
            "microseconds of CPU",
            ("receive",),
        ),
        Drawn("messages-bytes", "A message on disk", "bytes", ("database",)),
    ),
)

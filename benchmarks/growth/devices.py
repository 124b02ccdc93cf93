"""How receiving grows with the devices that wrote a room's messages."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from itertools import count as counting
from pathlib import Path
from time import process_time

from .. import workload
from .axis import Axis, Drawn, Found, Way, in_turn

SIZES = (1, 8, 64, 256, 900)
WRITTEN = 4_000
"""Messages in the room that so many devices wrote."""


async def _devices(sizes: Sequence[int], rounds: int) -> list[list[Found]]:
    ways: dict[str, Way] = {}
    count = WRITTEN if max(sizes) > 10 else 40
    said = workload.varied_texts(count)
    with tempfile.TemporaryDirectory() as name:
        for size in sizes:
            log = workload.room_log(count, batch=1, devices=size, said=said)
            ways[str(size)] = partial(_device_costs, Path(name), size, said, log, counting())
        return await in_turn(ways, rounds)


async def _device_costs(
    folder: Path, size: int, said: list[str], log: list[bytes], turns: counting[int]
) -> Found:
    path = folder / f"{size}-{next(turns)}.db"
    with workload.reader(path) as reader:
        started = process_time()
        for portion in workload.deliveries(log):
            reader.receive(portion)
        seconds = process_time() - started
        shown = [message.text for message in reader.room.messages(limit=50)]
        assert shown == said[-50:]
    each = 1 / len(said)
    return {
        "receive": seconds * each * 1e6,
        "log": sum(map(len, log)) * each,
        "database": path.stat().st_size * each,
    }


AXIS = Axis(
    "devices",
    f"devices that wrote {WRITTEN:,} messages",
    SIZES,
    (2, 6),
    _devices,
    (
        Drawn("devices-time", "Receiving a message", "microseconds of CPU", ("receive",)),
        Drawn("devices-bytes", "A message", "bytes", ("log", "database")),
    ),
)

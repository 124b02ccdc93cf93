"""How what a room weighs grows with time, where it keeps messages for 90 days and where for ever.

The room is that of ``retention``; one room of each kind lives on from size to size.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from .. import retention
from .axis import Axis, Drawn, Found

SIZES = (90, 180, 360, 720)
A_YEAR = 5_000
"""Messages that the room gets in 360 days."""
KINDS = {"keeps 90 days": retention.KEPT_DAYS, "keeps all": 0}


async def _keeping(sizes: Sequence[int], rounds: int) -> list[list[Found]]:
    messages, every = (400, 16) if tuple(sizes) == AXIS.smoke else (A_YEAR, 1)
    found: list[Found] = [{} for _ in sizes]
    with tempfile.TemporaryDirectory() as name:
        for kind, days_kept in KINDS.items():
            folder = Path(name) / kind
            folder.mkdir()
            life = retention.Life(folder, messages, burst=10, days_kept=days_kept, every=every)
            for days, here in zip(sizes, found, strict=True):
                life.live(days)
                weight = life.weigh()
                here |= {
                    f"relay, {kind}": weight.relay,
                    f"relay, {kind}: fingerprints of what is gone": weight.relay - weight.kept,
                    f"database, {kind}": weight.database,
                }
    return [[each] for each in found]


AXIS = Axis(
    "keeping",
    f"days of a room that gets {A_YEAR:,} messages in 360",
    SIZES,
    (180, 360),
    _keeping,
    (
        Drawn(
            "keeping-relay",
            "A room at the relay",
            "bytes",
            (
                "relay, keeps all",
                "relay, keeps 90 days",
                "relay, keeps 90 days: fingerprints of what is gone",
            ),
        ),
        Drawn(
            "keeping-database",
            "The database of a member",
            "bytes",
            ("database, keeps all", "database, keeps 90 days"),
        ),
    ),
    is_exact=True,
)

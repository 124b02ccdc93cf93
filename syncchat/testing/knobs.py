"""Knobs: the engine's limits, turned down so that a short run meets them.

A volume takes a thousand entries and a push 256 envelopes; a schedule of sixty steps would never
see what happens at such a limit. So each run turns some of them down by its seed, the same for
all of its peers and its relay, as FoundationDB's simulation does (Zhou et al., SIGMOD 2021).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from unittest import mock

import syncchat_relay.asking
import syncchat_relay.fanout
import syncchat_relay.light

from ..core import journal, reader
from ..exchange import (
    groups,
    jobs,
    refilling,
    refold,
    sealing,
    sending,
    snapshotting,
    transfers,
    volumes,
)
from ..peer import stream
from ..storage import snapshots
from ..storage.view import marks
from ..sync import blobs, session
from ..trust import files
from .ports import SeededRandom
from .relay import SimRelay

_CHANCE = 0.4

PAGE_MOST = 6
"""The most events that are read at once."""

_KNOBS: tuple[tuple[str, tuple[ModuleType, ...], int, int], ...] = (
    ("VOLUME_ENTRIES_MAX", (journal, reader), 4, 40),
    ("VOLUME_BYTES_MAX", (journal,), 500, 5_000),
    ("LOOSE_MIN", (snapshots,), 1, 6),
    ("LOOK_EVERY", (sending,), 1, 3),
    ("ERASED_EVERY_MS", (snapshots,), 0, 20_000),
    ("LOOSE_CLOSED_MIN", (snapshots,), 1, 4),
    ("RANGES_MAX", (snapshotting,), 1, 4),
    ("SEAL_OPS_MAX", (sealing,), 1, 4),
    ("SEAL_BYTES_MAX", (sealing,), 100, 2_000),
    ("SEALS_IN_FLIGHT_MAX", (sending,), 1, 1),
    ("ENVELOPES_PER_PUSH_MAX", (sending, refilling), 1, 4),
    ("PUSH_BYTES_MAX", (sending, refilling), 300, 2_000),
    ("PUSHES_IN_FLIGHT_MAX", (session,), 1, 3),
    ("DOCUMENTS_MAX", (volumes,), 1, 2),
    ("KEYS_MAX", (volumes,), 1, 3),
    ("GROUPS_MAX", (groups,), 1, 2),
    ("_REFOLD_BATCH", (refold,), 1, 5),
    ("_CHUNK", (marks,), 1, 5),
    ("ACTIVE_MAX", (transfers,), 1, 2),
    ("STORE_CHUNKS", (jobs,), 1, 3),
    ("BLOB_NAMES_MAX", (jobs,), 1, 4),
    ("WINDOW_MAX", (blobs,), 1, 3),
    ("PUTS_WAITING_MAX", (blobs,), 1, 3),
    ("ENVELOPES_PER_DELIVER", (syncchat_relay.asking, syncchat_relay.fanout), 1, 5),
)
"""A limit, the modules that read it, and the span of what it may be turned down to."""


@contextmanager
def scaled_down(seed: int) -> Iterator[None]:
    """Turn some limits down, as the seed says, until the block ends."""
    random = SeededRandom(f"knobs {seed}")
    with ExitStack() as stack:
        for name, modules, least, most in _KNOBS:
            value = least + random.below(most - least + 1)
            if random.chance(_CHANCE):
                for module in modules:
                    stack.enter_context(mock.patch.object(module, name, value))
        # Always, for whoever follows events in a simulated world is restarted after every three.
        page = 1 + SeededRandom(f"page {seed}").below(PAGE_MOST)
        stack.enter_context(mock.patch.object(stream, "_PAGE", page))
        # Always, for no simulated file is larger than a real chunk.
        chunk = 60 + random.below(600)
        stack.enter_context(mock.patch.object(files, "CHUNK_BYTES", chunk))
        stack.enter_context(mock.patch.object(syncchat_relay.light, "STUBS_FROM_BYTES", 0))
        config = {}
        if random.chance(_CHANCE):
            config["deliver_bytes_max"] = 200 + random.below(3_000)
        if random.chance(_CHANCE):
            config["unsent_bytes_max"] = 200 + random.below(3_000)
            config["unsent_bytes_low"] = 100 + random.below(100)
        stack.enter_context(mock.patch.object(SimRelay, "limits", config))
        yield

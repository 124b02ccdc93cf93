"""A whole corpus of real chat, as one room that two peers receive in different ways."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from syncchat.apps.demo.verdict import every_message
from syncchat.core.values import MessageValue
from syncchat.ports import SystemClock
from tests.support.room import opening

from . import workload

NAME = "replay"
SUMMARY = (
    "a corpus with its reply links as one room: a peer receives every message in an envelope of "
    "its own in log order, another gets each device's chain in batches, one device after the "
    "other; rates, sizes, memory, digests; every line is held against the input, outside the clock"
)
PEERS = 8
BATCH = 100


@dataclass(frozen=True, slots=True)
class _Said:
    device: int
    value: MessageValue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to play and as how many devices."""
    parser.add_argument(
        "--input", type=Path, metavar="PATH", help="JSON lines, may be .gz; else the bundled chat"
    )
    parser.add_argument(
        "--peers",
        type=int,
        default=PEERS,
        metavar="N",
        help="devices that the writers are mapped to; 0: each writer is a device",
    )


def run(smoke: bool, input: Path | None = None, peers: int = PEERS) -> dict[str, Any]:
    """Return the figures; memory comes from /proc, so Linux only."""
    said, writers = _load(input, 300 if smoke else None, peers)
    devices = [workload.Writer(f"replay {number}") for number in range(peers or writers)]
    batching = [workload.Writer(f"replay {number}") for number in range(peers or writers)]
    log = [
        raw
        for number, each in enumerate(said)
        for raw in devices[each.device].write([(number, each.value)])
    ]
    batches: list[bytes] = []
    chains: dict[int, list[tuple[int, MessageValue]]] = {}
    for number, each in enumerate(said):
        chains.setdefault(each.device, []).append((number, each.value))
    for device, chain in chains.items():
        for start in range(0, len(chain), BATCH):
            batches += batching[device].write(chain[start : start + BATCH])
    figures: dict[str, Any] = {
        "messages": len(said),
        "writers": writers,
        "devices": len(chains),
        "replies": sum(each.value.reply_to is not None for each in said),
        "bytes of text": sum(len(each.value.text.encode()) for each in said),
    }
    digests = set()
    members = opening(device.keys for device in devices)
    with tempfile.TemporaryDirectory() as folder:
        for how, envelopes in (("one by one", log), ("in batches", batches)):
            found, digest = _receive(Path(folder) / f"{how}.db", members, envelopes, said)
            figures |= {f"{how}: {what}": figure for what, figure in found.items()}
            digests.add(digest)
    assert len(digests) == 1, "the two peers show different rooms"
    return figures | {"digest of both": digests.pop()[:16]}


def _load(path: Path | None, count: int | None, peers: int) -> tuple[list[_Said], int]:
    """Return the messages with their devices and reply links, and the number of writers."""
    said: list[_Said] = []
    names: dict[str, int] = {}
    ids: dict[tuple[str, int], str] = {}
    signers: dict[int, workload.Writer] = {}
    for row in workload.corpus_rows(path):
        if row["kind"] == "system" or not row["text"].strip():
            continue
        device = names.setdefault(row["nick"], len(names))
        device = device % peers if peers else device
        signer = signers.get(device) or workload.Writer(f"replay {device}")
        signers[device] = signer
        answered = [ids.get((row["file"], line)) for line in row.get("reply_to", ())]
        ids[row["file"], row["line"]] = signer.id_of(len(said))
        reply_to = next((message for message in answered if message is not None), None)
        metadata = {"nick": row["nick"]}
        value = MessageValue(text=row["text"], reply_to=reply_to, metadata=metadata)
        said.append(_Said(device, value))
        if len(said) == count:
            break
    return said, len(names)


def _receive(
    path: Path, members: list[bytes], log: list[bytes], said: list[_Said]
) -> tuple[dict[str, Any], str]:
    """Give a new peer the whole log; return the figures and its digest.

    The records that let the writers in come first, and are not measured here.
    """
    clock = SystemClock()
    portions = list(workload.deliveries(log))
    with workload.reader(path) as reader:
        for portion in workload.deliveries(members):
            reader.receive(portion)
        before, started = _memory(), clock.monotonic()
        for portion in portions:
            reader.receive(portion)
        seconds, grown = clock.monotonic() - started, _memory() - before
        shown = ((m.text, m.reply_to, m.metadata) for m in every_message(reader.room))
        wanted = ((s.value.text, s.value.reply_to, s.value.metadata) for s in said)
        assert all(a == b for a, b in zip_longest(shown, wanted)), "a line differs from the input"
        digest = reader.room.digest()
    size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
    return {
        "envelopes": len(log),
        "messages per second": round(len(said) / seconds),
        "wire bytes per message": round(sum(map(len, log)) / len(said), 1),
        "database bytes per message": round(size / len(said), 1),
        "memory grown by MB": round(grown / 1e6, 1),
    }, digest


def _memory() -> int:
    """Return the resident memory of this process in bytes."""
    if sys.platform != "linux":
        return 0
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

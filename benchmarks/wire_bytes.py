"""What one message weighs on the wire and on the relay's disk."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import syncchat_relay
from pycrdt import Doc, Map
from syncchat_relay import Admit

import syncchat
from syncchat.apps.demo.metered import Meter
from syncchat.core.values import MessageValue, encode_value

from . import workload

NAME = "wire_bytes"
SUMMARY = (
    "bytes of a chat message of 58 bytes, sent alone: up and down in WebSocket frames with acks, "
    "and at rest on the relay, with all of its files and without what is there before the first; "
    "TCP and IP are not counted; 'all' and what is at rest include the snapshots made meanwhile"
)
TEXT_BYTES = 58
PAGE_BYTES = 4_096


def run(smoke: bool) -> dict[str, Any]:
    """Return the figures."""
    count = 20 if smoke else 1_000
    return asyncio.run(_measure(count))


async def _measure(count: int) -> dict[str, Any]:
    text = workload.text_of(TEXT_BYTES)
    writing, reading = Meter(), Meter()
    ups: list[int] = []
    downs: list[int] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with syncchat_relay.serve(data_dir=folder / "relay", admission=Admit.OPEN) as relay:
            with (
                syncchat.open(folder / "a.db", name="ann", connect=writing.connect) as ann,
                syncchat.open(folder / "b.db", name="ben", connect=reading.connect) as ben,
            ):
                mine = ann.create_room("benchmark", relay=relay.url)
                theirs = ben.join(mine.invite())
                async with asyncio.timeout(60), ann.online(), ben.online():
                    await mine.synced()
                    await theirs.synced()
                    empty = mine.count()
                    pages = _pages(folder / "relay")
                    before = (writing.up, reading.down)
                    for number in range(1, count + 1):
                        up, down = writing.up, reading.down
                        mine.send(text)
                        await _shown(ben, theirs, empty + number)
                        await mine.synced()
                        ups.append(writing.up - up)
                        downs.append(reading.down - down)
                    grown = _pages(folder / "relay") - pages
                    total = (writing.up - before[0], reading.down - before[1])
                assert {message.text for message in theirs.messages(limit=count)} == {text}
                assert mine.digest() == theirs.digest()
                envelope = _envelope_bytes(folder / "a.db")
        at_rest = sum(path.stat().st_size for path in (folder / "relay").glob("*.db*"))
    return {
        "messages": count,
        "bytes of text": TEXT_BYTES,
        "envelope bytes, median": envelope,
        "bytes up per message, median": statistics.median(ups),
        "bytes down per message, median": statistics.median(downs),
        "bytes up per message, all frames": round(total[0] / count, 1),
        "bytes down per message, all frames": round(total[1] / count, 1),
        "bytes at rest per message": round(at_rest / count, 1),
        "bytes that the log grows by per message": round(grown * PAGE_BYTES / count, 1),
        "pycrdt update, plaintext: bytes": _pycrdt_bytes(text),
    }


async def _shown(peer: syncchat.Peer, room: syncchat.Room, count: int) -> None:
    await peer._until(lambda: room.count() >= count)


def _pages(folder: Path) -> int:
    """Return how many pages the relay's log has, those in its write-ahead log included."""
    with closing(sqlite3.connect(folder / "relay.db")) as db:
        assert db.execute("pragma page_size").fetchone() == (PAGE_BYTES,)
        (pages,) = db.execute("pragma page_count").fetchone()
    return int(pages)


def _envelope_bytes(path: Path) -> int:
    db = sqlite3.connect(path)
    sizes = [size for (size,) in db.execute("select length(raw) from envelope where seq > 1")]
    db.close()
    return int(statistics.median(sizes))


def _pycrdt_bytes(text: str) -> int:
    """Return the size of the update that our journal makes of the message, before sealing."""
    sizes: list[int] = []
    doc: Doc[Any] = Doc()
    messages: Map[Any] = doc.get("messages", type=Map)
    subscription = doc.observe(lambda event: sizes.append(len(event.update)))
    messages["0" * 13] = encode_value(MessageValue(text=text))
    doc.unobserve(subscription)
    return sum(sizes)

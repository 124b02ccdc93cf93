"""What scenarios work on: messages of the real chat, envelopes of them, peers and relays.

Everything is made from fixed seeds, so two runs measure the same bytes.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib import resources
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from syncchat_relay.log import Append
from syncchat_relay.log.sqlite import SqliteLog

import syncchat
from syncchat.apps.demo.processes import RelayProcess
from syncchat.apps.demo.script import load_script
from syncchat.core.clock import stamp
from syncchat.core.journal import Entry, Volume, room_left
from syncchat.core.snapshots import encode_snapshot
from syncchat.core.values import MessageValue, Root, encode_value
from syncchat.exchange.receiving import Receiver
from syncchat.exchange.volumes import Volumes
from syncchat.ids import DEVICE_BYTES, MessageId, Stamp, message_id
from syncchat.ports import SystemClock, SystemRandom
from syncchat.storage import lease
from syncchat.sync.events import Acked, Ready
from syncchat.sync.session import Position, Session
from syncchat.testing.ports import SeededRandom
from syncchat.transport.websocket import connect_websocket
from syncchat.trust import chain as links
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.seal import body_key, seal
from syncchat.wire.codes import ItemStatus
from syncchat.wire.coverage import encode_coverage, ranges_of
from syncchat.wire.envelope import (
    NONCE_BYTES,
    Envelope,
    EnvelopeKind,
    Header,
    encode_envelope,
    encode_header,
)
from syncchat.wire.limits import ENVELOPES_PER_PUSH_MAX, VERSION
from tests.support.room import ROOM, ROOM_KEY, link_at, opening

CORPUS = resources.files("syncchat.apps") / "data" / "ubuntu-irc.jsonl"

DELIVER_BYTES_MAX = 128 * 1024
"""What the relay puts in one Deliver (``syncchat_relay.config``)."""

STORED_AT_ONCE = 512
"""Envelopes in one transaction of a relay's log that is made beforehand, as the relay's own are."""

DEVICES = 8
_FIRST_MS = 1_700_000_000_000


def seeded(what: str, size: int) -> bytes:
    """Return bytes that depend on ``what`` only."""
    return hashlib.shake_256(what.encode()).digest(size)


def texts(count: int) -> list[str]:
    """Return texts of the bundled chat, from its start again where there are too few."""
    return list(islice(cycle([line.text for line in load_script().lines]), count))


def corpus_rows(path: Path | None) -> Iterator[dict[str, Any]]:
    """Yield the lines of a corpus, which may be a .gz, or of the bundled chat."""
    path = Path(str(CORPUS)) if path is None else path
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        for line in file:
            yield json.loads(line)


def varied_texts(count: int, path: Path | None = None) -> list[str]:
    """Return texts of a corpus; from its start again with some words exchanged for others."""
    rows = corpus_rows(path)
    said = [r["text"] for r in rows if r["kind"] != "system" and r["text"].strip()]
    words = [text.split() for text in said]
    chance = SeededRandom("varied texts")
    found = said[:count]
    for each in islice(cycle(words), max(0, count - len(said))):
        changed = list(each)
        for _ in range(1 + len(each) // 4):
            other = words[int(chance.uniform(0, len(words)))]
            changed[int(chance.uniform(0, len(each)))] = other[int(chance.uniform(0, len(other)))]
        found.append(" ".join(changed))
    return found


def text_of(bytes_wanted: int) -> str:
    """Return the first text of the chat of just this size."""
    return next(text for text in texts(2_000) if len(text.encode()) == bytes_wanted)


def invite(relay: str = "") -> str:
    """Return the link to the room that ``Writer`` writes in."""
    return link_at(relay)


def device_keys(name: str) -> DeviceKeys:
    """Return the keys of a device, which follow from its name."""
    return DeviceKeys(seeded(f"device {name}", 32))


class Writer:
    """Writes one device's chain, as ``exchange.sealing`` does, but without a database."""

    def __init__(self, name: str, *, room: bytes = ROOM, key: bytes = ROOM_KEY) -> None:
        self.keys = device_keys(name)
        self._room = room
        self._key = body_key(key, room, self.keys.public[:DEVICE_BYTES])
        self._volume = Volume(0)
        self._entries = 0
        self._bytes = 0
        self._seq = 0
        self._link = links.GENESIS
        self._places: dict[int, list[tuple[int, bytes]]] = {}

    @property
    def volume(self) -> int:
        """Return the number of the volume that is being written."""
        return self._volume.number

    @property
    def is_full(self) -> bool:
        """Tell whether nothing more is added to that volume."""
        return room_left(self._entries, self._bytes) == 0

    def id_of(self, number: int) -> MessageId:
        """Return the id of this device's message of a number."""
        return message_id(_stamp_of(number), self.keys.device)

    def write(self, messages: Sequence[tuple[int, MessageValue]]) -> list[bytes]:
        """Return envelopes of numbered messages; the number, which grows, is the second of
        writing."""
        raws: list[bytes] = []
        while messages:
            left = room_left(self._entries, self._bytes)
            if left == 0:
                self._volume = Volume(self._volume.number + 1)
                self._entries = self._bytes = 0
                continue
            raws.append(self._write(messages[:left]))
            messages = messages[left:]
        return raws

    def _write(self, messages: Sequence[tuple[int, MessageValue]]) -> bytes:
        entries = [
            Entry(Root.MESSAGES, _stamp_of(number), encode_value(value))
            for number, value in messages
        ]
        update = self._volume.write(entries)
        self._entries += len(entries)
        self._bytes += len(update)
        return self._seal(update)

    def snapshot(self) -> bytes:
        """Return a snapshot of the volume that is being written."""
        ranges = ranges_of(self._places[self.volume])
        newest = max(Stamp(key) for _, key in self._volume.content())
        text = encode_snapshot(newest, self._volume.export())
        return self._seal(text, clear=encode_coverage(self._link, ranges))

    def _seal(self, text: bytes, *, clear: bytes = b"") -> bytes:
        self._seq += 1
        header = Header(
            VERSION,
            EnvelopeKind.SNAPSHOT if clear else EnvelopeKind.UPDATE,
            self.keys.public[:DEVICE_BYTES],
            self._seq,
            self.volume,
            0,
            b"",
            seeded(f"nonce {self.keys.device} {self._seq}", NONCE_BYTES),
            self.keys.public if clear or self._seq == 1 else None,
        )
        header_bytes = encode_header(header)
        context = links.context(self._room, self._link, header_bytes)
        body = clear + seal(self._key, header.nonce, context + clear, text)
        self._link = links.link_hash(context, body, clear=len(clear))
        self._places.setdefault(self.volume, []).append((self._seq, self._link))
        signature = self.keys.sign(links.signed_text(self._link))
        return encode_envelope(Envelope(header_bytes, body, signature))


def _stamp_of(number: int) -> Stamp:
    return stamp(_FIRST_MS + number * 1_000)


def room_log(
    count: int, *, batch: int, devices: int = DEVICES, said: Sequence[str] | None = None
) -> list[bytes]:
    """Return a room's log of ``count`` messages by several devices, ``batch`` to an envelope."""
    writers = [Writer(str(number)) for number in range(devices)]
    turns = cycle(writers)
    numbered = [
        (number, MessageValue(text=text)) for number, text in enumerate(said or texts(count))
    ]
    log = opening(writer.keys for writer in writers)
    for start in range(0, count, batch):
        log += next(turns).write(numbered[start : start + batch])
    return log


def id_in_log(number: int, *, batch: int, devices: int = DEVICES) -> MessageId:
    """Return the id of a message in such a log, by its number from 0."""
    return Writer(str(number // batch % devices)).id_of(number)


def deliveries(log: Iterable[bytes]) -> Iterator[tuple[bytes, ...]]:
    """Yield the log in the portions in which a relay delivers it."""
    part: list[bytes] = []
    size = 0
    for raw in log:
        if part and size + len(raw) > DELIVER_BYTES_MAX:
            yield tuple(part)
            part, size = [], 0
        part.append(raw)
        size += len(raw)
    if part:
        yield tuple(part)


class Reader:
    """Is a peer that has joined the room and is fed by hand, without a connection."""

    def __init__(self, peer: syncchat.Peer) -> None:
        self.room = peer.join(invite())
        lease.take(peer._db, "benchmark", now_ms=peer.now_ms())
        self._receiver = Receiver(
            peer._db, Volumes(peer._db), keys=peer._keys, clock=SystemClock(), holder="benchmark"
        )
        self._after = 0

    def receive(self, envelopes: tuple[bytes, ...]) -> None:
        """Apply the next portion of the log."""
        self._receiver.apply(self.room._row, self._after, envelopes, is_live=False)
        self._after += len(envelopes)


def hurry(peer: syncchat.Peer) -> None:
    """Let what a peer writes from now on, which only prepares, not wait for the disk."""
    peer._db.execute("pragma synchronous = off")


class SameChance:
    """Gives every peer the same keys, so that what two of them show can be compared."""

    def bytes(self, size: int) -> bytes:
        return seeded("chance", size)

    def uniform(self, low: float, high: float) -> float:
        return low


@contextmanager
def reader(path: Path) -> Iterator[Reader]:
    """Open a new peer in the room, which is the same device each time."""
    with syncchat.open(path, name="reader", random=SameChance()) as peer:
        yield Reader(peer)


@asynccontextmanager
async def relay_process(folder: Path) -> AsyncIterator[str]:
    """Run a relay as a process of its own and yield its address."""
    relay = RelayProcess(folder)
    try:
        await relay.start()
        yield relay.url
    finally:
        await relay.stop()


async def push_log(relay: str, log: Sequence[bytes]) -> None:
    """Bring a whole log to a relay, in order, over one connection."""
    clock = SystemClock()

    def now() -> int:
        return int(clock.monotonic() * 1000)

    session = Session(DeviceKeys(seeded("pusher", 32)), host="127.0.0.1", now_ms=now())
    left = list(log[::-1])
    acked = 0
    async with connect_websocket(relay) as transport:
        while acked < len(log):
            for event in session.receive(await transport.receive(), now()):
                match event:
                    case Ready(incarnation):
                        session.open(incarnation, [Position(ROOM, 0, bytes(8), 0)])
                    case Acked():
                        found = {status for status, _ in event.items}
                        assert found == {ItemStatus.STORED}, f"after {acked}: {found}"
                        acked += len(event.envelopes)
            while session.is_open(ROOM) and session.pushes_free and left:
                session.push(ROOM, [left.pop() for _ in range(_fitting(left))])
            for raw in session.outgoing():
                await transport.send(raw)


def store_log(folder: Path, log: Sequence[bytes]) -> None:
    """Put a whole log where ``relay_process`` will find it."""
    store_logs(folder, [(ROOM, log)])


def store_logs(folder: Path, logs: Iterable[tuple[bytes, Sequence[bytes]]]) -> None:
    """Put the logs of rooms where ``relay_process`` will find them.

    They are judged as those that are pushed, in a time in which the relay's rates let them come.
    """
    data_dir = folder / "relay"
    data_dir.mkdir(parents=True)
    pusher = DeviceKeys(seeded("pusher", 32)).public
    kept = SqliteLog(data_dir, random=SystemRandom(), is_open=False)
    try:
        for room, log in logs:
            for start in range(0, len(log), STORED_AT_ONCE):
                part = tuple(log[start : start + STORED_AT_ONCE])
                work = Append(room, part, pusher, may_create=True)
                (outcomes,) = kept.append([work], now_ms=_FIRST_MS + start * 1_000)
                assert {found.status for found in outcomes} == {ItemStatus.STORED}
    finally:
        kept.close()


def _fitting(left: Sequence[bytes]) -> int:
    """Return how many envelopes, of which the next is the last, fit in a Push."""
    size = count = 0
    for raw in reversed(left[-ENVELOPES_PER_PUSH_MAX:]):
        size += len(raw)
        if count and size > DELIVER_BYTES_MAX:
            break
        count += 1
    return count


async def fresh_process(code: str, argument: str, given: object) -> dict[str, Any]:
    """Run code in a fresh interpreter and return the JSON object that it prints.

    It finds ``argument`` as its first and ``given`` as JSON on its input.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        code,
        argument,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate(json.dumps(given).encode())
    if process.returncode:
        raise RuntimeError(f"the measured process ended with {process.returncode}")
    found: dict[str, Any] = json.loads(said)
    return found

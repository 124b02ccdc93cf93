"""A peer that is told of a room's newest ahead of its log, and logs that do not hold."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from syncchat.exchange.ahead import Part
from syncchat.exchange.receiving import Receiver
from syncchat.exchange.volumes import Volumes
from syncchat.storage import lease, members
from syncchat.trust.chain import GENESIS
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.records import Record, decode_record

from .devices import Device
from .peers import HOLDER, make_peer
from .ports import FakeClock
from .room import LINK, RECORDS, join


class Told:
    """Is a peer that has nothing of a room, and is told of its newest in parts."""

    def __init__(self) -> None:
        self.peer = make_peer(90, clock=FakeClock())
        self.room = self.peer.join(LINK)
        self.db, self.row = self.peer._db, self.room._row
        self.start()

    def start(self) -> None:
        """Begin anew, as a process does."""
        lease.take(self.db, HOLDER, now_ms=0)
        self.receiver = Receiver(
            self.db, Volumes(self.db), keys=self.peer._keys, clock=FakeClock(), holder=HOLDER
        )

    def hear(self, log: Iterable[bytes], *, is_last: bool = True) -> None:
        """Hear of records or envelopes, the first of their chains, at places from 1 on."""
        placed = list(enumerate(log, 1))
        previous = {number - 1: GENESIS for number, _ in placed}
        self.receiver.hear_ahead(self.row, Part(1, placed, previous), is_last=is_last)

    def take(self) -> None:
        """Take all that was told."""
        while self.receiver.has_told(self.row) and self.receiver.take_told(self.row):
            if self.receiver.is_doubtful:
                break

    def texts(self) -> list[str]:
        """Return what the room shows."""
        return [message.text for message in self.room.messages(limit=1_000)]

    def records(self) -> list[bytes]:
        """Return which records are stored."""
        return members.records_of(self.db, self.row)


def entries(*devices: Device) -> list[Record]:
    """Return a log that lets devices in, each as a person of its own."""
    log = list(RECORDS)
    for device in devices:
        log.append(join(device.keys, prev=log[-1].hash))
    return log


def raws(log: Iterable[Record]) -> list[bytes]:
    """Return records as they are sent."""
    return [record.raw for record in log]


def forged(record: Record, *, by: DeviceKeys | None = None) -> Record:
    """Return a record with a signature that does not hold, or made by somebody else in its
    signer's name."""
    text, _ = msgspec.msgpack.decode(record.raw)
    signature = bytes(64) if by is None else by.sign(b"syncchat sign record 1\0" + text)
    return decode_record(msgspec.msgpack.encode([text, signature]))

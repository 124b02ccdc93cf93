"""The hub's part about files: blobs that peers put, ask about, drop and get.

Files give way to messages also here. What a peer puts is stored beside the log, by another thread.
What it gets is read one or two blobs ahead, and only while little else waits to leave for it, so
that a message stands behind at most that. What came last is kept in memory, since it is mostly
what is asked for next: by those who follow an upload, and by many in a room at once. A room that is
closed to a device looks as one without any blobs, and takes none.

Bounds, and what happens beyond them: ``BLOBS_IN_FLIGHT_MAX`` frames of a connection that wait for
an answer, and ``pending_blob_bytes_max`` of all, are answered BUSY; blob bytes have a rate of their
own, so that a file does not use up what messages may.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from syncchat.wire.codes import BlobState
from syncchat.wire.frames import (
    AskBlobs,
    BlobData,
    BlobStates,
    DropBlobs,
    GetBlob,
    PutBlob,
    encode,
)
from syncchat.wire.limits import BLOB_BYTES_MAX, BLOBS_IN_FLIGHT_MAX

from .books import Books
from .config import Config
from .connection import Connection, Subscription
from .effects import (
    BlobAnswer,
    BlobLoaded,
    BlobsTold,
    Effect,
    FindBlobs,
    LoadBlob,
    ReleaseBlobs,
    StoreBlob,
)

BlobFrame = PutBlob | AskBlobs | DropBlobs | GetBlob

RECENT_BYTES_MAX = 32 * 1024 * 1024
"""Blobs in memory that were put or read last, of all rooms."""

LOADS_IN_FLIGHT_MAX = 2
"""Blobs that are read for a connection at once: one leaves while the next is read."""


@dataclass(frozen=True, slots=True, eq=False)
class PendingBlobs:
    """Is blob work that was asked for with a frame; ``size`` is the bytes that wait for it."""

    subscription: Subscription
    number: int
    count: int
    size: int = 0
    is_load: bool = False
    since: int = 0
    """How many blobs had come to the room when it was asked for."""
    names: tuple[bytes, ...] = ()
    data: bytes = field(default=b"", repr=False)
    is_drop: bool = False
    drops: int = 0
    """How many drops there had been when it was asked for."""


class Recent:
    """Keeps the blobs that were put or read last, up to ``RECENT_BYTES_MAX``."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[bytes, bytes], bytes] = OrderedDict()
        self._octets = 0

    def get(self, room: bytes, name: bytes) -> bytes | None:
        """Return a blob, None where it is not kept."""
        found = self._kept.get((room, name))
        if found is not None:
            self._kept.move_to_end((room, name))
        return found

    def keep(self, room: bytes, name: bytes, data: bytes) -> None:
        """Keep a blob that is stored."""
        self.drop(room, name)
        self._kept[room, name] = data
        self._octets += len(data)
        while self._octets > RECENT_BYTES_MAX:
            _, dropped = self._kept.popitem(last=False)
            self._octets -= len(dropped)

    def drop(self, room: bytes, name: bytes) -> None:
        """Forget a blob, which may be stored no longer."""
        self._octets -= len(self._kept.pop((room, name), b""))

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._octets = 0


class Transfers(Books):
    """Is what the hub does about blobs; part of ``Hub``."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._recent = Recent()
        self._drops = 0

    def forget_recent(self) -> None:
        """Take note that blobs were deleted beside the hub."""
        self._recent.clear()

    def blobs_done(self, answers: Sequence[BlobAnswer]) -> list[Effect]:
        """Take what the blobs answered."""
        for answer in answers:
            pending = self._pending_blobs.pop(answer.ticket)
            connection = pending.subscription.connection
            connection.blobs_in_flight -= 1
            connection.loads_in_flight -= pending.is_load
            self._blob_bytes -= pending.size
            self._keep_recent(pending, answer)
            if self._is_current(pending.subscription):
                self._answer(pending, answer)
            self._pump(connection)
        return self._effects()

    def _take_blobs(
        self, connection: Connection, subscription: Subscription, frame: BlobFrame
    ) -> None:
        if not subscription.standing:
            self._say_closed(connection, frame)
        elif self._is_over(connection, frame):
            self._say(connection, frame, BlobState.BUSY)
        elif isinstance(frame, GetBlob):
            connection.blobs_in_flight += 1
            connection.loads.append((subscription, frame))
            self._pump(connection)
        else:
            connection.blobs_in_flight += 1
            self._ask_blobs(connection, subscription, frame)

    def _ask_blobs(
        self,
        connection: Connection,
        subscription: Subscription,
        frame: PutBlob | AskBlobs | DropBlobs,
    ) -> None:
        room, key = subscription.room.name, connection.device_key
        match frame:
            case PutBlob(number=number, name=name, data=data):
                pending = PendingBlobs(subscription, number, 1, len(data), names=(name,), data=data)
                self._blob_bytes += len(data)
                self._say(connection, frame, BlobState.TAKEN)
                ticket = self._blob_ticket(pending)
                self._out.append(StoreBlob(ticket, room, key, name, data))
            case AskBlobs(number=number, names=names):
                ticket = self._blob_ticket(PendingBlobs(subscription, number, len(names)))
                self._out.append(FindBlobs(ticket, room, subscription.keys, tuple(names)))
            case DropBlobs(number=number, names=names):
                dropped = PendingBlobs(
                    subscription, number, len(names), names=tuple(names), is_drop=True
                )
                ticket = self._blob_ticket(dropped)
                self._out.append(ReleaseBlobs(ticket, room, key, tuple(names)))

    def _pump(self, connection: Connection) -> None:
        super()._pump(connection)
        while connection.loads and not connection.asks and self._has_room_for_load(connection):
            subscription, frame = connection.loads.popleft()
            if not self._is_current(subscription):
                connection.blobs_in_flight -= 1
                continue
            self._load(subscription, frame)

    def _load(self, subscription: Subscription, frame: GetBlob) -> None:
        """Answer a question for a blob from memory, or have it read."""
        room, connection = subscription.room, subscription.connection
        is_live = subscription.is_live
        recent = self._recent.get(room.name, frame.name) if is_live else None
        if recent is not None:
            connection.blobs_in_flight -= 1
            self._send(connection, encode(BlobData(room.alias, frame.number, recent)))
            return
        connection.loads_in_flight += 1
        pending = PendingBlobs(
            subscription,
            frame.number,
            1,
            is_load=True,
            since=room.blobs_come,
            names=(frame.name,),
            drops=self._drops,
        )
        ticket = self._blob_ticket(pending)
        keys = subscription.keys
        self._out.append(LoadBlob(ticket, room.name, keys, frame.name, is_allowed=is_live))

    def _has_room_for_load(self, connection: Connection) -> bool:
        """Tell whether one more blob may be read for a connection, beside those that are."""
        waiting, reading = connection.unsent_bytes, connection.loads_in_flight
        if connection.conn not in self._connections or waiting > self._config.unsent_bytes_low:
            return False
        is_little = waiting + (reading + 1) * BLOB_BYTES_MAX <= self._config.unsent_bytes_max
        return reading == 0 or (reading < LOADS_IN_FLIGHT_MAX and is_little)

    def _keep_recent(self, pending: PendingBlobs, answer: BlobAnswer) -> None:
        """Keep in memory what was put or read, and forget what is no longer stored."""
        room = pending.subscription.room.name
        match answer:
            case BlobLoaded(data=bytes(data)) if pending.drops == self._drops:
                self._recent.keep(room, pending.names[0], data)
            case BlobsTold(states=[BlobState.HERE]) if pending.data:
                self._recent.keep(room, pending.names[0], pending.data)
            case BlobsTold(states=states) if pending.is_drop:
                self._drops += 1  # what was read meanwhile may be gone
                for name, state in zip(pending.names, states, strict=True):
                    if state is BlobState.ABSENT:
                        self._recent.drop(room, name)

    def _answer(self, pending: PendingBlobs, answer: BlobAnswer) -> None:
        subscription, number = pending.subscription, pending.number
        connection, alias = subscription.connection, subscription.room.alias
        match answer:
            case BlobLoaded(data=data):
                # It may have lost the right to read while the blob was read.
                data = data if subscription.standing else None
                self._send(connection, encode(BlobData(alias, number, data or b"")))
                if data is None and pending.since != subscription.room.blobs_come:
                    self._send(connection, encode(BlobStates(alias, 0, b"")))
                elif data is None:
                    subscription.has_missed = True
            case BlobsTold(states=states):
                self._send(connection, encode(BlobStates(alias, number, bytes(states))))
                if pending.size and states[0] is BlobState.HERE:
                    self._tell_news(subscription)
            case _:
                states = [BlobState.BUSY] * pending.count
                self._send(connection, encode(BlobStates(alias, number, bytes(states))))

    def _tell_news(self, putter: Subscription) -> None:
        """Tell those who have asked in vain that more blobs have come to a room."""
        putter.room.blobs_come += 1
        news = encode(BlobStates(putter.room.alias, 0, b""))
        for subscription in putter.room.subscriptions.values():
            if subscription.has_missed and subscription.standing:
                subscription.has_missed = False
                self._send(subscription.connection, news)

    def _say_closed(self, connection: Connection, frame: BlobFrame) -> None:
        match frame:
            case PutBlob():
                self._say(connection, frame, BlobState.REFUSED)
            case GetBlob(alias=alias, number=number):
                self._send(connection, encode(BlobData(alias, number, b"")))
            case _:
                self._say(connection, frame, BlobState.ABSENT)

    def _is_over(self, connection: Connection, frame: BlobFrame) -> bool:
        """Tell whether too much waits already for one more frame."""
        if connection.blobs_in_flight >= BLOBS_IN_FLIGHT_MAX:
            return True
        more = len(frame.data) if isinstance(frame, PutBlob) else 0
        return bool(more) and self._blob_bytes + more > self._config.pending_blob_bytes_max

    def _say(self, connection: Connection, frame: BlobFrame, state: BlobState) -> None:
        """Answer a frame with the same state for each blob that it names."""
        count = len(frame.names) if isinstance(frame, AskBlobs | DropBlobs) else 1
        told = BlobStates(frame.alias, frame.number, bytes([state] * count))
        self._send(connection, encode(told))

    def _blob_ticket(self, pending: PendingBlobs) -> int:
        ticket = self._next_ticket
        self._next_ticket += 1
        self._pending_blobs[ticket] = pending
        return ticket

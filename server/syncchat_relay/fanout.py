"""Fan-out: one flush of the log, turned into frames for those who have its rooms open.

Per room a flush is a run of seqs in segments: what one Push stored stands together. Who pushed
nothing gets the whole run in Delivers that are encoded once for all. Who pushed gets an Ack where
its own segment stands and a Deliver for each foreign one, so that its frames keep the order of the
log. Nobody gets a seq unless all before it went out on the same connection; whoever is elsewhere,
or has too much unsent, falls behind and reads from the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from syncchat.trust.records import is_record
from syncchat.wire.codes import ItemStatus
from syncchat.wire.frames import Ack, AckItem, Deliver, Gap, encode

from .config import Config
from .connection import Ask, Pace, PendingPush, Room, Subscription
from .effects import Send, WasRead
from .log import Outcome

ENVELOPES_PER_DELIVER = 1_024
"""The wire allows 4,096; a receiver applies a frame in one transaction."""


@dataclass(slots=True)
class Segment:
    """Is one Push's part of a flush: what was stored, at seqs ``after`` + 1 and on."""

    push: PendingPush
    outcomes: Sequence[Outcome]
    after: int = 0
    stored: list[bytes] = field(default_factory=list)

    @classmethod
    def from_outcomes(cls, push: PendingPush, outcomes: Sequence[Outcome]) -> Segment:
        segment = cls(push, outcomes)
        for raw, outcome in zip(push.envelopes, outcomes, strict=True):
            if outcome.status is ItemStatus.STORED:
                if not segment.stored:
                    segment.after = outcome.seq - 1
                segment.stored.append(raw)
        return segment

    @property
    def last(self) -> int:
        """Return the seq of the last stored envelope."""
        return self.after + len(self.stored)

    @property
    def seq_seen(self) -> int:
        """Return the greatest seq of the log that the outcomes tell of."""
        told = (ItemStatus.STORED, ItemStatus.KNOWN, ItemStatus.CONFLICT)
        return max((found.seq for found in self.outcomes if found.status in told), default=0)


@dataclass(frozen=True, slots=True)
class Part:
    """Is one Deliver frame and the seqs that it covers."""

    after: int
    last: int
    data: bytes


def ack(push: PendingPush, outcomes: Sequence[Outcome]) -> bytes:
    """Return the Ack frame of a Push."""
    items = [AckItem(outcome.status, outcome.seq) for outcome in outcomes]
    return encode(Ack(push.alias, push.number, items))


def parts_of(alias: int, after: int, envelopes: Sequence[bytes], bytes_max: int) -> list[Part]:
    """Return Deliver frames for envelopes that follow ``after``.

    None holds more than ``bytes_max`` of envelopes, but for a single one that is larger.
    """
    parts: list[Part] = []
    begin, size = 0, 0
    for index, raw in enumerate(envelopes):
        is_full = size + len(raw) > bytes_max or index - begin >= ENVELOPES_PER_DELIVER
        if is_full and index > begin:
            parts.append(_part(alias, after + begin, envelopes[begin:index]))
            begin, size = index, 0
        size += len(raw)
    if begin < len(envelopes):
        parts.append(_part(alias, after + begin, envelopes[begin:]))
    return parts


def stretch_parts(alias: int, after: int, read: WasRead, bytes_max: int) -> list[Part]:
    """Return Deliver frames for a stretch of the log that follows ``after``, gaps included."""
    parts: list[Part] = []
    envelopes: list[bytes] = []
    gaps: list[Gap] = []
    begin = at = after
    size = 0
    for seq, raw in [*read.envelopes, (read.upto + 1, b"")]:
        is_full = size + len(raw) > bytes_max or len(envelopes) >= ENVELOPES_PER_DELIVER
        if is_full and at > begin:
            parts.append(Part(begin, at, encode(Deliver(alias, begin, envelopes, gaps))))
            envelopes, gaps, begin, size = [], [], at, 0
        if seq > at + 1:
            at = seq - 1
            gaps.append(Gap(len(envelopes), at, read.fingerprints[at]))
        if seq <= read.upto:
            envelopes.append(raw)
            size += len(raw)
            at = seq
    if at > begin:
        parts.append(Part(begin, at, encode(Deliver(alias, begin, envelopes, gaps))))
    return parts


def first_record(segments: Sequence[Segment]) -> int:
    """Return the seq of the first record that a flush stored in a room, 0 for none."""
    for segment in segments:
        for place, raw in enumerate(segment.stored):
            if is_record(raw):
                return segment.after + place + 1
    return 0


def fan_out(
    room: Room, segments: Sequence[Segment], config: Config, *, record: int = 0
) -> list[Send]:
    """Return what a flush gives to a room's receivers, and move their positions.

    ``segments`` are all of the room in that flush, in order. A pusher whose connection has ended
    meanwhile has no subscription any more, and so gets no Ack. ``record`` is the seq of the first
    record where records say who may read: beyond it nobody gets what they did not push.
    """
    pushers = {segment.push.connection.conn for segment in segments}
    filled = [segment for segment in segments if segment.stored]
    sends: list[Send] = []
    if filled:
        run = [raw for segment in filled for raw in segment.stored]
        run = run[: record - filled[0].after] if record else run
        others = [each for conn, each in room.subscriptions.items() if conn not in pushers]
        for part in parts_of(room.alias, filled[0].after, run, config.deliver_bytes_max):
            conns = _takers(others, part, config)
            if conns:
                sends.append(Send(conns, part.data))
    shared: dict[int, list[Part]] = {}
    for conn in dict.fromkeys(segment.push.connection.conn for segment in segments):
        subscription = room.subscriptions.get(conn)
        if subscription is not None:
            sends += _for_pusher(subscription, segments, shared, config, record)
    seen = max(segment.seq_seen for segment in segments)
    learn_head(room, seen)
    return sends


def learn_head(room: Room, seq: int) -> None:
    """Raise a room's head; who was live and has not been given all of it falls behind."""
    if seq <= room.head:
        return
    room.head, live = seq, Pace.LIVE
    for subscription in room.subscriptions.values():
        if subscription.position < seq and subscription.pace is live:
            fall_behind(subscription)


def fall_behind(subscription: Subscription) -> None:
    """Take a subscription off live delivery: it reads on from its position."""
    subscription.pace = Pace.READING
    subscription.connection.asks[Ask.ENVELOPES, subscription.room.alias] = None


def _for_pusher(
    subscription: Subscription,
    segments: Sequence[Segment],
    shared: dict[int, list[Part]],
    config: Config,
    record: int,
) -> list[Send]:
    connection, room = subscription.connection, subscription.room
    sends: list[Send] = []
    for segment in segments:
        if segment.push.connection is connection:
            data = ack(segment.push, segment.outcomes)
            connection.unsent_bytes += len(data)
            sends.append(Send((connection.conn,), data))
            # One that is behind has a read on its way from its position: that stays put.
            has_all = subscription.pace in (Pace.LIVE, Pace.HELD)
            is_next = has_all and subscription.position == segment.after
            if segment.stored and is_next:
                subscription.position = segment.last
        elif segment.stored and record:
            if subscription.is_live:
                fall_behind(subscription)
        elif segment.stored:
            if segment.after not in shared:
                shared[segment.after] = parts_of(
                    room.alias, segment.after, segment.stored, config.deliver_bytes_max
                )
            for part in shared[segment.after]:
                if conns := _takers((subscription,), part, config):
                    sends.append(Send(conns, part.data))
    return sends


def _takers(subscriptions: Iterable[Subscription], part: Part, config: Config) -> tuple[int, ...]:
    """Return the connections of those that a part goes to, and move their positions."""
    live, after, last = Pace.LIVE, part.after, part.last
    octets, unsent_bytes_max = len(part.data), config.unsent_bytes_max
    conns: list[int] = []
    for subscription in subscriptions:
        if subscription.pace is not live or subscription.position >= last:
            continue
        connection = subscription.connection
        if subscription.position != after or connection.unsent_bytes > unsent_bytes_max:
            fall_behind(subscription)
            continue
        subscription.position = last
        connection.unsent_bytes += octets
        conns.append(connection.conn)
    return tuple(conns)


def _part(alias: int, after: int, envelopes: Sequence[bytes]) -> Part:
    return Part(after, after + len(envelopes), encode(Deliver(alias, after, list(envelopes))))

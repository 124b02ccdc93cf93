"""The hub's memory: connections, rooms that somebody has open, and what ties them together."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

from syncchat.trust.records import is_record
from syncchat.wire.frames import (
    AnyFrame,
    AskBlobs,
    AskContents,
    DropBlobs,
    Find,
    GetBlob,
    Open,
    Push,
    Renew,
)

from .config import Config
from .log import Standing

DEVICE_BYTES = 8
RENEW_COST = 100
"""A token's signature takes fifty times as long to check as a small frame."""

OCTETS_PER_UNIT = 512
"""Bytes of a record that take about as long to verify and fold as a small frame."""

FIND_COST = 1_000
"""Who looks for invites may be guessing: one connection has eight, then two a second."""
BLOBS_PER_UNIT = 64
"""Names of blobs that take about as long to look up as a small frame takes."""

CLOSED_COST = 50
"""For a room that somebody may not enter: the relay may have to fold its whole log to know."""


class Ask(Enum):
    """Says what a connection waits to have read from the log."""

    NEWEST = auto()
    ENVELOPES = auto()
    CONTENTS = auto()
    CHAINS = auto()
    CURSORS = auto()


class Pace(Enum):
    """Says how a subscription gets what stands in a room's log."""

    CLOSED = auto()
    """It may not read the room, and waits until it may."""
    READING = auto()
    """It is being read for, or will be."""
    LIVE = auto()
    """It has all there is, and gets what comes."""
    HELD = auto()
    """It was live until a record came: whether it still may read is being asked."""


@dataclass(slots=True)
class Bucket:
    """Holds tokens that come at a steady rate, up to a burst; counts in thousandths."""

    per_second: int
    burst: int
    tokens: int
    filled_ms: int

    @classmethod
    def full(cls, per_second: int, burst: int, now_ms: int) -> Bucket:
        return cls(per_second, burst, burst * 1000, now_ms)

    def take(self, cost: int, now_ms: int) -> int:
        """Take ``cost`` tokens, on credit if need be; return the ms until it is paid back."""
        elapsed_ms = max(0, now_ms - self.filled_ms)
        self.filled_ms = now_ms
        self.tokens = min(self.burst * 1000, self.tokens + elapsed_ms * self.per_second)
        self.tokens -= cost * 1000
        return -(self.tokens // self.per_second) if self.tokens < 0 else 0

    def has(self, cost: int, now_ms: int) -> bool:
        """Tell whether ``cost`` tokens can be taken without credit."""
        elapsed_ms = max(0, now_ms - self.filled_ms)
        return self.tokens + elapsed_ms * self.per_second >= cost * 1000

    def owe(self, cost: int) -> None:
        """Take ``cost`` tokens that the next ``take`` waits for."""
        self.tokens -= cost * 1000


def cost_of(frame: AnyFrame | None) -> int:
    """Return how many units of work a frame counts for."""
    match frame:
        case Push():
            octets = sum(len(raw) for raw in frame.envelopes if is_record(raw))
            return 1 + len(frame.envelopes) // 16 + octets // OCTETS_PER_UNIT
        case Open():
            proofs = sum(room.proof is not None for room in frame.rooms)
            return 1 + len(frame.rooms) // 4 + proofs
        case Renew():
            return RENEW_COST
        case Find():
            return FIND_COST
        case AskBlobs() | DropBlobs():
            return 1 + len(frame.names) // BLOBS_PER_UNIT
        case AskContents():
            return 1 + len(frame.places)
        case _:
            return 1


@dataclass(slots=True, eq=False)
class Connection:
    """Is one connection; ``device`` is empty until it has proved who it is, and was admitted.

    ``subject`` is the person that a token named, and ``grant_ends_ms`` when it ends, 0 for never.
    """

    conn: int
    nonce: bytes
    opened_ms: int
    heard_ms: int
    frames: Bucket
    octets: Bucket
    signals: Bucket
    blob_octets: Bucket
    device: bytes = b""
    device_key: bytes = b""
    is_operator: bool = False
    is_vouching: bool = False
    subject: str = ""
    may_create_rooms: bool = False
    grant_ends_ms: int = 0
    remind_at_ms: int = 0
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    rooms_opening: int = 0
    recent: int = 0
    """How many of the newest envelopes of a room it wants to see first, where it lacks more."""
    pushes_in_flight: int = 0
    reads_in_flight: int = 0
    blobs_in_flight: int = 0
    loads_in_flight: int = 0
    unsent_bytes: int = 0
    asks: dict[tuple[Ask, int], None] = field(default_factory=dict)
    """What to read for it, in order and each once, when it has room for the answer."""
    loads: deque[tuple[Subscription, GetBlob]] = field(default_factory=deque)
    """Blobs to read for it, when nothing else is to be read."""

    @classmethod
    def new(cls, conn: int, nonce: bytes, now_ms: int, config: Config) -> Connection:
        """Return a connection that has just been opened."""
        frames = Bucket.full(config.frames_per_second, config.frames_burst, now_ms)
        octets = Bucket.full(config.bytes_per_second, config.bytes_burst, now_ms)
        signals = Bucket.full(config.signals_per_second, config.signals_burst, now_ms)
        blobs = Bucket.full(config.blob_bytes_per_second, config.blob_bytes_burst, now_ms)
        return cls(conn, nonce, now_ms, now_ms, frames, octets, signals, blobs)

    @property
    def is_member_somewhere(self) -> bool:
        """Tell whether its device is a member's in a room that it has open."""
        return any(found.standing is Standing.MEMBER for found in self.subscriptions.values())


@dataclass(slots=True, eq=False)
class Subscription:
    """Is one connection's place in one room.

    ``position`` is the seq up to which everything was sent or acknowledged to it. It is live
    while that is the room's head; else it is being brought there by reading, and owes nothing to
    what is written meanwhile. ``standing`` is what the log said of ``keys`` last, when its head
    was ``verified``.
    """

    connection: Connection
    room: Room
    position: int
    pace: Pace
    owes_live_frame: bool
    keys: tuple[bytes, ...]
    standing: Standing
    verified: int
    told: int = 0
    """The seq up to which it was told of snapshots ahead of their places."""
    known: int = 0
    """The seq up to which it was told of all records, ahead of their places."""
    is_telling: bool = False
    """Whether the newest is being read for it; its log is read when that was told."""
    wants_little: bool = False
    """Whether its peer leaves old history here where it lacks much of the room."""
    is_light: bool = False
    """Whether it does lack much, so that it is told of stubs."""
    wanted: list[int] = field(default_factory=list)
    """The places of snapshots that it asked for and that are still to be read."""
    being_read: int = 0
    """How many of those are being read."""
    applied: int = 0
    has_missed: bool = False
    """Whether it asked for a blob that was not there, and was not told of others since."""

    @property
    def is_live(self) -> bool:
        """Tell whether what is written to the room goes to it at once."""
        return self.pace is Pace.LIVE


@dataclass(slots=True, eq=False)
class Room:
    """Is a room that at least one connection has open."""

    name: bytes
    alias: int
    head: int
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    cursors_unsaved: dict[bytes, int] = field(default_factory=dict)
    cursors_unsent: dict[bytes, int] = field(default_factory=dict)
    cursors_since_ms: int = 0
    blobs_come: int = 0
    """Counts blobs that were stored, for those who ask for one at that moment."""


@dataclass(frozen=True, slots=True, eq=False)
class PendingPush:
    """Is a Push whose commit is awaited; outlives its connection."""

    connection: Connection
    room: bytes
    alias: int
    number: int
    envelopes: tuple[bytes, ...]
    size: int


@dataclass(slots=True)
class Backlog:
    """Counts what waits for a commit, of all connections."""

    envelopes: int = 0
    octets: int = 0

    def has_room_for(self, push: PendingPush, config: Config) -> bool:
        """Tell whether a Push may wait too."""
        return (
            self.envelopes + len(push.envelopes) <= config.pending_envelopes_max
            and self.octets + push.size <= config.pending_bytes_max
        )

    def add(self, push: PendingPush) -> None:
        """Count a Push that waits from now on."""
        self.envelopes += len(push.envelopes)
        self.octets += push.size

    def remove(self, push: PendingPush) -> None:
        """Count a Push whose commit is decided, its connection's place in flight included."""
        push.connection.pushes_in_flight -= 1
        self.envelopes -= len(push.envelopes)
        self.octets -= push.size


@dataclass(frozen=True, slots=True, eq=False)
class PendingOpen:
    """Is an Open whose rooms are being looked up.

    ``rooms`` holds (room, cursor as counted, cursor as said, own_seq as said); ``fingerprints``
    what the log should have at the cursor as counted; ``keys`` what was proved for each room;
    ``light`` the positions of those that are to be light.
    """

    connection: Connection
    rooms: tuple[tuple[bytes, int, int, int], ...]
    fingerprints: tuple[bytes, ...]
    keys: tuple[tuple[bytes, ...], ...]
    light: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class PendingRead:
    """Is a log read for one subscription."""

    subscription: Subscription
    ask: Ask


@dataclass(frozen=True, slots=True, eq=False)
class PendingFind:
    """Is a look for the room of an invite."""

    connection: Connection
    invite: bytes


@dataclass(frozen=True, slots=True, eq=False)
class PendingCheck:
    """Is a look at a room's head, and at who may read it, after a flush that may change them."""

    room: bytes
    subscriptions: tuple[Subscription, ...]


Pending = PendingPush | PendingOpen | PendingRead | PendingFind | PendingCheck

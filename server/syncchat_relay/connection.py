"""The hub's memory: connections, rooms that somebody has open, and what ties them together."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from syncchat.wire.frames import AnyFrame, Open, Push

DEVICE_BYTES = 8


class Ask(Enum):
    """Says what a connection waits to have read from the log."""

    ENVELOPES = auto()
    CHAINS = auto()
    CURSORS = auto()


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


def cost_of(frame: AnyFrame | None) -> int:
    """Return how many units of work a frame counts for."""
    match frame:
        case Push():
            return 1 + len(frame.envelopes) // 16
        case Open():
            return 1 + len(frame.rooms) // 4
        case _:
            return 1


@dataclass(slots=True, eq=False)
class Connection:
    """Is one connection; ``device`` is empty until it has proved who it is."""

    conn: int
    nonce: bytes
    opened_ms: int
    heard_ms: int
    frames: Bucket
    octets: Bucket
    device: bytes = b""
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    rooms_opening: int = 0
    pushes_in_flight: int = 0
    reads_in_flight: int = 0
    unsent_bytes: int = 0
    asks: dict[tuple[Ask, int], None] = field(default_factory=dict)
    """What to read for it, in order and each once, when it has room for the answer."""


@dataclass(slots=True, eq=False)
class Subscription:
    """Is one connection's place in one room.

    ``position`` is the seq up to which everything was sent or acknowledged to it. It is live
    while that is the room's head; else it is being brought there by reading, and owes nothing to
    what is written meanwhile.
    """

    connection: Connection
    room: Room
    position: int
    is_live: bool
    owes_live_frame: bool
    applied: int = 0


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


@dataclass(frozen=True, slots=True, eq=False)
class PendingPush:
    """Is a Push whose commit is awaited; outlives its connection."""

    connection: Connection
    room: bytes
    alias: int
    number: int
    envelopes: tuple[bytes, ...]
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class PendingOpen:
    """Is an Open whose rooms are being looked up.

    ``rooms`` holds (room, cursor as counted, cursor as said, own_seq as said); ``fingerprints``
    what the log should have at the cursor as counted.
    """

    connection: Connection
    rooms: tuple[tuple[bytes, int, int, int], ...]
    fingerprints: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PendingRead:
    """Is a log read for one subscription."""

    subscription: Subscription
    ask: Ask


@dataclass(frozen=True, slots=True, eq=False)
class PendingHead:
    """Is a look at a room's head after a flush of unknown outcome."""

    room: bytes


Pending = PendingPush | PendingOpen | PendingRead | PendingHead

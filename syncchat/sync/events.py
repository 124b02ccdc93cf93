"""What a session tells its owner."""

from __future__ import annotations

from dataclasses import dataclass

from ..ids import DeviceId
from ..wire.codes import BlobState, ItemStatus


@dataclass(frozen=True, slots=True)
class Ready:
    """The relay was greeted; rooms may be opened."""

    incarnation: bytes


@dataclass(frozen=True, slots=True)
class RoomOpened:
    """A room is open at the relay.

    ``differs`` is false when all was just as this peer said. Otherwise deliveries start after
    ``after`` and go up to ``head``; ``own_seq`` is how much of the own chain the relay has.
    """

    room: bytes
    differs: bool
    after: int
    head: int
    own_seq: int
    is_closed: bool = False
    """The relay has no such room, or does not let this device read it."""


@dataclass(frozen=True, slots=True)
class AccessChanged:
    """The relay lets this device read a room from now on, or no longer."""

    room: bytes
    is_open: bool


@dataclass(frozen=True, slots=True)
class Delivered:
    """Envelopes arrived, those at ``after`` + 1 and on of the room's log, but for its gaps.

    ``gaps`` are (index, upto, fingerprint), as in the frame.
    """

    room: bytes
    after: int
    envelopes: tuple[bytes, ...]
    gaps: tuple[tuple[int, int, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class SnapshotsTold:
    """Snapshots arrived ahead of their places in the room's log."""

    room: bytes
    envelopes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class StubsTold:
    """Stubs of snapshots arrived, each with the place in the log where the whole one stands."""

    room: bytes
    stubs: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class ContentsCame:
    """The snapshot at a place of the log that was asked for; empty where there is none now."""

    room: bytes
    place: int
    envelope: bytes


@dataclass(frozen=True, slots=True)
class RecentTold:
    """The newest of a room arrived ahead of the rest: ``envelopes`` at ``places`` of its log.

    ``since``, ``links`` and what is among them are as in the frame; ``links`` by index.
    """

    room: bytes
    since: int
    places: tuple[int, ...]
    envelopes: tuple[bytes, ...]
    links: dict[int, bytes]
    is_last: bool


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Everything that the relay had when asked was delivered; ``fingerprint`` is of its log."""

    room: bytes
    head: int
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Acked:
    """The relay answered a push: the state and seq of each of ``envelopes``."""

    room: bytes
    envelopes: tuple[bytes, ...]
    items: tuple[tuple[ItemStatus, int], ...]


@dataclass(frozen=True, slots=True)
class CursorsSeen:
    """Other devices have applied the room's log up to these seqs."""

    room: bytes
    cursors: tuple[tuple[DeviceId, int], ...]


@dataclass(frozen=True, slots=True)
class ChainsSeen:
    """The relay holds this much of each device's chain, complete."""

    room: bytes
    heads: dict[DeviceId, int]


@dataclass(frozen=True, slots=True)
class SignalHeard:
    """Somebody says something in passing."""

    room: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class BlobsTold:
    """The relay said what became of the blobs that a frame put, asked about or dropped."""

    number: int
    states: tuple[BlobState, ...]


@dataclass(frozen=True, slots=True)
class BlobCame:
    """The relay answered a question for a blob: its bytes, None where it has none."""

    number: int
    data: bytes | None


@dataclass(frozen=True, slots=True)
class BlobsNews:
    """More blobs have come to a room in which one was asked for in vain."""

    room: bytes


@dataclass(frozen=True, slots=True)
class BlobsSilent:
    """The relay has not answered anything about blobs for too long; what waited is forgotten."""

    numbers: tuple[int, ...]


BlobEvent = BlobsTold | BlobCame | BlobsNews | BlobsSilent


@dataclass(frozen=True, slots=True)
class TokenWanted:
    """The connection's token ends soon; ``Session.renew`` with a fresh one keeps it open."""

    left_ms: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The relay refuses; ``retry`` is false when trying again soon does not help."""

    code: int
    text: str
    retry_after_ms: int
    retry: bool


@dataclass(frozen=True, slots=True)
class Dead:
    """The connection is of no more use, and why."""

    reason: str


SessionEvent = (
    Ready
    | RoomOpened
    | AccessChanged
    | Delivered
    | SnapshotsTold
    | StubsTold
    | ContentsCame
    | RecentTold
    | CaughtUp
    | Acked
    | CursorsSeen
    | ChainsSeen
    | SignalHeard
    | BlobsTold
    | BlobCame
    | BlobsNews
    | BlobsSilent
    | TokenWanted
    | Refused
    | Dead
)

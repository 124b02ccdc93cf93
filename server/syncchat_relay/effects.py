"""What the hub wants done, and what log work answers: the whole border between hub and world.

The hub returns effects and does nothing itself. Whoever drives it performs them in order: frames
to connections, work to the log, each log answer back through ``Hub.done``, and answers in the order
in which the log did the work: a look-up must not tell of a commit whose own answer is still to
come, or a pusher would read what its Ack stands for. ``perform`` is the one
reading of what each piece of log work means, for the server and for a simulator alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from syncchat.wire.codes import BlobState

from .log import CursorEntry, Newest, Outcome, Standing


@dataclass(frozen=True, slots=True)
class Send:
    """Send one frame's bytes to each of these connections; tell ``Hub.sent`` when they left."""

    conns: tuple[int, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close a connection after what was sent to it; the hub has forgotten it already."""

    conn: int
    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Take nothing from a connection for so long: it is over its rate."""

    conn: int
    ms: int


@dataclass(frozen=True, slots=True)
class Vouch:
    """Ask whether a token admits a device; answer with ``Hub.vouched``.

    Nothing may be taken from the connection until then: what a device sends before it is admitted
    waits in its socket, and costs the relay no memory.
    """

    conn: int
    device_key: bytes
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeepRevocation:
    """Keep that a device or subject is turned away, or no longer; then tell ``Hub.turn_away``.

    An operator asked for it on ``conn``, from which nothing may be taken until it is kept.
    """

    conn: int
    device: bytes
    subject: str
    undo: bool


@dataclass(frozen=True, slots=True)
class Append:
    """Append to a room what a device pushes; all that waits may share one transaction."""

    ticket: int
    room: bytes
    envelopes: tuple[bytes, ...]
    pusher: bytes = b""
    may_create: bool = False


@dataclass(frozen=True, slots=True)
class Lookup:
    """Find what the log knows of rooms, for one device.

    ``rooms`` are (room, cursor, keys); the keys are the device's own, and what was proved beside.
    """

    ticket: int
    device: bytes
    rooms: tuple[tuple[bytes, int, tuple[bytes, ...]], ...]


@dataclass(frozen=True, slots=True)
class Read:
    """Read a part of a room's log, as far as who holds ``keys`` may.

    Up to ``verified`` they could when that was asked last. Of snapshots up to ``told`` they know;
    where they want little (``is_light``) they are told of every one before its place. Records up
    to ``known`` they have.
    """

    ticket: int
    room: bytes
    after: int
    envelopes_max: int
    bytes_max: int
    keys: tuple[bytes, ...]
    verified: int
    told: int = 0
    is_light: bool = False
    known: int = 0


@dataclass(frozen=True, slots=True)
class ReadNewest:
    """Read the newest of a room's log, and the records behind ``after``, for who may read it."""

    ticket: int
    room: bytes
    after: int
    envelopes_max: int
    bytes_max: int
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ReadContents:
    """Read what stands at some places of a room's log, for who may read it."""

    ticket: int
    room: bytes
    places: tuple[int, ...]
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ReadChains:
    """Read how much of each device's chain a room has, for who may read it."""

    ticket: int
    room: bytes
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ReadCursors:
    """Read a room's device cursors, for a member."""

    ticket: int
    room: bytes
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """Find a room's head, and how each of some holders of keys stands to it."""

    ticket: int
    room: bytes
    readers: tuple[tuple[bytes, ...], ...]


@dataclass(frozen=True, slots=True)
class FindRoom:
    """Find the personal room in which an invite waits for a device."""

    ticket: int
    invite: bytes


@dataclass(frozen=True, slots=True)
class SaveCursors:
    """Keep device cursors; it has no answer, and may fail, for peers repeat them."""

    entries: tuple[CursorEntry, ...]


LogWork = (
    Lookup
    | Check
    | Read
    | ReadNewest
    | ReadContents
    | ReadChains
    | ReadCursors
    | FindRoom
    | SaveCursors
)


@dataclass(frozen=True, slots=True)
class StoreBlob:
    """Store a blob that a device puts into a room."""

    ticket: int
    room: bytes
    device_key: bytes
    name: bytes
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FindBlobs:
    """Find which blobs a room has, for who may read it."""

    ticket: int
    room: bytes
    keys: tuple[bytes, ...]
    names: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ReleaseBlobs:
    """Let go of blobs that a device's member needs no more."""

    ticket: int
    room: bytes
    device_key: bytes
    names: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class LoadBlob:
    """Read a blob, for who may read the room; where ``is_allowed``, that is known already."""

    ticket: int
    room: bytes
    keys: tuple[bytes, ...]
    name: bytes
    is_allowed: bool = False


BlobWork = StoreBlob | FindBlobs | ReleaseBlobs | LoadBlob
Effect = Send | Close | Pause | Vouch | KeepRevocation | Append | LogWork | BlobWork


@dataclass(frozen=True, slots=True)
class Grant:
    """Is what a token grants: who it names, until when (wall time), and what they may."""

    subject: str
    expires_ms: int
    may_create_rooms: bool = False


@dataclass(frozen=True, slots=True)
class Vouched:
    """Answers Vouch: ``grant`` is None for a token that does not admit the device.

    ``left_ms`` is how long the grant lasts from now. ``has_failed`` tells that nobody could say.
    """

    conn: int
    grant: Grant | None
    left_ms: int = 0
    has_failed: bool = False


@dataclass(frozen=True, slots=True)
class Appended:
    """Answers Append after the commit."""

    ticket: int
    outcomes: Sequence[Outcome]


@dataclass(frozen=True, slots=True)
class RoomFacts:
    """Is what a log knows of one room and one device in it.

    ``at_cursor`` is the fingerprint at the cursor that was asked for, None beyond the head. Of a
    room that the device may not read all is as of one that is not there.
    """

    head: int
    at_cursor: bytes | None
    own_seq: int
    standing: Standing


@dataclass(frozen=True, slots=True)
class LookedUp:
    """Answers Lookup, room by room."""

    ticket: int
    facts: Sequence[RoomFacts]


@dataclass(frozen=True, slots=True)
class WasRead:
    """Answers Read with a stretch of the log that ends at ``upto``, or before its first gap with
    snapshots that stand for what is gone.

    ``envelopes`` and ``snapshots`` have their seqs; ``fingerprints`` are those of the log where its
    gaps end, and at ``upto``. ``last`` is the seq up to which may be read: the log's head, or for
    who may read no more that of the record by which this ended. Snapshots up to ``told`` have been
    told of then.
    """

    ticket: int
    envelopes: Sequence[tuple[int, bytes]]
    upto: int
    fingerprints: Mapping[int, bytes]
    last: int
    standing: Standing
    snapshots: Sequence[tuple[int, bytes]] = ()
    told: int = 0

    @property
    def fingerprint(self) -> bytes:
        """Return the fingerprint of the log up to the stretch's end."""
        return self.fingerprints.get(self.upto, b"")


@dataclass(frozen=True, slots=True)
class NewestRead:
    """Answers ReadNewest; nothing is in it for who may not read the room, or where the records
    alone are more than is shown ahead."""

    ticket: int
    standing: Standing
    records: Sequence[tuple[int, bytes]] = ()
    newest: Newest | None = None


@dataclass(frozen=True, slots=True)
class ContentsRead:
    """Answers ReadContents: (place, envelope), which is empty where nothing is for who asks."""

    ticket: int
    contents: Sequence[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Checked:
    """Answers Check."""

    ticket: int
    head: int
    standings: Sequence[Standing]


@dataclass(frozen=True, slots=True)
class DevicesRead:
    """Answers ReadChains and ReadCursors: (device, chain seq or cursor) pairs."""

    ticket: int
    devices: Sequence[tuple[bytes, int]]


@dataclass(frozen=True, slots=True)
class RoomFound:
    """Answers FindRoom; ``room`` is empty for none."""

    ticket: int
    room: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """Answers any of them when the log could not; an append's outcome is then unknown."""

    ticket: int


LogAnswer = (
    Appended
    | LookedUp
    | Checked
    | WasRead
    | NewestRead
    | ContentsRead
    | DevicesRead
    | RoomFound
    | Failed
)


@dataclass(frozen=True, slots=True)
class BlobsTold:
    """Answers StoreBlob, FindBlobs and ReleaseBlobs, name by name."""

    ticket: int
    states: Sequence[BlobState]


@dataclass(frozen=True, slots=True)
class BlobLoaded:
    """Answers LoadBlob; None for a blob that is not there for who asks."""

    ticket: int
    data: bytes | None = field(repr=False)


BlobAnswer = BlobsTold | BlobLoaded | Failed
Answer = LogAnswer | BlobAnswer

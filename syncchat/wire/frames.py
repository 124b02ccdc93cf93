"""Frames: what travels on a relay connection.

The relay speaks first: Hello names it, its protocol versions and a nonce. The peer answers with
Auth, a signature over the nonce and the host name that it dialled, and may send Open in the same
flight. From then on both sides speak freely::

    peer                                   relay
                                  <------  Hello(versions, incarnation, nonce)
    Auth(version, device, host, …) -->
    Open([room, cursor, ...])     ------>
                                  <------  Opened([alias, state, head, ...])
                                  <------  Recent(alias, …, envelopes)         where much is missing
                                  <------  Snapshots(alias, envelopes)         where some stand
                                  <------  Deliver(alias, after, envelopes)    for what is gone
    Push(alias, number, envelopes) ----->
                                  <------  Ack(alias, number, items)           after the commit
                                  <------  Deliver(...)                        as others write
    Signal(alias, data)           ------>                              and to the others
    Applied(alias, cursor)        ------>
                                  <------  Cursors(alias, [device, cursor])
    PutBlob(alias, number, …)     ------>                                      chunks of files,
                                  <------  BlobStates(alias, number, states)   after all of that
    GetBlob(alias, number, name)  ------>
                                  <------  BlobData(alias, number, data)

A connection's frames about one room keep the order of the room's log: an Ack of a STORED item
stands for the delivery of that envelope to its own sender. Room aliases are the relay's own small
numbers, the same for every connection, so that one Deliver serves all receivers.

Every frame is a msgpack array whose first element is the tag. Fields are only ever appended; a
receiver ignores what it does not know at the end of a frame and skips frames of unknown tags.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ..errors import DecodeError
from .fields import (
    Alias,
    DeviceBytes,
    Fingerprint,
    Incarnation,
    Key,
    Link,
    Millis,
    Nonce,
    OperatorProof,
    Place,
    RoomBytes,
    Seq,
    Signature,
    Text,
    Token,
)
from .fields import (
    Frame as Frame,
)
from .file_frames import AskBlobs as AskBlobs
from .file_frames import BlobData as BlobData
from .file_frames import BlobStates as BlobStates
from .file_frames import DropBlobs as DropBlobs
from .file_frames import GetBlob as GetBlob
from .file_frames import PutBlob as PutBlob
from .history_frames import AskContents as AskContents
from .history_frames import Contents as Contents
from .history_frames import Stubs as Stubs
from .limits import (
    CHAINS_PER_FRAME_MAX,
    ENVELOPES_PER_PUSH_MAX,
    FRAME_BYTES_MAX,
    NAME_BYTES_MAX,
    RECENT_ENVELOPES_MAX,
    ROOMS_PER_OPEN_MAX,
    SIGNAL_BYTES_MAX,
    SUBJECT_CHARS_MAX,
)


class Hello(Frame, frozen=True, array_like=True, tag=1):
    """Opens a connection, from the relay: who it is, what it speaks, what to sign."""

    version_min: Annotated[int, Meta(ge=0, lt=2**31)]
    version_max: Annotated[int, Meta(ge=0, lt=2**31)]
    incarnation: Incarnation
    nonce: Nonce


class Auth(Frame, frozen=True, array_like=True, tag=2):
    """Answers Hello: ``signature`` is the device's, over host, incarnation and nonce.

    ``token`` is what an embedding app vouches with, empty if none. ``operator`` proves knowledge
    of the relay's operator secret (``trust.keys.operator_proof``), empty if none.
    """

    version: Annotated[int, Meta(ge=0, lt=2**31)]
    device_key: Key
    host: Annotated[str, Meta(max_length=NAME_BYTES_MAX)]
    signature: Signature
    token: Token = ""
    operator: OperatorProof = b""


class Proof(Struct, frozen=True, array_like=True):
    """Proves that a peer holds a key that opens a room: an invite's, or a member's root key.

    ``signature`` is over the room, the relay's incarnation and the nonce of this connection.
    """

    key: Key
    signature: Signature


class RoomCursor(Struct, frozen=True, array_like=True):
    """Says how far a peer is in one room.

    ``fingerprint`` is that of the log up to ``cursor``, eight zero bytes for an empty one;
    ``own_seq`` the chain seq up to which this device's own chain is stored here. ``proof`` is for
    a device that is no member's yet.
    """

    room: RoomBytes
    cursor: Seq
    fingerprint: Fingerprint
    own_seq: Seq
    proof: Proof | None = None


class Open(Frame, frozen=True, array_like=True, tag=3):
    """Subscribes to rooms. ``incarnation`` is the one that the cursors were taken from.

    With another incarnation than the relay's all cursors count as 0. Of a room of which the peer
    lacks more than ``recent`` envelopes it wants to see so many of the newest first (Recent); 0
    for none. ``light`` has the positions of rooms of which it wants no old history then: Stubs in
    the place of Snapshots.
    """

    incarnation: Incarnation
    rooms: Annotated[list[RoomCursor], Meta(max_length=ROOMS_PER_OPEN_MAX)]
    recent: Annotated[int, Meta(ge=0, lt=RECENT_ENVELOPES_MAX + 1)] = 0
    light: Annotated[list[Place], Meta(max_length=ROOMS_PER_OPEN_MAX)] = msgspec.field(
        default_factory=list
    )


class RoomState(Struct, frozen=True, array_like=True):
    """Tells of a room what the peer's cursor did not: its head and own chain at the relay.

    ``after`` is the cursor that deliveries start from; smaller than the one the peer sent when
    the relay's log is not the one that the peer has read (wiped, rolled back). ``is_closed``
    says that there is no such room, or that this device may not read it, which look alike.
    """

    position: Place
    after: Seq
    head: Seq
    own_seq: Seq
    is_closed: bool = False


class Opened(Frame, frozen=True, array_like=True, tag=4):
    """Answers Open: aliases in the order asked for, and the state of rooms that differ.

    A room that is not in ``states`` is just as the peer said: nothing to read, nothing to refill.
    """

    aliases: Annotated[list[Alias], Meta(max_length=ROOMS_PER_OPEN_MAX)]
    states: Annotated[list[RoomState], Meta(max_length=ROOMS_PER_OPEN_MAX)]


class Push(Frame, frozen=True, array_like=True, tag=5):
    """Hands envelopes to the relay, those of one chain in order.

    ``number`` grows by one with each Push of a connection. Envelopes of other devices are
    allowed: a peer may refill a relay that lost them.
    """

    alias: Alias
    number: Seq
    envelopes: Annotated[list[bytes], Meta(min_length=1, max_length=ENVELOPES_PER_PUSH_MAX)]


class AckItem(Struct, frozen=True, array_like=True):
    """Says what became of one envelope; ``seq`` is explained by ``ItemStatus``."""

    status: Annotated[int, Meta(ge=0, lt=2**31)]
    seq: Seq


class Ack(Frame, frozen=True, array_like=True, tag=6):
    """Answers Push, item by item, after the commit."""

    alias: Alias
    number: Seq
    items: Annotated[list[AckItem], Meta(max_length=ENVELOPES_PER_PUSH_MAX)]


class Gap(Struct, frozen=True, array_like=True):
    """Says that the log goes on behind ``upto`` before the envelope at ``index`` of a Deliver.

    What stood there is gone: snapshots stand for it, or it is one that was told of before.
    ``fingerprint`` is that of the log up to ``upto``.
    """

    index: Annotated[int, Meta(ge=0, lt=4097)]
    upto: Seq
    fingerprint: Fingerprint


class Deliver(Frame, frozen=True, array_like=True, tag=7):
    """Carries the envelopes at seq ``after`` + 1, + 2, … of a room's log, but for its gaps.

    A gap behind the last envelope has the index after it.
    """

    alias: Alias
    after: Seq
    envelopes: Annotated[list[bytes], Meta(max_length=4096)]
    gaps: Annotated[list[Gap], Meta(max_length=4096)] = msgspec.field(default_factory=list)


class Snapshots(Frame, frozen=True, array_like=True, tag=29):
    """Tells of snapshots ahead of their places in the log, before a gap for which they stand."""

    alias: Alias
    envelopes: Annotated[list[bytes], Meta(min_length=1, max_length=4096)]


class LinkBefore(Struct, frozen=True, array_like=True):
    """Says which link the envelope at ``index`` of a Recent follows."""

    index: Annotated[int, Meta(ge=0, lt=4096)]
    link: Link


class Recent(Frame, frozen=True, array_like=True, tag=30):
    """Shows the newest of a room's log ahead of the rest, which Deliver brings from its beginning.

    ``envelopes`` stand at ``places`` of the log: first all records that the peer lacks, so that it
    knows who is in the room and its keys; then something by which the writers of what follows say
    what they are called; then all that stands in the log from ``since`` on. Those of one device
    are in the order of its chain. ``links`` has what the peer cannot know of where one stands in
    its chain; the signatures tell whether it is true. ``more`` is true when another Recent of the
    same room follows.
    """

    alias: Alias
    since: Seq
    places: Annotated[list[Seq], Meta(max_length=4096)]
    envelopes: Annotated[list[bytes], Meta(max_length=4096)]
    links: Annotated[list[LinkBefore], Meta(max_length=4096)]
    more: bool


class Live(Frame, frozen=True, array_like=True, tag=8):
    """Says that all up to ``head`` was delivered or acknowledged; what follows is new.

    ``fingerprint`` is that of the log up to ``head``.
    """

    alias: Alias
    head: Seq
    fingerprint: Fingerprint


class Applied(Frame, frozen=True, array_like=True, tag=9):
    """Says that this device has durably applied a room's log up to ``cursor``."""

    alias: Alias
    cursor: Seq


class DeviceCursor(Struct, frozen=True, array_like=True):
    """Says how far another device is."""

    device: DeviceBytes
    cursor: Seq


class Cursors(Frame, frozen=True, array_like=True, tag=10):
    """Passes on how far other devices are; the source of the state *delivered*."""

    alias: Alias
    cursors: Annotated[list[DeviceCursor], Meta(max_length=CHAINS_PER_FRAME_MAX)]


class AskChains(Frame, frozen=True, array_like=True, tag=11):
    """Asks how much of each device's chain the relay holds, to refill what it lost."""

    alias: Alias


class ChainHead(Struct, frozen=True, array_like=True):
    """Says up to which chain seq the relay holds a device's chain."""

    device: DeviceBytes
    seq: Seq


class Chains(Frame, frozen=True, array_like=True, tag=12):
    """Answers AskChains; ``more`` is true when another Chains of the same answer follows."""

    alias: Alias
    heads: Annotated[list[ChainHead], Meta(max_length=CHAINS_PER_FRAME_MAX)]
    more: bool


class Ping(Frame, frozen=True, array_like=True, tag=13):
    """Asks for a Pong with the same number; both sides may send it."""

    number: Seq


class Pong(Frame, frozen=True, array_like=True, tag=14):
    """Answers Ping."""

    number: Seq


class Error(Frame, frozen=True, array_like=True, tag=15):
    """Says why the relay refuses, with a code of ``ErrorCode`` and a text for a log."""

    code: Annotated[int, Meta(ge=0, lt=2**31)]
    retry_after_ms: Millis
    text: Text


class Bye(Frame, frozen=True, array_like=True, tag=16):
    """Ends a connection on purpose: the sender will send nothing more."""


class AskCursors(Frame, frozen=True, array_like=True, tag=17):
    """Asks for a room's device cursors, answered by Cursors; changes follow by themselves."""

    alias: Alias


class Access(Frame, frozen=True, array_like=True, tag=19):
    """Says that a room has opened to this device, or closed, since it was asked for.

    A room that opens is delivered from its beginning; Live follows.
    """

    alias: Alias
    is_open: bool


class Signal(Frame, frozen=True, array_like=True, tag=20):
    """Passes on what a device says in passing (``wire.signal``), stored by nobody.

    The relay hands it to those who have the room open and are caught up, and to nobody who is
    slow; it may leave any of it out.
    """

    alias: Alias
    data: Annotated[bytes, Meta(min_length=1, max_length=SIGNAL_BYTES_MAX)]


class Renew(Frame, frozen=True, array_like=True, tag=18):
    """Hands a fresh token to the relay before the one of this connection expires."""

    token: Token


class Find(Frame, frozen=True, array_like=True, tag=27):
    """Asks in which personal room an invite is: a new device knows it by a code, and no more."""

    invite: Key


class Found(Frame, frozen=True, array_like=True, tag=28):
    """Answers Find; ``room`` is empty where no such invite waits for a device."""

    invite: Key
    room: Annotated[bytes, Meta(max_length=16)]


class Revoke(Frame, frozen=True, array_like=True, tag=31):
    """Has the relay turn a device away, and whoever a subject names; from operators only.

    ``device`` is empty for a subject, ``subject`` for a device. ``undo`` takes it back.
    """

    device: Annotated[bytes, Meta(max_length=8)]
    subject: Annotated[str, Meta(max_length=SUBJECT_CHARS_MAX)]
    undo: bool


AnyFrame = (
    Hello
    | Auth
    | Open
    | Opened
    | Push
    | Ack
    | Deliver
    | Snapshots
    | Stubs
    | AskContents
    | Contents
    | Live
    | Applied
    | Cursors
    | AskChains
    | Chains
    | Ping
    | Pong
    | Error
    | Bye
    | AskCursors
    | Access
    | Renew
    | Signal
    | PutBlob
    | AskBlobs
    | DropBlobs
    | BlobStates
    | GetBlob
    | BlobData
    | Find
    | Found
    | Revoke
    | Recent
)

KNOWN_TAGS = frozenset(range(1, 35))
TAGS_MAX = 2**16

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyFrame] = msgspec.msgpack.Decoder(AnyFrame)
_tag_decoder = msgspec.msgpack.Decoder(tuple[int, ...])


def encode(frame: Frame) -> bytes:
    """Return the bytes of a frame; the caller keeps within ``FRAME_BYTES_MAX``."""
    return _encoder.encode(frame)


def decode(raw: bytes) -> AnyFrame | None:
    """Return the frame in ``raw``, or None for a well-formed frame of an unknown tag.

    Raises ``DecodeError`` for anything else.
    """
    if len(raw) > FRAME_BYTES_MAX:
        raise DecodeError(f"frame of {len(raw)} bytes is over the limit of {FRAME_BYTES_MAX}")
    try:
        return _decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as exc:
        if _is_unknown_kind(raw):
            return None
        raise DecodeError(f"not a frame: {exc}") from exc


def _is_unknown_kind(raw: bytes) -> bool:
    try:
        whole = msgspec.msgpack.decode(raw, type=list[msgspec.Raw])
        tag = msgspec.msgpack.decode(whole[0], type=int) if whole else -1
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return False
    return 0 <= tag < TAGS_MAX and tag not in KNOWN_TAGS

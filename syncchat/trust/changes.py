"""What the records of a room's log say, kind by kind."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ..errors import DecodeError
from .boxes import BOX_BYTES, LINK_BYTES
from .records import HASH_BYTES, LOG_BYTES, Hash, Key, LogBytes, Millis, Record

PERSON_RECORDS_MAX = 256
MEMBERS_MAX = 1_000
"""Members of a room; each key epoch has a box for everyone."""

INVITES_MAX = 100
"""Invites that are open at one time and to which a key epoch is sealed."""

LOST_MAX = 100
"""Keys of lost epochs that one epoch hands on."""

_JOIN_DOMAIN = b"syncchat join 1\0"


class Kind(IntEnum):
    """Is what a record of a room's log does."""

    GENESIS = 1
    ADD = 2
    JOIN = 3
    REQUEST = 4
    REMOVE = 5
    LEAVE = 6
    SET_ROLE = 7
    INVITE = 8
    REVOKE_INVITE = 9
    ROTATE = 10
    RESEAL = 11
    DEVICES = 12
    SETTINGS = 13
    MODERATE = 14
    MERGE = 15
    CHALLENGE = 16


class Role(IntEnum):
    """Is what a member may do; a smaller number may more."""

    OWNER = 0
    ADMIN = 1
    MEMBER = 2
    READER = 3


class History(IntEnum):
    """Is how much of the past a new member may read."""

    SHARED = 0
    FROM_JOIN = 1


User = Annotated[bytes, Meta(min_length=LOG_BYTES, max_length=LOG_BYTES)]
Device8 = Annotated[bytes, Meta(min_length=8, max_length=8)]
Number = Annotated[int, Meta(ge=0, lt=2**31)]
Box = Annotated[bytes, Meta(min_length=BOX_BYTES, max_length=BOX_BYTES)]
MaybeBox = Annotated[bytes, Meta(max_length=BOX_BYTES)]
PersonRecords = Annotated[list[bytes], Meta(min_length=1, max_length=PERSON_RECORDS_MAX)]
Link = Annotated[bytes, Meta(min_length=LINK_BYTES, max_length=LINK_BYTES)]
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
Commitment = Annotated[bytes, Meta(max_length=32)]


class Pin(Struct, frozen=True, array_like=True):
    """Says where a device's chain ends: its last seq that counts, and the link there."""

    device: Device8
    seq: Annotated[int, Meta(ge=0, lt=2**53)]
    link: Annotated[bytes, Meta(max_length=32)]


Pins = Annotated[list[Pin], Meta(max_length=4_096)]


class Epoch(Struct, frozen=True, array_like=True):
    """Brings a room key: a commitment to it, and the key sealed to each member's user key.

    ``link`` is the key before it sealed under this one, empty for the first and where new members
    may not read the past. Open automatic invites have boxes, too.
    """

    number: Number
    commitment: Annotated[bytes, Meta(min_length=32, max_length=32)]
    boxes: Annotated[list[tuple[User, Box]], Meta(max_length=MEMBERS_MAX)]
    invite_boxes: Annotated[list[tuple[Key, Box]], Meta(max_length=INVITES_MAX)]
    link: Annotated[bytes, Meta(max_length=LINK_BYTES)]
    others: Annotated[list[tuple[Number, Hash, Link]], Meta(max_length=LOST_MAX)] = []
    """Keys of epochs that lost a fork of the log: number, commitment, and the key as ``link``."""


class Genesis(Struct, frozen=True, array_like=True):
    """Makes a room. ``person`` is the owner's log; a personal room is for own devices only."""

    nonce: LogBytes
    is_personal: bool
    history: History
    person: PersonRecords
    epoch: Epoch


class Add(Struct, frozen=True, array_like=True):
    """Adds a person; ``box`` is the key in force, sealed to them, where no new one is made.

    ``request`` is the hash of the request that is granted, if any.
    """

    person: PersonRecords
    role: Role
    box: MaybeBox
    request: Annotated[bytes, Meta(max_length=HASH_BYTES)]
    epoch: Epoch | None


class Join(Struct, frozen=True, array_like=True):
    """Enters by an automatic invite; ``proof`` is the invite key's signature (``join_text``)."""

    invite: Key
    proof: Signature
    person: PersonRecords
    epoch: Epoch | None
    box: MaybeBox = b""
    """The key in force, which the joiner has from the invite, sealed to their own user key."""


class Request(Struct, frozen=True, array_like=True):
    """Asks to be let in by an invite that needs approval.

    In a personal room a new device asks to be certified, as somebody of whom nobody has heard;
    ``consent`` is then its signature for the owner (``person.consent_text``), ``commitment`` that
    of the invite, which it has seen before it says ``nonce``. Else the three are empty.
    """

    invite: Key
    proof: Signature
    person: PersonRecords
    consent: Annotated[bytes, Meta(max_length=64)] = b""
    commitment: Commitment = b""
    nonce: Annotated[bytes, Meta(max_length=LOG_BYTES)] = b""


class Remove(Struct, frozen=True, array_like=True):
    """Removes people, ends their devices' chains, and brings the next room key.

    It closes every invite that needs no approval: who is removed may have its link, with which the
    room's key could be opened.
    """

    members: Annotated[list[User], Meta(min_length=1, max_length=MEMBERS_MAX)]
    pins: Pins
    epoch: Epoch


class Leave(Struct, frozen=True, array_like=True):
    """Leaves; the next who is online makes a new key.

    It closes the invites of which the leaver has the link: by which they came, or which they made.
    """

    pins: Pins


class SetRole(Struct, frozen=True, array_like=True):
    """Changes a member's role; one who becomes a reader writes no further than the pins."""

    member: User
    role: Role
    pins: Pins


class Invite(Struct, frozen=True, array_like=True):
    """Opens an invite: who holds the secret of ``public`` may join. 0 uses or ms: no limit.

    ``box`` is the room key of ``epoch_number`` sealed to the invite, empty where joiners get it
    otherwise (approval, or no earlier history). ``commitment``, in a personal room, is to the nonce
    with which its maker will answer the one device that asks (``linking``).
    """

    public: Key
    box_key: Key
    role: Role
    uses: Number
    expires_ms: Millis
    needs_approval: bool
    epoch_number: Number
    box: MaybeBox
    commitment: Commitment = b""


class RevokeInvite(Struct, frozen=True, array_like=True):
    """Closes an invite."""

    public: Key


class Rotate(Struct, frozen=True, array_like=True):
    """Brings the next room key."""

    epoch: Epoch


class Reseal(Struct, frozen=True, array_like=True):
    """Seals a room key that is in use to members who were left out."""

    epoch_number: Number
    boxes: Annotated[list[tuple[User, Box]], Meta(min_length=1, max_length=MEMBERS_MAX)]


class Devices(Struct, frozen=True, array_like=True):
    """Brings the newest of a member's log: devices certified or revoked.

    Where devices are revoked, the pins end their chains, ``epoch`` is the next room key, and the
    invites are closed of which those devices may have the link.
    """

    user: User
    person: PersonRecords
    pins: Pins
    epoch: Epoch | None


class Settings(Struct, frozen=True, array_like=True):
    """Sets how the room is run."""

    history: History


class Moderate(Struct, frozen=True, array_like=True):
    """Hides a message (stamp and device, 16 bytes) from everyone, or shows it again."""

    message: LogBytes
    is_hidden: bool


class Merge(Struct, frozen=True, array_like=True):
    """Puts a fork together again; it stands on every head and says nothing."""


class Challenge(Struct, frozen=True, array_like=True):
    """Answers a device's request with the nonce that its invite has committed to; from both
    together, both devices show the same emoji."""

    request: Annotated[bytes, Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
    nonce: LogBytes


Change = (
    Genesis
    | Add
    | Join
    | Request
    | Remove
    | Leave
    | SetRole
    | Invite
    | RevokeInvite
    | Rotate
    | Reseal
    | Devices
    | Settings
    | Moderate
    | Merge
    | Challenge
)

TYPES: dict[int, type[Change]] = {
    Kind.GENESIS: Genesis,
    Kind.ADD: Add,
    Kind.JOIN: Join,
    Kind.REQUEST: Request,
    Kind.REMOVE: Remove,
    Kind.LEAVE: Leave,
    Kind.SET_ROLE: SetRole,
    Kind.INVITE: Invite,
    Kind.REVOKE_INVITE: RevokeInvite,
    Kind.ROTATE: Rotate,
    Kind.RESEAL: Reseal,
    Kind.DEVICES: Devices,
    Kind.SETTINGS: Settings,
    Kind.MODERATE: Moderate,
    Kind.MERGE: Merge,
    Kind.CHALLENGE: Challenge,
}
_KINDS = {type_: kind for kind, type_ in TYPES.items()}
_decoders = {kind: msgspec.msgpack.Decoder(type_) for kind, type_ in TYPES.items()}
_STRONG = frozenset((Kind.REMOVE, Kind.LEAVE, Kind.SET_ROLE, Kind.DEVICES, Kind.REVOKE_INVITE))
_BY_INVITE = frozenset((Kind.JOIN, Kind.REQUEST, Kind.INVITE))


def kind_of(change: Change) -> int:
    """Return the kind under which a change is recorded."""
    return _KINDS[type(change)]


def change_of(record: Record) -> Change | None:
    """Return what a record says, None for a kind of a later version; raises ``DecodeError``."""
    if (found := record.memo.get("change")) is not None:
        return found  # type: ignore[no-any-return]
    decoder = _decoders.get(record.kind)
    if decoder is None:
        return None
    try:
        change = record.memo["change"] = decoder.decode(record.content)
        return change
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as exc:
        raise DecodeError(f"not a record of a room's log: {exc}") from exc


def is_strong(record: Record) -> bool:
    """Tell whether a record counts before others of the same moment."""
    return record.kind in _STRONG


def came_by(record: Record) -> bytes:
    """Return the key of the invite by which a record came about, or which it opens; empty for
    none."""
    if record.kind not in _BY_INVITE:
        return b""
    try:
        change = change_of(record)
    except DecodeError:
        return b""
    return change.public if isinstance(change, Invite) else getattr(change, "invite", b"")


def join_text(room: bytes, root: bytes, device_key: bytes) -> bytes:
    """Return what an invite's key signs to let a person's device in."""
    return _JOIN_DOMAIN + room + root + device_key

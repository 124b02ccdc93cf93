"""People: a root key that certifies devices, as a signed log that travels inside room logs.

A person is a root key, made from twelve words. It signs the first device's certificate; after
that any active device may certify another. A certificate carries the new device's own signature,
so nobody can claim a device that is not theirs, and the person's *user key*, sealed to the device:
an X25519 key to which rooms seal their keys, so that a new device opens one box and then has
every room. The user key is sealed to the root as well, so the words alone bring everything back.

Revoking devices makes a new user key in the same record, sealed to those that stay, and the old
one sealed under the new, so that what was sealed before stays readable.

Against a thief with a device: what the root signs counts before what a device signs at the same
moment, and what a revoked device signed without knowing of its revocation is void.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Annotated

import msgspec
import nacl.bindings as sodium
from msgspec import Meta, Struct

from ..errors import DecodeError, SignatureInvalid, TrustError
from ..ids import DeviceId, DeviceKey, MemberId, base32_from_int, device_text
from ..ports import Random
from . import graph
from .boxes import BOX_BYTES, LINK_BYTES, SECRET_BYTES, box_public, is_box_key, link_key, seal_box
from .keys import DeviceKeys, verify
from .records import (
    LOG_BYTES,
    Key,
    Millis,
    Record,
    RecordHash,
    decode_record,
    make_record,
    verify_record,
)

USER_BYTES = LOG_BYTES
DEVICES_MAX = 64
"""Devices that one person may ever certify."""

RECORDS_MAX = 256
"""Records of one person's log."""

_USER_DOMAIN = b"syncchat user 1\0"
_DEVICE_DOMAIN = b"syncchat device 1\0"
_PERSONAL_DOMAIN = b"syncchat personal 1\0"

Box = Annotated[bytes, Meta(min_length=BOX_BYTES, max_length=BOX_BYTES)]
Device8 = Annotated[bytes, Meta(min_length=8, max_length=8)]
Generation = Annotated[int, Meta(ge=0, lt=2**31)]


class PersonKind(IntEnum):
    """Is what a record of a person's log does."""

    CERTIFY = 1
    REVOKE = 2


class Certify(Struct, frozen=True, array_like=True):
    """Certifies a device. ``consent`` is its signature over whose device it will be.

    ``user_key`` is the person's user key of ``generation``, ``box`` its secret sealed to the
    device; ``root_box`` the same sealed to the root, in the first record of a generation.
    """

    device_key: Key
    box_key: Key
    consent: Annotated[bytes, Meta(min_length=64, max_length=64)]
    generation: Generation
    user_key: Key
    box: Box
    root_box: Annotated[bytes, Meta(max_length=BOX_BYTES)]


class Revoke(Struct, frozen=True, array_like=True):
    """Revokes devices and makes the next user key, sealed to those that stay and to the root.

    The root may revoke none, and only make a new key: where a thief's device made one that the
    recovery phrase does not open. ``link`` is the secret before it, sealed under the new one.
    """

    devices: Annotated[list[Device8], Meta(max_length=DEVICES_MAX)]
    generation: Generation
    user_key: Key
    boxes: Annotated[list[tuple[Device8, Box]], Meta(max_length=DEVICES_MAX)]
    root_box: Box
    link: Annotated[bytes, Meta(min_length=LINK_BYTES, max_length=LINK_BYTES)]


@dataclass(frozen=True, slots=True)
class Device:
    """Is one certified device of a person."""

    key: DeviceKey
    box_key: bytes
    certified_by: bytes
    at_ms: int
    is_active: bool

    @property
    def id(self) -> DeviceId:
        """Return the device's id."""
        return device_text(self.key)


@dataclass(slots=True)
class Person:
    """Is what a person's log says."""

    root: bytes
    devices: dict[bytes, Device] = field(default_factory=dict)
    generation: int = -1
    user_keys: dict[int, bytes] = field(default_factory=dict)
    links: dict[int, bytes] = field(default_factory=dict)
    heads: tuple[RecordHash, ...] = ()
    raws: tuple[bytes, ...] = ()
    """The log itself, sorted. What only the person's own devices ask for is read of it when they
    do: all people of a large room are in memory."""

    @property
    def id(self) -> bytes:
        """Return the 16 bytes of the person's id."""
        return user_of(self.root)

    @property
    def records(self) -> dict[RecordHash, Record]:
        """Return the records of the log."""
        return {record.hash: record for record in map(decode_record, self.raws)}

    @property
    def boxes(self) -> dict[tuple[int, bytes], bytes]:
        """Return (generation, first 8 bytes of a device key) to sealed user secret; the root's
        under b""."""
        boxes: dict[tuple[int, bytes], bytes] = {}
        _follow(self.root, _in_order(self.root, self.records), boxes)
        return boxes

    @property
    def user_key(self) -> bytes:
        """Return the public user key in force."""
        return self.user_keys[self.generation]

    @property
    def active(self) -> list[Device]:
        """Return the devices that may act, in order of their certificates."""
        return [device for device in self.devices.values() if device.is_active]

    def place_of(self, key: bytes) -> int:
        """Return the seniority of a key that speaks: -1 for the root, then by certificates."""
        return -1 if key == self.root else list(self.devices).index(key[:8])

    def speaks(self, key: bytes) -> bool:
        """Tell whether a key may act for the person now: the root, or an active device."""
        device = self.devices.get(key[:8])
        return key == self.root or (device is not None and device.is_active and device.key == key)


@lru_cache(maxsize=4_096)
def user_of(root: bytes) -> bytes:
    """Return the id of the person with this root key."""
    return hashlib.blake2b(_USER_DOMAIN + root, digest_size=USER_BYTES).digest()


@lru_cache(maxsize=1_024)
def member_text(user: bytes) -> MemberId:
    """Return the text of a person's id, 26 characters."""
    return MemberId(base32_from_int(int.from_bytes(user), chars=26))


def personal_room(root: bytes) -> bytes:
    """Return the id of a person's personal room, which follows from the root key alone."""
    return hashlib.blake2b(_PERSONAL_DOMAIN + root, digest_size=USER_BYTES).digest()


def consent_text(user: bytes, box_key: bytes) -> bytes:
    """Return what a device signs to be certified for a person."""
    return _DEVICE_DOMAIN + user + box_key


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """Is what a new device hands to the one that is to certify it."""

    device_key: bytes
    box_key: bytes
    consent: bytes


def request_of(device: DeviceKeys, *, user: bytes) -> DeviceRequest:
    """Return a device's consent to be certified for a person."""
    consent = device.sign(consent_text(user, device.box_public))
    return DeviceRequest(device.public, device.box_public, consent)


def certify(
    signer: DeviceKeys,
    request: DeviceRequest,
    *,
    root: bytes,
    prevs: tuple[RecordHash, ...],
    generation: int,
    user_secret: bytes,
    at_ms: int,
    random: Random,
) -> Record:
    """Return a certificate; with ``prevs`` empty the first of a log, which the root signs."""
    is_first = not prevs
    return make_record(
        signer,
        log=user_of(root),
        prevs=prevs,
        at_ms=at_ms,
        kind=PersonKind.CERTIFY,
        content=Certify(
            request.device_key,
            request.box_key,
            request.consent,
            generation,
            box_public(user_secret),
            seal_box(request.box_key, user_secret, random),
            seal_box(root_box_key(root), user_secret, random) if is_first else b"",
        ),
    )


def revoke(
    signer: DeviceKeys,
    person: Person,
    devices: Iterable[bytes],
    *,
    old_secret: bytes | None,
    new_secret: bytes,
    at_ms: int,
    random: Random,
) -> Record:
    """Return a revocation of ``devices``, with a new user key for those that stay.

    Where the old secret is not to be had, the new one leads nowhere.
    """
    gone = sorted({device[:8] for device in devices})
    stay = [d for d in person.active if d.key[:8] not in gone]
    return make_record(
        signer,
        log=person.id,
        prevs=person.heads,
        at_ms=at_ms,
        kind=PersonKind.REVOKE,
        content=Revoke(
            gone,
            person.generation + 1,
            box_public(new_secret),
            [(d.key[:8], seal_box(d.box_key, new_secret, random)) for d in stay],
            seal_box(root_box_key(person.root), new_secret, random),
            link_key(new_secret, old_secret or random.bytes(SECRET_BYTES), random),
        ),
    )


def root_box_key(root: bytes) -> bytes:
    """Return the X25519 key that is sealed to for a root key."""
    try:
        return bytes(sodium.crypto_sign_ed25519_pk_to_curve25519(root))
    except Exception as exc:  # libsodium's wrapper raises several kinds for a bad point
        raise SignatureInvalid("the root key is not a key") from exc


_certify = msgspec.msgpack.Decoder(Certify)
_revoke = msgspec.msgpack.Decoder(Revoke)


def content_of(record: Record) -> Certify | Revoke | None:
    """Return what a record of a person's log says, None for a kind of a later version.

    Raises ``DecodeError``.
    """
    if (found := record.memo.get("content")) is not None:
        return found  # type: ignore[no-any-return]
    content: Certify | Revoke
    try:
        match record.kind:
            case PersonKind.CERTIFY:
                content = _certify.decode(record.content)
            case PersonKind.REVOKE:
                content = _revoke.decode(record.content)
            case _:
                return None
        record.memo["content"] = content
        return content
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as exc:
        raise DecodeError(f"not a record of a person's log: {exc}") from exc


def verify_person(records: Sequence[Record]) -> None:
    """Raise ``DecodeError`` or ``TrustError`` unless each record is well-formed and signed.

    Whether its signer may do that is a matter of the fold.
    """
    for record in records:
        verify_record(record)
        content = content_of(record)
        if isinstance(content, Certify):
            text = consent_text(record.log, content.box_key)
            verify(content.device_key, text, content.consent)


def read_person(raws: Sequence[bytes]) -> list[Record]:
    """Return the records of a person's log as it travels in a room's; raises ``DecodeError``."""
    if len(raws) > RECORDS_MAX:
        raise DecodeError(f"a person's log has at most {RECORDS_MAX} records")
    return [decode_record(raw) for raw in raws]


def fold_person(
    records: Iterable[Record], before: Person | None = None, *, root: bytes | None = None
) -> Person:
    """Return what a person's log says, given all its records, or those that come to ``before``.

    Records that do not hang together, or whose signer had no right to them, have no effect.
    Raises ``TrustError`` when there is no first record, signed by the root.
    """
    known = dict(before.records) if before is not None else {}
    for record in records:
        known[record.hash] = record
    if len(known) > RECORDS_MAX:
        raise TrustError(f"a person's log has at most {RECORDS_MAX} records")
    first = root or (before.root if before is not None else _root_of(known))
    log = user_of(first)
    mine = {hash_: record for hash_, record in known.items() if record.log == log}
    order = _in_order(first, mine)
    person = _follow(first, order, {})
    person.raws = tuple(sorted(record.raw for record in mine.values()))
    person.heads = graph.heads_of({record.hash: record for record in order})
    if person.generation < 0:
        raise TrustError("the person's log has no first device")
    return person


def _in_order(root: bytes, records: Mapping[RecordHash, Record]) -> list[Record]:
    """Return the records of a person's log that count, in order."""
    if len(records) == 1:  # what most people have, and a room has many of them
        return [record for record in records.values() if not record.prevs]

    def strike_of(stands_on: Sequence[Record], record: Record) -> graph.Strike | None:
        return _strike_of(root, stands_on, record)

    return graph.in_order(records, is_strong=_is_strong, strike_of=strike_of).order


def _follow(root: bytes, order: Iterable[Record], boxes: dict[tuple[int, bytes], bytes]) -> Person:
    """Return the person after some records; what they seal comes into ``boxes``."""
    person = Person(root)
    for record in order:
        _apply(person, record, boxes)
    return person


def _root_of(records: Mapping[RecordHash, Record]) -> bytes:
    firsts = [record for record in records.values() if not record.prevs]
    for record in sorted(firsts, key=lambda record: record.hash):
        if record.log == user_of(record.signer):
            return record.signer
    raise TrustError("the person's log does not begin with its root key")


def _is_strong(record: Record) -> bool:
    return record.kind == PersonKind.REVOKE


def _strike_of(root: bytes, stands_on: Sequence[Record], record: Record) -> graph.Strike | None:
    person = _follow(root, stands_on, {})
    try:
        content = content_of(record)
    except DecodeError:
        return None
    if not isinstance(content, Revoke) or not person.speaks(record.signer):
        return None
    struck = frozenset(d.key for d in person.devices.values() if d.key[:8] in content.devices)
    return graph.Strike((person.place_of(record.signer),), struck)


def _apply(person: Person, record: Record, boxes: dict[tuple[int, bytes], bytes]) -> None:
    """Let one record take effect, if its signer may."""
    if not person.speaks(record.signer):
        return
    try:
        content = content_of(record)
    except DecodeError:
        return
    match content:
        case Certify():
            _apply_certify(person, record, content, boxes)
        case Revoke():
            _apply_revoke(person, record, content, boxes)


def _apply_certify(
    person: Person, record: Record, content: Certify, boxes: dict[tuple[int, bytes], bytes]
) -> None:
    id_ = content.device_key[:8]
    generation = max(person.generation, 0)
    is_new_key = person.generation < 0
    if (
        id_ in person.devices
        or len(person.devices) >= DEVICES_MAX
        or content.generation != generation
        or (is_new_key and not content.root_box)
        or (not is_new_key and content.user_key != person.user_key)
        or not (is_box_key(content.user_key) and is_box_key(content.box_key))
    ):
        return
    is_root = record.signer == person.root
    signer = person.root if is_root else person.devices[record.signer[:8]].key  # held once
    person.devices[id_] = Device(
        DeviceKey(content.device_key), content.box_key, signer, record.at_ms, True
    )
    if is_new_key:
        person.generation = 0
        person.user_keys[0] = content.user_key
        boxes[0, b""] = content.root_box
    boxes[content.generation, id_] = content.box


def _apply_revoke(
    person: Person, record: Record, content: Revoke, boxes: dict[tuple[int, bytes], bytes]
) -> None:
    if not content.devices and record.signer != person.root:
        return
    for id_ in content.devices:
        device = person.devices.get(id_)
        if device is not None:
            person.devices[id_] = Device(
                device.key, device.box_key, device.certified_by, device.at_ms, False
            )
    # Two revocations at one moment: both count, and the later in order gives the key in force.
    generation = person.generation + 1
    if content.generation not in (generation, person.generation):
        return
    if not is_box_key(content.user_key):
        return
    person.generation = generation
    person.user_keys[generation] = content.user_key
    person.links[generation] = content.link
    boxes[generation, b""] = content.root_box
    for id_, box in content.boxes:
        boxes[generation, id_] = box


__all__ = [
    "Certify",
    "Device",
    "DeviceRequest",
    "Millis",
    "Person",
    "PersonKind",
    "Revoke",
    "certify",
    "consent_text",
    "content_of",
    "fold_person",
    "member_text",
    "personal_room",
    "read_person",
    "request_of",
    "revoke",
    "root_box_key",
    "user_of",
    "verify_person",
]

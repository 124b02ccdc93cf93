"""The room that tests share: made by nobody who is there, with one open invite, and a log that
grows by a record for each device that a test lets write by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from syncchat.ids import RoomId
from syncchat.ports import Random
from syncchat.trust.boxes import box_public, seal_box
from syncchat.trust.changes import Genesis, History, Invite, Join, Kind, Role, join_text
from syncchat.trust.epochs import make_epoch
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.membership import room_of
from syncchat.trust.person import certify, request_of, user_of
from syncchat.trust.records import NO_LOG, Record, RecordHash, make_record
from syncchat.wire.invite import InviteKind, InviteLink, encode_invite

from .ports import START_MS, chance

RELAY = "ws://localhost:1"
ROOM_KEY = bytes(range(100, 132))


def _seed(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=32).digest()


def _chance(keys: DeviceKeys) -> Random:
    return chance(int.from_bytes(keys.public[:6]))


def person_log(device: DeviceKeys, *, root: DeviceKeys, secret: bytes) -> Record:
    """Return the first record of the log of a person with one device."""
    return certify(
        root,
        request_of(device, user=user_of(root.public)),
        root=root.public,
        prevs=(),
        generation=0,
        user_secret=secret,
        at_ms=START_MS,
        random=_chance(device),
    )


def _genesis() -> Record:
    device, root, secret = DeviceKeys(_seed("device")), DeviceKeys(_seed("root")), _seed("secret")
    reader = (user_of(root.public), box_public(secret))
    return make_record(
        device,
        log=NO_LOG,
        prevs=(),
        at_ms=START_MS,
        kind=Kind.GENESIS,
        content=Genesis(
            bytes(16),
            False,
            History.SHARED,
            [person_log(device, root=root, secret=secret).raw],
            make_epoch(b"", 0, ROOM_KEY, readers=[reader], random=_chance(device)),
        ),
    )


_GENESIS = _genesis()
ROOM = RoomId(room_of(_GENESIS))
_INVITE = InviteLink(ROOM, RELAY, InviteKind.ROOM, bytes(range(16)), "Team")
LINK = encode_invite(_INVITE)


def link_at(relay: str) -> str:
    """Return the link to the room at another relay."""
    return encode_invite(InviteLink(ROOM, relay, InviteKind.ROOM, _INVITE.secret, "Team"))


def _open_invite() -> Record:
    keys = DeviceKeys(_INVITE.seed)
    box = seal_box(keys.box_public, ROOM_KEY, _chance(keys))
    return make_record(
        DeviceKeys(_seed("device")),
        log=ROOM,
        prevs=(_GENESIS.hash,),
        at_ms=START_MS,
        kind=Kind.INVITE,
        content=Invite(keys.public, keys.box_public, Role.MEMBER, 0, 0, False, 0, box),
    )


RECORDS = (_GENESIS, _open_invite())
"""The beginning of the room's log."""


def opening(devices: Iterable[DeviceKeys]) -> list[bytes]:
    """Return a log in which some devices are let in, each as a person of its own."""
    log = list(RECORDS)
    for device in devices:
        log.append(join(device, prev=log[-1].hash))
    return [record.raw for record in log]


def join(device: DeviceKeys, *, prev: RecordHash, others: Iterable[DeviceKeys] = ()) -> Record:
    """Return the record by which a device comes in, as a person of its own.

    ``others`` are further devices of that person, which come in with it.
    """
    root = DeviceKeys(_seed(f"root of {device.device}"))
    secret = _seed(f"secret of {device.device}")
    person = [person_log(device, root=root, secret=secret)]
    for other in others:
        person.append(
            certify(
                device,
                request_of(other, user=user_of(root.public)),
                root=root.public,
                prevs=(person[-1].hash,),
                generation=0,
                user_secret=secret,
                at_ms=START_MS,
                random=_chance(other),
            )
        )
    keys = DeviceKeys(_INVITE.seed)
    proof = keys.sign(join_text(ROOM, root.public, device.public))
    return make_record(
        device,
        log=ROOM,
        prevs=(prev,),
        at_ms=START_MS,
        kind=Kind.JOIN,
        content=Join(keys.public, proof, [record.raw for record in person], None),
    )

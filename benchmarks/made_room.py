"""Rooms made by hand, as many as wanted: their records, keys and links, from their names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from syncchat.ids import RoomId
from syncchat.trust.boxes import SECRET_BYTES, box_public, seal_box
from syncchat.trust.changes import Add, Genesis, History, Invite, Role, kind_of
from syncchat.trust.epochs import make_epoch
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.membership import room_of
from syncchat.trust.person import certify, request_of, user_of
from syncchat.trust.records import NO_LOG, Record, make_record
from syncchat.wire.invite import INVITE_SECRET_BYTES, InviteKind, InviteLink, encode_invite
from tests.contracts.chains import FixedRandom

from . import workload

MADE_MS = 1_700_000_000_000


class MadeRoom:
    """Is a room of some devices, each of a person of its own; the first is the owner's.

    It has an open invite.
    """

    def __init__(self, name: str, devices: Sequence[str]) -> None:
        self.name = name
        self.key = workload.seeded(f"key of {name}", SECRET_BYTES)
        self.records: list[Record] = []
        self._random = FixedRandom(int.from_bytes(workload.seeded(name, 6)))
        self._owner = workload.device_keys(devices[0])
        user, secret, raw = _person(devices[0])
        readers = [(user, box_public(secret))]
        epoch = make_epoch(b"", 0, self.key, readers=readers, random=self._random)
        nonce = workload.seeded(f"nonce of {name}", 16)
        self._record(Genesis(nonce, False, History.SHARED, [raw], epoch))
        self.id = RoomId(room_of(self.records[0]))
        for device in devices[1:]:
            _, secret, raw = _person(device)
            box = seal_box(box_public(secret), self.key, self._random)
            self._record(Add([raw], Role.MEMBER, box, b"", None))
        keys = DeviceKeys(self._invite().seed)
        box = seal_box(keys.box_public, self.key, self._random)
        self._record(Invite(keys.public, keys.box_public, Role.MEMBER, 0, 0, False, 0, box))

    def link(self, relay: str) -> str:
        """Return the link of the invite."""
        return encode_invite(self._invite(relay))

    def _invite(self, relay: str = "") -> InviteLink:
        secret = workload.seeded(f"invite to {self.name}", INVITE_SECRET_BYTES)
        return InviteLink(self.id, relay, InviteKind.ROOM, secret, self.name)

    def _record(self, content: Genesis | Add | Invite) -> None:
        self.records.append(
            make_record(
                self._owner,
                log=self.id if self.records else NO_LOG,
                prevs=tuple(record.hash for record in self.records[-1:]),
                at_ms=MADE_MS,
                kind=kind_of(content),
                content=content,
            )
        )


@lru_cache(maxsize=4_096)
def _person(device: str) -> tuple[bytes, bytes, bytes]:
    """Return the id, the secret and the only record of the person with a device."""
    keys, root = workload.device_keys(device), DeviceKeys(workload.seeded(f"root {device}", 32))
    secret = workload.seeded(f"secret {device}", SECRET_BYTES)
    record = certify(
        root,
        request_of(keys, user=user_of(root.public)),
        root=root.public,
        prevs=(),
        generation=0,
        user_secret=secret,
        at_ms=MADE_MS,
        random=FixedRandom(int.from_bytes(keys.public[:6])),
    )
    return user_of(root.public), secret, record.raw

"""People and rooms with signed logs, made by hand: what a client would record, and worse."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

from msgspec import Struct

from syncchat.trust import epochs
from syncchat.trust.boxes import box_public, seal_box
from syncchat.trust.changes import (
    Add,
    Devices,
    Epoch,
    Genesis,
    History,
    Invite,
    Join,
    Leave,
    Merge,
    Pin,
    Remove,
    Request,
    RevokeInvite,
    Role,
    Rotate,
    SetRole,
    join_text,
    kind_of,
)
from syncchat.trust.group import Group
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.membership import fold_group, room_of
from syncchat.trust.person import (
    certify,
    consent_text,
    fold_person,
    member_text,
    request_of,
    revoke,
    user_of,
)
from syncchat.trust.records import NO_LOG, Record, RecordHash, make_record

from .ports import START_MS, chance


class Person:
    """Is a person with a root key and devices; the first device is there from the start.

    A device's seed is ``seed * 100`` and on, so that writers of chains can be made from it.
    """

    def __init__(self, seed: int, *, at_ms: int = START_MS) -> None:
        self.seed = seed
        self.random = chance(seed)
        self.root = DeviceKeys((seed * 100 + 99).to_bytes(32))
        self.id = user_of(self.root.public)
        self.name = member_text(self.id)
        self.secrets = [self.random.bytes(32)]
        self.devices: list[DeviceKeys] = []
        self.records: list[Record] = []
        self.add_device(at_ms=at_ms)

    @property
    def device(self) -> DeviceKeys:
        """Return the first device."""
        return self.devices[0]

    @property
    def raws(self) -> list[bytes]:
        """Return the person's log as it travels in a room's."""
        return [record.raw for record in self.records]

    @property
    def secret(self) -> bytes:
        """Return the user secret in force."""
        return self.secrets[-1]

    def device_seed(self, number: int = 0) -> int:
        """Return the number that a device's seed is made from."""
        return self.seed * 100 + number

    def add_device(
        self,
        *,
        by: DeviceKeys | None = None,
        device: DeviceKeys | None = None,
        at_ms: int = START_MS,
    ) -> DeviceKeys:
        """Certify the next device, or one that is given, by the root where nobody else is named."""
        signer = by or self.root
        device = device or DeviceKeys(self.device_seed(len(self.devices)).to_bytes(32))
        record = certify(
            signer,
            request_of(device, user=self.id),
            root=self.root.public,
            prevs=fold_person(self.records).heads if self.records else (),
            generation=len(self.secrets) - 1,
            user_secret=self.secret,
            at_ms=at_ms,
            random=self.random,
        )
        self.devices.append(device)
        self.records.append(record)
        return device

    def revoke(
        self, *devices: DeviceKeys, by: DeviceKeys | None = None, at_ms: int = START_MS
    ) -> Record:
        """Revoke devices, which makes the next user secret."""
        old, new = self.secret, self.random.bytes(32)
        record = revoke(
            by or self.root,
            fold_person(self.records),
            [device.public for device in devices],
            old_secret=old,
            new_secret=new,
            at_ms=at_ms,
            random=self.random,
        )
        self.secrets.append(new)
        self.records.append(record)
        return record


class Team:
    """Is a room as its log has it: ``records`` in order, ``group`` their fold.

    What a method records is kept, and the next stands on it, unless ``is_kept`` is false. Each
    is signed by the first device of ``by``, or by the keys in ``signer``.
    """

    def __init__(
        self,
        owner: Person,
        *,
        history: History = History.SHARED,
        is_personal: bool = False,
        at_ms: int = START_MS,
    ) -> None:
        self.owner = owner
        self.at_ms = at_ms
        self.random = chance(owner.seed + 1_000_000)
        self.keys = [self.random.bytes(32)]
        self._drawn = b""
        content = Genesis(
            self.random.bytes(16),
            is_personal,
            history,
            owner.raws,
            epochs.make_epoch(
                b"",
                0,
                self.keys[0],
                readers=[(owner.id, box_public(owner.secret))],
                random=self.random,
            ),
        )
        self.genesis = make_record(
            owner.device, log=NO_LOG, prevs=(), at_ms=at_ms, kind=kind_of(content), content=content
        )
        self.id = room_of(self.genesis)
        self.records = [self.genesis]
        self.group: Group = fold_group(self.records)

    @property
    def raws(self) -> list[bytes]:
        """Return the log's records as bytes, in order."""
        return [record.raw for record in self.records]

    @property
    def key(self) -> bytes:
        """Return the room key in force."""
        return self.keys[-1]

    def record(
        self,
        content: Struct,
        *,
        by: Person | None = None,
        signer: DeviceKeys | None = None,
        prevs: tuple[RecordHash, ...] | None = None,
        at_ms: int | None = None,
        log: bytes | None = None,
        kind: int | None = None,
        is_kept: bool = True,
    ) -> Record:
        """Record anything, on the heads where nothing else is said."""
        record = make_record(
            signer or (by or self.owner).device,
            log=self.id if log is None else log,
            prevs=self.group.heads if prevs is None else prevs,
            at_ms=self.at_ms if at_ms is None else at_ms,
            kind=kind_of(content) if kind is None else kind,  # type: ignore[arg-type]
            content=content,
        )
        if is_kept:
            self.keep(record)
            if getattr(content, "epoch", None) is not None:
                self.keys.append(self._drawn)
        return record

    def keep(self, *records: Record) -> None:
        """Take records that were made elsewhere."""
        self.records += records
        self.group = fold_group(self.records)

    def fork(self) -> Team:
        """Return a room that goes on from here by itself."""
        other = copy.copy(self)
        other.records, other.keys = list(self.records), list(self.keys)
        other.random = chance(len(self.records) + 2_000_000)
        return other

    def invite(
        self,
        number: int = 1,
        *,
        by: Person | None = None,
        role: Role = Role.MEMBER,
        uses: int = 0,
        expires_ms: int = 0,
        needs_approval: bool = False,
        commitment: bytes = b"",
        is_kept: bool = True,
    ) -> DeviceKeys:
        """Open an invite and return its keys."""
        keys = invite_keys(self, number)
        content = Invite(
            keys.public,
            keys.box_public,
            role,
            uses,
            expires_ms,
            needs_approval,
            self.group.epoch,
            b"" if needs_approval else seal_box(keys.box_public, self.key, self.random),
            commitment,
        )
        self.record(content, by=by, is_kept=is_kept)
        return keys

    def revoke_invite(self, invite: DeviceKeys, **said: object) -> Record:
        """Close an invite."""
        return self.record(RevokeInvite(invite.public), **said)  # type: ignore[arg-type]

    def join(
        self,
        person: Person,
        invite: DeviceKeys,
        *,
        device: DeviceKeys | None = None,
        **said: object,
    ) -> Record:
        """Enter by an automatic invite."""
        device = device or person.device
        proof = invite.sign(join_text(self.id, person.root.public, device.public))
        content = Join(invite.public, proof, person.raws, None)
        return self.record(content, signer=device, **said)  # type: ignore[arg-type]

    def request(self, person: Person, invite: DeviceKeys, **said: object) -> Record:
        """Ask to be let in by an invite that needs approval."""
        device = person.device
        proof = invite.sign(join_text(self.id, person.root.public, device.public))
        content = Request(invite.public, proof, person.raws)
        if self.group.is_personal:
            consent = device.sign(consent_text(self.owner.id, device.box_public))
            heard = self.group.invites[invite.public].invite.commitment
            content = Request(invite.public, proof, person.raws, consent, heard, bytes(16))
        return self.record(content, signer=device, **said)  # type: ignore[arg-type]

    def add(
        self,
        person: Person,
        *,
        role: Role = Role.MEMBER,
        request: bytes = b"",
        **said: object,
    ) -> Record:
        """Add a person."""
        box = seal_box(box_public(person.secret), self.key, self.random)
        return self.record(Add(person.raws, role, box, request, None), **said)  # type: ignore[arg-type]

    def remove(self, *people: Person, pins: Sequence[Pin] = (), **said: object) -> Record:
        """Remove people, with the next room key."""
        gone = [person.id for person in people]
        content = Remove(sorted(gone), list(pins), self._next_epoch(without=gone))
        return self.record(content, **said)  # type: ignore[arg-type]

    def leave(self, person: Person, *, pins: Sequence[Pin] = (), **said: object) -> Record:
        """Leave."""
        return self.record(Leave(list(pins)), by=person, **said)  # type: ignore[arg-type]

    def set_role(
        self, person: Person, role: Role, *, pins: Sequence[Pin] = (), **said: object
    ) -> Record:
        """Change a role."""
        return self.record(SetRole(person.id, role, list(pins)), **said)  # type: ignore[arg-type]

    def rotate(self, **said: object) -> Record:
        """Bring the next room key."""
        return self.record(Rotate(self._next_epoch()), **said)  # type: ignore[arg-type]

    def bring_devices(
        self, person: Person, *, pins: Sequence[Pin] = (), has_epoch: bool = False, **said: object
    ) -> Record:
        """Bring the newest of a person's log; with ``has_epoch`` the next room key as well."""
        plus = [(person.id, box_public(person.secret))]
        epoch = self._next_epoch(plus=plus) if has_epoch else None
        content = Devices(person.id, person.raws, list(pins), epoch)
        return self.record(content, **{"by": person} | said)  # type: ignore[arg-type]

    def merge(self, *, prevs: tuple[RecordHash, ...] | None = None, **said: object) -> Record:
        """Put a fork together again."""
        return self.record(Merge(), prevs=prevs, **said)  # type: ignore[arg-type]

    def _next_epoch(
        self,
        *,
        without: Iterable[bytes] | None = None,
        plus: Iterable[tuple[bytes, bytes]] = (),
    ) -> Epoch:
        self._drawn = self.random.bytes(32)  # in force if the record is kept
        return epochs.next_epoch(
            self.group,
            self._drawn,
            self.key,
            at_ms=self.at_ms,
            random=self.random,
            without=without,
            plus=plus,
        )


def invite_keys(team: Team, number: int) -> DeviceKeys:
    """Return the keys of a team's invite."""
    return DeviceKeys(team.id + number.to_bytes(16))


def pin(device: DeviceKeys, seq: int, link: bytes = bytes(32)) -> Pin:
    """Return where a device's chain ends."""
    return Pin(device.public[:8], seq, link)

"""People with devices, and rooms with logs, made by hand: as clients do it, and as none would."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

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
    Pin,
    Remove,
    Request,
    Reseal,
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
    Person,
    certify,
    consent_text,
    fold_person,
    request_of,
    revoke,
    user_of,
)
from syncchat.trust.records import NO_LOG, Record, RecordHash, make_record
from tests.contracts.chains import FixedRandom

from .ports import START_MS

NOW = START_MS
UNKNOWN_KIND = 99


class Human:
    """Is a person: ``devices`` in order of age, the first there from the start; ``log`` as signed.

    ``certify`` and ``revoke`` record on the log's heads, or on ``prevs``, and keep the record
    unless told not to.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = FixedRandom(seed)
        self.root = DeviceKeys(self.random.bytes(32))
        self.id = user_of(self.root.public)
        self.secrets = [self.random.bytes(32)]
        self.devices: list[DeviceKeys] = []
        self.log: list[Record] = []
        self.certify()

    @property
    def device(self) -> DeviceKeys:
        """Return the first device."""
        return self.devices[0]

    @property
    def raws(self) -> list[bytes]:
        """Return the log as it travels."""
        return [record.raw for record in self.log]

    @property
    def person(self) -> Person:
        """Return what the log says."""
        return fold_person(self.log)

    def certify(
        self,
        device: DeviceKeys | None = None,
        *,
        by: DeviceKeys | None = None,
        prevs: tuple[RecordHash, ...] | None = None,
        is_kept: bool = True,
        generation: int | None = None,
    ) -> Record:
        """Certify a new device."""
        device = device or DeviceKeys(self.random.bytes(32))
        heads = self.person.heads if self.log else ()
        record = certify(
            by or self.root,
            request_of(device, user=self.id),
            root=self.root.public,
            prevs=heads if prevs is None else prevs,
            generation=len(self.secrets) - 1 if generation is None else generation,
            user_secret=self.secrets[-1 if generation is None else generation],
            at_ms=NOW,
            random=self.random,
        )
        self.devices.append(device)
        if is_kept:
            self.log.append(record)
        return record

    def revoke(
        self,
        *devices: DeviceKeys,
        by: DeviceKeys | None = None,
        before: Person | None = None,
        is_kept: bool = True,
    ) -> Record:
        """Revoke devices."""
        person = before or self.person
        record = revoke(
            by or self.root,
            person,
            [device.public for device in devices],
            old_secret=self.secrets[person.generation],
            new_secret=(secret := self.random.bytes(32)),
            at_ms=NOW,
            random=self.random,
        )
        if is_kept:
            self.log.append(record)
            self.secrets.append(secret)
        return record


class House:
    """Is a room: ``log`` as signed, ``group`` what it says, ``keys`` the room keys by number.

    Methods record a change on the heads, or with ``on`` on a record, and keep it. ``at`` folds
    what a record stands on. Keys, those of invites too, follow from ``seed`` alone.
    """

    def __init__(
        self,
        owner: Human,
        *,
        history: History = History.SHARED,
        is_personal: bool = False,
        seed: int = 0,
        at_ms: int = NOW,
    ) -> None:
        self.owner = owner
        self.at_ms = at_ms
        self.random = FixedRandom(1_000 + seed)
        self.keys: dict[bytes, bytes] = {}
        key = self.random.bytes(32)
        readers = [(owner.id, owner.person.user_key)]
        content = Genesis(
            self.random.bytes(16),
            is_personal,
            history,
            owner.raws,
            epochs.make_epoch(b"", 0, key, readers=readers, random=self.random),
        )
        self.keys[content.epoch.commitment] = key
        self.genesis = make_record(
            owner.device, log=NO_LOG, prevs=(), at_ms=at_ms, kind=1, content=content
        )
        self.id = room_of(self.genesis)
        self.log = [self.genesis]
        self.opened: list[DeviceKeys] = []
        """The keys of its invites, first opened first."""

    @property
    def raws(self) -> list[bytes]:
        """Return the log as it travels."""
        return [record.raw for record in self.log]

    @property
    def group(self) -> Group:
        """Return what the log says."""
        return fold_group(self.log)

    def with_log(self, log: list[Record]) -> House:
        """Return the room as it is with another log, or apart from this one if that is empty."""
        other = copy.copy(self)
        other.log = list(log or self.log)
        return other

    def at(self, *heads: Record) -> Group:
        """Return what is said by some records and all that they stand on."""
        known = {record.hash: record for record in self.log}
        found: dict[RecordHash, Record] = {}
        todo = list(heads)
        while todo:
            record = todo.pop()
            if record.hash not in found:
                found[record.hash] = record
                todo += [known[prev] for prev in record.prevs]
        return fold_group(found.values())

    def key_of(self, group: Group, number: int | None = None) -> bytes:
        """Return the room key that a group has under a number, by default the one in force."""
        number = group.epoch if number is None else number
        return self.keys[group.epochs[number].epoch.commitment]

    def record(
        self,
        content: Struct,
        by: DeviceKeys | Human | None = None,
        *,
        on: Record | Sequence[Record] | None = None,
        prevs: tuple[RecordHash, ...] | None = None,
        at_ms: int | None = None,
        kind: int | None = None,
        log: bytes | None = None,
        is_kept: bool = True,
    ) -> Record:
        """Record a change, on the heads or ``on`` records, or on ``prevs``, which may be none."""
        signer = by or self.owner
        record = make_record(
            signer.device if isinstance(signer, Human) else signer,
            log=self.id if log is None else log,
            prevs=self._prevs(on) if prevs is None else prevs,
            at_ms=self.at_ms if at_ms is None else at_ms,
            kind=kind_of(content) if kind is None else kind,  # type: ignore[arg-type]
            content=content,
        )
        if is_kept and record not in self.log:  # nothing in it need be random
            self.log.append(record)
        return record

    def reason(self, record: Record) -> str:
        """Return why a record of the log has no effect, empty where it has."""
        return dict(self.group.refused).get(record.hash, "")

    def epoch(self, on: Record | Sequence[Record] | None = None, **said: Any) -> Epoch:
        """Return the next epoch after some records."""
        group = self.at(*_many(on)) if on is not None else self.group
        key = self.random.bytes(32)
        previous = self.key_of(group)
        made = epochs.next_epoch(group, key, previous, at_ms=self.at_ms, random=self.random, **said)
        self.keys[made.commitment] = key
        return made

    def add(
        self,
        who: Human,
        role: Role = Role.MEMBER,
        by: Any = None,
        request: bytes = b"",
        **said: Any,
    ) -> Record:
        """Add a person, with the next key where the room has no earlier history."""
        on = said.get("on")
        group = self.at(*_many(on)) if on is not None else self.group
        user_key = box_public(who.secrets[-1])
        if group.history is History.FROM_JOIN:
            epoch, box = self.epoch(on, plus=[(who.id, user_key)]), b""
        else:
            epoch, box = None, seal_box(user_key, self.key_of(group), self.random)
        return self.record(Add(who.raws, role, box, request, epoch), by, **said)

    def remove(
        self, *people: Human, by: Any = None, pins: Iterable[Pin] = (), **said: Any
    ) -> Record:
        """Remove people, with the next key."""
        gone = [who.id for who in people]
        epoch = self.epoch(said.get("on"), without=gone)
        return self.record(Remove(gone, list(pins), epoch), by, **said)

    def leave(self, who: Human, pins: Iterable[Pin] = (), **said: Any) -> Record:
        """Let somebody leave."""
        return self.record(Leave(list(pins)), said.pop("by", who), **said)

    def set_role(
        self, who: Human, role: Role, by: Any = None, pins: Iterable[Pin] = (), **said: Any
    ) -> Record:
        """Change a role."""
        return self.record(SetRole(who.id, role, list(pins)), by, **said)

    def rotate(self, by: Any = None, **said: Any) -> Record:
        """Bring the next key."""
        return self.record(Rotate(self.epoch(said.get("on"))), by, **said)

    def reseal(self, number: int, *people: Human, by: Any = None, **said: Any) -> Record:
        """Seal a key to people again."""
        key = self.key_of(self.group, number)
        boxes = [(w.id, seal_box(box_public(w.secrets[-1]), key, self.random)) for w in people]
        return self.record(Reseal(number, boxes), by, **said)

    def bring(
        self,
        who: Human,
        by: DeviceKeys | Human | None = None,
        *,
        has_epoch: bool = False,
        pins: Iterable[Pin] = (),
        **said: Any,
    ) -> Record:
        """Bring the newest of somebody's log."""
        epoch = None
        if has_epoch:
            plus = [(who.id, box_public(who.secrets[-1]))]
            epoch = self.epoch(said.get("on"), plus=plus, revoking=who.id)
        return self.record(Devices(who.id, who.raws, list(pins), epoch), by or who.device, **said)

    def invite(
        self,
        by: Any = None,
        *,
        role: Role = Role.MEMBER,
        uses: int = 0,
        expires_ms: int = 0,
        needs_approval: bool = False,
        commitment: bytes = b"",
        **said: Any,
    ) -> DeviceKeys:
        """Open an invite and return its keys."""
        keys = DeviceKeys(self.random.bytes(32))
        on = said.get("on")
        group = self.at(*_many(on)) if on is not None else self.group
        is_sealed = not needs_approval and group.history is History.SHARED
        box = seal_box(keys.box_public, self.key_of(group), self.random) if is_sealed else b""
        content = Invite(
            keys.public,
            keys.box_public,
            role,
            uses,
            expires_ms,
            needs_approval,
            group.epoch,
            box,
            commitment,
        )
        self.record(content, by, **said)
        self.opened.append(keys)
        return keys

    def revoke_invite(self, invite: DeviceKeys, by: Any = None, **said: Any) -> Record:
        """Close an invite."""
        return self.record(RevokeInvite(invite.public), by, **said)

    def join(
        self,
        who: Human,
        invite: DeviceKeys,
        *,
        by: DeviceKeys | None = None,
        raws: list[bytes] | None = None,
        has_epoch: bool | None = None,
        **said: Any,
    ) -> Record:
        """Come in by an automatic invite."""
        signer = by or who.device
        is_from_join = self.group.history is History.FROM_JOIN
        epoch = None
        if is_from_join if has_epoch is None else has_epoch:
            epoch = self.epoch(said.get("on"), plus=[(who.id, box_public(who.secrets[-1]))])
        proof = invite.sign(join_text(self.id, who.root.public, signer.public))
        content = Join(invite.public, proof, raws or who.raws, epoch)
        return self.record(content, signer, **said)

    def request(
        self, who: Human, invite: DeviceKeys, by: DeviceKeys | None = None, **said: Any
    ) -> Record:
        """Ask to be let in."""
        signer = by or who.device
        proof = invite.sign(join_text(self.id, who.root.public, signer.public))
        consent = said.pop("consent", None)
        if consent is None and self.group.is_personal:
            consent = signer.sign(consent_text(self.owner.id, signer.box_public))
        opened = self.group.invites.get(invite.public)
        heard = b"" if opened is None else opened.invite.commitment
        nonce = bytes(16) if heard else b""
        content = Request(invite.public, proof, who.raws, consent or b"", heard, nonce)
        return self.record(content, signer, **said)

    def opens(self, who: Human, number: int, *, invite: DeviceKeys | None = None) -> bool:
        """Tell whether somebody has a room key by their user secrets and an invite alone."""
        return number in self.all_keys(who, invite=invite)

    def all_keys(self, who: Human, *, invite: DeviceKeys | None = None) -> dict[int, bytes]:
        """Return every room key that somebody can have by their user secrets."""
        group = self.group
        found = epochs.open_all(
            group,
            lambda _: None,
            lambda number: epochs.open_epoch(
                group,
                number,
                user=who.id,
                secrets=reversed(who.secrets),
                invite=None if invite is None else invite.box_secret,
            ),
        )
        assert all(key == self.key_of(group, number) for number, key in found.items())
        return found

    def _prevs(self, on: Record | Sequence[Record] | None) -> tuple[RecordHash, ...]:
        return self.group.heads if on is None else tuple(r.hash for r in _many(on))


OWNER, ANN, BOB, CAT, DAN, EVE = (Human(seed) for seed in range(1, 7))


def house(**said: Any) -> House:
    """Return a room with an owner, two admins (Ann before Bob), a member Cat and a reader Dan."""
    made = House(OWNER, **said)
    made.add(ANN, Role.ADMIN)
    made.add(BOB, Role.ADMIN)
    made.add(CAT)
    made.add(DAN, Role.READER)
    return made


def pin(device: DeviceKeys, seq: int) -> Pin:
    """Return where a device's chain ends."""
    return Pin(device.public[:8], seq, bytes(16))


def roles(group: Group) -> dict[bytes, Role]:
    """Return who is in a room, in which role."""
    return {user: member.role for user, member in group.members.items()}


def _many(on: Record | Sequence[Record] | None) -> Sequence[Record]:
    if on is None:
        return ()
    return (on,) if isinstance(on, Record) else on

"""Duties: which record this peer should put on top of a room's log next, and its making.

In order: come in (``Join``, ``Request``), put a forked log together, bring the newest of the own
devices, do what was asked for, and change the key when it is due because somebody left. One record
at a time is under way; when another was faster, it is made anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..ids import device_text
from ..ports import Clock, Random
from ..storage import chains, identity, members, rooms
from ..storage.database import Database
from ..storage.rooms import RoomRow
from ..trust.boxes import SECRET_BYTES, seal_box
from ..trust.changes import (
    LOST_MAX,
    Add,
    Challenge,
    Change,
    Devices,
    Epoch,
    History,
    Invite,
    Join,
    Leave,
    Merge,
    Moderate,
    Pin,
    Remove,
    Request,
    Reseal,
    RevokeInvite,
    Role,
    Rotate,
    SetRole,
    Settings,
    join_text,
    kind_of,
)
from ..trust.epochs import commitment as key_commitment
from ..trust.epochs import next_epoch
from ..trust.group import Group
from ..trust.keys import DeviceKeys
from ..trust.linking import NONCE_BYTES, answer_nonce, commitment
from ..trust.membership import fold_group
from ..trust.person import (
    DeviceRequest,
    Person,
    certify,
    consent_text,
    request_of,
    revoke,
    user_of,
)
from ..trust.records import Record, RecordHash, decode_record, make_record
from .intents import (
    Admit,
    Answer,
    ChangeHistory,
    ChangeKey,
    ChangeRole,
    CloseInvite,
    HideMessage,
    LeaveRoom,
    OpenInvite,
    RemovePeople,
    decode_intent,
    encode_intent,
    is_done,
)
from .roster import invite_keys, root_keys

PIN_LINK_BYTES = 16
"""Of the link at a pin, enough to tell two histories apart."""


@dataclass(frozen=True, slots=True)
class Duty:
    """Is what to push next: ``records``, of which the last is new, for an intent or for none."""

    records: tuple[Record, ...]
    intent: int | None = None


class Duties:
    """Makes records for the rooms of one database; every method runs inside a transaction."""

    def __init__(self, db: Database, keys: DeviceKeys, *, clock: Clock, random: Random) -> None:
        self._db = db
        self._keys = keys
        self._clock = clock
        self._random = random

    def is_any(self, room: RoomRow, group: Group) -> bool:
        """Tell whether ``next`` may have something to do; cheap, and asked after every frame."""
        if room.standing.is_coming:
            return True
        who = identity.load_identity(self._db)
        mine = None if who is None else group.members.get(user_of(who.root))
        if mine is None:
            return False
        return (
            len(group.heads) > 1
            or group.is_rotation_due
            or not group.members.keys() <= group.epochs[group.epoch].boxes.keys()
            or rooms.room_key(self._db, room.id, group.epoch) is None
            or any(said not in group.linked for _, said in group.lost)
            or any(group.epochs[gap].epoch.commitment not in group.linked for gap in group.gaps)
            or identity.person_records(self._db) != len(mine.person.raws)
            or not mine.person.speaks(self._keys.public)
            or (group.is_personal and bool(group.requests))
            or bool(members.intents(self._db, room.id, is_open=True))
        )

    def next(self, room: RoomRow, group: Group, *, may_rotate: bool) -> Duty | None:
        """Return what to put on top of a room's log now, None for nothing.

        ``may_rotate`` is false for a moment after somebody left, so that not everybody who is
        online makes a new key at once.
        """
        who = identity.load_identity(self._db)
        assert who is not None
        me = user_of(who.root)
        if room.standing.is_coming:
            return self._come_in(room, group, who.root)
        if me not in group.members:
            return None
        person = self._own_person(who.root)
        is_mine = group.members[me].person.speaks(self._keys.public)
        known = group.members[me].person.raws
        news = [raw for raw in person.raws if raw not in known]
        if not is_mine and not news:
            return None
        if len(group.heads) > 1:
            lost = [decode_record(raw) for raw in members.unsent_records(self._db, room.id)]
            there = self._lost_entry(room, lost, me)
            if there is not None:
                return self._come_in(room, there, who.root)
            return Duty((*lost, self._record(room, group, Merge())))
        if news:
            return Duty((self._record(room, group, self._bring_devices(room, group, person)),))
        self._note_devices(room, group)
        duty = self._next_intent(room, group, me)
        if duty is not None:
            return duty
        role = group.members[me].role
        is_due = group.is_rotation_due or bool(self._lost(room, group))
        if not may_rotate or role is Role.READER:
            return None
        if reseal := self._reseal(room, group):
            return Duty((self._record(room, group, reseal),))
        is_due |= self._is_cheated(room, group, me)
        if is_due:
            return Duty((self._record(room, group, Rotate(self._epoch(room, group))),))
        return None

    def make(self, room: RoomRow, group: Group, change: Change) -> Record:
        """Return a change as a record on the log's heads."""
        return self._record(room, group, change)

    def change_for(self, room: RoomRow, group: Group, raw: bytes) -> Change | None:
        """Return the change that an intent needs, None where it is done."""
        intent = decode_intent(raw)
        who = identity.load_identity(self._db)
        assert who is not None
        me = user_of(who.root)
        if is_done(intent, group, me):
            return None
        match intent:
            case OpenInvite():
                return self._invite(room, group, intent)
            case CloseInvite(public):
                return RevokeInvite(public)
            case Answer(request, invite):
                nonce = answer_nonce(self._keys, room=room.room_id, invite=invite)
                return Challenge(request, nonce)
            case Admit(request, role):
                return self._admit(room, group, request, role)
            case RemovePeople(users):
                gone = tuple(user for user in users if user in group.members)
                epoch = self._epoch(room, group, without=gone)
                return Remove(list(gone), self._pins(room, group, gone), epoch)
            case LeaveRoom():
                return Leave(self._pins(room, group, (me,)))
            case ChangeRole(user, role):
                pins = self._pins(room, group, (user,)) if role is Role.READER else []
                return SetRole(user, role, pins)
            case ChangeHistory(history):
                return Settings(history)
            case HideMessage(message, is_hidden):
                return Moderate(message, is_hidden)
            case ChangeKey():
                return Rotate(self._epoch(room, group))

    # Inside

    def _lost_entry(self, room: RoomRow, lost: list[Record], me: bytes) -> Group | None:
        """Return the room as its relay knows it, if that lacks the record that let this peer in.

        A branch can be brought back by a member only: whoever has an old invite could else come in
        beside the record that closed it.
        """
        if room.invite is None or not lost:
            return None
        here = [decode_record(raw) for raw in members.records_of(self._db, room.id)]
        unsent = {record.hash for record in lost}
        there = fold_group([record for record in here if record.hash not in unsent])
        return None if me in there.members else there

    def _own_person(self, root: bytes) -> Person:
        """Return the own person, of which this device is one: by the root key, if that is here."""
        person = identity.own_person(self._db, root)
        keys = root_keys(self._db)
        secret = identity.user_secret(self._db, person.generation)
        if keys is None or (secret is not None and self._keys.public[:8] in person.devices):
            return person
        if secret is None:  # a thief's device made a user key that the phrase does not open
            secret = self._random.bytes(SECRET_BYTES)
            renewed = revoke(
                keys,
                person,
                (),
                old_secret=None,
                new_secret=secret,
                at_ms=self._clock.now_ms(),
                random=self._random,
            )
            identity.add_person_records(self._db, [renewed])
            identity.add_user_secret(self._db, person.generation + 1, secret)
            person = identity.own_person(self._db, root)
            if self._keys.public[:8] in person.devices:
                return person
        record = certify(
            keys,
            request_of(self._keys, user=person.id),
            root=root,
            prevs=person.heads,
            generation=person.generation,
            user_secret=secret,
            at_ms=self._clock.now_ms(),
            random=self._random,
        )
        identity.add_person_records(self._db, [record])
        return identity.own_person(self._db, root)

    def _note_devices(self, room: RoomRow, group: Group) -> None:
        """Decide to answer the first device that asks by each link or code of this one.

        An invite has committed to one nonce, and whoever asks after it was said could choose the
        emoji. So the decision is kept before the nonce leaves this device, and stands.
        """
        if not group.is_personal:
            return
        for hash_, (request, _) in group.requests.items():
            opened = group.invites.get(request.invite)
            if opened is None or opened.by != self._keys.public or not opened.invite.commitment:
                continue
            nonce = answer_nonce(self._keys, room=room.room_id, invite=request.invite)
            if nonce in group.challenges.values():
                continue
            kept = (decode_intent(i.raw) for i in members.intents(self._db, room.id))
            if any(isinstance(it, Answer) and it.invite == request.invite for it in kept):
                continue
            wanted = encode_intent(Answer(hash_, request.invite))
            members.add_intent(self._db, room.id, wanted, now_ms=self._clock.now_ms())

    def _next_intent(self, room: RoomRow, group: Group, me: bytes) -> Duty | None:
        for intent in members.intents(self._db, room.id, is_open=True):
            change = self.change_for(room, group, intent.raw)
            if change is None:
                members.drop_intent(self._db, intent.id)
                continue
            return Duty((self._record(room, group, change),), intent.id)
        return None

    def _record(self, room: RoomRow, group: Group, change: Change) -> Record:
        return make_record(
            self._keys,
            log=room.room_id,
            prevs=group.heads,
            at_ms=self._clock.now_ms(),
            kind=kind_of(change),
            content=change,
        )

    def _come_in(self, room: RoomRow, group: Group, root: bytes) -> Duty | None:
        invite = invite_keys(room)
        found = None if invite is None else group.invites.get(invite.public)
        if invite is None or found is None or len(group.heads) > 1:
            return None  # on top of a fork, a relay that lost it takes only a Merge again
        person = identity.own_person(self._db, root)
        if any(who.id == person.id for _, who in group.requests.values()):
            return None
        proof = invite.sign(join_text(group.room, root, self._keys.public))
        raws = identity.own_records(self._db, person)
        if found.invite.needs_approval:
            change: Change = Request(invite.public, proof, raws)
            if group.is_personal:
                if self._keys.public[:8] in group.owners:
                    return None  # it is linked, and waits for its own side to have compared
                owner = group.members[group.owner].person.id
                consent = self._keys.sign(consent_text(owner, self._keys.box_public))
                said, nonce = found.invite.commitment, self._random.bytes(NONCE_BYTES)
                change = Request(invite.public, proof, raws, consent, said, nonce)
        else:
            change = Join(
                invite.public,
                proof,
                raws,
                self._epoch(room, group, plus=person)
                if group.history is History.FROM_JOIN
                else None,
                self._box(room, group, person),
            )
        return Duty((self._record(room, group, change),))

    def _box(self, room: RoomRow, group: Group, person: Person) -> bytes:
        """Return the key in force sealed to a person, empty where it is not here or not theirs."""
        key = rooms.room_key(self._db, room.id, group.epoch)
        if key is None or group.history is History.FROM_JOIN:
            return b""
        return seal_box(person.user_key, key, self._random)

    def _invite(self, room: RoomRow, group: Group, intent: OpenInvite) -> Invite:
        keys = DeviceKeys(intent.seed)
        key = rooms.room_key(self._db, room.id, group.epoch)
        is_sealed = not intent.needs_approval and group.history is History.SHARED
        box = seal_box(keys.box_public, key, self._random) if is_sealed and key else b""
        said = b""
        if group.is_personal:
            nonce = answer_nonce(self._keys, room=room.room_id, invite=keys.public)
            said = commitment(intent.seed, room=room.room_id, nonce=nonce)
        return Invite(
            keys.public,
            keys.box_public,
            intent.role,
            intent.uses,
            intent.expires_ms,
            intent.needs_approval,
            group.epoch,
            box,
            said,
        )

    def _admit(self, room: RoomRow, group: Group, request: bytes, role: Role) -> Change | None:
        asked, person = group.requests[RecordHash(request)]
        if group.is_personal:
            return self._certify(asked, person)
        is_from_join = group.history is History.FROM_JOIN
        epoch = self._epoch(room, group, plus=person) if is_from_join else None
        return Add(asked.person, role, self._box(room, group, person), request, epoch)

    def _certify(self, asked: Request, stranger: Person) -> Change | None:
        """Certify the device that asks in the personal room."""
        who = identity.load_identity(self._db)
        assert who is not None
        person = identity.own_person(self._db, who.root)
        secret = identity.user_secret(self._db, person.generation)
        if secret is None:
            return None
        (device,) = stranger.active
        if device.key[:8] in person.devices:
            return None  # it is certified already; the room's log hears of it with the next record
        record = certify(
            self._keys,
            DeviceRequest(device.key, device.box_key, asked.consent),
            root=who.root,
            prevs=person.heads,
            generation=person.generation,
            user_secret=secret,
            at_ms=self._clock.now_ms(),
            random=self._random,
        )
        identity.add_person_records(self._db, [record])
        return Devices(person.id, [record.raw], [], None)

    def _bring_devices(self, room: RoomRow, group: Group, person: Person) -> Devices:
        """Return what the room's log lacks of the own person's, with a new key if devices went."""
        mine = group.members[person.id]
        raws = identity.own_records(self._db, person)
        known = mine.person.raws
        was_active = {device.key[:8] for device in mine.person.active}
        gone = was_active - {device.key[:8] for device in person.active}
        epoch = None
        pins: list[Pin] = []
        if gone:
            pins = [self._pin(room, device) for device in sorted(gone)]
            if mine.role is not Role.READER:
                epoch = self._epoch(room, group, plus=person, revoking=person.id)
        return Devices(person.id, [raw for raw in raws if raw not in known], pins, epoch)

    def _epoch(
        self,
        room: RoomRow,
        group: Group,
        *,
        without: Iterable[bytes] | None = None,
        revoking: bytes = b"",
        plus: Person | None = None,
    ) -> Epoch:
        return next_epoch(
            group,
            self._random.bytes(SECRET_BYTES),
            rooms.room_key(self._db, room.id, group.epoch),
            at_ms=self._clock.now_ms(),
            random=self._random,
            without=without,
            others=self._lost(room, group),
            revoking=revoking,
            plus=() if plus is None else ((plus.id, plus.user_key),),
        )

    def _reseal(self, room: RoomRow, group: Group) -> Reseal | None:
        """Return boxes of the key in force for members who have none, if there are such."""
        known = group.epochs[group.epoch]
        key = rooms.room_key(self._db, room.id, group.epoch)
        left_out = sorted(user for user in group.members if user not in known.boxes)
        if key is None or not left_out or group.is_rotation_due:
            return None
        boxes = [
            (user, seal_box(group.members[user].person.user_key, key, self._random))
            for user in left_out
        ]
        return Reseal(group.epoch, boxes)

    def _is_cheated(self, room: RoomRow, group: Group, me: bytes) -> bool:
        """Tell whether the box that this person got of the key in force does not open."""
        is_given = me in group.epochs[group.epoch].boxes
        return is_given and rooms.room_key(self._db, room.id, group.epoch) is None

    def _lost(self, room: RoomRow, group: Group) -> list[tuple[int, bytes, bytes]]:
        """Return the keys that lost a fork, or stand before a gap, and that no later epoch hands
        on yet."""
        if not (group.lost or group.gaps) or group.history is History.FROM_JOIN:
            return []
        before = {number: rooms.room_key(self._db, room.id, number) for number in group.gaps}
        here = {
            key_commitment(room.room_id, number, key): (number, key)
            for number in {number for number, _ in group.lost} - group.lost_for_good
            for key in rooms.lost_keys(self._db, room.id, number)
        }
        here |= {
            group.epochs[number].epoch.commitment: (number, key)
            for number, key in before.items()
            if key is not None
        }
        return [
            (number, said, key)
            for said, (number, key) in sorted(here.items())
            if said not in group.linked
        ][:LOST_MAX]

    def _pins(self, room: RoomRow, group: Group, users: Iterable[bytes]) -> list[Pin]:
        """Return how far the chains of people's devices go, as far as they are here."""
        wanted = set(users)
        return [
            self._pin(room, device)
            for device, user in sorted(group.owners.items())
            if user in wanted and device not in group.pins
        ]

    def _pin(self, room: RoomRow, device: bytes) -> Pin:
        row = chains.find_chain(self._db, room.id, device_text(device))
        if row is None or not row.seq:
            return Pin(device, 0, b"")
        return Pin(device, row.seq, row.link[:PIN_LINK_BYTES])

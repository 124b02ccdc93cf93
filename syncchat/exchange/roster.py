"""The room's log at this peer: records are stored, folded, and take effect on keys and standing.

Everything here follows from the records alone, so it can be done again after a crash: whose
devices are whose, which room keys open, whether this peer is a member.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from functools import lru_cache
from itertools import islice

from ..errors import ChainBroken, TrustError
from ..ids import device_text
from ..storage import identity, members, rooms
from ..storage.database import Database
from ..storage.rooms import RoomRow, Standing
from ..trust.epochs import is_committed, open_all, open_epoch, open_lost
from ..trust.graph import below
from ..trust.group import Group, copied
from ..trust.keys import DeviceKeys
from ..trust.membership import fold_group, room_of, verify_change
from ..trust.person import Person, member_text, user_of
from ..trust.phrase import root_seed
from ..trust.records import Record, RecordHash
from ..trust.rules import refusal_of
from ..trust.user_keys import open_secrets
from .groups import Groups


def check_record(
    record: Record,
    room: RoomRow,
    known: set[RecordHash],
    db: Database,
    *,
    verified: Set[RecordHash] = frozenset(),
) -> None:
    """Raise ``DecodeError`` or ``TrustError`` for a record that is none of this room's, and
    ``ChainBroken`` for one that stands on what is not here; any other may be stored.

    Those of ``verified`` were so just now.
    """
    if record.hash not in verified:
        verify_change(record)
    if not record.prevs:
        if room_of(record) != room.room_id:
            raise TrustError("the record makes another room")
        return
    if record.log != room.room_id:
        raise TrustError("the record is of another room")
    for prev in record.prevs:
        if prev not in known and not members.has_record(db, room.id, prev):
            raise ChainBroken("the record stands on one that is not here")


class Trial:
    """Sees which new records an honest relay would never have taken on top of what they stand on.

    Who stores such a record builds on it, and honest relays then take nothing more. It is judged by
    its own past alone, so what came in between, or first, makes no difference. ``past`` gives the
    records that are here.
    """

    def __init__(self, group: Group | None, past: Callable[[], Iterable[Record]]) -> None:
        self._group = group
        self._past = past
        self._is_own = False
        self._new: list[Record] = []

    def take(self, record: Record) -> None:
        """Take the next record; raises ``TrustError`` with the reason why it may not be there."""
        if record.prevs:
            group = self._state_at(record.prevs)
            if reason := refusal_of(group, record):
                raise TrustError(f"the record may not be there: {reason}")
            fold_group([record], group)
        elif self._group is None:
            self._group, self._is_own = fold_group([record]), True
        self._new.append(record)

    def _state_at(self, prevs: tuple[RecordHash, ...]) -> Group:
        """Return the state that follows from some records, to be changed: the next one as a rule
        stands on what is taken now."""
        if self._group is None or prevs != self._group.heads:
            known = {record.hash: record for record in (*self._past(), *self._new)}
            self._group, self._is_own = fold_group(below(known, prevs)), True
        elif not self._is_own:
            self._group, self._is_own = copied(self._group), True
        return self._group


def take_records(
    db: Database,
    groups: Groups,
    room: RoomRow,
    records: Sequence[tuple[Record, int | None]],
    *,
    keys: DeviceKeys,
) -> Group | None:
    """Store checked records with their place at the relay, and let them take effect.

    Inside a transaction. Returns who is in the room now, None where no record was new.
    """
    before = groups.of(room.id)
    let_in = 0 if before is None else len(before.owners)
    new = [
        record
        for record, relay_seq in records
        if members.add_record(db, room.id, record, relay_seq=relay_seq)
    ]
    if not new:
        return None
    group = groups.grow(room.id, new)
    assert group is not None
    is_longer = group is before  # else it was folded anew, and others may be in it
    apply_group(db, room, group, keys=keys, stored=let_in if is_longer else 0)
    return group


def apply_group(
    db: Database, room: RoomRow, group: Group, *, keys: DeviceKeys, stored: int = 0
) -> None:
    """Store what a room's log says for this peer; again is harmless.

    So many of the devices that it lets in, the first, are stored already.
    """
    fresh = islice(group.owners.items(), stored, None)
    members.set_owners(
        db, room.id, [(device_text(device), member_text(user)) for device, user in fresh]
    )
    who = identity.load_identity(db)
    assert who is not None
    if room.is_personal and room.standing is Standing.ASKING:
        owner = group.members[group.owner].person
        if owner.speaks(keys.public):  # the other device has linked this one
            who = identity.Identity(owner.root, None, room.id)
            identity.replace_identity(db, who)
    user = user_of(who.root)
    mine = group.members.get(user)
    if mine is not None:
        learn_person(db, mine.person, keys)
    open_keys(db, room, group, user=user)
    rooms.set_standing(db, room.id, _standing(room, group, user, keys.public), epoch=group.epoch)


def open_keys(db: Database, room: RoomRow, group: Group, *, user: bytes) -> None:
    """Store every room key that can be had by a room's log; each is one that it committed to."""
    invite = invite_keys(room)
    secrets = identity.user_secrets(db)
    for number in {number for number, _ in group.lost}:
        key = rooms.room_key(db, room.id, number)
        if key is not None and not is_committed(group, number, key):
            rooms.add_lost_key(db, room.id, number, key)
    found = open_all(
        group,
        lambda number: rooms.room_key(db, room.id, number),
        lambda number: open_epoch(
            group,
            number,
            user=user,
            secrets=secrets,
            invite=None if invite is None else invite.box_secret,
        ),
    )
    rooms.add_room_keys(db, room.id, found)
    lost = open_lost(
        group, lambda number: rooms.room_key(db, room.id, number), user=user, secrets=secrets
    )
    for (number, _), key in lost.items():
        rooms.add_lost_key(db, room.id, number, key)


def _standing(room: RoomRow, group: Group, user: bytes, key: bytes) -> Standing:
    if user in group.members:
        person = group.members[user].person
        if person.speaks(key):
            return Standing.MEMBER
        return Standing.REMOVED if key[:8] in person.devices else Standing.RECOVERING
    is_asking = any(person.id == user for _, person in group.requests.values())
    if is_asking and room.standing is not Standing.COMPARING:
        return Standing.ASKING  # also who was in, by an invite that was closed at that moment
    if room.standing.is_coming:
        return room.standing  # perhaps once more
    if user in group.left:
        return Standing.LEFT
    if user in group.former or room.standing is Standing.MEMBER:
        return Standing.REMOVED
    return room.standing


def proof_of(db: Database, groups: Groups, room: RoomRow) -> DeviceKeys | None:
    """Return the keys that open a room to a device that its log at the relay does not have."""
    match room.standing:
        case Standing.JOINING | Standing.ASKING | Standing.COMPARING:
            return invite_keys(room)
        case Standing.RETURNING | Standing.REMOVED:
            # The relay may have lost the record that let this device in.
            who, group = identity.load_identity(db), groups.of(room.id)
            is_out = who is not None and group is not None and user_of(who.root) in group.former
            return None if is_out else invite_keys(room)
        case Standing.RECOVERING:
            return root_keys(db)
        case _:
            return None


def note_closed(db: Database, groups: Groups, room_row: int) -> bool:
    """Take note that a relay does not let this device in; inside a transaction.

    Tells whether to ask once more by the invite: the relay may have lost the record that let this
    device in. While it is known to have lost something, what it says is no proof of a removal.
    """
    room = rooms.load_room(db, room_row)
    is_loss = rooms.owes_refill(db, room.id)
    if room.standing is Standing.RETURNING and not is_loss:
        rooms.set_standing(db, room.id, Standing.REMOVED, epoch=room.epoch)
    if room.standing is not Standing.MEMBER:
        return False
    group = groups.of(room.id)
    is_new = group is not None and len(group.members) == 1 and room.invite is None
    if is_new and not members.is_uploaded(db, room.id):
        rooms.refuse_standing(db, room.id, "the relay does not let you make rooms there")
        return False
    may_return = is_loss or room.invite is not None
    standing = Standing.RETURNING if may_return else Standing.REMOVED
    rooms.set_standing(db, room.id, standing, epoch=room.epoch)
    return room.invite is not None


def note_open(db: Database, groups: Groups, room_row: int, *, keys: DeviceKeys) -> None:
    """Be a member again where the relay lets this device in after all; inside a transaction."""
    room = rooms.load_room(db, room_row)
    group = groups.of(room.id)
    if room.standing in (Standing.RETURNING, Standing.REMOVED) and group is not None:
        apply_group(db, room, group, keys=keys)


def invite_keys(room: RoomRow) -> DeviceKeys | None:
    """Return the keys of the invite by which this peer comes in, if it does."""
    return None if room.invite is None else _keys_of(room.invite)


def root_keys(db: Database) -> DeviceKeys | None:
    """Return the person's root keys, while this database has what they are made from."""
    who = identity.load_identity(db)
    if who is None or who.entropy is None:
        return None
    return _keys_of(root_seed(who.entropy))


@lru_cache(maxsize=128)
def _keys_of(seed: bytes) -> DeviceKeys:
    return DeviceKeys(seed)


def learn_person(db: Database, person: Person, keys: DeviceKeys) -> None:
    """Take over what a room's log knows of the own person: devices and user secrets."""
    before = identity.own_person(db, person.root) if _has_log(db) else None
    here = set() if before is None else before.records.keys()
    news = [record for hash_, record in person.records.items() if hash_ not in here]
    if not news and before is not None and _has_secrets(db, before):
        return
    identity.add_person_records(db, news)
    own = identity.own_person(db, person.root)
    open_user_secrets(db, own, keys.public[:8], keys.box_secret)
    root = root_keys(db)
    if root is not None:
        open_user_secrets(db, own, b"", root.curve_secret)


def open_user_secrets(db: Database, person: Person, holder: bytes, box_secret: bytes) -> None:
    """Open the person's user secrets that are sealed to a device, or to the root (b"")."""
    known = {
        generation: secret
        for generation in range(person.generation + 1)
        if (secret := identity.user_secret(db, generation)) is not None
    }
    found = open_secrets(person, known, holder=holder, box_secret=box_secret)
    for generation, secret in found.items():
        identity.add_user_secret(db, generation, secret)


def _has_log(db: Database) -> bool:
    return db.row("select 1 from person_record limit 1") is not None


def _has_secrets(db: Database, person: Person) -> bool:
    return identity.user_secret(db, person.generation) is not None

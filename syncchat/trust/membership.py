"""Rooms: who is a member, in which role, with which devices and keys, as a signed log.

The log's first record makes the room and its owner; every later one changes something, if its
signer had the right to it then. ``fold_group`` is a pure function from the records to the state:
peers use it to know whom to believe, and relays, which cannot read a message, to know who may
enter. What it finds wrong has no effect and stands in ``refused`` with the reason.

Roles: the *owner*, whom nobody can remove; *admins*, who add, remove and invite, and of whom only
the senior or the owner can remove another; *members*, who write; *readers*, who do not.

Removing somebody is one record together with the next room key, which is not sealed to them, and
with *pins*: how far their devices' chains go. What they write beyond is accepted nowhere, and
cannot be dated back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import replace

from ..errors import DecodeError, TrustError
from . import graph
from .changes import (
    LOST_MAX,
    Add,
    Challenge,
    Change,
    Devices,
    Epoch,
    Genesis,
    History,
    Invite,
    Join,
    Leave,
    Moderate,
    Pin,
    Remove,
    Request,
    Reseal,
    RevokeInvite,
    Role,
    SetRole,
    Settings,
    came_by,
    change_of,
    is_strong,
    join_text,
)
from .group import Group, KnownEpoch, Member, OpenInvite
from .keys import verify
from .person import Person, fold_person, personal_room, read_person, verify_person
from .records import LOG_BYTES, NO_LOG, Record, RecordHash, verify_record
from .rules import brought, newcomer, refusal, refusal_of_late, returning, takes_epoch
from .strikes import Claims, strike

_VOID = "its signer was removed, or its invite revoked, at the same moment"
_LATE = "its invite was closed at the same moment"
_ASKS = "its invite was closed at the same moment; who came by it asks to be let in"


def fold_group(
    records: Iterable[Record], before: Group | None = None, *, room: bytes | None = None
) -> Group:
    """Return the state after records, which must be all of a log in any order.

    With ``before``, the records are those that follow its only head, one after the other; a
    shorter way for what a relay takes on top. ``room`` says which room it is, where several first
    records may be among them. Raises ``TrustError`` where the first record is missing or makes no
    room. Signatures are not looked at; ``verify_change`` does that.
    """
    if before is not None:
        for record in records:
            if record.prevs != before.heads:
                raise TrustError("the record does not stand on the log's head")
            _take(before, record)
        return before
    known = {record.hash: record for record in records}
    genesis = _first(known, room)
    known = {hash_: r for hash_, r in known.items() if r.prevs or r is genesis}
    claims = Claims(known.values())

    def strike_of(stands_on: Sequence[Record], record: Record) -> graph.Strike | None:
        return strike(_state(stands_on), record, claims) if stands_on else None

    settled = graph.in_order(known, is_strong=is_strong, strike_of=strike_of, came_by=came_by)
    order = settled.order
    is_whole = len(order) == len(known)
    group = _state(order, settled.late, forget=is_whole)
    if not is_whole:
        known = graph.connected(known)
        counted = {record.hash for record in order}
        group.heads = graph.heads_of(known)
        void = sorted(known.keys() - counted)
        for hash_ in void:
            _keep_lost(group, known[hash_])
        group.refused += [(hash_, _VOID) for hash_ in void]
    return group


def _first(known: Mapping[RecordHash, Record], room: bytes | None) -> Record:
    """Return the record that makes the room: ``room``, or the one that most records are of."""
    found: dict[bytes, Record] = {}
    firsts = [record for record in known.values() if not record.prevs]
    for record in sorted(firsts, key=lambda record: record.hash):
        with suppress(DecodeError, TrustError):
            found.setdefault(_begin(record).room, record)
    if room is not None and room in found:
        return found[room]
    if room is not None or not found:
        raise TrustError("the room's log does not begin with the record that makes it")
    if len(found) == 1:
        return next(iter(found.values()))
    counts = Counter(record.log for record in known.values())
    return found[max(found, key=lambda each: (counts[each], each))]


def _state(
    order: Sequence[Record], late: Set[RecordHash] = frozenset(), *, forget: bool = False
) -> Group:
    """Return the state after records that count, in order, and some that came ``late``.

    With ``forget`` what was decoded of each is dropped behind it: of a large room it is a lot.
    """
    group = _begin(order[0])
    for record in order[1:]:
        _take(group, record, is_late=record.hash in late)
        if forget:
            record.memo.clear()
    return group


def room_of(genesis: Record) -> bytes:
    """Return the id of the room that a first record makes; raises ``DecodeError``.

    It is the beginning of the record's hash. A personal room's follows from its owner's root key,
    so that who has nothing but the recovery phrase can find it.
    """
    change = change_of(genesis)
    if isinstance(change, Genesis) and change.is_personal:
        return personal_room(newcomer(genesis, change).root)
    return bytes(genesis.hash[:LOG_BYTES])


def verify_change(record: Record) -> None:
    """Raise ``DecodeError`` or ``TrustError`` unless a record is well-formed and its signatures,
    those inside included, hold."""
    verify_record(record)
    change = change_of(record)
    match change:
        case Genesis() | Add() | Join() | Request():
            mine = newcomer(record, change).id
            theirs = {each.hash: each for each in brought(record, change) if each.log == mine}
            verify_person(list(theirs.values()))
        case Devices():
            verify_person(read_person(change.person))
        case _:
            pass
    match change:
        case Genesis() if not newcomer(record, change).speaks(record.signer):
            raise TrustError("the room was not made by its owner")
        case Join() | Request():
            root = newcomer(record, change).root
            verify(change.invite, join_text(record.log, root, record.signer), change.proof)
        case _:
            pass


def _begin(record: Record) -> Group:
    change = change_of(record)
    if not isinstance(change, Genesis) or record.log != NO_LOG:
        raise TrustError("the room's log does not begin with the record that makes it")
    person = newcomer(record, change)
    if not person.speaks(record.signer):
        raise TrustError("the room was not made by its owner")
    group = Group(room_of(record), change.is_personal, change.history)
    group.heads, group.count = (record.hash,), 1
    _let_in(group, person, Role.OWNER)
    if not takes_epoch(group, change.epoch, is_first=True):
        raise TrustError("the room's first key is not its first")
    _add_epoch(group, change.epoch, record)
    return group


def _take(group: Group, record: Record, *, is_late: bool = False) -> None:
    """Let one record take effect, or note why it does not."""
    reason = "it is of another room"
    if record.log == group.room:
        try:
            change = change_of(record)
            reason = _take_late(group, record, change) if is_late else ""
            reason = reason or refusal(group, record, change)
            if not reason and change is not None:
                _apply(group, record, change)
        except (DecodeError, TrustError) as exc:
            reason = str(exc)
    if reason:
        group.refused.append((record.hash, reason))
        if is_late or group.may_write(record.signer):
            _keep_lost(group, record)
    if record.prevs == group.heads:
        group.heads = (record.hash,)
    else:
        heads = set(group.heads).difference(record.prevs)
        group.heads = tuple(sorted(heads | {record.hash}))
    group.count += 1
    group.forks += len(record.prevs) > 1


def _take_late(group: Group, record: Record, change: Change | None) -> str:
    """Let a record that came by an invite which was closed beside it do what it still may, and
    return what became of it.

    An invite that was opened is there, closed. Who came in by one waits for approval instead: who
    they are nobody can tell, and the link may have been known to who was removed.
    """
    match change:
        case Invite() if not refusal(group, record, change):
            group.invites[change.public] = OpenInvite(change, record.signer, is_revoked=True)
        case Join():
            if not (reason := refusal_of_late(group, record, change)):
                asked = Request(change.invite, change.proof, change.person)
                group.requests[record.hash] = asked, newcomer(record, change)
            return reason or _ASKS
        case _:
            pass
    return _LATE


def _apply(group: Group, record: Record, change: Change) -> None:
    match change:
        case Add():
            _enter(group, record, change, change.role)
        case Join():
            opened = group.invites[change.invite]
            opened.used += 1
            _enter(group, record, change, opened.invite.role)
        case Request():
            group.requests[record.hash] = change, newcomer(record, change)
            group.invites[change.invite].is_asked = True
        case Remove():
            gone = group.members.keys() & set(change.members)
            for user in gone:
                _let_out(group, user)
            _pin(group, change.pins, gone)
            group.is_rotation_due = True
            _close_automatic(group)  # they may have the link
        case Leave():
            _leave(group, record, change)
        case SetRole():
            _set_role(group, record, change)
        case Invite():
            group.invites[change.public] = OpenInvite(change, record.signer)
            if change.box and change.epoch_number in group.epochs:
                group.epochs[change.epoch_number].invite_boxes[change.public] = change.box
        case RevokeInvite():
            _close_invites(group, [change.public])
            for hash_, (request, _) in list(group.requests.items()):
                if request.invite == change.public:
                    del group.requests[hash_]
        case Reseal():
            for user, box in change.boxes:
                group.epochs[change.epoch_number].add_box(user, box)
        case Devices():
            _grow(group, change)
        case Settings():
            if change.history is History.FROM_JOIN and group.history is not History.FROM_JOIN:
                _close_automatic(group)  # they have the key in force, which leads to the past
            group.history = change.history
        case Moderate():
            group.hidden[change.message] = change.is_hidden
        case Challenge():
            group.challenges.setdefault(RecordHash(change.request), change.nonce)
        case _:
            pass
    epoch = getattr(change, "epoch", None)
    if isinstance(epoch, Epoch):
        if takes_epoch(group, epoch):
            _add_epoch(group, epoch, record)
        else:  # another brought this key's number beside it: what else it does counts
            _keep_lost(group, record)
            group.is_rotation_due = True


def _enter(group: Group, record: Record, change: Add | Join, role: Role) -> None:
    """Let somebody in by a record, with the key in force where it brings that."""
    user = _let_in(group, returning(group, newcomer(record, change)), role)
    member = group.members[user]
    if isinstance(change, Join):
        member.invite = change.invite
    is_from_join = group.history is History.FROM_JOIN
    member.epoch = group.epoch + 1 if is_from_join else group.earliest
    for hash_, (_, person) in list(group.requests.items()):
        if person.id == user or (isinstance(change, Add) and hash_ == change.request):
            del group.requests[hash_]
    if not group.knows_all(record):
        group.is_rotation_due = True  # the key in force may be another than the one in the box
    elif change.box:
        group.epochs[group.epoch].add_box(user, change.box)


def _let_in(group: Group, person: Person, role: Role) -> bytes:
    user = person.id
    if any(group.owners.get(id_, user) != user for id_ in person.devices):
        person = _without_others(group, person)
    group.members[user] = Member(person, role, group.count)
    group.former.pop(user, None)
    group.left.pop(user, None)
    for id_, device in person.devices.items():
        group.owners[id_] = user
        if role is Role.READER or not device.is_active:
            group.pins.setdefault(id_, Pin(id_, 0, b""))
        else:
            group.pins.pop(id_, None)
    return user


def _close_automatic(group: Group) -> None:
    """Close the invites by which one comes in without approval."""
    for opened in group.invites.values():
        opened.is_revoked |= not opened.invite.needs_approval


def _close_invites(group: Group, keys: Iterable[bytes]) -> None:
    for key in keys:
        if key in group.invites:
            group.invites[key].is_revoked = True


def _without_others(group: Group, person: Person) -> Person:
    """Return a person without devices that were let in as somebody else's before."""
    user = person.id
    devices = {
        id_: device for id_, device in person.devices.items() if group.owners.get(id_, user) == user
    }
    return replace(person, devices=devices)


def _let_out(group: Group, user: bytes) -> None:
    member = group.members.pop(user)
    group.former[user] = member.person


def _pin(group: Group, pins: Sequence[Pin], users: Set[bytes]) -> None:
    """End the chains of people's devices; one that nobody knew of has written nothing, and one
    that has ended already ends where it did."""
    said = {pin.device: pin for pin in pins}
    for id_, user in group.owners.items():
        if user in users:
            group.pins.setdefault(id_, said.get(id_, Pin(id_, 0, b"")))


def _unpin(group: Group, person: Person) -> None:
    """Let the chains of a person's active devices go on."""
    for device in person.active:
        group.pins.pop(device.key[:8], None)


def _leave(group: Group, record: Record, change: Leave) -> None:
    person = group.person_of(record.signer)
    assert person is not None
    role = group.members[person.id].role
    _close_invites(group, group.invites_of(person.id))
    _let_out(group, person.id)
    group.left[person.id] = role
    _pin(group, change.pins, {person.id})
    group.is_rotation_due = True
    if role is Role.OWNER and group.members:
        heir = min(group.members.values(), key=lambda m: (m.role, m.since))
        heir.role = Role.OWNER
        _unpin(group, heir.person)


def _set_role(group: Group, record: Record, change: SetRole) -> None:
    target = group.members[change.member]
    if change.role is Role.OWNER:
        person = group.person_of(record.signer)
        assert person is not None
        group.members[person.id].role = Role.ADMIN
    target.role = change.role
    if change.role is Role.READER:
        _pin(group, change.pins, {change.member})
    else:
        _unpin(group, target.person)


def _grow(group: Group, change: Devices) -> None:
    member = group.members[change.user]
    grown = _without_others(group, fold_person(read_person(change.person), member.person))
    before = member.person
    was_active = {device.key for device in before.active}
    active = {device.key for device in grown.active}
    if was_active - active:
        _close_invites(group, group.invites_of(change.user))
        group.is_rotation_due = True
    member.person = grown
    said = {pin.device: pin for pin in change.pins}
    is_reader = member.role is Role.READER
    for id_ in before.devices.keys() | grown.devices.keys():  # a certificate may have become void
        is_active = id_ in grown.devices and grown.devices[id_].is_active
        is_new = id_ not in before.devices
        if not is_active or (is_reader and is_new):
            group.pins.setdefault(id_, said.get(id_, Pin(id_, 0, b"")))
        elif is_new:
            group.pins.pop(id_, None)
    for id_ in grown.devices:
        group.owners[id_] = change.user
    for hash_, (_, person) in list(group.requests.items()):
        if not grown.devices.keys().isdisjoint(person.devices):  # what a new device asked for
            del group.requests[hash_]


def _add_epoch(group: Group, epoch: Epoch, record: Record) -> None:
    group.epoch = epoch.number
    group.epochs[epoch.number] = KnownEpoch(
        epoch,
        record.signer,
        {user: (box,) for user, box in epoch.boxes},
        dict(epoch.invite_boxes),
    )
    is_linked = bool(epoch.link) and group.knows_all(record)  # else perhaps to a key that lost
    if epoch.number and group.history is History.FROM_JOIN:
        group.earliest = epoch.number
    elif epoch.number and not is_linked:
        group.gaps.add(epoch.number - 1)
    group.linked.update(commitment for _, commitment, _ in epoch.others)
    closed = [
        key
        for key, _ in epoch.invite_boxes
        if key not in group.invites or group.invites[key].is_revoked
    ]
    sealed_to = {user for user, _ in epoch.boxes}
    group.is_rotation_due = group.members.keys() != sealed_to or bool(closed)


def _keep_lost(group: Group, record: Record) -> None:
    """Keep a key that lost a fork of the log, because messages may have been sealed with it."""
    try:
        epoch = getattr(change_of(record), "epoch", None)
    except DecodeError:
        return
    if isinstance(epoch, Epoch) and len(group.lost) < LOST_MAX:
        boxes: dict[bytes, tuple[bytes, ...]] = {user: (box,) for user, box in epoch.boxes}
        group.lost.setdefault(
            (epoch.number, epoch.commitment), KnownEpoch(epoch, record.signer, boxes, {})
        )

"""What may be: why a change to a room has no effect, given the state before it."""

from __future__ import annotations

from dataclasses import replace

from ..errors import DecodeError, TrustError
from .boxes import is_box_key
from .changes import (
    INVITES_MAX,
    MEMBERS_MAX,
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
    Merge,
    Remove,
    Request,
    Reseal,
    Role,
    Rotate,
    SetRole,
    change_of,
)
from .group import Group, Member
from .keys import verify
from .person import Person, consent_text, fold_person, read_person
from .records import Record

REQUESTS_MAX = 500
"""People who wait for approval at one time."""

BOXES_MAX = 8
"""Boxes with one room key for one member; more than one only where some are bad."""

_READERS = "readers have no part in the room's keys"


def refusal_of(group: Group, record: Record) -> str:
    """Return why a record on top of the log would have no effect, empty when it would."""
    if record.log != group.room:
        return "it is of another room"
    try:
        return refusal(group, record, change_of(record))
    except (DecodeError, TrustError) as exc:
        return str(exc)


def refusal(group: Group, record: Record, change: Change | None) -> str:
    """Return why a change may not be, empty when it may."""
    match change:
        case Genesis():
            return "the room was made already"
        case Join():
            return _refuse_join(group, record, change)
        case Request():
            return _refuse_request(group, record, change)
        case Devices():
            return _refuse_devices(group, record, change)
        case _:
            pass
    person = group.person_of(record.signer)
    if person is None:
        return "its signer is no member"
    role = group.members[person.id].role
    epoch = getattr(change, "epoch", None)
    if isinstance(epoch, Epoch) and (reason := _refuse_epoch(group, record, change, epoch)):
        return reason
    match change:
        case None | Merge() | Leave():
            return ""
        case Rotate() | Challenge():
            return _READERS * (role is Role.READER)
        case Reseal():
            return _READERS if role is Role.READER else _refuse_reseal(group, change)
        case Remove():
            return _refuse_remove(group, record, person, change)
        case SetRole():
            return _refuse_role(group, person, change)
        case _ if role > Role.ADMIN:
            return "only admins may do that"
        case Add():
            return _refuse_add(group, record, change, role)
        case Invite():
            return _refuse_invite(group, record, change)
        case _:
            return ""


def _refuse_epoch(group: Group, record: Record, change: Change | None, epoch: Epoch) -> str:
    """Return why a room key cannot be the next.

    A removal or revocation that did not know of the newest key counts without its own.
    """
    gives_away = epoch.link or epoch.invite_boxes or epoch.others
    if group.history is History.FROM_JOIN and gives_away:
        return "a room without earlier history gives no earlier key away"
    if takes_epoch(group, epoch):
        return ""
    is_late = epoch.number <= group.epoch and not group.knows_all(record)
    if is_late and isinstance(change, Remove | Devices):
        return ""
    return f"it brings room key {epoch.number}, after {group.epoch}"


def _refuse_entry(group: Group, person: Person) -> str:
    """Return why nobody, or not this person, can come in."""
    if group.is_personal:
        return "a personal room is for its owner's devices only"
    if person.id in group.members:
        return "they are a member already"
    if len(group.members) >= MEMBERS_MAX:
        return f"a room has at most {MEMBERS_MAX} members"
    return ""


def _refuse_add(group: Group, record: Record, change: Add, role: Role) -> str:
    if change.role is Role.OWNER:
        return "a room has one owner, who may hand it over"
    if change.role is Role.ADMIN and role is not Role.OWNER:
        return "only the owner makes admins"
    if reason := _refuse_entry(group, newcomer(record, change)):
        return reason
    return _refuse_keys(group, change)


def _refuse_keys(group: Group, change: Add | Join) -> str:
    """Return why somebody may not come in with these keys."""
    if group.history is not History.FROM_JOIN:
        return ""
    if change.epoch is None:
        return "a room without earlier history takes a new key with each member"
    return "a room without earlier history gives no earlier key away" if change.box else ""


def _refuse_invite(group: Group, record: Record, change: Invite) -> str:
    if change.role <= Role.ADMIN:
        return "an invite makes members and readers only"
    if change.public in group.invites:
        return "the invite is there already"
    if not is_box_key(change.box_key):
        return "nothing can be sealed to the invite's key"
    if change.box and (change.needs_approval or group.history is History.FROM_JOIN):
        return "the invite would give a key away to who is not in yet"
    if group.is_personal and not change.needs_approval:
        return "a personal room is for its owner's devices only"
    count = sum(not opened.refusal(record.at_ms) for opened in group.invites.values())
    return f"at most {INVITES_MAX} invites are open at one time" * (count >= INVITES_MAX)


def _refuse_join(group: Group, record: Record, change: Join) -> str:
    found = group.invites.get(change.invite)
    if found is None:
        return "there is no such invite"
    person = returning(group, newcomer(record, change))
    if not person.speaks(record.signer):
        return "it is not signed by one of the joiner's devices"
    if reason := _refuse_entry(group, person):
        return reason
    if found.invite.needs_approval:
        return "the invite needs an admin's approval"
    if not group.members:
        return "everybody has left the room"
    if reason := _refuse_keys(group, change):
        return reason
    epoch = change.epoch
    if epoch is not None and (reason := _refuse_epoch(group, record, change, epoch)):
        return reason
    return found.refusal(record.at_ms)


def refusal_of_late(group: Group, record: Record, change: Join) -> str:
    """Return why a join whose invite was closed beside it cannot count as a request."""
    found = group.invites.get(change.invite)
    if found is None:
        return "there is no such invite"
    if reason := replace(found, is_revoked=False).refusal(record.at_ms):
        return reason
    return _refuse_asking(group, record, change)


def _refuse_request(group: Group, record: Record, change: Request) -> str:
    found = group.invites.get(change.invite)
    if found is None:
        return "there is no such invite"
    return _refuse_asking(group, record, change) or found.refusal(record.at_ms)


def _refuse_asking(group: Group, record: Record, change: Join | Request) -> str:
    person = newcomer(record, change)
    devices = [device for device in person.active if device.key == record.signer]
    if not devices:
        return "it is not signed by one of the devices of who asks"
    if person.id in group.members:
        return "they are a member already"
    if any(person.id == other.id for _, other in group.requests.values()):
        return "they have asked already"
    if isinstance(change, Request) and group.is_personal:
        found = group.invites[change.invite]
        if len(person.active) > 1:
            return "a device asks for itself alone"
        text = consent_text(group.owner, devices[0].box_key)
        verify(record.signer, text, change.consent)
        if change.commitment != found.invite.commitment:
            return "it does not say what the invite has committed to"
        if found.is_asked and found.invite.commitment:
            return "another device has asked by this link or code: it works once; make a new one"
    if len(group.requests) >= REQUESTS_MAX:
        return "too many people wait for approval"
    return ""


def _refuse_devices(group: Group, record: Record, change: Devices) -> str:
    member = group.members.get(change.user)
    if member is None:
        return "they are no member"
    grown = fold_person(read_person(change.person), member.person)
    if not (member.person.speaks(record.signer) or grown.speaks(record.signer)):
        return "it is not signed by one of the person's devices"
    if change.epoch is not None:
        if member.role is Role.READER:
            return _READERS
        return _refuse_epoch(group, record, change, change.epoch)
    return ""


def _refuse_reseal(group: Group, change: Reseal) -> str:
    known = group.epochs.get(change.epoch_number)
    if known is None:
        return "there is no such room key"
    for user, _ in change.boxes:
        member = group.members.get(user)
        if member is None:
            return "they are no member"
        if change.epoch_number < member.epoch:
            return "they came in later, and may not read the past"
        if len(known.boxes.get(user, ())) >= BOXES_MAX:
            return "the key was sealed to them often enough; it takes a new key"
    return ""


def _refuse_remove(group: Group, record: Record, person: Person, change: Remove) -> str:
    mine = group.members[person.id]
    targets = [group.members[user] for user in change.members if user in group.members]
    is_beside = not group.knows_all(record)  # somebody else may have removed some of them
    if not targets or (len(targets) < len(change.members) and not is_beside):
        return "they are no member"
    for target in targets:
        if reason := _refuse_over(mine, target):
            return reason
    return ""


def _refuse_over(mine: Member, target: Member) -> str:
    """Return why one member has no say over another."""
    if target.role is Role.OWNER:
        return "nobody removes the owner"
    if mine.role > Role.ADMIN:
        return "only admins may do that"
    if target.role is Role.ADMIN and mine.role is Role.ADMIN and target.since < mine.since:
        return "only the owner and senior admins may do that to an admin"
    return ""


def _refuse_role(group: Group, person: Person, change: SetRole) -> str:
    mine, target = group.members[person.id], group.members.get(change.member)
    if target is None:
        return "they are no member"
    if change.role <= Role.ADMIN and mine.role is not Role.OWNER:
        return "only the owner makes admins and hands the room over"
    if change.member == person.id:
        return "nobody changes the own role"
    return _refuse_over(mine, target)


def takes_epoch(group: Group, epoch: Epoch, *, is_first: bool = False) -> bool:
    return epoch.number == (0 if is_first else group.epoch + 1)


def returning(group: Group, person: Person) -> Person:
    """Return a person with what the room knew of them when they were in it before: a device that
    was revoked then does not come back with an older log."""
    before = group.former.get(person.id)
    return person if before is None else fold_person(before.records.values(), person)


def newcomer(record: Record, change: Genesis | Add | Join | Request) -> Person:
    """Return the person whom a record brings."""
    person = record.memo.get("person")
    if person is None:
        person = record.memo["person"] = fold_person(brought(record, change))
    return person


def brought(record: Record, change: Genesis | Add | Join | Request) -> list[Record]:
    """Return the records of a person's log that a record brings."""
    found = record.memo.get("brought")
    if found is None:
        found = record.memo["brought"] = read_person(change.person)
    return found

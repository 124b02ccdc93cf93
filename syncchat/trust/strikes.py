"""Strikes in rooms: which strong record silences whom, where a room's log has forked.

* A removal or a demotion strikes all keys of the people whom it is about, also of devices that
  only the other branch knows of.
* A revocation strikes the revoked devices, and those that they alone have certified beside it.
* Handing the room over, or leaving it, strikes the signer's own keys: who gave a right away does
  not take it back by going on from a moment before.
* What closes invites closes them beside it as well: else who is removed could come back as
  somebody else, by a link that they know. Who came by such an invite there has to ask; but what
  came by an invite that was revoked is void.

Seniority is by role, then by when the person came in. Of one person the revocations count first,
the root's before a device's and an older device's before a younger's, then what gives up the own
rights, then removals and demotions.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import DecodeError, TrustError
from .changes import (
    Add,
    Devices,
    Genesis,
    Invite,
    Join,
    Leave,
    Remove,
    Request,
    RevokeInvite,
    Role,
    SetRole,
    change_of,
)
from .graph import Strike
from .group import Group
from .person import Certify, PersonKind, content_of, fold_person, read_person
from .records import Record, RecordHash
from .rules import refusal

_REVOKES, _GIVES_UP, _REMOVES = range(3)


class Claims:
    """Knows every certificate that any record of a room's log brings, and every invite that it
    opens, whether it counts or not."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = records
        self._found: dict[bytes, list[tuple[bytes, bytes]]] | None = None
        self._invites: list[tuple[bytes, bytes]] | None = None

    def certified(self, user: bytes) -> list[tuple[bytes, bytes]]:
        """Return pairs of signer and device key for a person."""
        if self._found is None:
            self._found = {}
            seen: set[RecordHash] = set()
            for record in self._records:
                for each in _brought(record):
                    content = None if each.hash in seen else _content(each)
                    seen.add(each.hash)
                    if isinstance(content, Certify):
                        pair = each.signer, content.device_key
                        self._found.setdefault(each.log, []).append(pair)
        return self._found.get(user, [])

    def invites(self) -> list[tuple[bytes, bytes]]:
        """Return pairs of signer and invite key for the invites that need no approval."""
        if self._invites is None:
            found = [(record.signer, _opened(record)) for record in self._records]
            self._invites = [(signer, key) for signer, key in found if key]
        return self._invites

    def invites_of(self, group: Group, user: bytes) -> set[bytes]:
        """Return the keys of such invites whose links a member's devices may hold."""
        keys = self.keys_of(group, user)
        made = {key for signer, key in self.invites() if signer in keys}
        return made | set(group.invites_of(user))

    def keys_of(self, group: Group, user: bytes) -> set[bytes]:
        """Return the keys by which a member could ever speak."""
        person = group.members[user].person
        known = {person.root, *(device.key for device in person.devices.values())}
        return known | {key for _, key in self.certified(user)}


def strike(group: Group, record: Record, claims: Claims) -> Strike | None:
    """Return what a record strikes, given the state that it stands on; None for nothing."""
    try:
        change = change_of(record)
        if change is None or refusal(group, record, change):
            return None
        if isinstance(change, Devices):
            return _of_devices(group, change, claims)
        person = group.person_of(record.signer)
        if person is None:
            return None
        struck: set[bytes] = set()
        closed: set[bytes] = set()
        phase = _REMOVES
        match change:
            case Remove(members=users):
                for user in group.members.keys() & set(users):
                    struck |= claims.keys_of(group, user)
                closed = {key for _, key in claims.invites()}
            case RevokeInvite(public=public):
                struck = {public}
            case SetRole(role=Role.OWNER) | Leave():
                struck, phase = claims.keys_of(group, person.id), _GIVES_UP
                if isinstance(change, Leave):
                    closed = claims.invites_of(group, person.id)
            case SetRole(member=user, role=role) if role > group.members[user].role:
                struck = claims.keys_of(group, user)
            case _:
                return None
    except (DecodeError, TrustError):
        return None
    member = group.members[person.id]
    place = person.place_of(record.signer)
    seniority = (member.role, member.since, phase, place)
    return Strike(seniority, frozenset(struck), frozenset(closed))


def _of_devices(group: Group, change: Devices, claims: Claims) -> Strike:
    """Return the strike of the revocations that a record brings, whoever brings it."""
    member = group.members[change.user]
    brought = read_person(change.person)
    grown = fold_person(brought, member.person)
    active = {bytes(device.key) for device in grown.active}
    struck = {bytes(device.key) for device in member.person.active} - active
    closed = claims.invites_of(group, change.user) if struck else ()
    while more := {
        key
        for signer, key in claims.certified(change.user)
        if signer in struck and key not in struck and key not in active
    }:
        struck |= more
    signers = {r.signer for r in brought if r.kind == PersonKind.REVOKE}
    known = [s for s in signers if s == grown.root or s[:8] in grown.devices]
    place = min((grown.place_of(signer) for signer in known), default=len(grown.devices))
    seniority = (member.role, member.since, _REVOKES, place)
    return Strike(seniority, frozenset(struck), frozenset(closed))


def _brought(record: Record) -> list[Record]:
    try:
        change = change_of(record)
        if isinstance(change, Genesis | Add | Join | Request | Devices):
            return read_person(change.person)
    except DecodeError:
        pass
    return []


def _opened(record: Record) -> bytes:
    """Return the key of the invite without approval that a record opens, empty for none."""
    try:
        change = change_of(record)
    except DecodeError:
        return b""
    return change.public if isinstance(change, Invite) and not change.needs_approval else b""


def _content(record: Record) -> object:
    try:
        return content_of(record)
    except DecodeError:
        return None

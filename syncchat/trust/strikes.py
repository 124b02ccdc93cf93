"""Strikes in rooms: which strong record silences whom, where a room's log has forked.

* A removal or a demotion strikes all keys of the people whom it is about, also of devices that
  only the other branch knows of.
* A revocation strikes the revoked devices, and those that they alone have certified beside it.
* Handing the room over, or leaving it, strikes the signer's own keys: who gave a right away does
  not take it back by going on from a moment before.

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
    Join,
    Leave,
    Remove,
    Request,
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
    """Knows every certificate that any record of a room's log brings, whether it counts or not."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = records
        self._found: dict[bytes, list[tuple[bytes, bytes]]] | None = None

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
        phase = _REMOVES
        match change:
            case Remove(members=users):
                for user in group.members.keys() & set(users):
                    struck |= claims.keys_of(group, user)
            case SetRole(role=Role.OWNER) | Leave():
                struck, phase = claims.keys_of(group, person.id), _GIVES_UP
            case SetRole(member=user, role=role) if role > group.members[user].role:
                struck = claims.keys_of(group, user)
            case _:
                return None
    except (DecodeError, TrustError):
        return None
    member = group.members[person.id]
    place = person.place_of(record.signer)
    return Strike((member.role, member.since, phase, place), frozenset(struck))


def _of_devices(group: Group, change: Devices, claims: Claims) -> Strike:
    """Return the strike of the revocations that a record brings, whoever brings it."""
    member = group.members[change.user]
    brought = read_person(change.person)
    grown = fold_person(brought, member.person)
    active = {bytes(device.key) for device in grown.active}
    struck = {bytes(device.key) for device in member.person.active} - active
    while more := {
        key
        for signer, key in claims.certified(change.user)
        if signer in struck and key not in struck and key not in active
    }:
        struck |= more
    signers = {r.signer for r in brought if r.kind == PersonKind.REVOKE}
    known = [s for s in signers if s == grown.root or s[:8] in grown.devices]
    place = min((grown.place_of(signer) for signer in known), default=len(grown.devices))
    return Strike((member.role, member.since, _REVOKES, place), frozenset(struck))


def _brought(record: Record) -> list[Record]:
    try:
        change = change_of(record)
        if isinstance(change, Genesis | Add | Join | Request | Devices):
            return read_person(change.person)
    except DecodeError:
        pass
    return []


def _content(record: Record) -> object:
    try:
        return content_of(record)
    except DecodeError:
        return None

"""What must hold when a life of a group is over: who is in reads everything, who is out nothing.

The oracle knows the word of every message, and looks for it on disks, in what peers show, and in
what a device could open of the relay's log if the relay helped it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncchat.errors import SealBroken
from syncchat.ids import device_text
from syncchat.storage import chains, identity, members, rooms
from syncchat.testing import Divergence, SimPeer
from syncchat.trust.chain import GENESIS, context, link_after
from syncchat.trust.epochs import is_committed, open_all, open_epoch, open_lost
from syncchat.trust.group import Member
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.membership import fold_group
from syncchat.trust.person import user_of
from syncchat.trust.records import Record, decode_record, is_record
from syncchat.trust.seal import body_key, open_sealed
from syncchat.wire.coverage import split_body
from syncchat.wire.envelope import EnvelopeKind, Header, decode_envelope

if TYPE_CHECKING:
    from .group_lives import GroupLife


@dataclass(frozen=True, slots=True)
class Opened:
    """Is an envelope of the relay's log that opened, and what it says."""

    header: Header
    update: bytes
    key: bytes


def check(life: GroupLife) -> None:
    """Raise ``Divergence`` unless who may read does, and nobody else."""
    _check_waiting(life)
    check_outsiders(life)
    _check_pins(life)
    _check_villains(life)
    lacking = lacks(life)
    if lacking:
        raise Divergence("; ".join(lacking))
    for device in life.present():
        _check_faults(life, device)
        before = device.room.digest()
        device.peer.rebuild()
        if device.room.digest() != before:
            raise Divergence(f"{device.name} shows something else when it folds anew")
        _check_faults(life, device)


def check_outsiders(life: GroupLife) -> None:
    """Raise ``Divergence`` if somebody has what was written while they were out; at any time."""
    _check_departed(life)
    _check_turned_out(life)
    _check_newcomers(life)


def lacks(life: GroupLife) -> list[str]:
    """Return what members do not show, though they may read it and it counts."""
    sealed = {
        each.text: opened
        for opened in opened_with(life, _everybodys_keys(life))
        for each in life.told
        if each.text.encode() in opened.update
    }
    found = []
    for device in life.present():
        if life.is_parked(device):
            continue
        shown = shown_by(device)
        for each in life.told:
            # What was edited before it was sent never stood in an envelope.
            parts = [sealed[text] for text in (*each.edits, each.text) if text in sealed]
            parts = [*parts[:1], *parts[-1:]]
            is_due = all(_is_due(life, device, part) for part in parts)
            if each.text not in sealed:  # it was not sent yet, or the relay lost it
                is_due = each.device == device.peer.device
            if is_due and not each.is_gone and each.text not in shown:
                found.append(f"{device.name} does not show {each.text}, sealed as {parts}")
    return found


def shown_by(device: SimPeer) -> str:
    """Return all that a device shows, as one text."""
    return "\n".join(m.text for m in device.room.messages(limit=1000) if not m.deleted)


def may_differ(life: GroupLife, device: SimPeer) -> bool:
    """Tell whether a member may show less than others, because keys are not handed on to them."""
    group = life.group(device)
    return bool(_member(life, device).epoch or group.lost_for_good)


def opened_by(life: GroupLife, device: SimPeer) -> bytes:
    """Return everything in the relay's log that a device can open, if the relay helps it."""
    keys = _keys_for(life, device)
    return b"".join(opened.update for opened in opened_with(life, keys))


def sealed_in_log(life: GroupLife) -> bytes:
    """Return everything in the relay's log, opened with the keys of everybody."""
    return b"".join(opened.update for opened in opened_with(life, _everybodys_keys(life)))


def opened_with(life: GroupLife, keys: set[bytes]) -> Iterator[Opened]:
    """Yield every envelope of the relay's log that one of some room keys opens.

    Where snapshots stand for others, they say by which links the chains go on.
    """
    room = life.world.room_id
    envelopes = [decode_envelope(raw) for raw in life.log() if not is_record(raw)]
    links: dict[tuple[bytes, int], bytes] = {}
    signers: dict[bytes, bytes] = {}
    for envelope, header in envelopes:
        if header.key is not None:
            signers[header.device] = header.key
        if header.kind == EnvelopeKind.SNAPSHOT:
            coverage, _ = split_body(envelope.body, header.seq)
            links[header.device, header.seq - 1] = coverage.previous
            links |= {(header.device, part.last): part.link for part in coverage.ranges}
    places: set[tuple[bytes, int]] = set()
    for envelope, header in sorted(envelopes, key=lambda each: each[1].seq):
        if (header.device, header.seq) in places:
            continue  # somebody had it put there again
        places.add((header.device, header.seq))
        previous = links.get((header.device, header.seq - 1), GENESIS)
        authenticated = context(room, previous, envelope.header)
        links[header.device, header.seq] = link_after(authenticated, envelope, header)
        sealed = envelope.body
        if header.kind == EnvelopeKind.SNAPSHOT:
            coverage, sealed = split_body(envelope.body, header.seq)
            authenticated += coverage.raw
        for key in keys:
            body = body_key(key, room, signers[header.device][:8])
            with suppress(SealBroken):
                update = open_sealed(body, header.nonce, authenticated, sealed)
                yield Opened(header, update, key)


# Inside


def _member(life: GroupLife, device: SimPeer) -> Member:
    return life.group(device).members[user_of(device.peer._membership.root)]


def _is_due(life: GroupLife, device: SimPeer, part: Opened) -> bool:
    """Tell whether a member must have read an envelope of the log."""
    group, header = life.group(device), part.header
    if not group.accepts(header.device, header.seq):
        return False
    if is_committed(group, header.epoch, part.key):
        return header.epoch >= _member(life, device).epoch
    # A key that lost a fork of the log; where it is not handed on, who was sealed it has it.
    return header.epoch not in group.lost_for_good or part.key in _lost(device)


def _check_faults(life: GroupLife, device: SimPeer) -> None:
    faults = [fault for fault in device.peer.check() if not life.is_excused(fault)]
    if faults and not life.is_parked(device):
        raise Divergence(f"{device.name}: {faults}")


def _check_waiting(life: GroupLife) -> None:
    for device in life.present():
        group = life.group(device)
        if group.epoch and rooms.room_key(device.peer._db, device.room._row, group.epoch) is None:
            raise Divergence(f"{device.name} has no key of epoch {group.epoch}")
        for row in chains.all_chains(device.peer._db, device.room._row):
            is_ended = row.key[:8] in group.pins
            if (row.frozen is not None and not is_ended) or (
                row.waiting is not None and not is_ended
            ):
                raise Divergence(f"{device.name} reads {row.device[:6]} no further: {row}")


def _check_departed(life: GroupLife) -> None:
    """Look for what was written after a person was known to be out, at their devices."""
    inside = {d.peer.id for d in life.present()}
    for device in life.devices:
        if device.peer.id in inside or not life.has_room(device):
            continue
        since = life.since.get(device.peer.id, 0)
        secret = [
            told.text
            for told in life.told[since:]
            if device.peer.id not in told.audience and told.writer != device.peer.id
        ]
        _check_unknown(life, device, secret, "was out")


def _check_turned_out(life: GroupLife) -> None:
    """Look for what was written after a device was known to be revoked, at whoever has it.

    One that nobody ever heard of may know what its person may, and so may who has the phrase.
    """
    members = life.newest().members if life.present() else {}
    active = {d.id for member in members.values() for d in member.person.active}
    for device in life.devices:
        if not life.has_room(device) or device.peer.device in active:
            continue
        if device.peer.devices.has_phrase:
            continue
        secret = [
            told.text
            for told in life.told[life.spoke.get(device.name, life.since.get(device.peer.id, 0)) :]
            if device.peer.device not in told.devices and told.device != device.peer.device
        ]
        _check_unknown(life, device, secret, "was revoked")


def _check_newcomers(life: GroupLife) -> None:
    """Look for what was sealed before somebody came into a room without earlier history."""
    for device in life.devices:
        if life.has_room(device):
            closed = sorted(life.closed.get(device.peer.id, ()))
            _check_unknown(life, device, closed, "came in later")


def _check_unknown(life: GroupLife, device: SimPeer, secret: list[str], why: str) -> None:
    if not secret:
        return
    kept = device.disk.latest() + opened_by(life, device)
    for text in secret:
        if text.encode() in kept:
            raise Divergence(f"{device.name} {why}, and has {text}")


def _check_pins(life: GroupLife) -> None:
    """Look for what devices wrote beyond the place where the room's log ends their chains."""
    for device in life.present():
        group = life.group(device)
        for pin in group.pins.values():
            row = chains.find_chain(device.peer._db, device.room._row, device_text(pin.device))
            if row is None or row.device == device.peer.device:
                continue
            if chains.readable_after(device.peer._db, row.id, pin.seq, limit=1):
                raise Divergence(f"{device.name} shows what {row.device[:6]} wrote after {pin}")


def _check_villains(life: GroupLife) -> None:
    """Look for what those who were out had a relay put into its log."""
    for device in life.present():
        group = life.group(device)
        if not life.villains.isdisjoint(member.id for member in group.members.values()):
            raise Divergence(f"{device.name} has somebody in the room who is out: {group.members}")
        shown, refused = shown_by(device), {hash_ for hash_, _ in group.refused}
        for text in life.forged_texts:
            if text in shown:
                raise Divergence(f"{device.name} shows {text}")
        for record in life.forged_records:
            is_kept = record.raw in _records_of(device)
            if is_kept and record.hash not in refused:
                raise Divergence(f"{device.name} heeds a forged record: {record}")


def _records_of(device: SimPeer) -> set[bytes]:
    return set(members.records_of(device.peer._db, device.room._row))


def _everybodys_keys(life: GroupLife) -> set[bytes]:
    return {
        key
        for device in life.devices
        if life.has_room(device)
        for key in (*_here(device), *_lost(device))
    }


def _keys_for(life: GroupLife, device: SimPeer) -> set[bytes]:
    """Return the room keys that a device has, or can open in the relay's records."""
    records: list[Record] = [decode_record(raw) for raw in life.records_in_log()]
    db, group = device.peer._db, fold_group(records)
    row = rooms.load_room(db, device.room._row)
    user, secrets = user_of(device.peer._membership.root), identity.user_secrets(db)
    invite = None if row.invite is None else DeviceKeys(row.invite).box_secret
    found = open_all(
        group,
        lambda number: rooms.room_key(db, row.id, number),
        lambda number: open_epoch(group, number, user=user, secrets=secrets, invite=invite),
    )
    lost = open_lost(group, found.get, user=user, secrets=secrets)
    return {*found.values(), *lost.values(), *_here(device), *_lost(device)}


def _here(device: SimPeer) -> list[bytes]:
    row = device.room._row
    keys = [rooms.room_key(device.peer._db, row, number) for number in range(64)]
    return [key for key in keys if key is not None]


def _lost(device: SimPeer) -> list[bytes]:
    row = device.room._row
    return [key for number in range(64) for key in rooms.lost_keys(device.peer._db, row, number)]

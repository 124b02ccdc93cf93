"""What a room's log comes to: what has no place in it, whose devices are whose, chains' ends."""

from __future__ import annotations

import msgspec
import pytest

from syncchat.errors import TrustError
from syncchat.trust.boxes import box_public, seal_box
from syncchat.trust.changes import (
    Add,
    Challenge,
    Genesis,
    Merge,
    Moderate,
    Role,
    SetRole,
)
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.membership import fold_group, room_of, verify_change
from syncchat.trust.person import Certify, consent_text, personal_room
from syncchat.trust.records import RecordHash, make_record
from syncchat.trust.rules import refusal_of
from tests.support.people import (
    ANN,
    BOB,
    CAT,
    EVE,
    NOW,
    OWNER,
    UNKNOWN_KIND,
    House,
    Human,
    house,
    pin,
    roles,
)

# What is none of the room's


def test_unknown_kind_is_kept_without_effect_and_only_members_may_write_one() -> None:
    room = house()
    before = roles(room.group)
    record = room.record(Merge(), CAT, kind=UNKNOWN_KIND)
    assert room.reason(record) == ""
    assert room.group.heads == (record.hash,)
    assert room.group.count == 6
    assert roles(room.group) == before
    assert room.reason(room.record(Merge(), EVE, kind=UNKNOWN_KIND)) == "its signer is no member"


def test_record_of_another_room_has_no_effect() -> None:
    room = house()
    record = room.record(SetRole(CAT.id, Role.ADMIN, []), log=bytes(16))
    assert room.reason(record) == "it is of another room"
    assert refusal_of(room.group, record) == "it is of another room"
    assert roles(room.group)[CAT.id] is Role.MEMBER


def test_second_genesis_has_no_effect_on_top_or_beside() -> None:
    room, other = house(), House(EVE, seed=9)
    on_top = room.record(msgspec.msgpack.decode(other.genesis.content, type=Genesis), EVE)
    assert room.reason(on_top) == "the room was made already"
    group = fold_group([other.genesis, *room.log])
    assert group.room == room.id
    assert roles(group) == roles(room.group)
    assert fold_group([*room.log, *other.log], room=other.id).members.keys() == {EVE.id}
    with pytest.raises(TrustError):
        fold_group(room.log, room=other.id)


def test_records_without_a_place_in_the_log_are_left_out() -> None:
    room = house()
    whole = room.group
    rootless = room.record(SetRole(CAT.id, Role.ADMIN, []), on=(), is_kept=False)
    above = room.record(SetRole(CAT.id, Role.ADMIN, []), on=rootless, is_kept=False)
    group = fold_group([above, rootless, *room.log])
    assert group.heads == whole.heads
    assert roles(group) == roles(whole)
    with pytest.raises(TrustError):
        fold_group(room.log[1:])
    with pytest.raises(TrustError):
        fold_group([])


def test_incremental_fold_takes_records_on_the_head_only() -> None:
    room = house()
    with pytest.raises(TrustError):
        fold_group([room.log[-1]], fold_group(room.log[:2]))


def test_room_is_made_by_its_owner_with_the_first_key() -> None:
    made = msgspec.msgpack.decode(House(OWNER).genesis.content, type=Genesis)
    room = House(OWNER)
    stranger = room.record(made, EVE, on=(), log=bytes(16), is_kept=False)
    late = msgspec.structs.replace(made, epoch=msgspec.structs.replace(made.epoch, number=1))
    second = room.record(late, OWNER, on=(), log=bytes(16), is_kept=False)
    for record in (stranger, second):
        with pytest.raises(TrustError):
            fold_group([record])
    with pytest.raises(TrustError):
        verify_change(stranger)


# Personal rooms


def test_personal_room_has_an_id_that_follows_from_the_root_key() -> None:
    assert House(OWNER, is_personal=True).id == personal_room(OWNER.root.public)
    plain = House(OWNER)
    assert plain.id == plain.genesis.hash[:16]
    assert room_of(plain.genesis) == plain.id


def test_personal_room_lets_in_devices_and_no_people() -> None:
    owner = Human(64)
    room = House(owner, is_personal=True)
    assert "own" in room.reason(room.add(EVE))
    room.invite()
    assert "own" in room.reason(room.log[-1])
    invite, new = room.invite(needs_approval=True), Human(65)
    request = room.request(new, invite)
    room.record(Challenge(request.hash, b"n" * 16))
    room.record(Challenge(request.hash, b"m" * 16))
    assert room.group.challenges == {request.hash: b"n" * 16}
    owner.certify(new.device, by=owner.device)
    room.bring(owner)
    assert room.group.may_write(new.device.public)
    assert room.group.requests == {}


def test_personal_room_takes_only_requests_that_can_be_granted() -> None:
    room = House(OWNER, is_personal=True)
    invite, new = room.invite(needs_approval=True), Human(66)
    other = new.device.sign(consent_text(EVE.id, new.device.box_public))
    for consent in (bytes(64), other, b"x"):
        assert room.reason(room.request(new, invite, consent=consent)) != ""
    new.certify()
    assert room.reason(room.request(new, invite)) == "a device asks for itself alone"
    assert room.group.requests == {}


def test_request_by_who_has_no_device_is_refused() -> None:
    room, new = house(), Human(67)
    invite = room.invite(needs_approval=True)
    new.revoke(new.device)
    assert "not signed by one" in room.reason(room.request(new, invite, new.root))
    assert room.group.requests == {}


def test_moderation_hides_and_shows_again() -> None:
    room = house()
    room.record(Moderate(b"m" * 16, True), ANN)
    assert room.group.hidden == {b"m" * 16: True}
    room.record(Moderate(b"m" * 16, False), BOB)
    assert room.group.hidden == {b"m" * 16: False}


# Where chains end


def test_removed_devices_write_no_further_than_their_pins_and_unknown_ones_nothing() -> None:
    room, cat = house(), Human(68)
    cat.certify()
    room.add(cat)
    first, second = cat.devices
    room.remove(cat, pins=[pin(first, 4), pin(OWNER.device, 1)])
    group = room.group
    assert [group.accepts(first.public[:8], seq) for seq in (4, 5)] == [True, False]
    assert not group.accepts(second.public[:8], 1)
    assert group.accepts(OWNER.device.public[:8], 9)
    assert not group.accepts(EVE.device.public[:8], 1)
    assert not group.may_read(first.public)


def test_chain_that_has_ended_is_not_made_longer_or_shorter_by_a_later_record() -> None:
    room, cat = house(), Human(69)
    cat.certify()
    room.add(cat)
    stolen = cat.devices[1]
    cat.revoke(stolen)
    room.bring(cat, pins=[pin(stolen, 5)], has_epoch=True)
    room.remove(cat, pins=[pin(stolen, 50), pin(cat.device, 7)])
    assert room.group.pins[stolen.public[:8]].seq == 5
    assert room.group.pins[cat.device.public[:8]].seq == 7
    room.add(cat)
    room.remove(cat)
    assert room.group.pins[stolen.public[:8]].seq == 5


def test_member_becomes_a_reader_and_a_member_again() -> None:
    room = house()
    device = CAT.device.public
    room.set_role(CAT, Role.READER, pins=[pin(CAT.device, 3)])
    assert (room.group.may_read(device), room.group.may_write(device)) == (True, False)
    assert [room.group.accepts(device[:8], seq) for seq in (3, 4)] == [True, False]
    room.set_role(CAT, Role.READER, pins=[pin(CAT.device, 30)])
    assert not room.group.accepts(device[:8], 4)
    room.set_role(CAT, Role.MEMBER)
    assert room.group.may_write(device)
    assert room.group.accepts(device[:8], 4)


def test_readers_new_device_writes_nothing_either() -> None:
    room, reader = house(), Human(70)
    room.add(reader, Role.READER)
    reader.certify()
    room.bring(reader)
    assert room.group.may_read(reader.devices[1].public)
    assert not room.group.accepts(reader.devices[1].public[:8], 1)
    room.set_role(reader, Role.MEMBER)
    assert room.group.accepts(reader.devices[1].public[:8], 1)


# Devices in rooms


def test_new_device_acts_once_the_room_has_heard_of_it() -> None:
    room, cat = house(), Human(71)
    room.add(cat)
    cat.certify()
    new = cat.devices[1]
    assert not room.group.may_read(new.public)
    assert room.reason(room.bring(cat, new)) == ""
    assert room.group.may_write(new.public)


def test_devices_are_brought_by_their_person_only() -> None:
    room, cat = house(), Human(72)
    room.add(cat)
    cat.certify()
    assert "not signed by one" in room.reason(room.bring(cat, ANN.device))
    assert room.reason(room.bring(EVE)) == "they are no member"


def test_revoked_device_is_out_its_chain_ends_and_a_new_key_is_due() -> None:
    room, cat = house(), Human(73)
    cat.certify()
    room.add(cat)
    stolen = cat.devices[1]
    cat.revoke(stolen)
    room.bring(cat, pins=[pin(stolen, 2)])
    group = room.group
    assert not group.may_read(stolen.public)
    assert [group.accepts(stolen.public[:8], seq) for seq in (2, 3)] == [True, False]
    assert group.is_rotation_due
    assert room.reason(room.record(Merge(), stolen)) == "its signer is no member"


def test_device_that_two_people_claim_stays_with_the_first() -> None:
    room, cat, dan = house(), Human(74), Human(75)
    room.add(cat)
    dan.certify(cat.device)
    room.add(dan)
    assert room.group.owners[cat.device.public[:8]] == cat.id
    person = room.group.person_of(cat.device.public)
    assert person is not None
    assert person.id == cat.id
    assert cat.device.public[:8] not in room.group.members[dan.id].person.devices
    room.bring(dan)
    assert room.group.owners[cat.device.public[:8]] == cat.id
    room.remove(cat)
    assert not room.group.may_read(cat.device.public)


def test_revoked_device_does_not_come_back_with_an_older_log() -> None:
    room, cat = house(), Human(76)
    invite = room.invite(needs_approval=False)
    cat.certify()
    older = cat.raws
    room.add(cat)
    stolen = cat.devices[1]
    cat.revoke(stolen)
    room.bring(cat, has_epoch=True)
    room.leave(cat)
    assert "not signed by one" in room.reason(room.join(cat, invite, by=stolen, raws=older))
    box = seal_box(box_public(cat.secrets[0]), room.key_of(room.group), room.random)
    room.record(Add(older, Role.MEMBER, box, b"", None))
    assert room.group.may_read(cat.device.public)
    assert not room.group.may_read(stolen.public)
    assert not room.group.accepts(stolen.public[:8], 1)


def test_device_whose_certificate_became_void_ends_its_chain() -> None:
    room, cat = house(), Human(77)
    cat.certify()
    room.add(cat)
    stolen, fork = cat.devices[1], cat.person
    planted = DeviceKeys(b"p" * 32)
    made = cat.certify(planted, by=stolen, is_kept=True)
    room.bring(cat, planted)
    assert room.group.may_write(planted.public)
    cat.revoke(stolen, before=fork)
    room.bring(cat, has_epoch=True)
    assert made.hash in cat.person.records
    assert not room.group.may_read(planted.public)
    assert not room.group.accepts(planted.public[:8], 1)


def test_person_to_whom_nothing_can_be_sealed_comes_into_no_room() -> None:
    room = house()
    bad = Human(78)
    forged = msgspec.msgpack.decode(bad.log[0].content)
    forged[4] = bytes(32)

    record = make_record(
        bad.root,
        log=bad.id,
        prevs=(),
        at_ms=NOW,
        kind=1,
        content=msgspec.convert(forged, Certify),
    )
    added = room.record(Add([record.raw], Role.MEMBER, b"", b"", None))
    assert room.reason(added) == "the person's log has no first device"
    assert room.reason(room.rotate()) == ""


def test_hash_of_a_request_that_is_unknown_grants_nothing() -> None:
    room = house()
    assert RecordHash(bytes(32)) not in room.group.requests
    room.record(Add(EVE.raws, Role.MEMBER, b"", bytes(32), None))
    assert EVE.id in room.group.members

"""Logs that forked: who had the last word, whatever order the records came in."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from syncchat.trust.boxes import box_public
from syncchat.trust.changes import Add, Merge, Moderate, Remove, Role, SetRole
from syncchat.trust.group import Group
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.membership import fold_group
from syncchat.trust.records import Record
from tests.support.people import ANN, BOB, CAT, DAN, EVE, OWNER, House, Human, house, pin, roles

VOID = "its signer was removed, or its invite revoked, at the same moment"


def settled(room: House) -> Group:
    """Return the state, which must be the same for other orders of the newest records."""
    group = room.group
    base, newest = room.log[:-4], room.log[-4:]
    for order in itertools.permutations(newest):
        assert fold_group([*order, *base]) == group
    return group


def filler(room: House, base: Record, by: Human, count: int) -> Record:
    """Return the last of some records without weight, so that one branch is longer."""
    for _ in range(count):
        base = room.record(Moderate(bytes(16), False), by, on=base)
    return base


@pytest.mark.parametrize("ahead", [0, 3])
def test_of_two_admins_who_remove_each_other_the_senior_stays(ahead: int) -> None:
    room = house()
    base = room.log[-1]
    by_bob = room.remove(ANN, by=BOB, on=base)
    by_ann = room.remove(BOB, by=ANN, on=filler(room, base, ANN, ahead))
    group = settled(room)
    assert ANN.id in group.members
    assert BOB.id not in group.members
    assert room.reason(by_ann) == ""
    assert room.reason(by_bob) != ""


def test_of_two_admins_of_whom_the_junior_removes_somebody_else_only_the_seniors_word_counts() -> (
    None
):
    room = house()
    base = room.log[-1]
    by_bob = room.remove(CAT, by=BOB, on=base)
    room.remove(BOB, by=ANN, on=base)
    group = settled(room)
    assert CAT.id in group.members
    assert BOB.id not in group.members
    assert room.reason(by_bob) == VOID
    assert group.heads == tuple(sorted(r.hash for r in room.log[-2:]))


def test_what_a_removed_admin_did_before_they_heard_of_it_is_void_and_later_it_is_refused() -> None:
    room = house()
    base = room.log[-1]
    added = room.add(EVE, by=BOB, on=base)
    hidden = room.record(Moderate(bytes(16), True), BOB, on=added)
    removal = room.remove(BOB, by=ANN, on=base)
    later = room.record(Moderate(bytes(16), True), BOB, on=[removal, hidden])
    group = settled(room)
    assert EVE.id not in group.members
    assert group.hidden == {}
    assert (room.reason(added), room.reason(hidden)) == (VOID, VOID)
    assert room.reason(later) == "its signer is no member"


def test_owner_against_admin_ends_with_the_owner() -> None:
    room = house()
    base = room.log[-1]
    room.remove(ANN, by=OWNER, on=base)
    by_ann = room.remove(BOB, CAT, by=ANN, on=base)
    group = settled(room)
    assert ANN.id not in group.members
    assert {BOB.id, CAT.id} <= group.members.keys()
    assert room.reason(by_ann) == VOID


def test_demoted_admin_has_no_say_beside_the_demotion_and_a_promoted_member_has() -> None:
    room = house()
    base = room.log[-1]
    room.set_role(BOB, Role.MEMBER, by=OWNER, on=base)
    room.add(EVE, by=BOB, on=base)
    assert EVE.id not in settled(room).members
    other = house()
    base = other.log[-1]
    other.set_role(BOB, Role.READER, by=ANN, on=base)
    other.set_role(CAT, Role.ADMIN, by=OWNER, on=base)
    rotated = other.rotate(CAT, on=base)
    assert other.reason(rotated) == ""
    assert settled(other).epoch == 1


def test_two_removals_at_one_moment_both_count_and_a_new_key_is_due() -> None:
    room = house()
    base = room.log[-1]
    first = room.remove(CAT, by=ANN, on=base)
    second = room.remove(DAN, by=BOB, on=base)
    group = settled(room)
    assert not {CAT.id, DAN.id} & group.members.keys()
    assert (room.reason(first), room.reason(second)) == ("", "")
    assert group.epoch == 1
    assert group.is_rotation_due
    room.rotate(BOB)
    assert not room.group.is_rotation_due
    assert not room.opens(CAT, 2)
    assert not room.opens(DAN, 2)


def test_two_removals_of_overlapping_people_leave_none_of_them() -> None:
    room = house()
    base = room.log[-1]
    room.remove(CAT, by=ANN, on=base)
    room.remove(CAT, DAN, by=BOB, on=base)
    assert not {CAT.id, DAN.id} & settled(room).members.keys()


def test_late_key_is_taken_only_from_who_could_not_know_and_never_one_ahead() -> None:
    room = house()
    late = room.epoch(without=[CAT.id])
    base = room.log[-1]
    room.rotate(OWNER, on=base)
    known = room.record(Remove([CAT.id], [], late), ANN, on=room.log[-1])
    assert room.reason(known) == "it brings room key 1, after 1"
    ahead = msgspec.structs.replace(late, number=3)
    too_far = room.record(Remove([DAN.id], [], ahead), ANN, on=base)
    assert "it brings room key 3" in room.reason(too_far)
    assert DAN.id in room.group.members
    room.record(Remove([DAN.id], [], late), BOB, on=base)
    assert DAN.id not in room.group.members


def test_device_that_only_the_other_branch_knows_is_struck_with_its_person() -> None:
    room, bob = House(OWNER), Human(80)
    room.add(ANN, Role.ADMIN)
    room.add(bob, Role.ADMIN)
    room.add(CAT)
    base = room.log[-1]
    bob.certify()
    new = bob.devices[1]
    brought = room.bring(bob, new, on=base)
    by_new = room.remove(CAT, by=new, on=brought)
    room.remove(bob, by=ANN, on=filler(room, base, ANN, 3))
    group = settled(room)
    assert CAT.id in group.members
    assert bob.id not in group.members
    assert (room.reason(brought), room.reason(by_new)) == (VOID, VOID)


def test_revoked_devices_records_beside_the_revocation_are_void_with_those_it_planted() -> None:
    room, bob = House(OWNER), Human(81)
    bob.certify()
    room.add(bob, Role.ADMIN)
    room.add(CAT)
    base, fork = room.log[-1], bob.person
    stolen = bob.devices[1]
    planted = DeviceKeys(b"q" * 32)
    bob.certify(planted, by=stolen)
    brought = room.bring(bob, planted, on=base)
    room.remove(CAT, by=planted, on=brought)
    room.record(Moderate(bytes(16), True), stolen, on=brought)
    kept, bob.log = bob.log, bob.log[:-1]
    bob.revoke(stolen, before=fork)
    room.bring(bob, on=filler(room, base, OWNER, 2))
    assert len(kept) == 3
    group = settled(room)
    assert CAT.id in group.members
    assert group.hidden == {bytes(16): False}
    for device, may in ((bob.device, True), (stolen, False), (planted, False)):
        assert group.may_read(device.public) is may


def test_of_two_devices_that_revoke_each_other_the_older_stays_in_room_and_log() -> None:
    room, bob = House(OWNER), Human(82)
    bob.certify()
    room.add(bob)
    base, person = room.log[-1], bob.person
    first, second = bob.devices
    log = list(bob.log)
    by_second = bob.revoke(first, by=second, before=person)
    room.bring(bob, second, on=base)
    bob.log = [*log, bob.revoke(second, by=first, before=person, is_kept=False)]
    room.bring(bob, first, on=base)
    group = settled(room)
    assert group.may_read(first.public)
    assert not group.may_read(second.public)
    assert by_second.hash not in group.members[bob.id].person.records


def test_root_takes_the_person_back_from_a_device_that_revoked_all_others() -> None:
    room, bob = House(OWNER), Human(83)
    bob.certify()
    room.add(bob)
    base, person, log = room.log[-1], bob.person, list(bob.log)
    first, stolen = bob.devices
    bob.revoke(first, by=stolen, before=person)
    thief_room = room.bring(bob, stolen, on=base)
    bob.log = log
    bob.secrets = bob.secrets[:1]
    bob.revoke(stolen, before=person)
    bob.certify()
    room.bring(bob, bob.devices[2], on=base)
    group = settled(room)
    assert group.may_read(first.public)
    assert group.may_read(bob.devices[2].public)
    assert not group.may_read(stolen.public)
    assert room.reason(thief_room) == VOID


@pytest.mark.parametrize("seed", range(8))
def test_who_handed_the_room_over_does_not_take_it_back_from_before(seed: int) -> None:
    room = house(seed=seed)
    base = room.log[-1]
    room.set_role(CAT, Role.OWNER, on=base)
    back = room.remove(CAT, by=OWNER, on=base)
    assert settled(room).owner == CAT.id
    assert room.reason(back) == VOID


@pytest.mark.parametrize("seed", range(8))
def test_room_handed_over_twice_at_one_moment_has_one_owner(seed: int) -> None:
    room = house(seed=seed)
    base = room.log[-1]
    room.set_role(CAT, Role.OWNER, on=base)
    room.set_role(BOB, Role.OWNER, on=base)
    group = settled(room)
    assert group.owner in (CAT.id, BOB.id)
    assert list(roles(group).values()).count(Role.OWNER) == 1


@pytest.mark.parametrize("seed", range(8))
def test_owner_who_left_does_not_come_back_from_before(seed: int) -> None:
    room = house(seed=seed)
    base = room.log[-1]
    room.leave(OWNER, on=base)
    room.remove(ANN, by=OWNER, on=base)
    group = settled(room)
    assert group.owner == ANN.id
    assert OWNER.id not in group.members


def test_box_that_may_be_of_another_key_is_not_taken_for_a_good_one() -> None:
    room = house()
    base = room.log[-1]
    removal = room.remove(DAN, by=ANN, on=base)
    added = room.add(EVE, by=BOB, on=base)
    merge = room.record(Merge(), CAT, on=[removal, added])
    group = settled(room)
    assert EVE.id in group.members
    assert group.forks == 1
    assert group.heads == (merge.hash,)
    assert not group.epochs[1].boxes.get(EVE.id)
    assert group.is_rotation_due
    room.reseal(1, EVE)
    assert sorted(room.all_keys(EVE)) == [0, 1]


def test_member_let_in_beside_a_new_key_is_given_the_next() -> None:
    room = house()
    base = room.log[-1]
    room.add(EVE, by=BOB, on=filler(room, base, BOB, 2))
    room.rotate(CAT, on=base)
    assert settled(room).is_rotation_due
    room.rotate(CAT)
    assert sorted(room.all_keys(EVE)) == [0, 1, 2]


def test_one_invite_used_at_one_moment_by_two_lets_in_one() -> None:
    room = house()
    invite = room.invite(uses=1)
    base = room.log[-1]
    room.join(EVE, invite, on=base)
    room.join(Human(84), invite, on=base)
    group = settled(room)
    assert len(group.members) == 6
    assert group.invites[invite.public].used == 1


def test_fork_that_is_put_together_goes_on_as_a_chain() -> None:
    room = house()
    base = room.log[-1]
    heads = [room.add(EVE, by=ANN, on=base), room.add(Human(85), by=BOB, on=base)]
    merge = room.record(Merge(), CAT, on=heads)
    before = fold_group(room.log)
    room.set_role(EVE, Role.READER, by=ANN, on=merge, pins=[pin(EVE.device, 1)])
    assert fold_group([room.log[-1]], before) == room.group
    assert fold_group([merge], fold_group(room.log[:-2])) == fold_group(room.log[:-1])
    assert room.reason(room.log[-1]) == ""


def test_late_fork_leaves_what_was_settled_before_an_early_one_as_it_is() -> None:
    room = house()
    base = room.log[-1]
    heads = [room.rotate(ANN, on=base), room.add(EVE, by=BOB, on=base)]
    merge = room.record(Merge(), on=heads)
    room.remove(BOB, by=ANN, on=merge)
    room.remove(ANN, by=BOB, on=merge)
    group = settled(room)
    assert EVE.id in group.members
    assert ANN.id in group.members
    assert BOB.id not in group.members


def test_malformed_strong_records_strike_nobody() -> None:
    room = house()
    base = room.log[-1]
    broken = room.record(Merge(), ANN, on=base, kind=5)
    unheard = room.record(SetRole(EVE.id, Role.READER, []), ANN, on=base)
    added = room.record(
        Add(EVE.raws, Role.MEMBER, bytes(80), b"", room.epoch(plus=[(EVE.id, _key(EVE))])),
        BOB,
        on=base,
    )
    settled(room)
    assert room.reason(added) == ""
    assert room.reason(broken) != ""
    assert room.reason(unheard) == "they are no member"


def _key(who: Human) -> bytes:
    return box_public(who.secrets[-1])


def test_reader_and_removed_reader_have_no_say_in_any_order() -> None:
    room = house()
    base = room.log[-1]
    rotated = room.rotate(DAN, on=base)
    room.remove(DAN, by=BOB, on=base)
    assert settled(room).epoch == 1
    assert room.reason(rotated) == VOID

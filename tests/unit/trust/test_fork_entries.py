"""Who comes in by a link on one branch of a log, while another branch closes that link."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from syncchat.trust.boxes import seal_box
from syncchat.trust.changes import Add, History, Merge, Moderate, RevokeInvite, Role
from syncchat.trust.group import Group
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.membership import fold_group
from syncchat.trust.records import Record
from tests.support.people import ANN, BOB, CAT, DAN, EVE, NOW, OWNER, House, Human, house

VOID = "its signer was removed, or its invite revoked, at the same moment"
LATE = "its invite was closed at the same moment; who came by it asks to be let in"


def settled(room: House) -> Group:
    """Return the state, which must be the same for other orders of the newest records."""
    group = room.group
    base, newest = room.log[:-5], room.log[-5:]
    for order in itertools.permutations(newest):
        assert fold_group([*order, *base]) == group
    return group


def filler(room: House, base: Record, by: Human, count: int) -> Record:
    """Return the last of some records without weight, so that one branch is longer."""
    for each in range(count):
        base = room.record(Moderate(bytes((each,)) * 16, False), by, on=base)
    return base


def asking(group: Group) -> list[bytes]:
    """Return who waits to be let in."""
    return [person.id for _, person in group.requests.values()]


@pytest.mark.parametrize("ahead", [0, 3])
@pytest.mark.parametrize("behind", [0, 3])
def test_new_identity_does_not_come_in_by_a_link_beside_a_removal(ahead: int, behind: int) -> None:
    room = house()
    invite = room.invite()
    base = room.log[-1]
    room.remove(CAT, by=ANN, on=filler(room, base, ANN, ahead))
    joined = room.join(EVE, invite, on=filler(room, base, BOB, behind))
    group = settled(room)
    assert EVE.id not in group.members
    assert asking(group) == [EVE.id]
    assert room.reason(joined) == LATE
    assert not group.may_read(EVE.device.public)
    assert group.invites[invite.public].used == 0


def test_join_that_asks_is_granted_as_any_request_and_can_be_revoked() -> None:
    room = house()
    invite = room.invite(role=Role.READER)
    base = room.log[-1]
    removal = room.remove(CAT, by=ANN, on=base)
    joined = room.join(EVE, invite, on=filler(room, base, BOB, 2))
    merge = room.record(Merge(), BOB, on=[removal, joined])
    before = room.group
    box = seal_box(EVE.person.user_key, room.key_of(before), room.random)
    granted = room.record(Add(EVE.raws, Role.MEMBER, box, joined.hash, None), ANN, on=merge)
    group = room.group
    assert group.members[EVE.id].role is Role.MEMBER
    assert group.requests == {}
    assert room.reason(granted) == ""
    assert fold_group([granted], before) == group
    assert sorted(room.all_keys(EVE)) == [0, 1]
    room.log.remove(granted)
    room.record(RevokeInvite(invite.public), ANN, on=merge)
    assert room.group.requests == {}
    assert EVE.id not in room.group.members


Closing = Callable[[House, Record, DeviceKeys], Record]


def _leave(room: House, base: Record, invite: DeviceKeys) -> Record:
    return room.leave(BOB, on=base)


def _revoke_invite(room: House, base: Record, invite: DeviceKeys) -> Record:
    return room.record(RevokeInvite(invite.public), ANN, on=base)


@pytest.mark.parametrize("close", [_leave, _revoke_invite])
@pytest.mark.parametrize("seed", range(3))
def test_what_closes_one_invite_closes_it_beside_it_as_well_and_no_other(
    close: Closing, seed: int
) -> None:
    room, dora = house(seed=seed), Human(86)
    closed, kept = room.invite(BOB), room.invite(ANN)
    base = room.log[-1]
    close(room, filler(room, base, ANN, 3), closed)
    first = room.join(EVE, closed, on=base)
    room.join(dora, kept, on=first)
    group = settled(room)
    assert EVE.id not in group.members
    assert dora.id in group.members
    assert asking(group) == ([EVE.id] if close is _leave else [])


def test_revocation_of_a_device_closes_what_it_may_know_beside_it() -> None:
    room, bob = House(OWNER), Human(87)
    bob.certify()
    room.add(bob, Role.ADMIN)
    known, other = room.invite(bob), room.invite()
    base, stolen = room.log[-1], bob.devices[1]
    first = room.join(EVE, known, on=base)
    room.join(DAN, other, on=first)
    bob.revoke(stolen)
    room.bring(bob, on=filler(room, base, OWNER, 3))
    group = settled(room)
    assert asking(group) == [EVE.id]
    assert DAN.id in group.members


def test_invite_that_is_opened_beside_a_removal_is_there_and_closed() -> None:
    room = house()
    base = room.log[-1]
    removal = room.remove(CAT, by=ANN, on=filler(room, base, ANN, 3))
    invite = room.invite(BOB, on=base)
    opened = room.log[-1]
    asked = room.invite(BOB, needs_approval=True, on=opened)
    merge = room.record(Merge(), BOB, on=[room.log[-1], removal])
    joined = room.join(EVE, invite, on=merge)
    group = settled(room)
    assert group.invites[invite.public].is_revoked
    assert not group.invites[asked.public].is_revoked
    assert EVE.id not in group.members
    assert room.reason(joined) == "the invite was revoked"
    assert room.reason(opened) == "its invite was closed at the same moment"


@pytest.mark.parametrize("ahead", [0, 3])
def test_request_beside_the_end_of_its_invite_is_void(ahead: int) -> None:
    room = house()
    asks = room.invite(needs_approval=True)
    base = room.log[-1]
    request = room.request(EVE, asks, on=filler(room, base, BOB, 1))
    room.record(RevokeInvite(asks.public), ANN, on=filler(room, base, ANN, ahead))
    assert settled(room).requests == {}
    assert room.reason(request) == VOID


def test_late_join_that_could_not_be_anyway_asks_for_nothing() -> None:
    room = house()
    once = room.invite(uses=1)
    expired = room.invite(expires_ms=NOW - 1)
    first, second = Human(88), Human(89)
    room.join(EVE, once)
    base = room.log[-1]
    used_up = room.join(first, once, on=base)
    late = room.join(second, expired, on=used_up)
    room.remove(CAT, by=ANN, on=filler(room, base, ANN, 2))
    group = settled(room)
    assert group.requests == {}
    assert room.reason(used_up) == "the invite was used up"
    assert room.reason(late) == "the invite has expired"


def test_who_came_in_late_has_no_say_and_strikes_nobody() -> None:
    room, fay = house(), Human(91)
    room.add(fay)
    invite = room.invite()
    base = room.log[-1]
    removal = room.remove(CAT, by=ANN, on=base)
    heard = room.record(Merge(), fay, on=removal)
    joined = room.join(EVE, invite, on=base)
    promoted = room.set_role(EVE, Role.ADMIN, on=joined)
    struck = room.remove(fay, by=EVE, on=promoted)
    group = settled(room)
    assert fay.id in group.members
    assert CAT.id not in group.members
    assert (room.reason(removal), room.reason(heard)) == ("", "")
    assert room.reason(struck) == "its signer is no member"


def test_removal_that_is_void_closes_nothing() -> None:
    room = house()
    invite = room.invite()
    base = room.log[-1]
    room.join(EVE, invite, on=base)
    by_bob = room.remove(CAT, by=BOB, on=base)
    room.set_role(BOB, Role.MEMBER, by=OWNER, on=base)
    group = settled(room)
    assert room.reason(by_bob) != ""
    assert {EVE.id, CAT.id} <= group.members.keys()
    assert group.requests == {}


def test_join_that_stands_on_a_removal_of_somebody_else_counts() -> None:
    room = house()
    room.remove(CAT, by=ANN)
    invite = room.invite(ANN)
    base = room.log[-1]
    room.join(EVE, invite, on=base)
    room.rotate(BOB, on=filler(room, base, BOB, 2))
    assert EVE.id in settled(room).members


def test_key_that_is_sealed_to_who_is_no_member_any_more_is_replaced() -> None:
    """A branch that does not know of a removal changes the key twice; the second counts."""
    room = house()
    base = room.log[-1]
    room.remove(CAT, by=ANN, on=base)
    first = room.rotate(BOB, on=base)
    room.rotate(BOB, on=first)
    group = settled(room)
    assert (group.epoch, CAT.id in group.members) == (2, False)
    assert room.opens(CAT, 2)
    assert group.is_rotation_due
    assert group.gaps == {1}
    room.rotate(BOB)
    assert not room.group.is_rotation_due
    assert not room.opens(CAT, 3)


def test_key_that_is_sealed_to_a_closed_invite_is_replaced() -> None:
    room = house()
    invite = room.invite()
    base = room.log[-1]
    room.rotate(BOB, on=filler(room, base, BOB, 2))
    room.record(RevokeInvite(invite.public), ANN, on=base)
    group = settled(room)
    assert group.epochs[1].invite_boxes
    assert group.is_rotation_due
    room.rotate(BOB)
    assert not room.group.is_rotation_due
    assert not room.group.epochs[2].invite_boxes


def test_key_of_a_late_join_is_kept_where_it_came_with_one() -> None:
    room = house(history=History.FROM_JOIN)
    invite = room.invite()
    base = room.log[-1]
    room.remove(CAT, by=ANN, on=base)
    room.join(EVE, invite, on=filler(room, base, BOB, 2), has_epoch=True)
    group = settled(room)
    number = group.epoch
    assert [each for each, _ in group.lost] == [number]
    assert asking(group) == [EVE.id]

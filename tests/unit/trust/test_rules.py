"""Who may what in a room: each rule, at its edge."""

from __future__ import annotations

import msgspec
import pytest

from syncchat.trust import rules
from syncchat.trust.boxes import box_public, link_key, seal_box
from syncchat.trust.changes import (
    INVITES_MAX,
    Add,
    Challenge,
    History,
    Invite,
    Join,
    Merge,
    Moderate,
    Reseal,
    RevokeInvite,
    Role,
    Rotate,
    Settings,
)
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.person import member_text
from tests.support.people import (
    ANN,
    BOB,
    CAT,
    DAN,
    EVE,
    NOW,
    OWNER,
    House,
    Human,
    house,
    roles,
)

# Roles


def test_room_begins_with_its_owner_alone() -> None:
    group = House(OWNER).group
    assert roles(group) == {OWNER.id: Role.OWNER}
    assert group.owner == OWNER.id
    assert group.members[OWNER.id].id == member_text(OWNER.id)
    assert (group.epoch, group.count, group.refused) == (0, 1, [])


@pytest.mark.parametrize(
    ("by", "may"), [(OWNER, True), (ANN, True), (CAT, False), (DAN, False), (EVE, False)]
)
@pytest.mark.parametrize("what", ["add", "remove", "invite", "moderate", "settings", "close"])
def test_only_owner_and_admins_run_the_room(by: Human, may: bool, what: str) -> None:
    room = house()
    match what:
        case "add":
            record = room.add(Human(50), by=by)
        case "remove":
            record = room.remove(CAT if by is not CAT else DAN, by=by)
        case "invite":
            room.invite(by)
            record = room.log[-1]
        case "moderate":
            record = room.record(Moderate(bytes(16), True), by)
        case "settings":
            record = room.record(Settings(History.FROM_JOIN), by)
        case _:
            record = room.record(RevokeInvite(bytes(32)), by)
    assert (room.reason(record) == "") is may


@pytest.mark.parametrize(
    ("by", "may"), [(OWNER, True), (BOB, True), (CAT, True), (DAN, False), (EVE, False)]
)
@pytest.mark.parametrize("what", ["rotate", "reseal", "challenge"])
def test_readers_and_strangers_have_no_part_in_keys(by: Human, may: bool, what: str) -> None:
    room = house()
    match what:
        case "rotate":
            record = room.rotate(by)
        case "reseal":
            record = room.reseal(0, CAT, by=by)
        case _:
            record = room.record(Challenge(bytes(32), bytes(16)), by)
    assert (room.reason(record) == "") is may


@pytest.mark.parametrize(("by", "may"), [(CAT, True), (DAN, True), (EVE, False)])
def test_any_member_may_put_a_fork_together(by: Human, may: bool) -> None:
    room = house()
    assert (room.reason(room.record(Merge(), by)) == "") is may


@pytest.mark.parametrize(
    ("by", "target", "may"),
    [
        (OWNER, ANN, True),
        (ANN, BOB, True),
        (BOB, ANN, False),
        (BOB, CAT, True),
        (ANN, OWNER, False),
        (OWNER, OWNER, False),
        (ANN, ANN, True),
        (CAT, DAN, False),
    ],
    ids=lambda each: str(getattr(each, "seed", each)),
)
def test_removal_follows_seniority(by: Human, target: Human, may: bool) -> None:
    room = house()
    record = room.remove(target, by=by)
    assert (room.reason(record) == "") is may
    assert (target.id in room.group.members) is not may


@pytest.mark.parametrize(
    ("by", "target", "role", "may"),
    [
        (OWNER, CAT, Role.ADMIN, True),
        (ANN, CAT, Role.ADMIN, False),
        (ANN, CAT, Role.READER, True),
        (ANN, DAN, Role.MEMBER, True),
        (ANN, BOB, Role.MEMBER, True),
        (BOB, ANN, Role.MEMBER, False),
        (ANN, OWNER, Role.MEMBER, False),
        (ANN, ANN, Role.MEMBER, False),
        (CAT, DAN, Role.MEMBER, False),
        (ANN, ANN, Role.OWNER, False),
        (OWNER, OWNER, Role.MEMBER, False),
        (OWNER, EVE, Role.MEMBER, False),
    ],
    ids=lambda each: str(getattr(each, "seed", each)),
)
def test_roles_follow_seniority(by: Human, target: Human, role: Role, may: bool) -> None:
    room = house()
    before = roles(room.group)
    record = room.set_role(target, role, by=by)
    assert (room.reason(record) == "") is may
    assert roles(room.group) == (before | {target.id: role} if may else before)


def test_owner_hands_the_room_over_and_becomes_an_admin_the_new_owner_may_remove() -> None:
    room = house()
    room.set_role(CAT, Role.OWNER)
    assert room.group.owner == CAT.id
    assert roles(room.group)[OWNER.id] is Role.ADMIN
    assert room.reason(room.remove(CAT, by=OWNER)) == "nobody removes the owner"
    assert room.reason(room.remove(OWNER, by=CAT)) == ""


@pytest.mark.parametrize("by", [OWNER, ANN])
def test_nobody_adds_a_second_owner(by: Human) -> None:
    room = house()
    assert room.reason(room.add(EVE, Role.OWNER, by=by)) != ""
    assert list(roles(room.group).values()).count(Role.OWNER) == 1


def test_admins_do_not_add_admins() -> None:
    room = house()
    assert room.reason(room.add(EVE, Role.ADMIN, by=ANN)) == "only the owner makes admins"
    assert room.reason(room.add(EVE, Role.ADMIN)) == ""


def test_whoever_is_in_the_room_is_not_added_again() -> None:
    room = house()
    assert room.reason(room.add(CAT)) == "they are a member already"


def test_removal_that_names_somebody_twice_removes_them_once() -> None:
    room = house()
    record = room.remove(CAT, CAT)
    assert CAT.id not in room.group.members
    assert room.reason(record) == ""


def test_removal_of_somebody_who_is_not_there_has_no_effect_at_all() -> None:
    room = house()
    record = room.remove(CAT, EVE)
    assert room.reason(record) == "they are no member"
    assert room.group.epoch == 0
    assert CAT.id in room.group.members


def test_full_room_takes_nobody_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MEMBERS_MAX", 5)
    room = house()
    invite = room.invite()
    assert "at most 5" in room.reason(room.add(EVE))
    assert "at most 5" in room.reason(room.join(EVE, invite))


def test_root_key_acts_for_its_person_in_the_persons_role() -> None:
    room = house()
    assert room.reason(room.record(Moderate(bytes(16), True), ANN.root)) == ""
    assert room.group.role_of(CAT.root.public) is Role.MEMBER


# Leaving


def test_leaver_is_out_and_a_new_key_is_due() -> None:
    room = house()
    assert room.reason(room.leave(DAN)) == ""
    assert DAN.id not in room.group.members
    assert room.group.is_rotation_due
    room.rotate(CAT)
    assert not room.group.is_rotation_due


def test_leaving_owner_is_followed_by_the_senior_admin() -> None:
    room = house()
    room.leave(OWNER)
    assert room.group.owner == ANN.id


def test_reader_who_inherits_the_room_may_write() -> None:
    room = House(OWNER)
    room.add(DAN, Role.READER)
    room.leave(OWNER)
    assert room.group.owner == DAN.id
    assert room.group.may_write(DAN.device.public)
    assert room.group.accepts(DAN.device.public[:8], 1)


def test_room_that_everybody_left_has_no_owner_and_lets_nobody_in() -> None:
    room = House(OWNER)
    invite = room.invite()
    stranger_invite = room.invite(needs_approval=True)
    room.leave(OWNER)
    assert room.group.owner == b""
    assert room.reason(room.join(EVE, invite)) != ""
    assert room.reason(room.request(EVE, stranger_invite)) == ""
    assert room.group.members == {}


# Invites


def test_automatic_invite_lets_in_with_its_role_and_counts() -> None:
    room = house()
    invite = room.invite(ANN, role=Role.READER)
    assert room.reason(room.join(EVE, invite)) == ""
    assert roles(room.group)[EVE.id] is Role.READER
    assert room.group.invites[invite.public].used == 1


def test_used_up_invite_lets_nobody_in() -> None:
    room = house()
    invite = room.invite(uses=1)
    room.join(EVE, invite)
    assert room.reason(room.join(Human(51), invite)) == "the invite was used up"


def test_invite_lets_in_until_the_moment_it_expires() -> None:
    room = house()
    invite = room.invite(expires_ms=NOW + 10)
    assert room.reason(room.join(EVE, invite, at_ms=NOW + 10)) == ""
    assert room.reason(room.join(Human(51), invite, at_ms=NOW + 11)) == "the invite has expired"


def test_revoked_invite_lets_nobody_in_and_its_requests_are_gone() -> None:
    room = house()
    automatic, asked = room.invite(), room.invite(needs_approval=True)
    room.request(EVE, asked)
    for invite in (automatic, asked):
        room.record(RevokeInvite(invite.public), ANN)
    assert room.reason(room.join(EVE, automatic)) == "the invite was revoked"
    assert room.reason(room.request(EVE, asked)) == "the invite was revoked"
    assert room.group.requests == {}


def test_unknown_invite_lets_nobody_in() -> None:
    room = house()
    assert room.reason(room.join(EVE, DeviceKeys(bytes(32)))) == "there is no such invite"
    assert room.reason(room.request(EVE, DeviceKeys(bytes(32)))) == "there is no such invite"


def test_invite_that_needs_approval_takes_requests_and_no_joins() -> None:
    room = house()
    invite = room.invite(needs_approval=True)
    assert room.reason(room.join(EVE, invite)) == "the invite needs an admin's approval"
    request = room.request(EVE, invite)
    assert list(room.group.requests) == [request.hash]
    assert room.reason(room.request(EVE, invite)) == "they have asked already"
    assert EVE.id not in room.group.members
    room.add(EVE)
    assert room.group.requests == {}


def test_request_is_granted_by_its_hash_and_members_ask_for_nothing() -> None:
    room = house()
    invite = room.invite(needs_approval=True)
    request = room.request(EVE, invite)
    box = seal_box(box_public(EVE.secrets[0]), room.key_of(room.group), room.random)
    room.record(Add(EVE.raws, Role.MEMBER, box, request.hash, None), ANN)
    assert room.group.requests == {}
    assert room.reason(room.request(EVE, invite)) == "they are a member already"


def test_too_many_requests_wait_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "REQUESTS_MAX", 1)
    room = house()
    invite = room.invite(needs_approval=True)
    room.request(EVE, invite)
    assert room.reason(room.request(Human(51), invite)) == "too many people wait for approval"


def test_nobody_asks_or_joins_in_anothers_name() -> None:
    room = house()
    asked, automatic = room.invite(needs_approval=True), room.invite()
    mallory = DeviceKeys(bytes(range(32)))
    assert "not signed by one" in room.reason(room.request(EVE, asked, mallory))
    assert "not signed by one" in room.reason(room.join(EVE, automatic, by=mallory))


def test_invites_make_no_admins_and_are_opened_once() -> None:
    room = house()
    room.invite(role=Role.ADMIN)
    assert room.reason(room.log[-1]) == "an invite makes members and readers only"
    keys = room.invite()
    again = Invite(keys.public, keys.box_public, Role.MEMBER, 0, 0, True, 0, b"")
    assert room.reason(room.record(again)) == "the invite is there already"


def test_invite_to_whose_key_nothing_can_be_sealed_is_refused() -> None:
    room = house()
    bad = Invite(bytes(31) + b"\7", bytes(32), Role.MEMBER, 0, 0, False, 0, b"")
    assert room.reason(room.record(bad)) == "nothing can be sealed to the invite's key"


def test_open_invites_are_bounded_so_that_a_key_can_be_sealed_to_all() -> None:
    room = House(OWNER)
    for _ in range(INVITES_MAX):
        room.invite()
    first = next(iter(room.group.invites))
    room.invite()
    assert "at most 100" in room.reason(room.log[-1])
    assert room.reason(room.rotate()) == ""
    room.record(RevokeInvite(first))
    room.invite()
    assert room.reason(room.log[-1]) == ""


def test_removal_closes_every_automatic_invite() -> None:
    room = house()
    automatic, asked = room.invite(), room.invite(needs_approval=True)
    room.remove(CAT)
    assert room.group.invites[automatic.public].is_revoked
    assert not room.group.invites[asked.public].is_revoked
    assert not room.opens(EVE, 1, invite=automatic)


@pytest.mark.parametrize("is_revocation", [True, False], ids=["device revoked", "left"])
def test_invites_are_closed_whose_links_a_stolen_device_or_leaver_has(is_revocation: bool) -> None:
    room = House(OWNER)
    eve = Human(61)
    came_by, others = room.invite(), room.invite()
    room.join(eve, came_by)
    room.set_role(eve, Role.ADMIN)
    made = room.invite(eve)
    if is_revocation:
        stolen = eve.device
        eve.certify()
        eve.revoke(stolen)
        room.bring(eve, eve.devices[1], has_epoch=True)
    else:
        room.leave(eve)
        room.rotate()
    found = {key for key, opened in room.group.invites.items() if opened.is_revoked}
    assert found == {came_by.public, made.public}
    for invite, may in ((came_by, False), (made, False), (others, True)):
        assert room.opens(Human(62), 1, invite=invite) is may


# Rooms without earlier history


def test_from_join_room_takes_a_new_key_with_each_member() -> None:
    room = house(history=History.FROM_JOIN)
    assert room.group.epoch == 4
    invite = room.invite()
    assert "takes a new key" in room.reason(room.join(EVE, invite, has_epoch=False))
    assert "takes a new key" in room.reason(room.record(Add(EVE.raws, Role.MEMBER, b"", b"", None)))
    assert room.reason(room.join(EVE, invite)) == ""
    assert sorted(room.all_keys(EVE)) == [5]
    assert sorted(room.all_keys(OWNER)) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("what", ["link", "others", "add", "join", "invite", "reseal"])
def test_from_join_room_takes_no_record_that_gives_earlier_keys_away(what: str) -> None:
    room = house(history=History.FROM_JOIN)
    invite = room.invite()
    key = room.key_of(room.group)
    box = seal_box(box_public(EVE.secrets[0]), key, room.random)
    plus = [(EVE.id, box_public(EVE.secrets[0]))]
    match what:
        case "link":
            epoch = msgspec.structs.replace(room.epoch(), link=bytes(72))
            record = room.record(Rotate(epoch))
        case "others":
            epoch = room.epoch()
            link = link_key(room.keys[epoch.commitment], key, room.random)
            said = room.group.epochs[4].epoch.commitment
            epoch = msgspec.structs.replace(epoch, others=[(4, said, link)])
            record = room.record(Rotate(epoch))
        case "add":
            record = room.record(Add(EVE.raws, Role.MEMBER, box, b"", room.epoch(plus=plus)))
        case "join":
            made = room.join(EVE, invite, is_kept=False)
            content = msgspec.msgpack.decode(made.content, type=Join)
            record = room.record(msgspec.structs.replace(content, box=box), EVE)
        case "invite":
            keys = DeviceKeys(bytes(32))
            sealed = seal_box(keys.box_public, key, room.random)
            record = room.record(
                Invite(keys.public, keys.box_public, Role.MEMBER, 0, 0, False, 4, sealed)
            )
        case _:
            room.join(EVE, invite)
            record = room.reseal(4, EVE)
    assert room.reason(record) != ""
    assert not room.opens(EVE, 4)


def test_room_whose_history_was_closed_later_keeps_the_past_from_new_members() -> None:
    room = house()
    room.rotate()
    room.record(Settings(History.FROM_JOIN))
    room.add(EVE)
    assert sorted(room.all_keys(EVE)) == [2]
    room.reseal(1, CAT)
    assert room.reason(room.log[-1]) == ""
    assert room.reason(room.reseal(1, EVE)) == "they came in later, and may not read the past"


# Keys


@pytest.mark.parametrize("number", [0, 1, 3, 7])
def test_room_keys_come_one_after_the_other(number: int) -> None:
    room = house()
    room.rotate()
    epoch = msgspec.structs.replace(room.epoch(), number=number)
    assert room.reason(room.record(Rotate(epoch))) == f"it brings room key {number}, after 1"


def test_join_with_a_key_that_is_not_the_next_is_refused() -> None:
    room = house()
    invite = room.invite()
    made = room.join(EVE, invite, has_epoch=True, is_kept=False)
    join = msgspec.msgpack.decode(made.content, type=Join)
    assert join.epoch is not None
    late = msgspec.structs.replace(join, epoch=msgspec.structs.replace(join.epoch, number=0))
    assert room.reason(room.record(late, EVE)) == "it brings room key 0, after 0"


def test_key_is_resealed_to_members_only_and_of_epochs_that_are_there() -> None:
    room = house()
    assert room.reason(room.reseal(0, EVE)) == "they are no member"
    assert room.reason(room.record(Reseal(9, [(CAT.id, bytes(80))]))) == "there is no such room key"


def test_reseal_never_takes_a_good_box_away_and_is_bounded() -> None:
    room = house()
    for number in range(rules.BOXES_MAX - 1):
        bad = Reseal(0, [(CAT.id, number.to_bytes(80))])
        assert room.reason(room.record(bad, BOB)) == ""
    assert room.opens(CAT, 0)
    assert "often enough" in room.reason(room.reseal(0, CAT))


def test_reader_revokes_an_own_device_without_a_key_of_their_own_making() -> None:
    room, reader = house(), Human(63)
    reader.certify()
    room.add(reader, Role.READER)
    reader.revoke(reader.devices[1])
    assert "readers" in room.reason(room.bring(reader, has_epoch=True))
    assert room.reason(room.bring(reader)) == ""
    assert room.group.is_rotation_due

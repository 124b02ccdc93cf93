"""Room keys and the boxes they travel in: who opens what, and what a bad box cannot do."""

from __future__ import annotations

import msgspec
import pytest

from syncchat.errors import SealBroken
from syncchat.trust import epochs
from syncchat.trust.boxes import (
    BOX_BYTES,
    LINK_BYTES,
    box_public,
    link_key,
    open_box,
    open_link,
    seal_box,
)
from syncchat.trust.changes import (
    Add,
    History,
    Join,
    Reseal,
    RevokeInvite,
    Role,
    Rotate,
    Settings,
    join_text,
)
from syncchat.trust.epochs import commitment, is_committed, next_epoch, open_epoch
from tests.contracts.chains import FixedRandom
from tests.support.people import ANN, BOB, CAT, DAN, EVE, NOW, OWNER, House, Human, house

SECRET, KEY = bytes(range(32)), bytes(range(32, 64))


def test_box_opens_for_its_holder_alone_and_differs_each_time() -> None:
    random = FixedRandom(1)
    box = seal_box(box_public(SECRET), KEY, random)
    assert len(box) == BOX_BYTES
    assert open_box(SECRET, box) == KEY
    assert seal_box(box_public(SECRET), KEY, random) != box
    assert seal_box(box_public(SECRET), KEY, FixedRandom(1)) == box
    with pytest.raises(SealBroken):
        open_box(KEY, box)


def test_link_leads_from_the_newer_key_to_the_older_and_not_back() -> None:
    link = link_key(KEY, SECRET, FixedRandom(1))
    assert len(link) == LINK_BYTES
    assert open_link(KEY, link) == SECRET
    with pytest.raises(SealBroken):
        open_link(SECRET, link)


def test_commitment_is_of_one_room_number_and_key() -> None:
    room = b"r" * 16
    made = {
        commitment(room, 1, KEY),
        commitment(room, 2, KEY),
        commitment(bytes(16), 1, KEY),
        commitment(room, 1, SECRET),
    }
    assert {len(each) for each in made} == {32}
    assert len(made) == 4


def test_every_member_opens_every_key_and_a_stranger_none() -> None:
    room = house()
    for _ in range(3):
        room.rotate()
    for who in (OWNER, ANN, BOB, CAT, DAN):
        assert sorted(room.all_keys(who)) == [0, 1, 2, 3]
    assert room.all_keys(EVE) == {}


def test_removed_member_opens_no_later_key_and_keeps_the_earlier() -> None:
    room = house()
    room.rotate()
    room.remove(CAT)
    room.rotate()
    assert sorted(room.all_keys(CAT)) == [0, 1]
    assert sorted(room.all_keys(DAN)) == [0, 1, 2, 3]


def test_new_member_has_the_whole_past_by_the_links() -> None:
    room = house()
    room.rotate()
    room.rotate()
    room.add(EVE)
    assert sorted(room.all_keys(EVE)) == [0, 1, 2]


@pytest.mark.parametrize("has_rotated", [False, True])
def test_joiner_has_every_key_by_the_invite_alone(has_rotated: bool) -> None:
    room = house()
    room.rotate()
    invite = room.invite()
    if has_rotated:
        room.rotate(ANN)
    room.join(EVE, invite)
    newest = room.group.epoch
    assert sorted(room.all_keys(EVE, invite=invite)) == list(range(newest + 1))
    assert room.all_keys(EVE) == {}


def test_joiner_seals_the_key_to_their_own_user_key_for_other_devices() -> None:
    room = house()
    invite = room.invite()
    key = room.all_keys(EVE, invite=invite)[0]
    proof = invite.sign(join_text(room.id, EVE.root.public, EVE.device.public))
    box = seal_box(box_public(EVE.secrets[0]), key, room.random)
    room.record(Join(invite.public, proof, EVE.raws, None, box), EVE)
    assert sorted(room.all_keys(EVE)) == [0]


@pytest.mark.parametrize("state", ["expired", "used up", "revoked", "needs approval"])
def test_key_is_not_sealed_to_an_invite_that_lets_nobody_in(state: str) -> None:
    room = house()
    match state:
        case "expired":
            invite = room.invite(expires_ms=NOW - 1)
        case "used up":
            invite = room.invite(uses=1)
            room.join(EVE, invite)
        case "revoked":
            invite = room.invite()
            room.record(RevokeInvite(invite.public))
        case _:
            invite = room.invite(needs_approval=True)
    epoch = room.epoch()
    assert invite.public not in dict(epoch.invite_boxes)


def test_bad_box_is_no_box_and_a_reseal_mends_it() -> None:
    room = house()
    epoch = room.epoch()
    other = seal_box(box_public(CAT.secrets[0]), SECRET, room.random)
    boxes = [(user, other if user == CAT.id else box) for user, box in epoch.boxes]
    room.record(Rotate(msgspec.structs.replace(epoch, boxes=boxes)), BOB)
    assert not room.opens(CAT, 1)
    room.reseal(1, CAT, by=ANN)
    assert sorted(room.all_keys(CAT)) == [0, 1]


def test_member_who_was_left_out_makes_a_new_key_due() -> None:
    room = house()
    epoch = room.epoch(without=[CAT.id])
    room.record(Rotate(epoch), BOB)
    assert room.group.is_rotation_due
    room.rotate(DAN)
    assert room.group.is_rotation_due
    room.rotate(ANN)
    assert not room.group.is_rotation_due
    assert sorted(room.all_keys(CAT)) == [0, 1, 2]


def test_key_that_nobody_can_open_is_replaced() -> None:
    room = house()
    epoch = room.epoch()
    room.record(Rotate(msgspec.structs.replace(epoch, commitment=bytes(32))), CAT)
    room.keys[bytes(32)] = SECRET
    assert not room.opens(ANN, 1)
    group = room.group
    key = room.random.bytes(32)
    made = next_epoch(group, key, None, at_ms=NOW, random=room.random)
    room.keys[made.commitment] = key
    room.record(Rotate(made), ANN)
    assert sorted(room.all_keys(ANN)) == [0, 2]
    assert made.link == b""


def test_link_to_a_key_that_was_not_committed_to_leads_nowhere() -> None:
    room = house()
    made = room.epoch()
    link = link_key(room.keys[made.commitment], SECRET, room.random)
    room.record(Rotate(msgspec.structs.replace(made, boxes=[made.boxes[0]], link=link)))
    (user,) = (user for user, _ in made.boxes[:1])
    who = next(human for human in (OWNER, ANN, BOB, CAT, DAN) if human.id == user)
    assert open_epoch(room.group, 1, user=who.id, secrets=who.secrets) is not None
    keys = epochs.open_all(
        room.group,
        lambda _: None,
        lambda n: open_epoch(room.group, n, user=who.id, secrets=who.secrets) if n else None,
    )
    assert sorted(keys) == [1]


def test_links_are_followed_on_from_a_key_that_was_handed_on_across_a_gap() -> None:
    """Somebody who was left out of key 2 made key 3 without a link; the next hands key 2 on."""
    room = house()
    room.rotate()
    room.rotate()
    for previous, others in ((None, []), (3, [2])):
        group = room.group
        handed = [(n, group.epochs[n].epoch.commitment, room.key_of(group, n)) for n in others]
        before = None if previous is None else room.key_of(group, previous)
        key = room.random.bytes(32)
        made = next_epoch(group, key, before, at_ms=NOW, random=room.random, others=handed)
        room.keys[made.commitment] = key
        room.record(Rotate(made), ANN)
    assert room.group.gaps == {2}
    room.add(EVE)
    assert sorted(room.all_keys(EVE)) == [0, 1, 2, 3, 4]


def test_keys_that_are_here_are_not_opened_again() -> None:
    room = house()
    room.rotate()
    group = room.group
    tried: list[int] = []
    have = {1: room.key_of(group, 1)}

    def opened(number: int) -> None:
        tried.append(number)

    assert epochs.open_all(group, have.get, opened) == {0: room.key_of(group, 0)}
    assert tried == [0]


def test_epoch_that_is_not_there_opens_for_nobody() -> None:
    group = house().group
    assert open_epoch(group, 5, user=OWNER.id, secrets=OWNER.secrets) is None
    assert not is_committed(group, 5, KEY)


def test_next_key_is_sealed_to_members_without_and_plus_some() -> None:
    room, cat = house(), Human(90)
    room.add(cat)
    plus = [(cat.id, box_public(KEY)), (EVE.id, box_public(SECRET))]
    epoch = room.epoch(without=[BOB.id], plus=plus)
    assert {user for user, _ in epoch.boxes} == {who.id for who in (OWNER, ANN, CAT, DAN, cat, EVE)}
    boxes = dict(epoch.boxes)
    assert open_box(KEY, boxes[cat.id]) == open_box(SECRET, boxes[EVE.id])
    assert [user for user, _ in epoch.boxes] == sorted(boxes)


def test_nothing_is_sealed_to_what_is_no_key() -> None:
    with pytest.raises(SealBroken):
        epochs.make_epoch(bytes(16), 1, KEY, readers=[(CAT.id, bytes(32))], random=FixedRandom(1))


def test_box_of_an_add_counts_for_the_key_in_force() -> None:
    room = House(OWNER)
    room.rotate()
    box = seal_box(box_public(EVE.secrets[0]), room.key_of(room.group), room.random)
    room.record(Add(EVE.raws, Role.MEMBER, box, b"", None))
    assert sorted(room.all_keys(EVE)) == [0, 1]
    room.record(Reseal(1, [(EVE.id, box)]), EVE)
    assert room.group.epochs[1].boxes[EVE.id] == (box,)


def test_who_comes_when_history_is_shared_again_may_have_keys_from_the_last_closed_one_on() -> None:
    room = House(OWNER)
    room.record(Settings(History.FROM_JOIN))
    assert room.group.earliest == 0
    room.rotate()
    room.rotate()
    room.record(Settings(History.SHARED))
    room.rotate()
    room.add(EVE)
    assert room.group.earliest == room.group.members[EVE.id].epoch == 2
    assert sorted(room.all_keys(EVE)) == [2, 3]
    assert room.reason(room.reseal(1, EVE)) == "they came in later, and may not read the past"
    assert room.reason(room.reseal(2, EVE)) == ""


def test_closing_the_history_closes_the_invites_that_the_key_is_sealed_to() -> None:
    room = House(OWNER)
    given, asked = room.invite(), room.invite(needs_approval=True)
    room.record(Settings(History.SHARED))
    assert not room.group.invites[given.public].is_revoked
    room.record(Settings(History.FROM_JOIN))
    assert room.group.invites[given.public].is_revoked
    assert not room.group.invites[asked.public].is_revoked
    again = room.invite()
    room.record(Settings(History.FROM_JOIN))
    assert not room.group.invites[again.public].is_revoked


def test_keys_that_lost_a_fork_are_lost_for_good_only_where_nobody_hands_them_on() -> None:
    room = House(OWNER)
    base = room.log[-1]
    room.rotate(on=base)
    room.rotate(on=base)
    assert len(room.group.lost) == 1
    assert room.group.lost_for_good == frozenset()
    room.record(Settings(History.FROM_JOIN))
    assert room.group.lost_for_good == {1}
    room.rotate()
    room.record(Settings(History.SHARED))
    assert room.group.lost_for_good == {1}

"""Tests of the hub where rooms' records say who may read: closed rooms, and doors that move."""

from __future__ import annotations

import pytest
from syncchat_relay import Admit, Config
from syncchat_relay.config import Creators
from syncchat_relay.connection import CLOSED_COST
from syncchat_relay.log import Append

from syncchat.trust.records import Record
from syncchat.wire.codes import ItemStatus
from syncchat.wire.frames import (
    Access,
    Ack,
    Applied,
    AskChains,
    AskCursors,
    ChainHead,
    Chains,
    Cursors,
    Deliver,
    DeviceCursor,
    Hello,
    Live,
    Open,
    Opened,
    Proof,
    RoomCursor,
    RoomState,
)
from tests.contracts.chains import ROOM, Writer, fingerprint_of
from tests.support.people import House, Human, pin
from tests.support.ports import START_MS
from tests.unit.relay.world import Link, World, acked, proof_of

ALICE, BOB, CAROL, MALLORY = Human(1), Human(2), Human(3), Human(8)
ROOMS = Config(admission=Admit.ROOMS)
STORED, FORBIDDEN = ItemStatus.STORED, ItemStatus.FORBIDDEN
EIGHT = bytes(8)


def write(person: Human, team: House) -> Writer:
    return Writer(person.devices[0], room=team.id)


def put(world: World, team: House, *items: bytes | Record) -> None:
    """Store what Alice pushes where nobody looks."""
    raws = tuple(item.raw if isinstance(item, Record) else item for item in items)
    (outcomes,) = world.log.append(
        [Append(team.id, raws, ALICE.device.public, True)], now_ms=START_MS
    )
    assert {outcome.status for outcome in outcomes} <= {STORED}


def push(
    world: World, link: Link, alias: int, number: int, *items: bytes | Record
) -> list[ItemStatus]:
    """Push and do all work; return the states."""
    raws = [item.raw if isinstance(item, Record) else item for item in items]
    world.push(link, alias, number, raws)
    world.settle()
    return [ItemStatus(status) for status, _ in acked(link)[-1][1]]


def with_bob(world: World) -> House:
    """Return a stored room of Alice's with Bob as a member."""
    team = House(ALICE)
    team.add(BOB)
    put(world, team, *team.log)
    return team


def kinds(link: Link, since: int = 2) -> list[str]:
    """Return what came after Hello and Opened, or since another frame."""
    return [type(frame).__name__ for frame in link.frames[since:]]


# Closed rooms


def test_a_closed_room_and_one_that_is_not_there_are_answered_with_the_same_bytes() -> None:
    team, absent = House(ALICE), House(CAROL)
    heard = []
    for room in (team, absent):
        world = World(ROOMS)
        if room is team:
            put(world, team, team.genesis, *write(ALICE, team).write_many(3))
        link = world.enter(MALLORY.device)
        asked = RoomCursor(room.id, 3, b"\7" * 8, 2)
        world.send(link, Open(world.log.incarnation, [asked]))
        world.settle()
        alias = link.last(Opened).aliases[0]
        for frame in (AskChains(alias), AskCursors(alias), Applied(alias, 9)):
            world.send(link, frame)
        for number, items in enumerate(
            (
                [write(MALLORY, room).write()],
                [team.genesis.raw],
                [room.rotate(by=MALLORY, is_kept=False).raw, b"junk"],
                [room.join(MALLORY, MALLORY.root, is_kept=False).raw],
            )
        ):
            push(world, link, alias, number + 1, *items)
        world.tick(10_000)
        world.settle()
        heard.append(link.raw[1:])
    assert heard[0] == heard[1]
    assert len(heard[0]) == 7


def test_a_closed_room_is_opened_as_a_subscription_that_waits() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    link, alias = world.join(MALLORY.device, team.id)
    assert link.frames[1:] == [Opened([alias], [RoomState(0, 0, 0, 0, True)])]
    put(world, team, write(ALICE, team).write())
    writer, _ = world.join(ALICE.device, team.id)
    alice = write(ALICE, team)
    alice.write()
    assert push(world, writer, alias, 1, alice.write()) == [STORED]
    world.tick(10_000)
    world.settle()
    assert kinds(link) == []
    assert link.closed is None


def test_a_member_gets_the_room_as_ever_and_only_what_differs_is_told() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    link, alias = world.join(BOB.device, team.id)
    fingerprint = fingerprint_of(team.raws)
    assert link.frames[1:] == [
        Opened([alias], [RoomState(0, 0, 2, 0)]),
        Deliver(alias, 0, team.raws),
        Live(alias, 2, fingerprint),
    ]
    again = world.enter(BOB.device)
    world.open(again, team.id, cursor=2, fingerprint=fingerprint)
    assert again.frames[1:] == [Opened([alias], [])]


def test_a_closed_room_costs_its_asker_rate() -> None:
    world = World(Config(admission=Admit.ROOMS, frames_burst=CLOSED_COST * 2))
    rooms = [number.to_bytes(16) for number in range(1, 5)]
    link = world.enter(MALLORY.device)
    asked = [RoomCursor(room, 0, EIGHT, 0) for room in rooms]
    world.send(link, Open(world.log.incarnation, asked))
    world.settle()
    assert link.paused_ms == []
    world.send(link, AskChains(link.last(Opened).aliases[0]))
    assert len(link.paused_ms) == 1


def test_pushing_what_is_forbidden_costs_rate() -> None:
    world = World(Config(admission=Admit.ROOMS, frames_burst=CLOSED_COST * 4))
    team = with_bob(world)
    link, alias = world.join(MALLORY.device, team.id)
    for number in range(5):
        assert push(world, link, alias, number + 1, team.genesis) == [FORBIDDEN]
    assert link.paused_ms


# Proofs


def test_an_open_invite_and_a_members_root_key_open_a_room_for_reading() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    invite = team.invite()
    put(world, team, team.log[-1])
    for key in (invite, BOB.root):
        link = world.enter(MALLORY.device)
        alias = world.open(link, team.id, proved=key)
        assert link.delivered() == team.raws
        assert push(world, link, alias, 1, write(MALLORY, team).write()) == [FORBIDDEN]


def test_a_proof_for_another_connection_room_or_key_opens_nothing() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    invite = team.invite()
    put(world, team, team.log[-1])
    other = world.enter(CAROL.device)
    link = world.enter(MALLORY.device)
    good = proof_of(link, invite, team.id)
    bad = [
        proof_of(other, invite, team.id),
        proof_of(link, invite, ROOM),
        Proof(invite.public, proof_of(link, MALLORY.root, team.id).signature),
        Proof(bytes(32), good.signature),
        proof_of(link, MALLORY.root, team.id),
    ]
    for proof, is_closed in [*((each, True) for each in bad), (good, False)]:
        asked = RoomCursor(team.id, 0, EIGHT, 0, proof)
        world.send(link, Open(world.log.incarnation, [asked]))
        world.settle()
        assert link.last(Opened).states[0].is_closed is is_closed
    assert other.last(Hello).nonce != link.last(Hello).nonce


def test_a_guest_hears_no_cursors_and_theirs_count_for_nothing() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    invite = team.invite()
    put(world, team, team.log[-1])
    guest = world.enter(MALLORY.device)
    alias = world.open(guest, team.id, proved=invite)
    bob, _ = world.join(BOB.device, team.id)
    alice, _ = world.join(ALICE.device, team.id)
    world.send(guest, Applied(alias, 3))
    world.send(bob, Applied(alias, 2))
    world.tick(10_000)
    world.settle()
    assert alice.of(Cursors) == [Cursors(alias, [DeviceCursor(BOB.device.public[:8], 2)])]
    assert guest.of(Cursors) == []
    world.send(guest, AskCursors(alias))
    world.send(guest, AskChains(alias))
    world.settle()
    assert guest.of(Cursors) == [Cursors(alias, [])]


# Doors that open


def test_who_makes_a_room_gets_the_ack_first_and_then_the_room_from_its_beginning() -> None:
    world = World(ROOMS)
    team = House(ALICE)
    link, alias = world.join(ALICE.device, team.id)
    items = [team.genesis.raw, write(ALICE, team).write()]
    assert push(world, link, alias, 1, *items) == [STORED, STORED]
    assert link.frames[2:] == [
        Ack(alias, 1, link.last(Ack).items),
        Access(alias, True),
        Deliver(alias, 0, items),
        Live(alias, 2, fingerprint_of(items)),
    ]
    alice = write(ALICE, team)
    alice.write()
    assert push(world, link, alias, 2, alice.write()) == [STORED]
    assert kinds(link, 6) == ["Ack"]


def test_who_waits_for_a_room_that_is_made_with_them_in_it_gets_it() -> None:
    world = World(ROOMS)
    team = House(ALICE)
    team.add(BOB)
    bob, alias = world.join(BOB.device, team.id)
    mallory, _ = world.join(MALLORY.device, team.id)
    link, _ = world.join(ALICE.device, team.id)
    assert push(world, link, alias, 1, *team.log) == [STORED, STORED]
    assert bob.frames[2:] == [
        Access(alias, True),
        Deliver(alias, 0, team.raws),
        Live(alias, 2, fingerprint_of(team.raws)),
    ]
    assert kinds(mallory) == []


def test_a_joiner_who_read_as_a_guest_goes_on_live_as_a_member() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    invite = team.invite()
    put(world, team, team.log[-1])
    link = world.enter(CAROL.device)
    alias = world.open(link, team.id, proved=invite)
    bob, _ = world.join(BOB.device, team.id)
    before = len(link.frames)
    join, envelope = team.join(CAROL, invite).raw, write(CAROL, team).write()
    assert push(world, link, alias, 1, join, envelope) == [STORED, STORED]
    assert kinds(link, before) == ["Ack"]
    assert bob.delivered() == [*team.raws, envelope]
    world.send(link, Applied(alias, 5))
    world.tick(10_000)
    assert bob.of(Cursors) == [Cursors(alias, [DeviceCursor(CAROL.device.public[:8], 5)])]


def test_a_joiner_may_stand_before_a_closed_door_and_push_the_join() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    invite = team.invite()
    put(world, team, team.log[-1])
    link, alias = world.join(CAROL.device, team.id)
    join = team.join(CAROL, invite)
    assert push(world, link, alias, 1, join) == [STORED]
    assert kinds(link) == ["Ack", "Access", "Deliver", "Live"]
    assert link.delivered() == team.raws


def test_who_asked_to_be_let_in_waits_until_an_admin_adds_them() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    invite = team.invite(needs_approval=True)
    put(world, team, team.log[-1])
    alice, alias = world.join(ALICE.device, team.id)
    carol, _ = world.join(CAROL.device, team.id)
    request = team.request(CAROL, invite)
    assert push(world, carol, alias, 1, request) == [STORED]
    assert kinds(carol) == ["Ack"]
    assert alice.delivered() == team.raws
    assert push(world, alice, alias, 1, team.add(CAROL, request=request.hash)) == [STORED]
    assert kinds(carol) == ["Ack", "Access", "Deliver", "Live"]
    assert carol.delivered() == team.raws


@pytest.mark.parametrize(
    ("creators", "status"),
    [(Creators.ANYONE, STORED), (Creators.MEMBERS, FORBIDDEN), (Creators.OPERATORS, FORBIDDEN)],
)
def test_who_may_create_rooms_is_asked_when_one_is_made(
    creators: Creators, status: ItemStatus
) -> None:
    world = World(Config(admission=Admit.ROOMS, create_rooms=creators))
    team = House(CAROL)
    link, alias = world.join(CAROL.device, team.id)
    assert push(world, link, alias, 1, team.genesis) == [status]


def test_a_member_of_a_room_may_create_another_where_members_may() -> None:
    world = World(Config(admission=Admit.ROOMS, create_rooms=Creators.MEMBERS))
    team, other = with_bob(world), House(BOB)
    link, _ = world.join(BOB.device, team.id)
    alias = world.open(link, other.id)
    assert push(world, link, alias, 1, other.genesis) == [STORED]


# Doors that close


def test_who_is_removed_gets_all_up_to_the_record_that_did_it_and_nothing_more() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    bob, alias = world.join(BOB.device, team.id)
    carol = write(ALICE, team)
    link, _ = world.join(ALICE.device, team.id)
    first, last = carol.write(), carol.write()
    items = [first, team.rotate().raw, team.remove(BOB).raw, last, team.rotate().raw]
    assert push(world, link, alias, 1, *items) == [STORED] * 5
    assert bob.delivered() == [*team.raws[:2], *items[:3]]
    assert bob.frames[-1] == Access(alias, False)
    before = len(bob.frames)
    assert push(world, link, alias, 2, carol.write()) == [STORED]
    for frame in (AskChains(alias), AskCursors(alias), Applied(alias, 5)):
        world.send(bob, frame)
    world.tick(10_000)
    world.settle()
    assert bob.frames[before:] == [Chains(alias, [], False), Cursors(alias, [])]
    assert push(world, bob, alias, 1, write(BOB, team).write(), team.genesis) == [FORBIDDEN] * 2
    assert link.of(Cursors) == []


def test_what_follows_a_removal_in_later_flushes_does_not_reach_the_removed_either() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    bob, alias = world.join(BOB.device, team.id)
    link, _ = world.join(ALICE.device, team.id)
    alice = write(ALICE, team)
    removal = team.remove(BOB)
    world.push(link, alias, 1, [removal.raw])
    world.flush()
    world.push(link, alias, 2, [alice.write()])
    world.flush()
    world.push(link, alias, 3, [team.rotate().raw, alice.write()])
    world.flush()
    world.settle()
    assert bob.delivered() == [*team.raws[:2], removal.raw]
    assert bob.frames[-1] == Access(alias, False)


def test_a_slow_receiver_who_was_removed_is_read_for_up_to_the_removal() -> None:
    world = World(Config(admission=Admit.ROOMS, unsent_bytes_max=2_000, unsent_bytes_low=500))
    team = with_bob(world)
    bob, alias = world.join(BOB.device, team.id)
    link, _ = world.join(ALICE.device, team.id)
    alice = write(ALICE, team)
    bob.reads = False
    before = alice.write_many(30)
    for number, raw in enumerate(before):
        push(world, link, alias, number + 1, raw)
    removal = team.remove(BOB)
    push(world, link, alias, 40, removal, *alice.write_many(5))
    bob.reads = True
    world.drain(bob)
    world.settle()
    assert bob.delivered() == [*team.raws[:2], *before, removal.raw]
    assert bob.frames[-1] == Access(alias, False)


def test_chains_that_were_asked_for_before_a_removal_are_not_told_after_it() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    bob, alias = world.join(BOB.device, team.id)
    alice, _ = world.join(ALICE.device, team.id)
    world.push(alice, alias, 1, [write(ALICE, team).write(), team.remove(BOB).raw])
    world.send(bob, AskChains(alias))
    world.flush()
    world.settle()
    assert bob.of(Chains) == [Chains(alias, [], False)]


def test_who_leaves_gets_the_ack_and_then_the_closed_door() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    bob, alias = world.join(BOB.device, team.id)
    alice, _ = world.join(ALICE.device, team.id)
    before = len(bob.frames)
    leave = team.leave(BOB)
    assert push(world, bob, alias, 1, leave, write(BOB, team).write()) == [STORED, FORBIDDEN]
    assert kinds(bob, before) == ["Ack", "Access"]
    assert bob.frames[-1] == Access(alias, False)
    assert alice.delivered()[-1] == leave.raw


def test_who_is_let_in_again_gets_the_room_from_its_beginning() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    bob, alias = world.join(BOB.device, team.id)
    alice, _ = world.join(ALICE.device, team.id)
    push(world, alice, alias, 1, team.remove(BOB))
    before = len(bob.frames)
    push(world, alice, alias, 2, team.add(BOB))
    assert bob.frames[before:] == [
        Access(alias, True),
        Deliver(alias, 0, team.raws),
        Live(alias, 4, fingerprint_of(team.raws)),
    ]


def test_a_guest_whose_invite_is_revoked_is_shown_the_door() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    invite = team.invite()
    put(world, team, team.log[-1])
    guest = world.enter(MALLORY.device)
    alias = world.open(guest, team.id, proved=invite)
    alice, _ = world.join(ALICE.device, team.id)
    revoked = team.revoke_invite(invite)
    push(world, alice, alias, 1, revoked, write(ALICE, team).write())
    assert guest.delivered()[-1] == revoked.raw
    assert guest.frames[-1] == Access(alias, False)


def test_a_flush_of_unknown_outcome_that_removed_somebody_closes_the_door() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    bob, alias = world.join(BOB.device, team.id)
    alice, _ = world.join(ALICE.device, team.id)
    carol, _ = world.join(ALICE.device, team.id)
    removal = team.remove(BOB)
    world.push(alice, alias, 1, [removal.raw, write(ALICE, team).write()])
    world.fail_flush(committed=True)
    world.settle()
    assert bob.delivered() == [*team.raws[:2], removal.raw]
    assert bob.frames[-1] == Access(alias, False)
    assert len(carol.delivered()) == 4


def test_a_record_costs_its_live_readers_no_read_of_the_log() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    links = [world.join(BOB.device, team.id)[0] for _ in range(5)]
    alice, alias = world.join(ALICE.device, team.id)
    team.add(CAROL)
    world.push(alice, alias, 1, [team.raws[-1]])
    world.flush()
    assert [type(work).__name__ for work in world.work] == ["Check"]
    first, *others = [link.raw[-1] for link in links]
    assert all(raw is first for raw in others)
    world.settle()
    writer = write(ALICE, team)
    assert push(world, alice, alias, 2, writer.write()) == [STORED]
    assert {len(link.delivered()) for link in links} == {4}


def test_chains_are_told_to_members_alone() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    alice = write(ALICE, team)
    put(world, team, alice.write())
    bob, alias = world.join(BOB.device, team.id)
    mallory, _ = world.join(MALLORY.device, team.id)
    for link in (bob, mallory):
        world.send(link, AskChains(alias))
    world.settle()
    assert bob.of(Chains) == [Chains(alias, [ChainHead(alice.device, 1)], False)]
    assert mallory.of(Chains) == [Chains(alias, [], False)]


def test_a_removed_member_who_comes_back_finds_the_room_closed() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    bob = write(BOB, team)
    put(world, team, bob.write(), team.remove(BOB, pins=[pin(BOB.device, 1)]))
    link = world.enter(BOB.device)
    world.open(link, team.id, cursor=3, fingerprint=fingerprint_of(team.raws[:2]), own_seq=1)
    assert link.last(Opened).states == [RoomState(0, 0, 0, 0, True)]
    world.open(link, team.id, proved=BOB.root)
    assert link.last(Opened).states == [RoomState(0, 0, 0, 0, True)]

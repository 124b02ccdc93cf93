"""Tests of Find: a new device that knows a code is led to the room, and who guesses is slowed."""

from __future__ import annotations

from syncchat_relay import Admit, Config, hub
from syncchat_relay.connection import FIND_COST

from syncchat.wire.codes import ErrorCode
from syncchat.wire.frames import Error, Find, Found
from tests.contracts.pushes import ALICE, BOB, push
from tests.support.people import House
from tests.unit.relay.world import World

ROOMS = Config(admission=Admit.ROOMS, names=("localhost",))


def _world() -> tuple[World, House, bytes]:
    world, home = World(ROOMS), House(ALICE, is_personal=True)
    invite = home.invite(needs_approval=True)
    push(world.log, ALICE, home.id, *home.log)
    return world, home, invite.public


def test_who_knows_an_invite_is_told_its_room_and_who_does_not_is_told_none() -> None:
    world, home, invite = _world()
    link = world.enter(BOB.device)
    for wanted in (invite, bytes(32)):
        world.send(link, Find(wanted))
        world.settle()
    assert link.of(Found) == [Found(invite, home.id), Found(bytes(32), b"")]
    assert link.closed is None


def test_a_connection_that_looks_for_many_invites_is_not_listened_to_for_a_while() -> None:
    world, _, invite = _world()
    link = world.enter(BOB.device)
    free = ROOMS.frames_burst // FIND_COST
    for count in range(free + 2):
        world.send(link, Find(invite))
        world.settle()
        assert bool(link.paused_ms) is (count >= free - 1)  # Auth took one unit
    assert link.paused_ms[-1] >= 500


def test_all_who_guess_share_one_rate_and_who_comes_later_is_served() -> None:
    world, home, invite = _world()
    links = [world.enter(BOB.device) for _ in range(60)]
    for count in range(hub.MISSES_BURST + 1):
        world.send(links[count // 4], Find(bytes(32)))
        world.settle()
    assert not any(link.of(Error) for link in links)
    late = world.enter(ALICE.device)
    world.send(late, Find(invite))
    world.settle()
    assert late.of(Found) == [] and late.last(Error).code == ErrorCode.BUSY
    assert 0 < late.last(Error).retry_after_ms <= 1_000 and late.closed is None
    world.tick(late.last(Error).retry_after_ms)
    world.send(late, Find(invite))
    world.settle()
    assert late.of(Found) == [Found(invite, home.id)]

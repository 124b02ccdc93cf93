"""Who comes in by a link on a branch of a room's log, while another branch removes somebody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncchat.testing import World
from tests.support.hostile_relays import group_of

from .scenarios_of_groups import join_beside_removal


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=1, peers=3) as world:
        for peer in world.peers:
            peer.watch = None  # the relay's log is exchanged behind the world's back
        world.run(seconds=2)
        yield world


@pytest.mark.parametrize("ahead", [0, 2])
def test_who_joins_beside_a_removal_waits_for_approval_and_reads_nothing_new(
    world: World, ahead: int
) -> None:
    eve = join_beside_removal(world, ahead=ahead)
    world.run(seconds=30)
    alice, bob, carol = world.peers
    for peer in (alice, bob):
        assert {m.id for m in peer.room.members()} == {alice.peer.id, bob.peer.id}
        assert not group_of(peer).is_rotation_due
        assert group_of(peer).epoch
    assert alice.room.digest() == bob.room.digest()
    bob.do(lambda: bob.room.send("behind-her-back"))
    world.run(seconds=10)
    assert [m.text for m in alice.room.messages()] == ["behind-her-back"]
    for outsider in (eve, carol):
        assert b"behind-her-back" not in outsider.disk.latest()
    assert eve.room.standing == "asking"


@pytest.mark.parametrize("ahead", [0, 2])
def test_honest_one_who_joined_beside_a_removal_is_let_in_by_an_admin(
    world: World, ahead: int
) -> None:
    eve = join_beside_removal(world, ahead=ahead)
    world.run(seconds=30)
    alice, bob, _ = world.peers
    (asked,) = alice.room.requests()
    assert asked.member == eve.peer.id
    alice.do(lambda: alice.room.add(asked.id))
    world.run(seconds=60)
    assert eve.room.standing == "member"
    assert [m.text for m in bob.room.messages()] == ["by the branch"]
    assert len({peer.room.digest() for peer in (alice, bob, eve)}) == 1


def test_who_waits_after_a_fork_is_sent_away_with_the_invite(world: World) -> None:
    eve = join_beside_removal(world)
    world.run(seconds=30)
    alice, bob, _ = world.peers
    group = group_of(alice)
    ((asked, _),) = group.requests.values()
    alice.do(lambda: alice.room.revoke_invite(asked.invite.hex()[:16]))
    world.run(seconds=10)
    assert bob.room.requests() == []
    assert eve.peer.id not in {m.id for m in bob.room.members()}

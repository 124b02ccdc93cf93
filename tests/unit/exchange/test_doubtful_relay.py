"""What the exchange does about a relay that contradicts itself or refuses wrongly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncchat.testing import SimPeer, World
from syncchat.testing.liar import LyingRelay
from syncchat.testing.lies import Lie


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=1, peers=2, relay=LyingRelay) as world:
        world.run(seconds=2)
        yield world


def liar(world: World) -> LyingRelay:
    assert isinstance(world.relay, LyingRelay)
    return world.relay


def shown(world: World, peer: SimPeer) -> list[str]:
    return [message.text.split()[-1] for message in world.shown(peer)]


@pytest.mark.parametrize("lie", [Lie.FALSE_CONFLICT, Lie.FALSE_FORBIDDEN, Lie.FALSE_BAD])
def test_retry_sends_what_was_refused_without_a_new_connection(world: World, lie: Lie) -> None:
    alice, bob = world.peers
    liar(world).tell(lie, to=[alice])
    world.write(alice, "refused")
    world.run(seconds=20)
    assert alice.room.outbox()[0].reason
    link, liar(world)._lies = alice.link, {}
    world.run(seconds=20)
    assert shown(world, bob) == []  # it is parked until somebody says so
    alice.do(alice.room.retry)
    world.run(seconds=5)
    assert shown(world, bob) == ["refused"]
    assert alice.room.outbox() == []
    assert alice.link is link
    assert alice.peer.check() == []


def test_relay_that_always_names_a_gap_is_not_sent_the_same_for_ever(world: World) -> None:
    alice, _ = world.peers
    world.write(alice, "stored")
    world.run(seconds=2)
    liar(world).tell(Lie.FALSE_GAP, to=[alice])
    world.write(alice, "never stored")
    world.run(seconds=60)
    assert 2 <= liar(world).told[Lie.FALSE_GAP] < 30
    assert any("lacks what it has" in problem for problem in alice.problems)
    assert alice.room.outbox()[0].reason == ""  # nothing is parked: it may mend


def test_invented_device_is_not_passed_on_by_who_refills_a_relay(world: World) -> None:
    alice, bob = world.peers
    liar(world).tell(Lie.INVENT_DEVICE, to=[bob])
    world.write(alice, "beside an invention")
    world.run(seconds=20)
    assert liar(world).told[Lie.INVENT_DEVICE]
    assert any("not let in" in fault for fault in bob.peer.check())
    liar(world).be_honest()
    world.heal()
    world.run(seconds=30)  # so that refills are over
    held = {device for device, _ in world.relay.log.chains(world.room_id)}
    assert liar(world).keys.public[:8] not in held
    assert alice.peer.check() == []
    world.check()

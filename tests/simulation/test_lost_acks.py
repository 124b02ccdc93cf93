"""What a relay acknowledged and then lost, of somebody who may write no longer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncchat.errors import NotAllowedError
from syncchat.exchange.acks import LOST
from syncchat.testing import SimPeer, World


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=1, peers=3) as world:
        for peer in world.peers:
            peer.watch = None  # what it watches for is what happens here
        world.run(seconds=2)
        yield world


def lose(world: World, *, before: int = 0) -> SimPeer:
    """Have Bob write what the relay acknowledges and loses before anybody else is there, and Alice
    make him a reader; return Bob.

    ``before`` messages of his the relay keeps, and Alice has read.
    """
    alice, bob, carol = world.peers
    for number in range(before):
        bob.do(lambda number=number: bob.room.send(f"kept {number}"))  # type: ignore[misc]
        world.run(seconds=2)
    for peer in (alice, carol):
        peer.go_offline()
    world.run(seconds=1)
    world.relay.keep_image()
    for number in range(2):
        bob.do(lambda number=number: bob.room.send(f"lost {number}"))  # type: ignore[misc]
        world.run(seconds=2)
    assert states(bob)[-2:] == ["sent", "sent"]
    bob.go_offline()
    world.run(seconds=1)
    world.relay.roll_back()
    world.relay.start()
    alice.go_online()
    world.run(seconds=2)
    alice.do(lambda: alice.room.set_role(bob.peer.id, "reader"))
    world.run(seconds=4)
    bob.go_online()
    carol.go_online()
    world.run(seconds=60)
    return bob


def states(peer: SimPeer) -> list[str]:
    """Return how far each message got, as a peer shows it."""
    return [str(message.status) for message in peer.room.messages()]


@pytest.mark.parametrize("before", [0, 2])
def test_what_the_relay_lost_of_somebody_who_may_not_write_any_more_is_shown_as_refused(
    world: World, before: int
) -> None:
    bob = lose(world, before=before)
    assert states(bob) == ["delivered"] * before + ["refused"] * 2
    parked = [(item.text, item.reason) for item in bob.room.outbox()]
    assert parked == [("lost 0", LOST), ("lost 1", LOST)]
    with pytest.raises(NotAllowedError, match="the relay lost this"):
        bob.room._is_synced()
    assert len(world.peers[0].room.messages()) == before
    bob.kill()
    bob.start()
    bob.go_online()
    world.run(seconds=20)
    assert states(bob) == ["delivered"] * before + ["refused"] * 2


def test_refused_goes_out_after_all_when_its_writer_may_write_again(world: World) -> None:
    bob = lose(world)
    alice, _, carol = world.peers
    alice.do(lambda: alice.room.set_role(bob.peer.id, "member"))
    world.run(seconds=10)
    bob.do(bob.room.retry)
    world.run(seconds=20)
    assert states(bob) == ["delivered", "delivered"]
    for peer in (alice, carol):
        assert [m.text for m in peer.room.messages()] == ["lost 0", "lost 1"]
    assert bob.room.outbox() == []

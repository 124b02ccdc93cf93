"""Faults that came to light where a relay lied, each as the shortest scenario that shows it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncchat.core.message import Status
from syncchat.testing import Divergence, World
from syncchat.testing.liar import LyingRelay
from syncchat.testing.lies import Lie


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=1, peers=2, relay=LyingRelay) as world:
        world.run(seconds=2)
        yield world


def _liar(world: World) -> LyingRelay:
    assert isinstance(world.relay, LyingRelay)
    return world.relay


def _hidden_under_a_lie(world: World) -> None:
    """Have the admin hide a message, which the relay refuses; it is honest from then on."""
    alice, bob = world.peers
    world.write(bob, "to be hidden")
    world.run(seconds=2)
    _liar(world).tell(Lie.FALSE_FORBIDDEN, to=[alice])
    world.hide(alice, world.shown(alice)[0])
    world.run(seconds=5)
    _liar(world).be_honest()
    world.run(seconds=60)


def _reasons(world: World) -> list[str]:
    return [change.reason for change in world.peers[0].room.pending_changes()]


def _is_hidden(world: World) -> list[bool]:
    return [world.shown(peer)[0].hidden for peer in world.peers]


def test_change_that_only_a_relay_was_against_is_made_when_the_person_tries_again(
    world: World,
) -> None:
    """Seeds 1213 and 1355: it was shown as refused for ever, and only asking anew helped."""
    _hidden_under_a_lie(world)
    assert _reasons(world) == ["the relay does not allow it"]
    assert _is_hidden(world) == [False, False]
    world.retry(world.peers[0])
    world.heal()
    assert _reasons(world) == []
    assert _is_hidden(world) == [True, True]
    world.check(deep=True)


def test_trying_one_item_again_does_not_make_a_refused_change(world: World) -> None:
    _hidden_under_a_lie(world)
    alice, _ = world.peers
    alice.go_offline()
    world.write(alice, "waits")
    alice.do(lambda: alice.room.retry(alice.room.outbox()[0]))
    assert _reasons(world) == ["the relay does not allow it"]


@pytest.mark.parametrize("wants_hidden", [False, True])
def test_later_change_of_the_same_thing_takes_the_place_of_a_refused_one(
    world: World, wants_hidden: bool
) -> None:
    """The refused one stayed beside it, and would have undone it when it was tried again."""
    _hidden_under_a_lie(world)
    alice, _ = world.peers
    world.hide(alice, world.shown(alice)[0], hidden=wants_hidden)
    world.retry(alice)
    world.heal()
    assert _reasons(world) == []
    assert _is_hidden(world) == [wants_hidden, wants_hidden]
    world.check(deep=True)


def test_change_that_the_log_would_not_take_is_not_tried_again(world: World) -> None:
    """What was wanted as an admin is not done when the person is one again, long afterwards."""
    alice, bob = world.peers
    alice.do(lambda: alice.room.set_role(bob.peer.id, "admin"))
    world.write(alice, "to be hidden")
    world.run(seconds=3)
    bob.go_offline()
    bob.do(lambda: bob.room.hide(world.shown(bob)[0].id))
    alice.do(lambda: alice.room.set_role(bob.peer.id, "member"))
    world.run(seconds=3)
    bob.go_online()
    world.run(seconds=3)
    (refused,) = bob.room.pending_changes()
    world.retry(bob)
    assert bob.room.pending_changes() == [refused]
    alice.do(lambda: alice.room.set_role(bob.peer.id, "admin"))
    world.run(seconds=3)
    assert bob.room.pending_changes() == [refused]
    assert _is_hidden(world) == [False, False]


def test_refused_message_is_queued_again_only_where_its_writer_tries_again(world: World) -> None:
    """Seed 1207: the world took a person's own doing for a state that went back by itself."""
    alice, _ = world.peers
    _liar(world).tell(Lie.FALSE_CONFLICT, to=[alice])
    world.write(alice, "refused")
    world.run(seconds=2)
    alice.go_offline()
    world.check_safety(alice)
    assert [message.status for message in world.shown(alice)] == [Status.REFUSED]
    world.retry(alice)
    world.check_safety(alice)
    assert [message.status for message in world.shown(alice)] == [Status.QUEUED]
    alice.go_online()
    world.run(seconds=2)
    world.check_safety(alice)
    alice.go_offline()
    alice.do(alice.room.retry)
    with pytest.raises(Divergence, match="went from refused to queued"):
        world.check_safety(alice)

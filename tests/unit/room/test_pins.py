"""Pins, and messages that are forwarded."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from syncchat.core.message import Forwarded, Message
from syncchat.errors import NotAllowedError, NotFoundError, ValidationError
from syncchat.testing import SimPeer, World
from tests.support.peers import make_peer


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=6, peers=3) as made:
        made.run(seconds=1)
        yield made


def say(peer: SimPeer, text: str) -> str:
    return peer.do(lambda: peer.room.send(text)).id


def pins(world: World) -> list[list[str]]:
    return [[message.text for message in peer.room.pins()] for peer in world.peers]


def test_admin_pins_for_everyone_and_takes_it_off(world: World) -> None:
    alice, bob, _ = world.peers
    first, second = say(bob, "first"), say(alice, "second")
    world.run(seconds=1)
    alice.do(lambda: alice.room.pin(second))
    alice.do(lambda: alice.room.pin(first))
    world.run(seconds=2)
    assert pins(world) == [["first", "second"]] * 3
    assert bob.room.message(first).pinned
    assert [m.pinned for m in bob.room.messages()] == [True, True]
    alice.do(lambda: alice.room.unpin(first))
    world.run(seconds=2)
    assert pins(world) == [["second"]] * 3
    assert len({peer.room.digest() for peer in world.peers}) == 1


def test_only_admins_pin(world: World) -> None:
    alice, bob, carol = world.peers
    message = say(bob, "look")
    world.run(seconds=1)
    with pytest.raises(NotAllowedError, match="only admins"):
        bob.room.pin(message)
    bob.peer._db.execute("insert into admin select 1, ?", (bob.peer.id,))  # a modified program
    bob.do(lambda: bob.room.pin(message))
    world.run(seconds=2)
    assert [peer.room.pins() for peer in (alice, carol)] == [[], []]
    assert alice.room.digest() == carol.room.digest()


def test_pins_of_an_admin_count_while_they_are_one(world: World) -> None:
    alice, bob, carol = world.peers
    message = say(carol, "look")
    alice.do(lambda: alice.room.set_role(bob.peer.id, "admin"))
    world.run(seconds=3)
    bob.do(lambda: bob.room.pin(message))
    world.run(seconds=2)
    assert pins(world) == [["look"]] * 3
    alice.do(lambda: alice.room.set_role(bob.peer.id, "member"))
    world.run(seconds=3)
    assert pins(world) == [[]] * 3
    assert not carol.room.message(message).pinned
    alice.do(lambda: alice.room.set_role(bob.peer.id, "admin"))
    world.run(seconds=3)
    assert pins(world) == [["look"]] * 3
    assert len({peer.room.digest() for peer in world.peers}) == 1
    for peer in world.peers:
        digest = peer.room.digest()
        peer.peer.rebuild()
        assert peer.room.digest() == digest
        assert peer.peer.check() == []


def test_pins_of_who_left_stay_and_of_who_was_removed_go(world: World) -> None:
    alice, bob, carol = world.peers
    one, other = say(alice, "one"), say(alice, "other")
    for peer in (bob, carol):
        alice.do(partial(alice.room.set_role, peer.peer.id, "admin"))
        world.run(seconds=3)
    bob.do(lambda: bob.room.pin(one))
    carol.do(lambda: carol.room.pin(other))
    world.run(seconds=2)
    bob.do(bob.room.leave)
    alice.do(lambda: alice.room.remove(carol.peer.id))
    world.run(seconds=5)
    assert [message.text for message in alice.room.pins()] == ["one"]


def test_deleted_message_is_no_pin(world: World) -> None:
    alice = world.peers[0]
    message = say(alice, "look")
    alice.do(lambda: alice.room.pin(message))
    world.run(seconds=1)
    alice.do(lambda: alice.room.delete(message))
    world.run(seconds=2)
    assert pins(world) == [[]] * 3
    with pytest.raises(NotFoundError, match="deleted"):
        alice.room.pin(message)


def test_pins_come_in_pages() -> None:
    with make_peer(1) as alice:
        room = alice.create_room("Team")
        ids = [room.send(str(number)).id for number in range(5)]
        for message in ids:
            room.pin(message)
        assert [m.id for m in room.pins(limit=2)] == ids[3:]
        assert [m.id for m in room.pins(limit=2, before=ids[3])] == ids[1:3]
        for limit in (0, 1_001):
            with pytest.raises(ValidationError, match="limit"):
                room.pins(limit=limit)


def test_pin_that_comes_before_its_message_shows_once_it_is_there(world: World) -> None:
    alice, bob, carol = world.peers
    bob.go_offline()
    message = say(bob, "late")
    bob.go_online()
    world.run(seconds=1)
    carol.go_offline()
    alice.do(lambda: alice.room.pin(message))
    carol.go_online()
    world.run(seconds=3)
    assert pins(world) == [["late"]] * 3


# Forwarding


def test_forwarded_message_says_who_wrote_it(world: World) -> None:
    alice, bob, _ = world.peers
    message = bob.do(
        lambda: bob.room.send(
            "look",
            kind="location",
            metadata={"lat": 1.5},
            attachments=[{"name": "a.png"}],
            mentions=[alice.peer.id],
        )
    )
    world.run(seconds=1)
    other = alice.do(lambda: alice.peer.create_room("Elsewhere"))
    sent = alice.do(lambda: alice.room.forward(message.id, to=other))
    origin = Forwarded(bob.peer.id, bob.peer.name, message.sent_at)
    assert other.messages() == [sent]
    assert (sent.forwarded, sent.sender, sent.mine) == (origin, alice.peer.id, True)
    assert (sent.text, sent.kind, sent.metadata) == ("look", "location", {"lat": 1.5})
    assert (sent.attachments, sent.mentions, sent.reply_to) == (({"name": "a.png"},), (), None)
    assert Message.from_json(sent.to_json()).forwarded == origin
    again = alice.do(lambda: other.forward(sent.id, to=alice.room))
    assert again.forwarded == origin
    world.run(seconds=2)
    assert bob.room.message(again.id).forwarded == origin


def test_forwarded_message_says_what_the_last_edit_says_and_keeps_the_origin(
    world: World,
) -> None:
    alice = world.peers[0]
    message = say(alice, "one")
    alice.do(lambda: alice.room.edit(message, "two"))
    sent = alice.do(lambda: alice.room.forward(message, to=alice.room))
    assert sent.text == "two"
    edited = alice.do(lambda: alice.room.edit(sent.id, "three"))
    assert (edited.text, edited.forwarded) == ("three", sent.forwarded)


def test_what_is_not_there_is_not_forwarded(world: World) -> None:
    alice, bob, _ = world.peers
    message = say(alice, "one")
    with make_peer(9) as stranger, pytest.raises(ValidationError, match="same peer"):
        alice.room.forward(message, to=stranger.create_room("Team"))
    world.run(seconds=1)
    alice.do(lambda: alice.room.delete(message))
    with pytest.raises(NotFoundError, match="deleted"):
        alice.room.forward(message, to=alice.room)
    hidden = say(bob, "two")
    world.run(seconds=1)
    alice.do(lambda: alice.room.hide(hidden))
    world.run(seconds=2)
    with pytest.raises(NotAllowedError, match="hidden"):
        alice.room.forward(hidden, to=alice.room)


def test_forwarded_poll_is_a_poll_of_its_own(world: World) -> None:
    alice = world.peers[0]
    poll = alice.do(lambda: alice.room.poll("When?", ["now", "later"]))
    alice.do(lambda: alice.room.vote(poll.id, [0]))
    copy = alice.do(lambda: alice.room.forward(poll.id, to=alice.room))
    assert copy.poll is not None
    assert ([o.text for o in copy.poll.options], copy.poll.voters) == (["now", "later"], 0)

"""What searches find of messages that are hidden, disappear, are pinned or ask something."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncchat.core.hit import Hit
from syncchat.room import Room
from syncchat.storage.view import index
from syncchat.testing import SimPeer, World
from tests.support.peers import make_peer
from tests.support.ports import FakeClock


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=8, peers=3) as made:
        made.run(seconds=1)
        yield made


def say(peer: SimPeer, text: str) -> str:
    return peer.do(lambda: peer.room.send(text)).id


def found(world: World, query: str) -> list[list[str]]:
    return [
        [hit.message.text for hit in peer.room.search(query, newest=True)] for peer in world.peers
    ]


def fill(world: World, *, count: int = 20) -> None:
    """Write so much that what was there before is in everyone's index."""
    for _ in range(count):
        say(world.peers[1], "filler")
    world.run(seconds=2)
    for peer in world.peers:
        assert index.indexed_upto(peer.peer._db) > 1


def check(world: World) -> None:
    assert [peer.peer.check() for peer in world.peers] == [[]] * 3


@pytest.mark.parametrize("is_old", [False, True], ids=["fresh", "in the index"])
def test_hidden_message_is_not_found_until_it_is_shown_again(world: World, is_old: bool) -> None:
    alice, bob, _ = world.peers
    message = say(bob, "rude words")
    if is_old:
        fill(world)
    world.run(seconds=1)
    assert found(world, "rude") == [["rude words"]] * 3
    for hidden in (True, False):
        alice.do(lambda hidden=hidden: alice.room.hide(message, hidden=hidden))  # type: ignore[misc]
        world.run(seconds=2)
        for query in ("rude", "from:me rude", "rude is:mine", "-is:starred rude"):
            hits = [hit for peer in world.peers for hit in peer.room.search(query)]
            assert [hit.message.id for hit in hits] == ([] if hidden else [message] * len(hits))
            assert hidden or hits
        check(world)


@pytest.mark.parametrize("is_old", [False, True], ids=["fresh", "in the index"])
def test_message_that_disappears_is_found_until_then(world: World, is_old: bool) -> None:
    alice, bob, carol = world.peers
    alice.do(lambda: alice.room.set_timer(30))
    world.run(seconds=1)
    say(bob, "canary")
    alice.do(lambda: alice.room.set_timer(0))
    world.run(seconds=1)
    if is_old:
        fill(world)
    carol.go_offline()
    assert found(world, "canary") == [["canary"]] * 3
    world.run(seconds=40)
    assert found(world, "canary") == [[]] * 3
    assert found(world, "from:me canary") == [[]] * 3
    check(world)


def test_message_whose_time_is_over_is_not_found_before_it_is_erased() -> None:
    clock = FakeClock()
    with make_peer(1, clock=clock, name="Alice") as peer:
        room = peer.create_room("Team")
        room.set_timer(10)
        room.send("canary")
        clock.advance(9_999)
        assert texts(room.search("canary")) == ["canary"]
        clock.advance(1)
        assert room.search("canary") == []
        assert peer._db.rows("select gone from message") == [(0,)]
        room.set_timer(0)  # erases it
        assert peer._db.rows("select gone from message") == []  # it was never sent
        assert room.search("canary") == peer.search("is:mine canary") == []
        assert peer.check() == []


def texts(hits: list[Hit]) -> list[str]:
    return [hit.message.text for hit in hits]


def test_pinned_messages_are_found_as_such(world: World) -> None:
    alice, bob, _ = world.peers
    pinned, other = say(bob, "see the plan"), say(bob, "another plan")
    fill(world)
    for message in (pinned, other):
        alice.do(lambda message=message: alice.room.pin(message))  # type: ignore[misc]
    alice.do(lambda: alice.room.unpin(other))
    world.run(seconds=2)
    assert found(world, "is:pinned") == [["see the plan"]] * 3
    assert found(world, "plan is:pinned") == [["see the plan"]] * 3
    assert found(world, "plan -is:pinned") == [["another plan"]] * 3
    assert found(world, "filler is:pinned") == [[]] * 3
    bob.do(lambda: bob.room.delete(pinned))
    world.run(seconds=2)
    assert found(world, "is:pinned") == [[]] * 3


def test_polls_are_found_by_question_and_options() -> None:
    with make_peer(1, name="Alice") as peer:
        room = peer.create_room("Team")
        room.poll("When shall we meet?", ["Monday", "Día de fiesta"])
        room.send("not on Monday")
        assert texts(room.search("has:poll")) == ["When shall we meet?"]
        assert texts(room.search("-has:poll mon")) == ["not on Monday"]
        (hit,) = room.search("meet dia")
        assert hit.snippet == "When shall we meet? Monday Día de fiesta"
        assert [hit.snippet[start:end] for start, end in hit.marks] == ["meet", "Día"]
        in_index(room)
        assert texts(room.search("fiesta")) == ["When shall we meet?"]
        assert texts(room.search("has:poll monday")) == ["When shall we meet?"]
        assert peer.check() == []


def in_index(room: Room) -> None:
    """Put all that a room has into the index, and have searches ask it."""
    db = room._peer._db
    db.search_sizes = db.search_sizes._replace(few=0, back=1)
    index.complete(db)
    assert index.indexed_upto(db) > 0

"""Polls: what can be asked, who has voted what, and what closing does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from syncchat.core.message import Message, Poll
from syncchat.errors import NotAllowedError, NotFoundError, ValidationError
from syncchat.room import Room
from syncchat.testing import SimPeer, World


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=3, peers=3) as made:
        made.run(seconds=1)
        yield made


def standing(room: Room, message: str) -> list[list[str]]:
    """Return who chose each option."""
    poll = room.message(message).poll
    assert poll is not None
    return [sorted(option.votes) for option in poll.options]


def vote(peer: SimPeer, message: str, *choices: int) -> None:
    peer.do(lambda: peer.room.vote(message, choices))


def ask(world: World, *, multiple: bool = False) -> str:
    alice = world.peers[0]
    asked = alice.do(
        lambda: alice.room.poll("When?", ["Monday", "Tuesday", "Never"], multiple=multiple)
    )
    world.run(seconds=2)
    return asked.id


def test_poll_shows_its_options_and_who_voted_for_them_everywhere(world: World) -> None:
    alice, bob, carol = world.peers
    poll = ask(world)
    vote(bob, poll, 1)
    vote(carol, poll, 1)
    vote(alice, poll, 0)
    world.run(seconds=3)
    shown = bob.room.message(poll)
    assert (shown.text, shown.kind) == ("When?", "poll")
    assert shown.poll is not None
    assert [option.text for option in shown.poll.options] == ["Monday", "Tuesday", "Never"]
    assert (shown.poll.multiple, shown.poll.closed_at, shown.poll.voters) == (False, None, 3)
    assert shown.poll.chosen == (1,)
    for peer in world.peers:
        tuesday = sorted([bob.peer.id, carol.peer.id])
        assert standing(peer.room, poll) == [[alice.peer.id], tuesday, []]
    assert len({peer.room.digest() for peer in world.peers}) == 1
    assert Message.from_json(shown.to_json()).poll == shown.poll


def test_last_vote_of_a_member_counts_and_none_takes_it_back(world: World) -> None:
    _, bob, carol = world.peers
    poll = ask(world)
    vote(bob, poll, 0)
    world.run(seconds=1)
    vote(bob, poll, 2)
    vote(carol, poll, 0)
    world.run(seconds=1)
    vote(carol, poll)
    world.run(seconds=3)
    assert [standing(peer.room, poll) for peer in world.peers] == [[[], [], [bob.peer.id]]] * 3


def test_several_may_be_chosen_only_where_the_poll_says_so(world: World) -> None:
    bob = world.peers[1]
    one, many = ask(world), ask(world, multiple=True)
    vote(bob, many, 2, 0, 2)
    assert standing(bob.room, many) == [[bob.peer.id], [], [bob.peer.id]]
    with pytest.raises(ValidationError, match="one option"):
        bob.room.vote(one, [0, 1])


def test_concurrent_votes_converge_whoever_comes_back_first(world: World) -> None:
    poll = ask(world)
    for peer in world.peers:
        peer.go_offline()
    for place, peer in enumerate(world.peers):
        vote(peer, poll, place)
        vote(peer, poll, 2 - place)
    for peer in reversed(world.peers):
        peer.go_online()
        world.run(seconds=2)
    world.heal()
    ids = [peer.peer.id for peer in world.peers]
    for peer in world.peers:
        assert standing(peer.room, poll) == [[ids[2]], [ids[1]], [ids[0]]]


def test_closed_poll_keeps_its_result_and_takes_no_vote(world: World) -> None:
    alice, bob, carol = world.peers
    poll = ask(world)
    vote(bob, poll, 1)
    world.run(seconds=2)
    with pytest.raises(NotAllowedError, match="only who asked"):
        bob.room.close_poll(poll)
    closed = alice.do(lambda: alice.room.close_poll(poll))
    assert closed.poll is not None and closed.poll.closed_at is not None
    world.run(seconds=2)
    for peer in world.peers:
        with pytest.raises(NotAllowedError, match="closed"):
            peer.room.vote(poll, [0])
    assert standing(carol.room, poll) == [[], [bob.peer.id], []]


def test_vote_cast_after_the_closing_does_not_count_and_the_one_before_it_does(
    world: World,
) -> None:
    alice, bob, carol = world.peers
    poll = ask(world)
    vote(bob, poll, 0)
    vote(carol, poll, 0)
    world.run(seconds=2)
    bob.go_offline()
    carol.go_offline()
    vote(carol, poll, 1)  # before the closing, and arriving after it
    world.run(seconds=1)
    alice.do(lambda: alice.room.close_poll(poll))
    world.run(seconds=1)
    vote(bob, poll, 2)  # after it, not knowing of it
    bob.go_online()
    carol.go_online()
    world.heal()
    for peer in world.peers:
        assert standing(peer.room, poll) == [[bob.peer.id], [carol.peer.id], []]
    assert len({peer.room.digest() for peer in world.peers}) == 1


def test_author_who_closes_keeps_the_own_vote(world: World) -> None:
    alice = world.peers[0]
    poll = ask(world)
    vote(alice, poll, 2)
    alice.do(lambda: alice.room.close_poll(poll))
    world.run(seconds=2)
    assert standing(world.peers[1].room, poll) == [[], [], [alice.peer.id]]


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda room: room.poll(" ", ["a", "b"]), "question is empty"),
        (lambda room: room.poll("?", ["a"]), "2 to 20"),
        (lambda room: room.poll("?", [str(n) for n in range(21)]), "2 to 20"),
        (lambda room: room.poll("?", "ab"), "2 to 20"),
        (lambda room: room.poll("?", ["a", " a "]), "the same"),
        (lambda room: room.poll("?", ["a", "\n"]), "printable"),
        (lambda room: room.poll("?", ["a", "b" * 101]), "printable"),
        (lambda room: room.vote(room.poll("?", ["a", "b"]).id, [2]), "options 0 to 1"),
        (lambda room: room.vote(room.poll("?", ["a", "b"]).id, [True]), "places"),
        (lambda room: room.vote(room.poll("?", ["a", "b"]).id, ["a"]), "places"),
    ],
)
def test_what_cannot_be_asked_or_chosen_is_refused_with_a_reason(
    world: World, ask: Callable[[Room], object], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        ask(world.peers[0].room)


def test_votes_are_for_polls_only(world: World) -> None:
    room = world.peers[0].room
    with pytest.raises(NotFoundError, match="no poll"):
        room.vote(room.send("hello").id, [0])


@pytest.mark.parametrize(
    "metadata",
    [
        {"options": ["a"]},
        {"options": "ab"},
        {"options": ["a", 1]},
        {"options": ["a", "\x1b[31m"]},
        {"options": ["a", "b"], "multiple": 1},
        {"else": 1},
    ],
)
def test_poll_that_cannot_be_read_is_shown_as_a_message(
    world: World, metadata: dict[str, object]
) -> None:
    room = world.peers[0].room
    sent = room.send("a poll of another program", kind="poll", metadata=metadata)
    assert (sent.poll, sent.text) == (None, "a poll of another program")


def test_votes_of_a_deleted_poll_go_with_it(world: World) -> None:
    alice, bob, _ = world.peers
    poll = ask(world)
    vote(bob, poll, 1)
    world.run(seconds=1)
    alice.do(lambda: alice.room.delete(poll))
    world.run(seconds=2)
    assert [peer.room.message(poll).poll for peer in world.peers] == [None] * 3
    with pytest.raises(NotFoundError, match="deleted"):
        bob.room.vote(poll, [0])
    assert [peer.peer.check() for peer in world.peers] == [[]] * 3


def test_poll_written_and_voted_in_offline_arrives_as_one(world: World) -> None:
    alice, bob, _ = world.peers
    alice.go_offline()
    poll = ask(world)
    vote(alice, poll, 1)
    alice.go_online()
    world.run(seconds=5)
    assert bob.room.message(poll).poll == Poll(
        bob.room.message(poll).poll.options,  # type: ignore[union-attr]
        voters=1,
    )
    assert standing(bob.room, poll) == [[], [alice.peer.id], []]

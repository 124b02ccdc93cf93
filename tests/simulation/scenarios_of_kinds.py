"""Scenarios for seeded defects in polls, pins, edits and what disappears."""

from __future__ import annotations

from collections.abc import Sequence

from syncchat.core.message import Message
from syncchat.core.values import Root, VoteValue
from syncchat.testing import Divergence, SimPeer, World


def voted_after_the_closing() -> None:
    """Somebody votes anew who does not know yet that the poll is closed."""
    with World(seed=1, peers=3) as world:
        alice, bob, _ = world.peers
        poll = _ask(world)
        bob.do(lambda: bob.room.vote(poll.id, [0]))
        world.run(seconds=2)
        bob.go_offline()
        alice.do(lambda: alice.room.close_poll(poll.id))
        world.run(seconds=2)
        bob.do(lambda: bob.room.vote(poll.id, [2]))
        bob.go_online()
        world.heal()
        _expect_votes(world, poll, [[bob.peer.id], [], []])


def closed_by_somebody_else() -> None:
    """A modified program closes a poll that another has asked."""
    with World(seed=1, peers=2) as world:
        alice, bob = world.peers
        poll = _ask(world)
        bob.do(lambda: bob.room._put_mark(Root.VOTES, poll.id, lambda at: VoteValue(at, (1,), at)))
        world.run(seconds=2)
        shown = [peer.room.message(poll.id).poll for peer in world.peers]
        _expect([each and each.closed_at for each in shown], [None, None], "when it was closed")
        alice.do(lambda: alice.room.vote(poll.id, [0]))
        world.heal()
        _expect_votes(world, poll, [[alice.peer.id], [bob.peer.id], []])


def pinned_by_who_is_an_admin_no_more() -> None:
    """An admin pins, and is made a member again."""
    with World(seed=1, peers=3) as world:
        alice, bob, _ = world.peers
        message = alice.do(lambda: alice.room.send("look"))
        alice.do(lambda: alice.room.set_role(bob.peer.id, "admin"))
        world.run(seconds=3)
        bob.do(lambda: bob.room.pin(message.id))
        world.run(seconds=2)
        _expect([len(peer.room.pins()) for peer in world.peers], [1, 1, 1], "pins")
        alice.do(lambda: alice.room.set_role(bob.peer.id, "member"))
        world.run(seconds=3)
        _expect([len(peer.room.pins()) for peer in world.peers], [0, 0, 0], "pins")


def edited_twice() -> None:
    """A message is edited twice, each time after it was sent."""
    with World(seed=1, peers=2) as world:
        alice, bob = world.peers
        message = alice.do(lambda: alice.room.send("one"))
        for text in ("two", "three"):
            world.run(seconds=2)
            _edit(alice, message, text)
        world.heal()
        for peer in (alice, bob):
            texts = [version.text for version in peer.room.edits(message.id)]
            _expect(texts, ["one", "two", "three"], "texts")


def hidden_and_shown_again_offline() -> None:
    """An admin who is offline hides a message, and shows it again."""
    with World(seed=1, peers=2) as world:
        alice, bob = world.peers
        message = bob.do(lambda: bob.room.send("fine after all"))
        world.run(seconds=2)
        alice.go_offline()
        alice.do(lambda: alice.room.hide(message.id))
        alice.do(lambda: alice.room.hide(message.id, hidden=False))
        world.heal()
        hidden = [peer.room.message(message.id).hidden for peer in world.peers]
        _expect(hidden, [False, False], "whether it is hidden")


def gone_while_the_author_is_away() -> None:
    """A message's time ends while its author is offline, and the others are on their own."""
    with World(seed=1, peers=2) as world:
        alice, bob = world.peers
        alice.do(lambda: alice.room.set_timer(20))
        world.run(seconds=1)
        bob.do(lambda: bob.room.send("canary"))
        world.run(seconds=2)
        bob.go_offline()
        world.run(seconds=40)
        rows = alice.peer._db.rows("select value from message where value like '%canary%'")
        _expect(rows, [], "texts")
        world.heal()
        world.shake()


def clocks_that_differ() -> None:
    """By one peer's clock a message's time is over, by the others' it is not."""
    with World(seed=1, peers=3) as world:
        alice, bob, carol = world.peers
        world.set_timer(alice, 3_600)
        world.run(seconds=1)
        world.write(carol, "timed")
        world.run(seconds=2)
        bob.clock.skew_ms = 2 * 3_600_000
        world.run(seconds=2)
        _expect([peer.room.count() for peer in world.peers], [1, 0, 1], "messages")
        world.heal()
        world.check()


def _ask(world: World) -> Message:
    alice = world.peers[0]
    poll = alice.do(lambda: alice.room.poll("When?", ["one", "two", "three"]))
    world.run(seconds=2)
    return poll


def _edit(peer: SimPeer, message: Message, text: str) -> None:
    peer.do(lambda: peer.room.edit(message.id, text))


def _expect_votes(world: World, poll: Message, wanted: Sequence[Sequence[str]]) -> None:
    for peer in world.peers:
        shown = peer.room.message(poll.id).poll
        votes = [] if shown is None else [list(option.votes) for option in shown.options]
        _expect(votes, wanted, f"votes of {peer.name}")


def _expect(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise Divergence(f"{what}: {found}, not {wanted}")

"""Scenarios for seeded defects in how long rooms keep messages; ``test_keeping`` plays them too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from syncchat.core import clock
from syncchat.core.keeping import DAY_MS
from syncchat.core.snapshots import LettingGo
from syncchat.storage import chains
from syncchat.testing import Divergence, SimPeer, World
from tests.support.devices import Device
from tests.support.peers import Inbox
from tests.support.ports import START_MS

KEPT_DAYS = 10


@contextmanager
def made(seed: int, peers: int) -> Iterator[World]:
    """Give a world whose room keeps messages for days."""
    with World(seed=seed, peers=peers) as world:
        world.run(seconds=1)
        world.set_keep(world.peers[0], KEPT_DAYS)
        world.run(seconds=2)
        yield world


def shown_too_late() -> None:
    """Nobody shows what is older, and nobody has it, whoever wrote it."""
    with made(1, 3) as world:
        for peer in world.peers:
            world.write(peer, "too old")
        world.run(seconds=2)
        world.sleep(days=KEPT_DAYS + 1)
        for peer in world.peers:
            world.check_safety(peer)
        world.run(seconds=30)
        for peer in world.peers:
            world.check_safety(peer)
        world.sleep(days=KEPT_DAYS / 2)  # a few in a volume with much else go later
        world.run(seconds=30)
        for peer in world.peers:
            _expect(_rows(peer), 0, f"messages at {peer.name}")
        world.check()


def left_young_ones_out() -> None:
    """A snapshot that lets go of what is young, or brings its cutoff forward, is refused."""
    for cutoff_days, gone in ((8, [0, 1]), (10, [0])):
        inbox, ann = Inbox(), Device(1)
        entries = [ann.message(f"day {n}", now_ms=START_MS + n * DAY_MS)[1] for n in (1, 9)]
        inbox.deliver(*map(ann.write, entries))
        at = clock.stamp(START_MS + 10 * DAY_MS)
        cutoff = clock.stamp(START_MS + cutoff_days * DAY_MS)
        inbox.deliver(ann.snapshot(letting_go=LettingGo(at, cutoff), gone=gone))
        chain = chains.find_chain(inbox.db, inbox.row, ann.id)
        assert chain is not None
        _expect(chain.frozen is not None, True, "whether it was refused")
        _expect(inbox.texts(), ["day 1", "day 9"], "what is shown")


def sent_too_late() -> None:
    """What is too old before it was sent is never sent."""
    with made(2, 2) as world:
        alice, bob = world.peers
        bob.go_offline()
        bob.do(lambda: bob.room.send("never sent"))
        world.sleep(days=KEPT_DAYS + 1)
        bob.do(lambda: bob.room.send("in time"))
        before = world.relay.log.head(world.room_id).seq
        bob.go_online()
        world.run(seconds=1)
        _expect(_rows(alice), 1, "messages that came")
        _expect(world.relay.log.head(world.room_id).seq, before + 1, "what the relay has")


def said_of_nothing() -> None:
    """What others said of what is gone shows nowhere, and changes no digest."""
    with made(3, 3) as world:
        alice, bob, carol = world.peers
        world.write(bob, "old")
        world.run(seconds=2)
        (target,) = world.shown(carol)
        carol.go_offline()
        carol.clock.skew_ms = -2 * KEPT_DAYS * DAY_MS
        world.react(carol, target, "👍")
        world.sleep(days=KEPT_DAYS + 1)
        world.run(seconds=30)
        before = alice.room.digest()
        _expect(_rows(alice), 0, "messages before")
        carol.go_online()
        world.run(seconds=20)
        _expect(_rows(alice), 0, "messages")
        _expect(alice.room.digest(), before, "the digest")
        late = world.add_peer()
        world.run(seconds=5)
        _expect(late.room.digest() == alice.room.digest(), True, "whether digests are equal")


def kept_small() -> None:
    """A room in which little is kept stays small, however long it lives."""
    with made(4, 2) as world:
        _, bob = world.peers
        for number in range(40):
            world.sleep(days=KEPT_DAYS / 4)
            world.write(bob, f"text {number}")
            world.run(seconds=20)
        for peer in world.peers:
            (count,) = peer.peer._db.execute("select count(*) from envelope").fetchone()
            _expect(count < 15, True, f"that {peer.name} has few envelopes, not {count}")
            _expect(_rows(peer) < 8, True, "that there are few messages")
        late = world.add_peer()
        world.run(seconds=10)
        _expect(late.room.digest(), bob.room.digest(), "the newcomer's digest")
        world.check()


def kept_in_full_again() -> None:
    """Where all is kept again, what is over stays over, also what its author still has."""
    with made(5, 3) as world:
        alice, bob, carol = world.peers
        world.write(bob, "old")
        world.run(seconds=2)
        bob.go_offline()
        world.run(seconds=1)
        world.sleep(days=KEPT_DAYS + 1)
        world.run(seconds=5)
        world.set_keep(alice, 0)
        world.run(seconds=5)
        _expect([m.text for m in carol.room.messages()], [], "what is shown")
        world.online()
        world.run(seconds=30)
        _expect([m.text for m in bob.room.messages()], [], "what its author shows")
        world.heal()
        world.check()


def _rows(peer: SimPeer) -> int:
    (count,) = peer.peer._db.execute("select count(*) from message where room = 1").fetchone()
    return int(count)


def _expect(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise Divergence(f"{what}: {found!r}, not {expected!r}")

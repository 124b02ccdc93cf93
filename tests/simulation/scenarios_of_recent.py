"""Scenarios for seeded defects in what is shown of a room first; ``test_recent`` plays them, too.

Bob has been away while much was written, and lacks more than is shown first (in the simulator that
is three envelopes). He is shown the newest, and his relay stalls until it is asked to be honest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from syncchat.core.message import Message
from syncchat.testing import Divergence, SimPeer, World
from syncchat.testing.liar import LyingRelay
from syncchat.testing.lies import Lie
from tests.support.devices import Device
from tests.support.room import join
from tests.support.told import Told, entries, forged, raws


def newest_first() -> None:
    """Bob sees the newest while the rest is missing, and all of it in the end."""
    with _away(_texts(8)) as (world, bob):
        _expect(_shown(bob), ["old", "text 5", "text 6", "text 7"], "what is shown first")
        _go_on(world)
        _expect(_shown(bob), ["old", *_named(8)], "what is shown in the end")


def read_too_early() -> None:
    """What Bob marks as read while he is shown the newest does not hide what comes after."""
    with _away(_texts(8)) as (world, bob):
        bob.do(bob.room.mark_read)
        _go_on(world)
        _expect(bob.room.unread(), 8, "how much is unread")


def deleted_meanwhile() -> None:
    """A message among the newest that is deleted among them, too, is never shown."""

    def write(world: World, alice: SimPeer) -> None:
        _say(world, alice, *_named(6))
        _do(world, alice, lambda: alice.room.delete(_find(alice, "text 5").id))

    with _away(write) as (world, bob):
        _expect("text 5" in _shown(bob), False, "whether what is deleted is shown")
        _go_on(world)
        _expect(_shown(bob), ["old", *_named(5)], "what is shown in the end")


def edited_meanwhile() -> None:
    """What is shown ahead is no part of what a chain has brought, and is not read as if it were."""

    def write(world: World, alice: SimPeer) -> None:
        _say(world, alice, *_named(6))
        for text in ("once", "twice", "thrice"):
            _do(world, alice, partial(alice.room.edit, _first(alice).id, text))

    with _away(write) as (world, bob):
        bob.kill()
        bob.start()
        bob.go_online()
        world.run(seconds=2)
        _go_on(world)
        _expect(_shown(bob)[1], "thrice", "the first of Alice's texts")


def taken_back() -> None:
    """What the relay has lost and nobody brings again is not shown for ever."""
    with _away(_texts(8)) as (world, bob):
        alice = world.peers[0]
        alice.go_offline()
        world.run(seconds=1)
        _expect("text 7" in _shown(bob), True, "whether the newest is shown")
        liar = world.relay
        assert isinstance(liar, LyingRelay)
        liar.be_honest()
        world.lose_relay(liar.wipe)
        world.run(seconds=120)
        _expect(_shown(bob), ["old"], "what is shown of what nobody has")
        alice.go_online()
        _go_on(world)
        _expect(_shown(bob), ["old", *_named(8)], "what is shown in the end")


def forged_entry() -> None:
    """Nobody is shown whom a relay let in itself, also before everybody in the room is verified."""
    ann, eve = Device(1), Device(2)
    log = entries(ann)
    log.append(forged(join(eve.keys, prev=log[-1].hash)))
    told = Told()
    told.hear([*raws(log), ann.send("true"), eve.send("forged")])
    _expect(told.texts(), ["true"], "what is shown first")
    told.take()
    _expect(told.texts(), ["true"], "what is shown in the end")


@contextmanager
def _away(write: Callable[[World, SimPeer], None]) -> Iterator[tuple[World, SimPeer]]:
    with World(seed=3, peers=2, relay=LyingRelay) as world:
        alice, bob = world.peers
        for peer in world.peers:
            peer.watch = None
        _say(world, alice, "old")
        bob.go_offline()
        world.run(seconds=1)
        write(world, alice)
        liar = world.relay
        assert isinstance(liar, LyingRelay)
        liar.tell(Lie.STALL, to=[bob])
        bob.go_online()
        world.run(seconds=3)
        yield world, bob


def _go_on(world: World) -> None:
    """Have the relay go on; all must agree then, and be as they are when they are folded anew."""
    liar = world.relay
    assert isinstance(liar, LyingRelay)
    liar.be_honest()
    world.run(seconds=60)
    digests = {peer.room.digest() for peer in world.peers}
    _expect(len(digests), 1, "different digests")
    for peer in world.peers:
        _expect(peer.peer.check(), [], f"what is wrong at {peer.name}")
        before = peer.room.digest()
        peer.do(peer.peer.rebuild)
        _expect(peer.room.digest(), before, "what a view folded anew shows")


def _texts(count: int) -> Callable[[World, SimPeer], None]:
    return lambda world, alice: _say(world, alice, *_named(count))


def _named(count: int) -> list[str]:
    return [f"text {number}" for number in range(count)]


def _say(world: World, peer: SimPeer, *texts: str) -> None:
    for text in texts:
        _do(world, peer, partial(peer.room.send, text))


def _do(world: World, peer: SimPeer, deed: Callable[[], object]) -> None:
    peer.do(deed)
    world.run(seconds=1)


def _find(peer: SimPeer, text: str) -> Message:
    return next(message for message in peer.room.messages() if message.text == text)


def _first(peer: SimPeer) -> Message:
    return next(message for message in peer.room.messages() if message.text != "old")


def _shown(peer: SimPeer) -> list[str]:
    return [message.text for message in peer.room.messages() if not message.deleted]


def _expect(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise Divergence(f"{what}: {found!r}, not {expected!r}")

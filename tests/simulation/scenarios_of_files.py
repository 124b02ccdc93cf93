"""Scenarios for seeded defects of files; without a defect they pass."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

from syncchat.core.files import FileState
from syncchat.testing import SimPeer, World
from syncchat.testing.liar import LyingRelay
from syncchat.testing.lies import Lie
from syncchat.testing.oracle import Divergence
from syncchat.testing.relay import SimRelay
from syncchat.trust import files

CHUNK = 200


def state_of(peer: SimPeer, place: int = -1) -> FileState:
    """Return where the bytes of a peer's last file, or another, are."""
    return peer.room.files()[place].state


def given_other_bytes() -> None:
    """A relay gives chunks with a bit flipped: nobody keeps them, and true ones come later."""

    def play(world: World) -> None:
        alice, bob, _ = world.peers
        assert isinstance(world.relay, LyingRelay)
        world.parcels.attach(alice, "a file", size=20_000)
        while not bob.room.files() or not bob.room.files()[0].done:
            world.run(seconds=0.01)
        world.relay.tell(Lie.CHANGE_CHUNKS, to=[bob])
        world.run(seconds=20)
        for peer in world.peers:
            world.check_safety(peer)
        _expect("the changed file counts as here", state_of(bob) is not FileState.HERE)
        _expect("the relay had nothing to change", world.relay.told[Lie.CHANGE_CHUNKS] >= 3)
        world.relay.be_honest()

    _played(play, relay=LyingRelay)


def comes_by_itself() -> None:
    """A file of many chunks comes to everyone who is online, and nobody asks for it."""

    def play(world: World) -> None:
        alice, *others = world.peers
        world.parcels.attach(alice, "a file", size=20_000)
        world.run(seconds=20)
        states = [state_of(peer) for peer in others]
        _expect(f"the file is {states}", states == [FileState.HERE] * 2)

    _played(play)


def deleted_for_everyone() -> None:
    """A file that everyone has is deleted: nothing of it is left within five seconds."""

    def play(world: World) -> None:
        alice, *_ = world.peers
        world.parcels.attach(alice, "a file", size=900)
        world.run(seconds=10)
        for peer in world.peers:
            _expect("the file did not come", state_of(peer) is FileState.HERE)
            world.check_safety(peer)
        (message,) = world.shown(alice)
        world.delete(alice, message)
        world.run(seconds=5)
        left = [peer.name for peer in world.peers if peer.peer._db.packs.names()]
        _expect(f"{left} keep bytes of what was deleted", not left)

    _played(play)


def freed_before_it_was_sent() -> None:
    """Somebody who is offline makes room: what is nowhere else stays."""

    def play(world: World) -> None:
        alice, *_ = world.peers
        alice.go_offline()
        world.parcels.attach(alice, "a file", size=900)
        world.parcels.free(alice)

    _played(play)


def wiped_before_somebody_fetched() -> None:
    """A relay loses everything before a peer who was away has fetched a file."""

    def play(world: World) -> None:
        alice, bob, _ = world.peers
        bob.go_offline()
        world.parcels.attach(alice, "a file", size=900)
        world.run(seconds=10)
        world.lose_relay(world.relay.wipe)

    _played(play)


def dropped_by_the_relay() -> None:
    """A relay says that it has a file which it never stored."""

    def play(world: World) -> None:
        alice, bob, _ = world.peers
        assert isinstance(world.relay, LyingRelay)
        world.relay.tell(Lie.DROP_CHUNKS, to=[alice])
        world.parcels.attach(alice, "a file", size=900)
        world.run(seconds=10)
        _expect("the file was not sent", state_of(alice) is FileState.HERE)
        _expect("the relay has the file after all", state_of(bob) is FileState.FETCHING)
        world.relay.be_honest()

    _played(play, relay=LyingRelay)


def _expect(words: str, holds: bool) -> None:
    if not holds:
        raise Divergence(words)


def _played(play: Callable[[World], None], *, relay: type[SimRelay] = SimRelay) -> None:
    """Play a scenario in a world of three with small chunks, heal it, and judge it."""
    with mock.patch.object(files, "CHUNK_BYTES", CHUNK), World(seed=1, relay=relay) as world:
        world.run(seconds=1)
        play(world)
        world.heal()
        world.check()

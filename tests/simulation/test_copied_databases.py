"""One database on two machines: by a thief, or by its owner who did not know better."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncchat.testing import SimPeer, World
from syncchat.testing.relay import URL
from tests.support.hostile_relays import group_of


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=1, peers=3) as world:
        for peer in world.peers:
            peer.watch = None  # there is a device that the world does not know
        world.run(seconds=2)
        yield world


def _texts(peer: SimPeer) -> list[str]:
    return [m.text for m in peer.room.messages(limit=500)]


def _say(world: World, peer: SimPeer, text: str) -> None:
    peer.do(lambda: peer.room.send(text))
    world.run(seconds=4)


def _copied(world: World, peer: SimPeer) -> tuple[SimPeer, str]:
    """Return a copy of a peer's database on another machine, and the phrase, on paper only."""
    devices = peer.peer.devices
    phrase = devices.phrase()
    peer.do(lambda: devices.set_home(URL))
    peer.do(lambda: devices.confirm(phrase))
    _say(world, peer, "before the copy")
    twin = SimPeer("twin", world.loop, world.random, world.relay)
    twin._stop()
    twin.disk.load(peer.disk.latest())
    twin.start()
    return twin, phrase


def _recovered(world: World, phrase: str, lost: str) -> SimPeer:
    """Begin anew with the phrase, and revoke the device that is on two machines."""
    new = SimPeer("new", world.loop, world.random, world.relay)
    new.peer.devices.recover(phrase, URL)
    new.go_online()
    world.run(seconds=15)
    new.do(lambda: new.peer.devices.revoke(lost))
    world.run(seconds=15)
    return new


def test_copies_that_write_at_once_are_told_and_one_goes_on_only_as_a_new_device(
    world: World,
) -> None:
    alice, bob, _ = world.peers
    twin, phrase = _copied(world, alice)
    alice.go_offline()
    for peer in (alice, twin):
        peer.do(lambda peer=peer: peer.room.send(f"by {peer.name}"))  # type: ignore[misc]
    for peer in (twin, alice):
        peer.go_online()
    world.run(seconds=20)
    loser, winner = (alice, twin) if alice.room.outbox() else (twin, alice)
    for number in range(2):  # nor does what is written later come through
        _say(world, loser, f"again {number}")
    assert winner.room.outbox() == []
    parked = loser.room.outbox()
    assert [item.text for item in parked] == [f"by {loser.name}", "again 0", "again 1"]
    assert all(item.reason for item in parked)
    assert any("start the other with a new database" in fault for fault in loser.peer.check())
    assert _texts(bob) == ["before the copy", f"by {winner.name}"]
    assert bob.peer.check() == []
    new = _recovered(world, phrase, alice.peer.device)
    assert alice.room.standing == twin.room.standing == "removed"
    _say(world, new, "by the new device")
    _say(world, bob, "good")
    said = ["before the copy", f"by {winner.name}", "by the new device", "good"]
    assert _texts(bob) == _texts(new) == said
    assert bob.room.digest() == new.room.digest()
    assert [m.devices for m in bob.room.members() if m.id == new.peer.id] == [(new.peer.device,)]


def test_copies_that_take_turns_are_one_device_and_show_each_other_what_they_wrote(
    world: World,
) -> None:
    """Nobody can tell that from one machine; whoever looks sees words that are not theirs."""
    alice, bob, _ = world.peers
    twin, _ = _copied(world, alice)
    alice.go_offline()
    twin.go_online()
    _say(world, twin, "not by Alice")
    twin.go_offline()
    alice.go_online()
    _say(world, alice, "who was that?")
    said = ["before the copy", "not by Alice", "who was that?"]
    assert _texts(alice) == _texts(bob) == said
    assert alice.peer.check() == bob.peer.check() == []


def test_thief_who_only_reads_a_copy_reads_until_the_phrase_turns_it_out(world: World) -> None:
    alice, bob, _ = world.peers
    twin, phrase = _copied(world, alice)
    alice.go_offline()
    twin.go_online()
    _say(world, bob, "nobody notices")
    assert "nobody notices" in _texts(twin)
    new = _recovered(world, phrase, alice.peer.device)
    epoch = group_of(bob).epoch
    assert epoch == 1
    _say(world, bob, "for Alice alone")
    assert "for Alice alone" in _texts(new)
    for copy in (twin, alice):
        copy.go_online()
        world.run(seconds=10)
        assert copy.room.standing == "removed"
        assert b"for Alice alone" not in copy.disk.latest()

"""Files of messages that are forwarded, that disappear, and that an admin hides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncchat.core.files import FileState
from syncchat.core.message import Message
from syncchat.errors import FileAway, FilesFull, NotFoundError
from syncchat.peer import Peer
from syncchat.storage import files as rows
from syncchat.storage import loose
from syncchat.testing import SimPeer, World
from tests.support.files import content, small_chunks
from tests.support.peers import make_peer
from tests.support.ports import FakeClock


@pytest.fixture(autouse=True)
def chunks() -> Iterator[None]:
    with small_chunks():
        yield


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=5, peers=3) as made:
        made.run(seconds=1)
        yield made


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    with make_peer(1, path=tmp_path / "peer.db", clock=FakeClock()) as peer:
        yield peer


def attached(world: World, who: SimPeer, seed: int = 0) -> Message:
    return who.do(lambda: who.room.attach(content(1_000, seed), name="a.bin", text="look"))


def packs(peer: Peer) -> int:
    return len(peer._db.packs.names())


# Forwarded


def test_forwarded_message_brings_the_same_sealed_file_to_the_other_room(peer: Peer) -> None:
    here = peer.create_room("Here")
    there = peer.create_room("There")
    message = here.attach([content(1_000), content(50, 1)], text="look")
    sent = here.forward(message.id, to=there)
    assert sent.attachments == message.attachments
    before, after = (
        rows.files_of(peer._db, room._row, m.id) for room, m in ((here, message), (there, sent))
    )
    for (_, old), (_, new) in zip(before, after, strict=True):
        assert (new.root, new.key, new.names) == (old.root, old.key, old.names)
        assert new.pack != old.pack
        assert new.owed and new.mine and new.is_whole
    assert [there.file(sent.id, place).state for place in (0, 1)] == [FileState.SENDING] * 2
    here.delete(message.id)
    assert packs(peer) == 2
    assert there.open_file(sent.id).read() == content(1_000)
    assert there.open_file(sent.id, 1).read() == content(50, 1)


def test_file_that_is_forwarded_within_its_room_is_there_once(peer: Peer) -> None:
    room = peer.create_room("Here")
    message = room.attach(content(1_000))
    sent = room.forward(message.id, to=room)
    assert packs(peer) == 1
    room.delete(message.id)
    assert room.open_file(sent.id).read() == content(1_000)


def test_file_that_is_not_here_is_fetched_before_it_is_forwarded(world: World) -> None:
    alice, bob, _ = world.peers
    message = attached(world, alice)
    world.run(seconds=3)
    other = bob.do(lambda: bob.peer.create_room("Elsewhere"))
    bob.do(bob.peer.files.free)
    with pytest.raises(FileAway, match="fetch it first"):
        bob.do(lambda: bob.room.forward(message.id, to=other))
    assert other.count() == 0
    again = bob.do(lambda: bob.room.forward(message.id, to=bob.room))  # its room has it already
    bob.do(lambda: bob.room.fetch(message.id))
    world.run(seconds=3)
    sent = bob.do(lambda: bob.room.forward(message.id, to=other))
    assert other.open_file(sent.id).read() == content(1_000)
    assert bob.room.file(again.id).state is FileState.HERE


def test_forwarding_is_bounded_like_attaching(peer: Peer) -> None:
    here, there = peer.create_room("Here"), peer.create_room("There")
    message = here.attach(content(1_000))
    peer.files.set_limits(cache_bytes_max=1_500)
    with pytest.raises(FilesFull, match="syncchat file-limits"):
        here.forward(message.id, to=there)
    assert (there.count(), packs(peer)) == (0, 1)


# Gone when its time is over


def test_file_disappears_with_its_message_from_every_disk_and_the_relay(world: World) -> None:
    alice, bob, carol = world.peers
    alice.do(lambda: alice.room.set_timer(30))
    world.run(seconds=1)
    message = attached(world, alice)
    world.run(seconds=5)
    assert [packs(each.peer) for each in world.peers] == [1, 1, 1]
    assert world.relay.blobs.all_bytes() > 1_000
    carol.go_offline()
    world.run(seconds=40)
    assert [packs(each.peer) for each in (alice, bob)] == [0, 0]
    assert world.relay.blobs.all_bytes() == 0
    carol.go_online()
    world.run(seconds=5)
    for each in world.peers:
        assert packs(each.peer) == 0
        assert list(rows.all_files(each.peer._db)) == []
        assert loose.drops(each.peer._db, each.room._row, limit=10) == []
        with pytest.raises(NotFoundError):
            each.room.file(message.id)


def test_file_disappears_on_time_without_a_connection_and_at_the_next_start(tmp_path: Path) -> None:
    clock = FakeClock()
    with make_peer(1, path=tmp_path / "peer.db", clock=clock) as peer:
        room = peer.create_room("Team")
        room.set_timer(60)
        room.attach(content(1_000))
        assert packs(peer) == 1
    clock.advance(61_000)
    with make_peer(1, path=tmp_path / "peer.db", clock=clock) as peer:
        assert packs(peer) == 0


# Hidden


def test_file_that_an_admin_hides_does_not_come(world: World) -> None:
    alice, bob, carol = world.peers
    carol.go_offline()
    message = attached(world, bob)
    world.run(seconds=3)
    alice.do(lambda: alice.room.hide(message.id))
    world.run(seconds=3)
    carol.go_online()
    world.run(seconds=10)
    assert carol.room.message(message.id).hidden
    assert (packs(carol.peer), carol.room.files()) == (0, [])
    assert bob.room.open_file(message.id).read() == content(1_000)
    alice.do(lambda: alice.room.hide(message.id, hidden=False))
    world.run(seconds=10)
    assert carol.room.open_file(message.id).read() == content(1_000)

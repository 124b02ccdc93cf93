"""Edits and deletions: what a message was before, and what is left of it afterwards."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from syncchat.core.values import EARLIER_MAX, Root
from syncchat.errors import NotAllowedError, NotFoundError
from syncchat.room import Room
from syncchat.storage import chains
from syncchat.testing import SimPeer, World
from tests.support.linking import linked
from tests.support.peers import LINK, Net, make_peer, sync
from tests.support.ports import FakeClock


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=4, peers=2) as made:
        made.run(seconds=1)
        yield made


def texts(room: Room, message: str) -> list[str]:
    return [version.text for version in room.edits(message)]


def test_every_text_that_was_sent_is_in_the_history_everywhere(world: World) -> None:
    alice, bob = world.peers
    message = alice.do(lambda: alice.room.send("one")).id
    for text in ("two", "three", "four"):
        world.run(seconds=2)
        alice.do(partial(alice.room.edit, message, text))
    world.run(seconds=2)
    for peer in (alice, bob):
        assert texts(peer.room, message) == ["one", "two", "three", "four"]
        assert peer.room.message(message).text == "four"
    times = [version.at_ms for version in bob.room.edits(message)]
    assert times == sorted(times) and times[-1] == bob.room.message(message).edited_at


def test_history_comes_whole_to_somebody_new(world: World) -> None:
    alice = world.peers[0]
    message = alice.do(lambda: alice.room.send("one")).id
    for text in ("two", "three"):
        world.run(seconds=1)
        alice.do(partial(alice.room.edit, message, text))
    carol = world.add_peer()
    world.run(seconds=5)
    assert texts(carol.room, message) == ["one", "two", "three"]


def test_edit_gives_nobody_what_was_written_before_they_came(world: World) -> None:
    """Where new members read only what comes after them, it would carry the texts from before."""
    alice = world.peers[0]
    alice.do(lambda: alice.room.set_history("from_join"))
    world.run(seconds=2)
    message = alice.do(lambda: alice.room.send("one")).id
    world.run(seconds=1)
    alice.do(lambda: alice.room.edit(message, "two"))
    world.run(seconds=1)
    world._link = alice.do(alice.room.invite)  # the one from before was closed
    carol = world.add_peer()
    world.run(seconds=5)
    assert carol.room.standing == "member"
    alice.do(lambda: alice.room.edit(message, "three"))
    world.run(seconds=3)
    kept = [value for (value,) in carol.peer._db.rows("select value from mark")]
    assert any("three" in value for value in kept)
    assert not any("one" in value or "two" in value for value in kept)
    assert texts(alice.room, message)[::2] == ["one", "three"]


def test_what_was_corrected_before_it_was_sent_is_in_no_history(world: World) -> None:
    alice, bob = world.peers
    alice.go_offline()
    message = alice.do(lambda: alice.room.send("draft")).id
    alice.do(lambda: alice.room.edit(message, "sent"))
    alice.go_online()
    world.run(seconds=3)
    alice.go_offline()
    alice.do(lambda: alice.room.edit(message, "slip"))
    alice.do(lambda: alice.room.edit(message, "corrected"))
    alice.go_online()
    world.run(seconds=3)
    assert texts(alice.room, message) == texts(bob.room, message) == ["sent", "corrected"]


def test_history_keeps_as_much_as_one_entry_carries(world: World) -> None:
    alice, bob = world.peers
    message = alice.do(lambda: alice.room.send("number 0")).id
    for number in range(1, EARLIER_MAX + 5):
        world.run(seconds=0.5)
        alice.do(partial(alice.room.edit, message, f"number {number}"))
    world.run(seconds=2)
    kept = texts(bob.room, message)
    assert kept == texts(alice.room, message)
    assert kept[0] == "number 0" and len(kept) == EARLIER_MAX + 2
    long = "x" * 20_000
    for number in range(6):
        alice.do(partial(alice.room.edit, message, long + str(number)))
        world.run(seconds=0.5)
    world.run(seconds=2)
    assert texts(bob.room, message)[-2:] == [long + "4", long + "5"]
    assert alice.peer.check() == bob.peer.check() == []


def test_edits_of_both_devices_of_the_author_are_in_the_history(world: World) -> None:
    alice, bob = world.peers
    phone = linked(world, alice, "phone")
    message = alice.do(lambda: alice.room.send("from the laptop")).id
    world.run(seconds=2)
    room = _room_of(phone, world)
    phone.do(lambda: room.edit(message, "from the phone"))
    world.run(seconds=2)
    alice.do(lambda: alice.room.edit(message, "from the laptop again"))
    world.run(seconds=2)
    said = ["from the laptop", "from the phone", "from the laptop again"]
    assert texts(alice.room, message) == texts(room, message) == texts(bob.room, message) == said


def test_deleting_takes_the_history_along(world: World) -> None:
    alice, bob = world.peers
    message = alice.do(lambda: alice.room.send("one")).id
    world.run(seconds=1)
    alice.do(lambda: alice.room.edit(message, "two"))
    world.run(seconds=1)
    alice.do(lambda: alice.room.delete(message))
    world.run(seconds=2)
    for peer in (alice, bob):
        with pytest.raises(NotFoundError, match="deleted"):
            peer.room.edits(message)
        assert peer.peer._db.rows("select value from mark where root = ?", (int(Root.EDITS),)) == []


def _room_of(device: SimPeer, world: World) -> Room:
    return device.peer.room(world.room_id)


def journal(device: SimPeer, world: World) -> set[tuple[Root, str]]:
    """Return which messages and edits stand in a device's own journal."""
    db = device.peer._db
    room = _room_of(device, world)._row
    own = chains.find_chain(db, room, device.peer.device)
    assert own is not None
    return {
        place
        for number in chains.volume_numbers(db, own.id)
        for place in chains.load_volume(db, own.id, number).clocks
        if place[0] in (Root.MESSAGES, Root.EDITS)
    }


def test_deleting_on_one_device_erases_what_the_other_wrote(world: World) -> None:
    alice, bob = world.peers
    phone = linked(world, alice, "phone")
    first = alice.do(lambda: alice.room.send("canary one")).id
    world.run(seconds=2)
    alice.do(lambda: alice.room.edit(first, "canary two"))
    world.run(seconds=2)
    room = _room_of(phone, world)
    phone.do(lambda: room.edit(first, "canary three"))
    world.run(seconds=2)
    assert {root for root, _ in journal(alice, world)} == {Root.MESSAGES, Root.EDITS}
    phone.do(lambda: room.delete(first))
    world.run(seconds=3)
    assert journal(alice, world) == journal(phone, world) == set()
    for device in (alice, phone, bob):
        assert device.peer.check() == []
        values = device.peer._db.rows(
            "select value || ifnull(edited, '') from message union select value from mark "
            "union select raw from op"
        )
        assert not [value for (value,) in values if value and "canary" in value]
        assert _room_of(device, world).outbox() == []


def test_deletion_that_arrives_before_its_message_wins() -> None:
    net, clock = Net(), FakeClock()
    with make_peer(1, clock=clock) as alice, make_peer(2, clock=clock) as bob:
        room, heard = alice.join(LINK), bob.join(LINK)
        sync(net, alice, bob)
        message = room.send("canary")
        sync(net, alice)
        kept = bob._db.rows("select count(*) from message")
        room.delete(message.id)
        sync(net, alice)
        assert kept == [(0,)]
        sync(net, bob)
        assert [(m.text, m.deleted) for m in heard.messages()] == [("", True)]
        assert heard.unread() == 0
        assert room.digest() == heard.digest()


def traces(path: Path) -> list[str]:
    """Return which of a database's files hold the canary, as bytes."""
    found = [path, path.with_name(path.name + "-wal")]
    return [each.name for each in found if each.exists() and b"canary" in each.read_bytes()]


@pytest.mark.parametrize("edited", [False, True])
def test_deletion_leaves_no_trace_of_the_text_in_the_database_file(
    tmp_path: Path, edited: bool
) -> None:
    paths = tmp_path / "alice.db", tmp_path / "bob.db"
    net, clock = Net(), FakeClock()
    with (
        make_peer(1, clock=clock, path=paths[0]) as alice,
        make_peer(2, clock=clock, path=paths[1]) as bob,
    ):
        room, heard = alice.join(LINK), bob.join(LINK)
        message = room.send("canary " * 300)
        sync(net, alice, bob)
        if edited:
            room.edit(message.id, "canary again " * 300)
            sync(net, alice, bob)
        assert [traces(path) != [] for path in paths] == [True, True]
        room.delete(message.id)
        sync(net, alice, bob)
        assert heard.message(message.id).deleted
        assert [traces(path) for path in paths] == [[], []]


def test_trace_goes_later_where_somebody_is_reading(tmp_path: Path) -> None:
    path = tmp_path / "alice.db"
    with make_peer(1, path=path) as alice:
        room = alice.create_room("Team")
        message = room.send("canary " * 300)
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("begin")
            reader.execute("select count(*) from message").fetchone()
            room.delete(message.id)
            assert traces(path) != []
        room.send("one more")
        assert traces(path) == []


def test_hidden_message_has_no_history_for_others(world: World) -> None:
    alice, bob = world.peers
    message = bob.do(lambda: bob.room.send("one")).id
    world.run(seconds=1)
    bob.do(lambda: bob.room.edit(message, "two"))
    world.run(seconds=1)
    alice.do(lambda: alice.room.hide(message))
    world.run(seconds=2)
    assert texts(bob.room, message) == ["one", "two"]
    with pytest.raises(NotAllowedError, match="hidden"):
        alice.room.edits(message)

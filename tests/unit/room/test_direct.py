"""Direct rooms, and notes to oneself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncchat.core.values import LETTER_FIELD, Root
from syncchat.errors import NotAllowedError, NotFoundError, ValidationError
from syncchat.room import Room
from syncchat.storage.fields import profile_fields
from syncchat.testing import SimPeer, World
from syncchat.testing.relay import URL
from syncchat.trust.letters import DirectRoom, seal_letter
from tests.support.linking import linked
from tests.support.peers import make_peer


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=9, peers=3) as made:
        made.run(seconds=1)
        yield made


def directs(peer: SimPeer) -> list[Room]:
    return [room for room in peer.peer.rooms() if room.direct is not None]


def texts(room: Room) -> list[str]:
    return [message.text for message in room.messages()]


def start(one: SimPeer, other: SimPeer) -> Room:
    return one.do(lambda: one.peer.direct(other.peer.id))


def test_direct_room_appears_for_both_and_for_nobody_else(world: World) -> None:
    alice, bob, carol = world.peers
    room = start(alice, bob)
    alice.do(lambda: room.send("just us"))
    world.run(seconds=5)
    (theirs,) = directs(bob)
    assert (theirs.id, texts(theirs), theirs.standing) == (room.id, ["just us"], "member")
    assert (room.direct, theirs.direct) == (bob.peer.id, alice.peer.id)
    assert (room.title, theirs.title) == (bob.peer.name, alice.peer.name)
    assert {m.id for m in theirs.members()} == {alice.peer.id, bob.peer.id}
    bob.do(lambda: theirs.send("hello"))
    world.run(seconds=3)
    assert texts(room) == texts(theirs) == ["just us", "hello"]
    assert room.digest() == theirs.digest()
    assert directs(carol) == []
    assert carol.room.digest() == alice.room.digest()
    ((_, _, letter),) = profile_fields(carol.peer._db, 1, LETTER_FIELD)
    assert set(letter) == {"sealed", "boxes"}
    assert [alice.peer.check(), bob.peer.check()] == [[], []]


def test_other_one_has_a_name_before_they_have_come(world: World) -> None:
    alice, bob, _ = world.peers
    alice.go_offline()
    room = start(alice, bob)
    names = {member.id: member.name for member in room.members()}
    assert names[bob.peer.id] == room.title == bob.peer.name


def test_starting_again_gives_the_same_room_on_both_sides(world: World) -> None:
    alice, bob, _ = world.peers
    room = start(alice, bob)
    assert start(alice, bob) == room
    world.run(seconds=5)
    assert start(bob, alice).id == room.id
    assert alice.peer.direct(bob.peer.id[:10].lower()) == room
    world.run(seconds=5)
    assert len(directs(alice)) == len(directs(bob)) == 1


def test_two_who_start_at_the_same_time_end_in_one_room(world: World) -> None:
    alice, bob, _ = world.peers
    for peer in (alice, bob):
        peer.go_offline()
    first, second = start(alice, bob), start(bob, alice)
    assert first.id != second.id
    for peer in (alice, bob):
        peer.go_online()
    world.run(seconds=10)
    chosen = start(alice, bob)
    assert chosen.id == start(bob, alice).id == min(first.id, second.id)
    assert [room.id for room in directs(alice)] == [room.id for room in directs(bob)]
    assert len(directs(alice)) == 1
    alice.do(lambda: chosen.send("one for both"))
    world.run(seconds=3)
    assert texts(start(bob, alice)) == ["one for both"]


def test_what_was_written_in_the_other_one_is_not_lost(world: World) -> None:
    alice, bob, _ = world.peers
    for peer in (alice, bob):
        peer.go_offline()
    pair = start(alice, bob), start(bob, alice)
    alice.do(lambda: pair[0].send("by alice"))
    bob.do(lambda: pair[1].send("by bob"))
    for peer in (alice, bob):
        peer.go_online()
    world.run(seconds=10)
    for peer in (alice, bob):
        said = {text for room in directs(peer) for text in texts(room)}
        assert said == {"by alice", "by bob"}
    assert start(alice, bob).id == start(bob, alice).id


def test_direct_room_is_called_as_who_it_is_with(world: World) -> None:
    alice, bob, _ = world.peers
    room = start(alice, bob)
    world.run(seconds=5)
    bob.do(lambda: bob.peer.rename("Robert"))
    world.run(seconds=3)
    assert room.title == "Robert"
    assert alice.peer.room("Robert") == room
    (theirs,) = directs(bob)
    bob.do(lambda: theirs.set_title("something else"))
    world.run(seconds=3)
    assert (room.title, theirs.title) == ("Robert", alice.peer.name)


def test_own_devices_get_the_direct_room_too(world: World) -> None:
    alice, bob, _ = world.peers
    phone = linked(world, bob, "phone")
    room = start(alice, bob)
    alice.do(lambda: room.send("just us"))
    world.run(seconds=15)
    (theirs,) = directs(phone)
    assert (theirs.direct, texts(theirs)) == (alice.peer.id, ["just us"])
    assert phone.peer.direct(alice.peer.id) == theirs


def test_who_left_is_met_in_a_new_room(world: World) -> None:
    alice, bob, _ = world.peers
    room = start(alice, bob)
    world.run(seconds=5)
    (theirs,) = directs(bob)
    bob.do(theirs.leave)
    world.run(seconds=5)
    again = start(alice, bob)
    assert again.id != room.id
    world.run(seconds=5)
    assert bob.peer.direct(alice.peer.id).id == again.id


def test_letter_calls_nobody_to_another_relay(world: World) -> None:
    alice, bob, _ = world.peers
    for relay, welcome in (("ws://elsewhere.example", False), (URL, True)):
        letter = seal_letter(
            DirectRoom(bytes(15) + relay[-1].encode(), relay),
            room=world.room_id,
            writer=alice.peer._membership.person.id,
            readers=[bob.peer._membership.person.user_key],
            random=world.random,
        )
        with alice.peer._db.atomic():
            alice.peer._put_field(1, Root.PROFILE, LETTER_FIELD + relay[-5:], letter)
        alice.do(lambda: alice.room.send("and a message"))
        world.run(seconds=3)
        assert bool(directs(bob)) is welcome
    assert directs(bob)[0].standing == "recovering"  # there is no such room


def test_nobody_fills_the_list_with_direct_rooms(world: World) -> None:
    alice, bob, _ = world.peers
    for number in range(8):
        letter = seal_letter(
            DirectRoom(bytes([number]) * 16, URL),
            room=world.room_id,
            writer=alice.peer._membership.person.id,
            readers=[bob.peer._membership.person.user_key],
            random=world.random,
        )
        with alice.peer._db.atomic():
            alice.peer._put_field(1, Root.PROFILE, f"{LETTER_FIELD}{number}", letter)
    alice.do(lambda: alice.room.send("and a message"))
    world.run(seconds=3)
    rows = bob.peer._db.rows("select count(*) from room where direct = ?", (alice.peer.id,))
    assert rows == [(4,)]
    assert len(directs(bob)) == 1


def test_blocked_member_opens_no_direct_room(world: World) -> None:
    alice, bob, _ = world.peers

    def block() -> None:
        with bob.peer._db.atomic():
            bob.peer._personal.put(f"block/{alice.peer.id}", True)

    bob.do(block)
    start(alice, bob)
    world.run(seconds=5)
    assert directs(bob) == []


def test_direct_room_needs_somebody_whom_one_shares_a_room_with(world: World) -> None:
    alice, bob, _ = world.peers
    with pytest.raises(ValidationError, match="notes"):
        alice.peer.direct(alice.peer.id)
    for nobody in ("", "0" * 26, "x"):
        with pytest.raises(NotFoundError, match="no member"):
            alice.peer.direct(nobody)
    alice.do(lambda: alice.room.set_role(bob.peer.id, "reader"))
    world.run(seconds=3)
    with pytest.raises(NotAllowedError, match="may not write"):
        bob.peer.direct(alice.peer.id)


# Notes


def test_notes_are_for_oneself_and_need_no_relay() -> None:
    with make_peer(1, name="Alice") as alice:
        notes = alice.notes()
        notes.send("milk")
        assert notes == alice.notes()
        assert (notes.title, notes.relay, texts(notes)) == ("Notes", "", ["milk"])
        assert [member.name for member in notes.members()] == ["Alice"]
        assert alice.rooms() == []
        notes.pin(notes.messages()[0].id)
        assert [m.text for m in notes.pins()] == ["milk"]
        assert alice.check() == []


def test_notes_sync_between_own_devices_and_reach_nobody_else(world: World) -> None:
    alice, bob, _ = world.peers
    alice.do(lambda: alice.peer.notes().send("before the phone"))
    phone = linked(world, alice, "phone")
    phone.do(lambda: phone.peer.notes().send("by phone"))
    world.run(seconds=5)
    assert (
        texts(alice.peer.notes()) == texts(phone.peer.notes()) == ["before the phone", "by phone"]
    )
    assert alice.peer.notes().digest() == phone.peer.notes().digest()
    assert texts(bob.peer.notes()) == []
    assert b"before the phone" not in world.relay.stored_bytes()

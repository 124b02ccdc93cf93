"""What a person keeps to themselves, on all of their devices and on nobody else's."""

from __future__ import annotations

from typing import Any

from syncchat.testing import SimPeer, World

from ..support.linking import linked


def _put(device: SimPeer, key: str, value: Any) -> None:
    def put() -> None:
        with device.peer._db.atomic():
            device.peer._personal.put(key, value)
        device.peer._ring()

    device.do(put)


def test_what_was_kept_before_there_was_a_home_comes_to_a_device_linked_later() -> None:
    with World(seed=1, peers=2) as world:
        alice, bob = world.peers
        _put(alice, "note/one", {"text": "kept"})
        _put(alice, "note/two", 2)
        assert alice.peer.devices.home == ""
        phone = linked(world, alice, "phone")
        assert phone.peer._personal.all("note/") == {"note/one": {"text": "kept"}, "note/two": 2}
        _put(phone, "note/two", None)
        world.run(seconds=5)
        for device in (alice, phone):
            assert device.peer._personal.all("note/") == {"note/one": {"text": "kept"}}
            assert device.peer._personal.get("note/two") is None
        assert bob.peer._personal.all("") == {}
        assert alice.peer.check() == phone.peer.check() == []


def test_devices_that_write_at_once_end_with_the_later_value() -> None:
    with World(seed=2, peers=1) as world:
        (alice,) = world.peers
        phone = linked(world, alice, "phone")
        for device in (alice, phone):
            device.go_offline()
        _put(alice, "note", "first")
        world.run(seconds=2)
        _put(phone, "note", "second")
        for device in (phone, alice):
            device.go_online()
        world.run(seconds=10)
        assert alice.peer._personal.get("note") == phone.peer._personal.get("note") == "second"


def test_value_that_is_so_already_is_not_written_again() -> None:
    with World(seed=3, peers=1) as world:
        (alice,) = world.peers
        _put(alice, "note", [1])
        row = alice.peer._personal.row()
        assert row is not None
        before = alice.peer._db.rows("select at from op where room = ?", (row.id,))
        _put(alice, "note", [1])
        assert alice.peer._db.rows("select at from op where room = ?", (row.id,)) == before


def test_draft_and_stars_come_to_the_other_device() -> None:
    with World(seed=4, peers=2) as world:
        alice, bob = world.peers
        phone = linked(world, alice, "phone")
        world.write(alice, "first")
        world.run(seconds=5)
        message = alice.room.messages()[-1].id
        room = phone.peer.rooms()[0]
        alice.do(lambda: alice.room.set_draft("half a thought", reply_to=message))
        phone.do(lambda: room.star(message))
        world.run(seconds=5)
        draft = room.draft()
        assert draft is not None and (draft.text, draft.reply_to) == ("half a thought", message)
        assert [m.id for m in alice.room.starred()] == [message]
        phone.do(room.send_draft)
        world.run(seconds=5)
        assert alice.room.draft() is None
        assert alice.room.messages()[-1].text == bob.room.messages()[-1].text == "half a thought"
        assert bob.room.draft() is None and bob.room.starred() == []


def test_blocked_member_is_not_seen_or_counted_on_any_device_and_comes_back_whole() -> None:
    with World(seed=5, peers=3) as world:
        alice, bob, carol = world.peers
        phone = linked(world, alice, "phone")
        rooms = [alice.room, phone.peer.rooms()[0]]
        world.write(bob, "before")
        world.run(seconds=5)
        assert [room.unread() for room in rooms] == [1, 1]
        phone.do(lambda: phone.peer.block(bob.peer.id))
        world.run(seconds=5)
        world.write(bob, "meanwhile")
        world.write(carol, "heard")
        world.run(seconds=5)
        for room in rooms:
            assert [m.text.split()[-1] for m in room.messages()] == ["heard"]
            assert room.unread() == 1
        for device in (alice, phone):
            assert device.peer.check() == [] and device.room.digest() == bob.room.digest()
        alice.do(lambda: alice.peer.unblock(bob.peer.id))
        world.run(seconds=5)
        for room in rooms:
            shown = {m.text.split()[-1] for m in room.messages()}
            assert shown == {"before", "meanwhile", "heard"} and room.unread() == 3
        assert alice.peer.check() == phone.peer.check() == []


def test_message_deleted_for_oneself_is_gone_on_the_other_device_only() -> None:
    with World(seed=6, peers=2) as world:
        alice, bob = world.peers
        phone = linked(world, alice, "phone")
        room = phone.peer.rooms()[0]
        world.write(bob, "unwanted")
        world.run(seconds=5)
        message = alice.room.messages()[-1].id
        alice.do(lambda: alice.room.delete_for_me(message))
        world.run(seconds=5)
        assert alice.room.messages() == room.messages() == [] and room.unread() == 0
        assert [m.id for m in bob.room.messages()] == [message]
        assert alice.peer.check() == phone.peer.check() == []


def test_planned_message_goes_out_once_though_two_devices_are_online() -> None:
    with World(seed=7, peers=2) as world:
        alice, bob = world.peers
        phone = linked(world, alice, "phone")
        alice.do(lambda: alice.room.schedule("planned", alice.peer.now_ms() + 10_000))
        world.run(seconds=5)
        assert len(phone.peer.scheduled()) == 1
        for _ in range(30):
            for device in (phone, alice):
                device.do(device.peer.send_due)
            world.run(seconds=1)
        assert [m.text for m in bob.room.messages()] == ["planned"]
        assert phone.peer.scheduled() == alice.peer.scheduled() == []


def test_planned_message_that_two_devices_sent_apart_is_there_once_in_the_end() -> None:
    with World(seed=8, peers=2) as world:
        alice, bob = world.peers
        phone = linked(world, alice, "phone")
        alice.do(lambda: alice.room.schedule("planned", alice.peer.now_ms() + 10_000))
        world.run(seconds=5)
        alice.go_offline()
        phone.go_offline()
        world.run(seconds=90)
        alice.do(alice.peer.send_due)
        phone.do(phone.peer.send_due)
        alice.go_online()
        phone.go_online()
        world.run(seconds=10)
        for device in (alice, phone):
            device.do(device.peer.send_due)
        world.run(seconds=10)
        shown = [m.text for m in bob.room.messages() if not m.deleted]
        assert shown == ["planned"]
        assert bob.room.digest() == alice.room.digest() == phone.peer.rooms()[0].digest()

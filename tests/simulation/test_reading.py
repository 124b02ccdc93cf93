"""What a person has read on one device is read on the other, within moments and in any order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import pytest

from syncchat import Room
from syncchat.storage.tallies import UnreadCounts
from syncchat.testing import SimPeer, World

from ..support.linking import linked

WITHIN_SECONDS = 2
"""How long it may take while both devices are online."""


class Setting(NamedTuple):
    """Is Alice with a laptop and a phone, and Bob, in one room."""

    world: World
    laptop: SimPeer
    phone: SimPeer
    bob: SimPeer


def room_of(device: SimPeer) -> Room:
    """Return the room that all are in."""
    (found,) = [room for room in device.peer.rooms() if room.title == "start"]
    return found


@pytest.fixture
def setting() -> Iterator[Setting]:
    with World(seed=3, peers=2) as world:
        laptop, bob = world.peers
        phone = linked(world, laptop, "phone")
        world.run(seconds=10)
        assert room_of(phone).standing == "member"
        yield Setting(world, laptop, phone, bob)
        for device in (laptop, phone, bob):
            assert device.peer.check() == []
        phone.kill()


def write(setting: Setting, count: int = 3) -> list[str]:
    """Have Bob write, the last message beside the first; return the ids."""
    room, ids = room_of(setting.bob), list[str]()
    send = partial(room.send, mentions=[setting.laptop.peer.id])
    for number in range(count):
        beside = ids[0] if number == count - 1 else None
        ids.append(setting.bob.do(partial(send, f"number {number}", thread=beside)).id)
    setting.world.run(seconds=2)
    return ids


@pytest.mark.parametrize("receipts", ["public", "private"])
def test_reading_on_one_device_clears_the_other_while_both_are_online(
    setting: Setting, receipts: str
) -> None:
    world, laptop, phone, bob = setting
    laptop.do(lambda: room_of(laptop).set_receipts(receipts))
    world.run(seconds=WITHIN_SECONDS)
    assert room_of(phone).receipts == receipts
    ids = write(setting)
    for device in (laptop, phone):
        assert room_of(device).unread_counts() == UnreadCounts(2, 2, 1, 1)
    laptop.do(lambda: room_of(laptop).mark_read(ids[1]))
    world.run(seconds=WITHIN_SECONDS)
    assert room_of(phone).unread_counts() == UnreadCounts(0, 0, 1, 1)
    phone.do(lambda: room_of(phone).mark_read(thread=ids[0]))
    world.run(seconds=WITHIN_SECONDS)
    assert room_of(laptop).unread_counts() == UnreadCounts()
    read_by = (laptop.peer.id,) if receipts == "public" else ()
    assert [m.read_by for m in room_of(bob).messages(threads=True)] == [read_by] * 3


def test_message_marked_as_unread_is_so_on_the_other_device_until_it_is_read_there(
    setting: Setting,
) -> None:
    world, laptop, phone, bob = setting
    ids = write(setting)
    laptop.do(lambda: room_of(laptop).mark_read())
    world.run(seconds=WITHIN_SECONDS)
    assert room_of(phone).unread_counts() == UnreadCounts()
    laptop.do(lambda: room_of(laptop).mark_unread(ids[0]))
    world.run(seconds=WITHIN_SECONDS)
    first = room_of(phone).first_unread()
    assert first is not None and first.id == ids[0]
    phone.do(lambda: room_of(phone).mark_read())
    world.run(seconds=WITHIN_SECONDS)
    assert room_of(laptop).unread_counts() == UnreadCounts()
    assert [m.read_by for m in room_of(bob).messages()] == [(laptop.peer.id,)] * 2


def test_devices_that_read_apart_come_to_the_same(setting: Setting) -> None:
    """What one has read and the other has not counts as read, whoever comes online first."""
    world, laptop, phone, _ = setting
    laptop.do(lambda: room_of(laptop).set_receipts("private"))
    ids = write(setting, 6)
    for device in (laptop, phone):
        device.go_offline()
    laptop.do(lambda: room_of(laptop).mark_read(ids[1]))
    world.run(seconds=1)
    phone.do(lambda: room_of(phone).mark_read(ids[2]))
    phone.do(lambda: room_of(phone).mark_unread(ids[0]))
    laptop.do(lambda: room_of(laptop).mark_read(thread=ids[0]))
    for device in (phone, laptop):
        device.go_online()
        world.run(seconds=10)
    for device in (laptop, phone):
        unread = [m.id for m in room_of(device).messages(threads=True) if m.unread]
        assert unread == [ids[0], ids[3], ids[4]]
        assert room_of(device).unread_counts() == UnreadCounts(3, 3, 0, 0)


def test_device_linked_later_knows_what_was_read_before() -> None:
    with World(seed=4, peers=2) as world:
        laptop, bob = world.peers
        read = room_of(bob).send("read, but nobody is to know").id
        world.run(seconds=3)
        laptop.do(lambda: room_of(laptop).set_receipts("private"))
        laptop.do(lambda: room_of(laptop).mark_read())
        laptop.do(lambda: room_of(laptop).set_level("none"))
        unread = bob.do(lambda: room_of(bob).send("not read yet")).id
        phone = linked(world, laptop, "phone")
        world.run(seconds=20)
        room = room_of(phone)
        assert [(m.id, m.unread) for m in room.messages()] == [(read, False), (unread, True)]
        assert (room.settings.level, room.receipts) == ("none", "private")
        assert room_of(bob).message(read).read_by == ()
        assert phone.peer.check() == laptop.peer.check() == []
        phone.kill()

"""Receipts: who has an own message, and who has read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncchat import Receipt, Room, Status
from syncchat.errors import NotAllowedError, NotFoundError, ValidationError
from tests.support.devices import Device
from tests.support.peers import Inbox, Net, make_peer, sync
from tests.support.ports import FakeClock
from tests.support.room import LINK


def by_name(room: Room, message: str) -> dict[str, Receipt]:
    return {receipt.name: receipt for receipt in room.delivery(message)}


def test_each_member_has_a_receipt_of_their_own_that_only_gets_further(tmp_path: Path) -> None:
    net, clock = Net(), FakeClock()
    path = tmp_path / "alice.db"
    with (
        make_peer(2, clock=clock, name="Bob") as bob,
        make_peer(3, clock=clock, name="Carol") as carol,
    ):
        with make_peer(1, path=path, clock=clock, name="Alice") as alice:
            room = alice.join(LINK)
            theirs, hers = bob.join(LINK), carol.join(LINK)
            sync(net, alice, bob, carol)
            sync(net, alice, bob, carol)
            message = room.send("hello")
            assert {r.status for r in room.delivery(message.id)} == {Status.QUEUED}
            sync(net, alice)
            assert {r.status for r in room.delivery(message.id)} == {Status.SENT}
            one, two = net.connect(alice), net.connect(bob)
            net.settle()
            for _ in range(2):  # peers tell the relay, and it tells others
                net.advance(2_000, clock)
            found = by_name(room, message.id)
            assert found["Bob"].status is Status.DELIVERED
            assert found["Carol"].status is Status.SENT
            assert found["Bob"].delivered_at is not None and found["Carol"].delivered_at is None
            theirs.mark_read()
            net.settle()
            found = by_name(room, message.id)
            assert found["Bob"].status is Status.READ and found["Bob"].read_at is not None
            assert found["Carol"].status is Status.SENT
            for line in (one, two):
                net.cut(line)
            three = net.connect(carol)
            net.settle()
            net.advance(2_000, clock)
            net.cut(three)
            assert hers.unread() == 1
        with make_peer(1, path=path, clock=clock, name="Alice") as alice:
            room = alice.rooms()[0]
            assert by_name(room, message.id)["Bob"].status is Status.READ
            sync(net, alice)  # it asks, though nothing came meanwhile
            assert by_name(room, message.id)["Carol"].status is Status.DELIVERED
            # A relay that was lost knows nothing of who had it.
            alice._db.execute("update envelope set relay_seq = null")
            assert by_name(room, message.id)["Carol"].status is Status.DELIVERED


def test_receipts_of_others_and_of_deleted_messages_are_refused() -> None:
    inbox, device = Inbox(), Device(1)
    inbox.deliver(device.send("theirs"))
    (theirs,) = inbox.room.messages()
    with pytest.raises(NotAllowedError, match="own ones"):
        inbox.room.delivery(theirs.id)
    with pytest.raises(NotFoundError):
        inbox.room.delivery("nothing here")


def test_window_is_a_message_with_those_around_it() -> None:
    inbox, device = Inbox(), Device(1)
    inbox.deliver(*[device.send(str(number)) for number in range(60)])
    every = inbox.room.messages(limit=100)
    around = inbox.room.window(every[30].id, before=3, after=2)
    assert [m.text for m in around] == ["27", "28", "29", "30", "31", "32"]
    assert [m.text for m in inbox.room.window(every[0].id, before=3, after=0)] == ["0"]
    assert len(inbox.room.window(every[30].id)) == 51
    assert inbox.room.messages(after=around[-1].id, limit=2) == every[33:35]
    assert inbox.room.messages(before=around[0].id, limit=2) == every[25:27]
    for before, after in ((-1, 1), (1, -1), (500, 500)):
        with pytest.raises(ValidationError, match="before and after"):
            inbox.room.window(every[0].id, before=before, after=after)
    with pytest.raises(NotFoundError):
        inbox.room.window("nothing here")

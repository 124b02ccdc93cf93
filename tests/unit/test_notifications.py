"""Notifications: each message of others once, as the room's level says, together after absence."""

from __future__ import annotations

from datetime import timedelta

from syncchat import Notification
from syncchat.events import NOTIFIED_SHOWN_MAX
from syncchat.peer.notifying import AWAY_MS
from syncchat.storage import rooms
from tests.support.devices import Device
from tests.support.peers import Inbox


class Listener:
    """Asks a peer what wants attention, again and again."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self.seen = rooms.last_change(inbox.db)

    def told(self) -> list[Notification]:
        """Return what is new since the last call."""
        found, self.seen = self.inbox.peer._notifications(self.seen)
        return found

    def texts(self) -> list[list[str]]:
        """Return the texts in each notification since the last call."""
        return [[message.text for message in each.messages] for each in self.told()]


def now_writing(device: Device, inbox: Inbox) -> None:
    """Let a device's clock be that of the inbox, so that what it writes is of now."""
    device.stamp(inbox.clock.now_ms())


def test_each_message_of_others_is_told_once() -> None:
    inbox, device = Inbox(), Device(1)
    listener = Listener(inbox)
    message, entry = device.message("one")
    inbox.deliver(device.write(entry), device.send("two"))
    inbox.room.send("mine")
    assert listener.texts() == [["one"], ["two"]]
    assert listener.told() == []
    inbox.deliver(device.write(device.edit(message, "changed")))
    inbox.room.react(message, "👍")
    inbox.peer.rebuild()
    assert listener.told() == [], "what was told is not told again"


def test_what_was_read_elsewhere_or_deleted_is_not_told() -> None:
    inbox, device = Inbox(), Device(1)
    listener = Listener(inbox)
    message, entry = device.message("gone")
    inbox.deliver(device.write(entry), device.write(device.delete(message)))
    inbox.deliver(device.send("read"))
    inbox.room.mark_read()
    inbox.deliver(device.send("told"))
    assert listener.texts() == [["told"]]


def test_level_and_muting_say_what_is_told() -> None:
    inbox, device = Inbox(), Device(1)
    listener, room = Listener(inbox), inbox.room

    def both(name: str) -> list[list[str]]:
        me = (inbox.peer.id,)
        inbox.deliver(device.send(f"plain {name}"))
        inbox.deliver(device.write(device.message(f"to you {name}", mentions=me)[1]))
        return listener.texts()

    assert both("all") == [["plain all"], ["to you all"]]
    room.set_level("mentions")
    assert both("mentions") == [["to you mentions"]]
    room.set_level("none")
    assert both("none") == []
    room.set_level("all")
    room.mute(timedelta(minutes=1))
    assert both("muted") == []
    inbox.clock.advance(61_000)
    now_writing(device, inbox)
    assert both("later") == [["plain later"], ["to you later"]]


def test_edit_tells_only_those_whom_it_adds() -> None:
    inbox, device = Inbox(), Device(1)
    listener, room, me = Listener(inbox), inbox.room, (inbox.peer.id,)
    room.set_level("mentions")
    message, entry = device.message("plain")
    calling, called = device.message("to you", mentions=me)
    inbox.deliver(device.write(entry, called))
    assert listener.texts() == [["to you"]]
    room.mark_read()
    edit = device.edit(calling, "still to you")
    inbox.deliver(device.write(edit))
    assert listener.told() == []
    inbox.deliver(device.write(device.edit(message, "now to you", mentions=me)))
    (told,) = listener.told()
    assert (told.count, told.mentions, told.messages[0].text) == (1, 1, "now to you")
    inbox.deliver(device.write(device.edit(message, "once more", mentions=me)))
    assert listener.told() == []
    room.set_level("none")
    inbox.deliver(device.write(device.edit(message, "no more", mentions=())))
    inbox.deliver(device.write(device.edit(message, "and again", mentions=me)))
    assert listener.told() == []


def test_what_came_during_an_absence_is_told_together() -> None:
    inbox, device = Inbox(), Device(1)
    listener = Listener(inbox)
    old = [device.message(f"old {n}")[1] for n in range(NOTIFIED_SHOWN_MAX + 5)]
    calling = device.message("old, to you", mentions=(inbox.peer.id,))[1]
    inbox.clock.advance(AWAY_MS + 60_000)
    now_writing(device, inbox)
    new = [device.message(f"new {n}")[1] for n in range(2)]
    inbox.deliver(device.write(*old, calling), device.write(*new))
    together, *alone = listener.told()
    assert (together.count, together.mentions) == (NOTIFIED_SHOWN_MAX + 6, 1)
    shown = [message.text for message in together.messages]
    assert shown == [f"old {n}" for n in range(6, NOTIFIED_SHOWN_MAX + 5)] + ["old, to you"]
    assert [[m.text for m in each.messages] for each in alone] == [["new 0"], ["new 1"]]
    assert all(each.room_id == inbox.room.id for each in (together, *alone))
    assert listener.told() == []


def test_slow_listener_is_told_of_what_is_unread_and_nothing_twice() -> None:
    inbox, device = Inbox(), Device(1)
    listener, me = Listener(inbox), (inbox.peer.id,)
    message, entry = device.message("plain")
    inbox.deliver(device.write(entry))
    inbox.deliver(device.write(device.edit(message, "to you", mentions=me)))
    (told,) = listener.told()
    assert (told.count, told.mentions) == (1, 1)
    assert listener.told() == []

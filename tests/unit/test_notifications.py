"""Notifications: each message of others once, as the room's level says, together after absence."""

from __future__ import annotations

import tracemalloc
from datetime import timedelta

import pytest

from syncchat import MessageAdded, Notification
from syncchat.events import NOTIFIED_SHOWN_MAX
from syncchat.peer import notifying
from syncchat.peer.notifying import AWAY_MS
from syncchat.storage import rooms
from syncchat.storage.changes import cursor_at
from syncchat.storage.notices import news_since
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


def test_more_than_can_be_told_one_by_one_is_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifying, "ALONE_MAX", 3)
    inbox, device = Inbox(), Device(1)
    listener = Listener(inbox)
    inbox.deliver(*(device.send(f"new {n}") for n in range(5)))
    first, *alone = listener.told()
    assert (first.count, [m.text for m in first.messages]) == (2, ["new 0", "new 1"])
    assert [[m.text for m in each.messages] for each in alone] == [["new 2"], ["new 3"], ["new 4"]]
    assert listener.told() == []


def test_news_of_a_long_absence_are_not_held_in_memory() -> None:
    inbox = Inbox()

    def peak() -> int:
        tracemalloc.start()
        try:
            found, _ = inbox.peer._notices(cursor_at(0))
            assert len(found) == 1
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def write(seed: int, count: int) -> None:
        device = Device(seed)
        inbox.deliver(device.write(*(device.message("old")[1] for _ in range(count))))

    write(1, NOTIFIED_SHOWN_MAX * 2)
    inbox.clock.advance(AWAY_MS * 2)
    peak()
    few = peak()
    for seed in range(2, 6):
        write(seed, 500)
    assert inbox.room.unread() == NOTIFIED_SHOWN_MAX * 2 + 2_000
    assert peak() < few + 20_000, f"bytes, where {few} were enough for few"


async def test_notification_shows_what_its_messages_are_when_it_is_told() -> None:
    inbox, device = Inbox(), Device(1)
    events = inbox.peer.events()
    gone, entry = device.message("gone")
    kept, another = device.message("kept")
    inbox.deliver(device.write(entry, another))
    told: list[list[str]] = []
    async for event in events:
        if isinstance(event, MessageAdded) and event.message.id == kept:
            inbox.deliver(device.write(device.edit(kept, "changed")))
            inbox.room.delete_for_me(gone)
        if isinstance(event, Notification):
            told.append([message.text for message in event.messages])
            break
    assert told == [["changed"]], "and nothing of what is shown no more"


def test_news_are_found_by_what_came_not_by_what_is_there() -> None:
    """Every look at them went through all messages, 10 ms where there were 100,000."""
    inbox = Inbox()
    seen: list[str] = []
    inbox.db._conn.set_trace_callback(seen.append)
    assert list(news_since(inbox.db, 5, now_ms=9)) == []
    inbox.db._conn.set_trace_callback(None)
    steps = [row[3] for row in inbox.db.rows(f"explain query plan {seen[0]}")]
    assert any("message_added (added>" in step for step in steps), steps
    assert any("message_change (change>" in step for step in steps), steps
    assert not any("message_shown" in step or "SCAN" in step for step in steps), steps

"""Events: what a program is told, whoever wrote it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from syncchat import (
    Event,
    MessageAdded,
    MessageChanged,
    Notification,
    Peer,
    ReadMoved,
    RoomChanged,
)
from syncchat.core.markers import marker_key
from syncchat.ids import room_text, stamp_of
from tests.support.devices import Device
from tests.support.peers import LINK, Inbox, make_peer

SECONDS_MAX = 20


async def after(peer: Peer, acts: list[object], *, count: int) -> list[Event]:
    """Return the first ``count`` events that follow calls, which are made once one listens."""
    events = peer.events()
    got: list[Event] = []
    async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:

        async def listen() -> None:
            async for event in events:
                got.append(event)
                if len(got) == count:
                    return

        listening = tasks.create_task(listen())
        await asyncio.sleep(0)
        for act in acts:
            assert callable(act)
            act()
        await listening
    await events.aclose()
    return got


async def test_own_and_foreign_writes_become_events() -> None:
    inbox, device = Inbox(), Device(1)
    room = inbox.room
    added, mine = await after(
        inbox.peer,
        [lambda: inbox.deliver(device.send("theirs")), lambda: room.send("mine")],
        count=2,
    )
    assert isinstance(added, MessageAdded) and isinstance(mine, MessageAdded)
    assert {added.message.text, mine.message.text} == {"theirs", "mine"}
    assert added.room_id == room.id
    theirs = next(m for m in room.messages() if not m.mine)
    (changed,) = await after(inbox.peer, [lambda: room.react(theirs.id, "👍")], count=1)
    assert isinstance(changed, MessageChanged)
    assert [r.emoji for r in changed.message.reactions] == ["👍"]
    (moved,) = await after(inbox.peer, [room.mark_read], count=1)
    assert isinstance(moved, ReadMoved)
    assert (moved.member, moved.writer) == (inbox.peer.id, device.id)
    assert moved.upto_ms == theirs.sent_at


async def test_message_that_arrives_late_is_told_as_new() -> None:
    inbox, early, late = Inbox(), Device(1), Device(2)
    before = late.send("written first")
    for _ in range(5):
        early.stamp()
    inbox.deliver(early.send("arrives first"))
    (event,) = await after(inbox.peer, [lambda: inbox.deliver(before)], count=1)
    assert isinstance(event, MessageAdded)
    assert event.message.text == "written first"
    assert inbox.texts() == ["written first", "arrives first"]


async def test_new_and_renamed_rooms_are_told() -> None:
    with make_peer(1) as peer:
        (event,) = await after(peer, [lambda: peer.join(LINK)], count=1)
        assert event == RoomChanged(peer.rooms()[0].id)
        (event,) = await after(peer, [lambda: peer.rooms()[0].set_title("Other")], count=1)
        assert event == RoomChanged(peer.rooms()[0].id)


async def test_writes_of_another_handle_on_the_same_database_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with make_peer(1, path=path) as one, make_peer(1, path=path) as other:
        one.join(LINK)
        (event,) = await after(one, [lambda: other.rooms()[0].send("from beside")], count=1)
        assert isinstance(event, MessageAdded)
        assert event.message.text == "from beside"


async def test_unsent_message_that_is_taken_back_is_told_to_others_as_a_change_of_the_room(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.db"
    with make_peer(1, path=path) as writer, make_peer(1, path=path) as reader:
        room = writer.create_room("Team")
        message = room.send("sent too early")
        (told,) = await after(reader, [lambda: room.delete(message.id)], count=1)
        assert told == RoomChanged(room.id)
        assert reader.room(room.id).messages() == []


async def test_own_reading_is_told_also_where_others_do_not_see_it() -> None:
    inbox, device = Inbox(), Device(1)
    root, entry = device.message("root")
    inbox.deliver(device.write(entry, device.message("beside", thread=root)[1]))
    inbox.room.set_receipts("private")
    events = await after(inbox.peer, [inbox.room.mark_read], count=2)
    told = [(e.room_id, e.member, e.thread) for e in events if isinstance(e, ReadMoved)]
    assert told == [(inbox.room.id, inbox.peer.id, None), (inbox.room.id, inbox.peer.id, root)]


def test_nobody_can_tell_what_was_read_in_another_room() -> None:
    """Only the personal room may: a marker of somebody else's about another room is nothing."""
    inbox, device = Inbox(), Device(1)
    other = inbox.peer.create_room("Other")
    before = inbox.peer.cursor
    message, entry = device.message("hello")
    place = marker_key(device.id, room=room_text(other.id))
    inbox.deliver(device.write(entry, device.read(place, stamp_of(message))))
    told = inbox.peer.happened(before)
    assert not any(isinstance(event, ReadMoved) for event in told)
    assert inbox.room.unread() == 1
    assert inbox.peer.check() == []


async def test_notification_follows_the_message_that_it_is_about() -> None:
    inbox, device = Inbox(), Device(1)
    added, told = await after(inbox.peer, [lambda: inbox.deliver(device.send("hi"))], count=2)
    assert isinstance(added, MessageAdded) and isinstance(told, Notification)
    assert told == Notification(inbox.room.id, (added.message,), 1, 0)

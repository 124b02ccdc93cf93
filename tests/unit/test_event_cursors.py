"""Cursors of events: who stores one and starts again goes on where they were."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from itertools import islice
from pathlib import Path

import pytest

import syncchat
from syncchat import (
    Event,
    MessageAdded,
    MessageChanged,
    Notification,
    Peer,
    PresenceChanged,
    ReadMoved,
)
from syncchat.errors import ValidationError
from syncchat.storage import changes, rooms
from tests.support.devices import Device
from tests.support.peers import Inbox, make_peer

SECONDS_MAX = 20


def told(peer: Peer, cursor: str) -> list[Event]:
    """Return what happened since a cursor."""
    return list(peer.happened(cursor))


def with_restarts(peer: Peer, cursor: str, *, each: int = 1) -> list[Event]:
    """Return the same to a reader that is restarted after every ``each`` events."""
    found: list[Event] = []
    while part := list(islice(peer.happened(cursor), each)):
        found += part
        cursor = part[-1].cursor
        assert len(found) < 1_000, "it never ends"
    return found


def busy_inbox() -> tuple[Inbox, str]:
    """Return an inbox in which one transaction and later ones changed many things."""
    inbox, device = Inbox(), Device(1)
    before = inbox.peer.cursor
    first, entry = device.message("first")
    inbox.deliver(device.write(entry), *[device.send(f"message {n}") for n in range(50)])
    inbox.deliver(device.write(device.edit(first, "edited")))
    inbox.room.send("mine")
    inbox.room.react(first, "👍")
    inbox.room.mark_read()
    inbox.room.set_title("Other")
    return inbox, before


@pytest.mark.parametrize("each", [1, 3, 7])
def test_reader_that_restarts_after_every_few_events_is_told_each_once(each: int) -> None:
    inbox, before = busy_inbox()
    at_once = told(inbox.peer, before)
    assert len(at_once) > 50
    again = with_restarts(inbox.peer, before, each=each)
    assert [event.cursor for event in again] == [event.cursor for event in at_once]
    assert len({event.cursor for event in at_once}) == len(at_once)
    assert again == at_once


def test_message_that_changed_before_it_was_told_is_still_told_as_new_after_a_restart() -> None:
    inbox, device = Inbox(), Device(1)
    before = inbox.peer.cursor
    first, entry = device.message("first")
    inbox.deliver(device.write(entry))
    inbox.deliver(device.send("second"))
    inbox.deliver(device.write(device.edit(first, "edited")))
    # It changed last of all: who would be told of it there, having gone on from behind the second,
    # could not know that it is new.
    events = with_restarts(inbox.peer, before)
    kinds = [
        (type(e), e.message.text) for e in events if isinstance(e, MessageAdded | MessageChanged)
    ]
    assert kinds == [
        (MessageAdded, "edited"),
        (MessageAdded, "second"),
        (MessageChanged, "edited"),
    ]


def test_many_changes_of_one_message_are_told_once_as_they_came_out() -> None:
    inbox = Inbox()
    message = inbox.room.send("0")
    before = inbox.peer.cursor
    for number in range(1, 10):
        inbox.room.edit(message.id, str(number))
    (event,) = told(inbox.peer, before)
    assert isinstance(event, MessageChanged) and event.message.text == "9"


def test_view_folded_anew_is_told_to_nobody() -> None:
    inbox, before = busy_inbox()
    at_once, end = told(inbox.peer, before), inbox.peer.cursor
    inbox.peer.rebuild()
    assert told(inbox.peer, end) == []
    assert [event.cursor for event in told(inbox.peer, before)] == [e.cursor for e in at_once]
    assert told(inbox.peer, before) == at_once


def test_personal_room_folded_anew_tells_nothing_of_other_rooms() -> None:
    """It says what was read in private, what is marked as unread, and what is set aside."""
    inbox, writer, other = Inbox(), Device(1), Device(2)
    (marked, one), (gone, two) = writer.message("marked"), writer.message("gone for me")
    inbox.deliver(writer.write(one), writer.write(two), other.send("of somebody blocked"))
    inbox.room.set_receipts("private")
    inbox.room.mark_read()
    inbox.room.mark_unread(marked)
    inbox.room.delete_for_me(gone)
    inbox.peer.block(other.id)
    assert inbox.room.unread() == 1
    end = inbox.peer.cursor
    inbox.peer.rebuild()
    assert told(inbox.peer, end) == []
    assert inbox.room.unread() == 1 and inbox.peer.check() == []


def test_what_a_view_folded_anew_shows_otherwise_is_told() -> None:
    inbox, device = Inbox(), Device(1)
    message, entry = device.message("right")
    inbox.deliver(device.write(entry))
    inbox.db.execute("update message set value = replace(value, 'right', 'wrong')")
    end = inbox.peer.cursor
    inbox.peer.rebuild()
    (event,) = told(inbox.peer, end)
    assert isinstance(event, MessageChanged)
    assert (event.message.id, event.message.text) == (message, "right")


def test_message_that_a_view_folded_anew_does_not_show_is_told_as_a_change_of_the_room() -> None:
    inbox = Inbox()
    inbox.room.send("only in the rows")
    inbox.db.execute("delete from op where root = 1")
    end = inbox.peer.cursor
    inbox.peer.rebuild()
    assert told(inbox.peer, end) == [syncchat.RoomChanged(inbox.room.id)]


async def test_reader_goes_on_from_a_cursor_of_a_peer_that_was_closed(tmp_path: Path) -> None:
    with make_peer(1, path=tmp_path / "a.db") as peer:
        room = peer.create_room("Team")
        room.send("before")
        cursor = peer.cursor
        room.send("while nobody listened")
    with make_peer(1, path=tmp_path / "a.db") as peer:
        async with aclosing(peer.events(after=cursor)) as events, asyncio.timeout(SECONDS_MAX):
            event = await anext(events)
            assert isinstance(event, MessageAdded)
            assert event.message.text == "while nobody listened"
            peer.rooms()[0].send("now")
            event = await anext(events)
            assert isinstance(event, MessageAdded) and event.message.text == "now"
            assert event.cursor == told(peer, cursor)[-1].cursor


async def test_what_happens_in_passing_has_the_cursor_of_the_event_before_it() -> None:
    with make_peer(1) as peer:
        room = peer.create_room("Team")
        async with aclosing(peer.events()) as events, asyncio.timeout(SECONDS_MAX):
            room.send("hello")
            before = await anext(events)
            for passing in peer._passing_events.values():
                passing.append(PresenceChanged(room.id, peer.id))
            event = await anext(events)
            assert isinstance(event, PresenceChanged)
            assert event.cursor == before.cursor != ""


async def test_reader_far_behind_lets_others_work_and_keeps_a_bounded_part_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from syncchat.peer import stream

    monkeypatch.setattr(stream, "_PLACES_MAX", 30)
    inbox, before = busy_inbox()
    feed = stream._Feed(inbox.peer, changes.read_cursor(before, last=2**62))
    found = []
    while page := feed.read():
        assert len(page) <= stream._PAGE and len(feed._ahead) <= 30
        found += page
    assert found == told(inbox.peer, before)
    steps = 0

    async def count() -> None:
        nonlocal steps
        while True:
            steps += 1
            await asyncio.sleep(0)

    async with asyncio.timeout(SECONDS_MAX), asyncio.TaskGroup() as tasks:
        counting = tasks.create_task(count())
        async with aclosing(inbox.peer.events(after=before)) as events:
            async for event in events:
                if event == found[-1]:
                    break
        counting.cancel()
    assert steps > 1


def test_numbers_taken_back_by_a_power_loss_are_not_given_again() -> None:
    inbox, device = Inbox(), Device(1)
    inbox.deliver(device.send("first"))
    (last,) = inbox.db.execute("select change from local").fetchone()
    inbox.deliver(device.send("told, then lost with the power"))
    cursor = inbox.peer.cursor
    inbox.db.execute("delete from message where added > ?", (last,))
    inbox.db.execute("update local set change = ?", (last,))
    inbox.clock.advance(1_000)
    inbox.room.send("after the power came back")
    texts = [e.message.text for e in told(inbox.peer, cursor) if isinstance(e, MessageAdded)]
    assert texts == ["after the power came back"]


@pytest.mark.parametrize(
    "cursor", ["", "x", "-1", "1-2", "1-2-x-", "1-x-3-", "9" * 30, "1.5", "٣", str(2**60)]
)
def test_what_is_no_cursor_of_this_database_is_refused_with_words(cursor: str) -> None:
    with make_peer(1) as peer, pytest.raises(ValidationError, match="cursor"):
        peer.events(after=cursor)


def test_cursor_is_written_and_read_back() -> None:
    for place in (
        changes.end_of(7),
        changes.Place(7, changes.What.ADDED, 3, "0123456789ABCDEFGHJKMNPQRS"),
        changes.Place(7, changes.What.READ, 3, "MEMBER/WRITER"),
        changes.Place(7, changes.What.ROOM, 3, ""),
    ):
        assert changes.read_place(changes.write_place(place), last=7) == place


def test_places_are_found_by_index() -> None:
    inbox, _ = busy_inbox()
    last = rooms.last_change(inbox.db)
    for sql in (changes._ADDED, changes._CHANGED):
        plan = inbox.db.rows(f"explain query plan {sql}", (last, last, 0, "", 10))
        assert any("USING INDEX message_" in row[3] for row in plan), plan
        assert not any(row[3] == "SCAN message" for row in plan), plan


async def test_reads_are_told_with_who_read_whom() -> None:
    inbox, device = Inbox(), Device(1)
    inbox.deliver(device.send("theirs"))
    before = inbox.peer.cursor
    inbox.room.mark_read()
    with suppress(StopIteration):
        (moved,) = [e for e in told(inbox.peer, before) if isinstance(e, ReadMoved)]
    assert (moved.member, moved.writer) == (inbox.peer.id, device.id)


async def test_reader_killed_between_two_notifications_is_told_the_rest_once() -> None:
    inbox, device = Inbox(), Device(1)
    before = inbox.peer.cursor
    now = inbox.clock.now_ms()
    for number in range(3):
        inbox.deliver(device.write(device.message(f"news {number}", now_ms=now)[1]))
    seen: list[str] = []
    for _ in range(3):  # each life ends behind the first notification that it was told
        async with aclosing(inbox.peer.events(after=before)) as events:
            async with asyncio.timeout(SECONDS_MAX):
                async for event in events:
                    before = event.cursor
                    if isinstance(event, Notification):
                        seen += [message.text for message in event.messages]
                        break
    assert seen == ["news 0", "news 1", "news 2"]
    inbox.deliver(device.write(device.message("later", now_ms=now)[1]))
    async with aclosing(inbox.peer.events(after=before)) as events:
        async with asyncio.timeout(SECONDS_MAX):
            rest = [await anext(events), await anext(events)]
    assert [type(event) for event in rest] == [MessageAdded, Notification]


@pytest.mark.parametrize("text", ["7~x", "7~1~2", "7~1~2~3", "7~1~2~3~M~5", "7~" + "9" * 20])
def test_what_was_cut_off_a_cursor_is_noticed(text: str) -> None:
    with pytest.raises(ValidationError, match="cursor"):
        changes.read_cursor(text, last=7)


def test_cursor_in_the_middle_of_notifications_is_written_and_read_back() -> None:
    place = changes.Place(7, changes.What.ADDED, 3, "0123456789ABCDEFGHJKMNPQRS")
    for cursor in (
        changes.cursor_at(7),
        changes.Cursor(place, 5),
        changes.Cursor(place, 5, 7, 3, "0123456789ABCDEFGHJKMNPQRS"),
    ):
        assert changes.read_cursor(changes.write_cursor(cursor), last=7) == cursor

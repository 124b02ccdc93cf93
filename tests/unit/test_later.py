"""Scheduled messages, reminders, blocking, archives: what one arranges for oneself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import syncchat
from syncchat import Peer, Room
from syncchat.errors import NotFoundError, ValidationError
from syncchat.events import ReminderDue
from tests.support.ports import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def peer(tmp_path: Path, clock: FakeClock) -> Iterator[Peer]:
    with syncchat.open(tmp_path / "a.db", name="Ann", clock=clock) as made:
        yield made


@pytest.fixture
def room(peer: Peer) -> Room:
    return peer.create_room("Team")


def _texts(room: Room) -> list[str]:
    return [message.text for message in room.messages() if not message.deleted]


def test_message_goes_out_at_its_time_and_once(peer: Peer, room: Room, clock: FakeClock) -> None:
    first = room.send("first")
    late = room.schedule("late", peer.now_ms() + 9_000)
    soon = room.schedule("soon", peer.now_ms() + 5_000, reply_to=first.id, thread=first.id)
    assert [plan.text for plan in peer.scheduled()] == ["soon", "late"]
    assert peer.scheduled(room.id) == [soon, late] and peer.scheduled(b"r" * 16) == []
    assert peer.send_due() == []
    clock.advance(5_000)
    (sent,) = peer.send_due()
    assert (room.message(sent).text, room.message(sent).thread) == ("soon", first.id)
    assert peer.send_due() == [] and peer.scheduled() == [late]
    peer.unschedule(late.id[:8])
    clock.advance(60_000)
    assert peer.send_due() == [] and _texts(room) == ["first"]


def test_message_for_a_room_that_is_left_is_kept_with_its_problem(
    peer: Peer, room: Room, clock: FakeClock
) -> None:
    room.schedule("too late", peer.now_ms() + 1_000)
    room.leave()
    clock.advance(2_000)
    if peer.room(room.id).standing == "member":
        pytest.skip("the room has no relay that could take the departure")
    assert peer.send_due() == []
    (plan,) = peer.scheduled()
    assert "no longer" in plan.problem or "left" in plan.problem


def test_other_device_waits_before_it_sends_instead(
    peer: Peer, room: Room, clock: FakeClock
) -> None:
    plan = room.schedule("planned elsewhere", peer.now_ms() + 1_000)
    value = peer._personal.get("plan/" + plan.id)
    with peer._db.atomic():
        peer._personal.put("plan/" + plan.id, value | {"by": "ANOTHERDEVICE"})
    clock.advance(2_000)
    assert peer.send_due() == []
    clock.advance(60_000)
    assert len(peer.send_due()) == 1


def test_what_two_devices_have_sent_is_deleted_but_for_the_first(peer: Peer, room: Room) -> None:
    from syncchat.ids import room_text

    first, second = room.send("planned"), room.send("planned")
    text, now = room_text(room.id), peer.now_ms()
    with peer._db.atomic():
        peer._personal.put("sent/PLAN/ONE", [text, second.id, now])
        peer._personal.put("sent/PLAN/TWO", [text, first.id, now])
        peer._personal.put("sent/OLD/ONE", [text, first.id, now - 8 * 24 * 3_600_000])
        peer._personal.put("sent/ODD/ONE", "what is this")
    peer.send_due()
    assert [m.id for m in room.messages()] == [first.id]
    assert list(peer._personal.all("sent/")) == ["sent/PLAN/TWO"]


@pytest.mark.parametrize("at", [0, -1, True, "tomorrow", datetime(2100, 1, 1), 1_000, 2**63])
def test_time_that_is_none_is_refused(room: Room, peer: Peer, at: int) -> None:
    with pytest.raises(ValidationError):
        room.schedule("x", at)
    with pytest.raises(ValidationError):
        peer.remind(at, "x")
    assert peer.scheduled() == [] and peer.reminders() == []


def test_bad_plans_are_refused(room: Room, peer: Peer) -> None:
    at = datetime.now(UTC) + timedelta(days=40_000)  # noqa: TID251 -- far from any clock
    for text, more in ((" ", {}), ("x" * 20_000, {}), ("x", {"thread": "y"})):
        with pytest.raises(ValidationError):
            room.schedule(text, at, **more)
    with pytest.raises(NotFoundError):
        peer.unschedule("nothing")
    with pytest.raises(NotFoundError):
        peer.dismiss("")
    with pytest.raises(ValidationError, match="say what"):
        peer.remind(at)
    with pytest.raises(ValidationError, match="its id and its room"):
        peer.remind(at, message="0" * 26)


async def test_reminder_is_told_once_until_it_is_dismissed(
    peer: Peer, room: Room, clock: FakeClock
) -> None:
    sent = room.send("remember")
    made = peer.remind(peer.now_ms() + 1_000, "look at this", room=room.id, message=sent.id)
    later = peer.remind(peer.now_ms() + 90_000, "much later")
    clock.advance(1_500)

    async def told() -> list[ReminderDue]:
        found: list[ReminderDue] = []
        async with aclosing(peer.events()) as events:
            try:
                async with asyncio.timeout(0.3):
                    async for event in events:
                        if isinstance(event, ReminderDue):
                            found.append(event)
            except TimeoutError:
                pass
        return found

    (event,) = await told()
    assert (event.id, event.note, event.message_id) == (made.id, "look at this", sent.id)
    assert len(await told()) == 1, "told again to who asks anew"
    peer.dismiss(made.id)
    assert await told() == [] and peer.reminders() == [later]


def test_archive_and_favourites(peer: Peer, room: Room) -> None:
    second, third = peer.create_room("Two"), peer.create_room("Three")
    assert peer.rooms() == [room, second, third] and peer.rooms(archived=True) == []
    third.set_favourite()
    room.archive()
    assert peer.rooms() == [third, room, second]
    assert peer.rooms(archived=False) == [third, second] and peer.rooms(archived=True) == [room]
    assert room.settings.archived and third.settings.favourite
    third.set_favourite(False)
    room.archive(False)
    assert peer.rooms() == [room, second, third]


def test_message_deleted_for_oneself_is_shown_no_more(peer: Peer, room: Room) -> None:
    kept, gone = room.send("kept"), room.send("gone")
    answer = room.send("answer", reply_to=gone.id)
    digest = room.digest()
    room.delete_for_me(gone.id)
    assert _texts(room) == ["kept", "answer"] and room.digest() == digest
    with pytest.raises(NotFoundError):
        room.message(gone.id)
    quote = room.message(answer.id).quote
    assert quote is not None and not quote.is_here
    assert room.message(kept.id).text == "kept" and peer.check() == []
    peer.rebuild()
    assert _texts(room) == ["kept", "answer"]


def test_nobody_blocks_themselves_or_nobody(peer: Peer) -> None:
    for member in (peer.id, "", "x" * 100, "a/b"):
        with pytest.raises(ValidationError):
            peer.block(member)
    peer.block("SOMEBODY")
    assert peer.blocked() == ["SOMEBODY"]
    peer.unblock("SOMEBODY")
    assert peer.blocked() == []

"""Rooms: what a person does, all of it on the local disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import syncchat
from syncchat import Message, Peer, Room, Status
from syncchat.errors import NotAllowedError, NotFoundError, ValidationError
from syncchat.ids import message_id
from tests.contracts.chains import logged
from tests.support.devices import Device
from tests.support.peers import LINK, Inbox, Net, make_peer, sync
from tests.support.ports import FakeClock


@pytest.fixture
def peer() -> Iterator[Peer]:
    with make_peer(1, name="Alice") as opened:
        yield opened


@pytest.fixture
def room(peer: Peer) -> Room:
    return peer.join(LINK)


def sealed_words(*peers: Peer) -> tuple[Room, list[str]]:
    """Sync peers; return what a newcomer sees, and the texts that were ever sealed."""
    net = Net()
    sync(net, *peers)
    newcomer = Inbox(70)
    log = logged(net.world.log, newcomer.room.id)
    newcomer.deliver(*log)
    values = newcomer.db.rows(
        "select value from message union select key || value from mark union "
        "select edited from message"
    )
    return newcomer.room, [value for (value,) in values if value is not None]


def test_sent_message_is_there_with_all_that_was_given(room: Room) -> None:
    first = room.send("first")
    sent = room.send(
        "hello 🎈",
        reply_to=first.id,
        thread=first.id,
        kind="location",
        metadata={"lat": 1.5, "n": 2**60},
        attachments=[{"name": "a.png"}],
        mentions=["B" * 13],
    )
    assert room.message(sent.id) == sent == room.messages(threads=True)[-1]
    assert room.messages() == [first]
    assert (sent.text, sent.kind, sent.reply_to) == ("hello 🎈", "location", first.id)
    assert sent.metadata == {"lat": 1.5, "n": 2**60}
    assert sent.attachments == ({"name": "a.png"},)
    assert (sent.status, sent.mine, sent.sender_name) == (Status.QUEUED, True, "Alice")
    assert [m.id for m in room.messages(thread=first.id)] == [sent.id]


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda room: room.send(""), "empty"),
        (lambda room: room.send(" \n"), "empty"),
        (lambda room: room.send(b"bytes"), "str"),
        (lambda room: room.send("x" * 10_000_000), "send a file instead"),
        (lambda room: room.send("\ud800"), "JSON"),
        (lambda room: room.send("x", kind=""), "kind"),
        (lambda room: room.send("x", reply_to="x"), "message id"),
        (lambda room: room.send("x", metadata={"x": object()}), "JSON"),
        (lambda room: room.set_title(""), "title"),
        (lambda room: room.set_title("x" * 101), "title"),
        (lambda room: room.messages(limit=0), "limit"),
        (lambda room: room.messages(limit=1_001), "limit"),
        (lambda room: room.messages(before="x"), "message id"),
        (lambda room: room.edit(room.send("x").id, " "), "delete the message instead"),
        (lambda room: room.react(room.send("x").id, ""), "emoji"),
        (lambda room: room.react(room.send("x").id, "not one"), "emoji"),
    ],
)
def test_what_cannot_be_written_is_refused_with_a_reason(
    room: Room, write: Callable[[Room], object], reason: str
) -> None:
    digest = room.digest()
    with pytest.raises(ValidationError, match=reason):
        write(room)
    assert all(message.text == "x" for message in room.messages())
    if not room.messages():
        assert room.digest() == digest


@pytest.mark.parametrize("emoji", ["👍", "❤️", "👨‍👩‍👧", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇫🇷", "👋🏽", "1️⃣"])
def test_every_sort_of_emoji_can_be_reacted_with_and_taken_back(room: Room, emoji: str) -> None:
    message = room.send("hello")
    room.react(message.id, emoji)
    assert [r.emoji for r in room.message(message.id).reactions] == [emoji]
    room.unreact(message.id, emoji)
    assert room.message(message.id).reactions == ()


def test_pages_follow_each_other_both_ways(room: Room) -> None:
    ids = [room.send(str(number)).id for number in range(10)]
    assert [m.id for m in room.messages(limit=3)] == ids[-3:]
    assert [m.id for m in room.messages(before=ids[7], limit=3)] == ids[4:7]
    assert [m.id for m in room.messages(after=ids[2], limit=3)] == ids[3:6]
    assert [m.id for m in room.messages(after=ids[2], before=ids[5])] == ids[3:5]
    assert room.messages(after=ids[-1]) == [] == room.messages(before=ids[0])


def test_message_is_found_by_the_beginning_of_its_id(peer: Peer, room: Room) -> None:
    message = room.send("hello")
    assert room.message(message.id[:12].lower()) == message
    clash = [room.send("one"), room.send("other")]
    assert clash[0].id[:10] == clash[1].id[:10]
    for name in (message.id[:10], message.id[:7], "nope", "0" * 26, ""):
        with pytest.raises(NotFoundError):
            room.message(name)


def test_only_the_author_edits_and_deletes(room: Room) -> None:
    device = Device(5)
    inbox = Inbox()
    inbox.deliver(device.send("theirs"))
    (theirs,) = inbox.room.messages()
    with pytest.raises(NotAllowedError, match="edit"):
        inbox.room.edit(theirs.id, "mine")
    with pytest.raises(NotAllowedError, match="delete"):
        inbox.room.delete(theirs.id)
    assert inbox.texts() == ["theirs"]


def test_edited_queued_message_leaves_only_its_end_result(peer: Peer, room: Room) -> None:
    message = room.send("secret draft")
    room.edit(message.id, "second draft")
    room.edit(message.id, "final")
    shown, words = sealed_words(peer)
    assert [(m.text, m.edited_at) for m in shown.messages()] == [("final", None)]
    assert not any("draft" in word for word in words)


def test_deleted_queued_message_leaves_nothing(peer: Peer, room: Room) -> None:
    kept, gone = room.send("kept"), room.send("secret")
    room.react(gone.id, "👍")
    room.edit(gone.id, "secret still")
    room.delete(gone.id)
    with pytest.raises(NotFoundError):
        room.message(gone.id)
    shown, words = sealed_words(peer)
    assert [m.id for m in shown.messages()] == [kept.id]
    assert not any("secret" in word or "👍" in word for word in words)


def test_reaction_taken_back_before_it_was_sent_never_shows(peer: Peer, room: Room) -> None:
    message = room.send("hello")
    room.react(message.id, "👍")
    room.react(message.id, "🎉")
    room.unreact(message.id, "👍")
    shown, _ = sealed_words(peer)
    assert [r.emoji for r in shown.messages()[0].reactions] == ["🎉"]


def test_message_deleted_after_it_was_sent_leaves_no_words_anywhere() -> None:
    net, clock = Net(), FakeClock()
    with make_peer(1, clock=clock) as alice, make_peer(2, clock=clock) as bob:
        room, heard = alice.join(LINK), bob.join(LINK)
        message = room.send("canary one")
        sync(net, alice, bob)
        room.edit(message.id, "canary two")
        sync(net, alice, bob)
        assert heard.message(message.id).text == "canary two"
        room.delete(message.id)
        sync(net, alice, bob)
        for peer, shown in ((alice, room), (bob, heard)):
            assert shown.message(message.id).deleted
            assert shown.message(message.id).text == ""
            rows = peer._db.rows(
                "select value, edited from message union select value, 0 from mark"
            )
            assert not any("canary" in str(cell) for row in rows for cell in row)
            assert peer.check() == []
        with pytest.raises(NotFoundError, match="deleted"):
            room.edit(message.id, "again")
        with pytest.raises(NotFoundError, match="deleted"):
            heard.react(message.id, "👍")


def statuses(room: Room) -> list[Status]:
    return [message.status for message in room.messages()]


def test_state_of_a_message_goes_from_queued_to_read_and_never_back() -> None:
    net, clocks = Net(), (FakeClock(), FakeClock())
    with make_peer(1, clock=clocks[0]) as alice, make_peer(2, clock=clocks[1]) as bob:
        room, heard = alice.join(LINK), bob.join(LINK)
        room.send("hello")
        assert statuses(room) == [Status.QUEUED]
        assert [item.what for item in room.outbox()] == ["profile", "messages"]
        net.connect(alice)
        net.settle()
        assert statuses(room) == [Status.SENT]
        assert room.outbox() == []
        net.connect(bob)
        for _ in range(4):
            net.advance(1_500, *clocks)
        assert statuses(room) == [Status.DELIVERED]
        assert heard.unread() == 1
        heard.mark_read()
        net.settle()
        assert heard.unread() == 0
        assert statuses(room) == [Status.READ]
        assert room.messages()[0].read_by == (bob.id,)
        room.edit(room.messages()[0].id, "edited")
        net.settle()
        assert statuses(room) == [Status.READ]


def test_two_clocks_a_day_apart_end_with_the_same_history() -> None:
    day = 24 * 3_600_000
    net, here, there = Net(), FakeClock(), FakeClock()
    there.advance(day)
    with make_peer(1, clock=here) as alice, make_peer(2, clock=there) as bob:
        rooms = alice.join(LINK), bob.join(LINK)
        for number in range(3):
            rooms[0].send(f"slow {number}")
            rooms[1].send(f"fast {number}")
            sync(net, alice, bob)
        assert rooms[0].digest() == rooms[1].digest()
        texts = [[m.text for m in room.messages()] for room in rooms]
        assert (
            texts[0]
            == texts[1]
            == [*(f"slow {n}" for n in range(3)), *(f"fast {n}" for n in range(3))]
        )
        assert [m.clock_ahead for m in rooms[0].messages()] == [False] * 3 + [True] * 3
        mine: Message = rooms[0].send("still on time")
        assert mine.sent_at < here.now_ms() + 1_000
        assert rooms[0].unread() == rooms[1].unread() == 3


def test_room_without_a_relay_is_a_notebook(peer: Peer) -> None:
    room = peer.create_room("Notes")
    room.send("to myself")
    assert (room.relay, room.count(), room.unread()) == ("", 1, 0)
    assert repr(room) == "<Room 'Notes'>"
    assert len({room, peer.room("Notes")}) == 1


def test_id_of_an_absent_message_is_not_found_by_any_call(room: Room) -> None:
    absent = message_id("0" * 13, "0" * 13)  # type: ignore[arg-type]
    for call in (room.message, room.delete, room.mark_read):
        with pytest.raises(NotFoundError):
            call(absent)
    with pytest.raises(NotFoundError):
        room.react(absent, "👍")


def test_who_may_write_is_asked_in_one_query_of_what_others_have_stored(tmp_path: Path) -> None:
    """Another process may have changed it since the last write here."""
    statements: list[str] = []
    with (
        syncchat.open(tmp_path / "peer.db", name="Ann") as here,
        syncchat.open(tmp_path / "peer.db") as there,
    ):
        room = here.create_room("Team")
        room.send("first")
        here._db._conn.set_trace_callback(statements.append)
        assert here._membership.may_write(room._row) == ""
        here._db._conn.set_trace_callback(None)
        assert len(statements) == 1
        there.room("Team").leave()
        with pytest.raises(NotAllowedError, match="you have left this room"):
            room.send("second")
        assert [message.text for message in room.messages()] == ["first"]

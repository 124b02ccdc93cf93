"""Replies and threads: what is answered, also before it is here, and what stands beside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from syncchat import Peer, Room
from syncchat.core.journal import Entry
from syncchat.core.values import MessageValue, Root, encode_value
from syncchat.errors import NotFoundError, ValidationError
from syncchat.events import MessageAdded, MessageChanged
from syncchat.ids import message_id
from tests.contracts.chains import logged
from tests.support.devices import Device
from tests.support.peers import LINK, Inbox, Net, make_peer, sync
from tests.support.ports import FakeClock

ABSENT = message_id("0" * 13, "0" * 13)  # type: ignore[arg-type]


@pytest.fixture
def peer() -> Iterator[Peer]:
    with make_peer(1, name="Alice") as opened:
        yield opened


@pytest.fixture
def room(peer: Peer) -> Room:
    return peer.join(LINK)


def reply(device: Device, text: str, **fields: object) -> Entry:
    """Return an entry in which a device answers, whatever it has seen."""
    value = MessageValue(text=text, **fields)  # type: ignore[arg-type]
    return Entry(Root.MESSAGES, device.stamp(), encode_value(value))


def test_reply_quotes_what_it_answers_as_it_is_now(room: Room) -> None:
    first = room.send("x" * 500)
    answer = room.send("answer", reply_to=first.id)
    assert answer.quote is not None
    assert (answer.quote.id, answer.quote.sender_name) == (first.id, "Alice")
    assert (answer.quote.text, answer.quote.is_here) == ("x" * 200, True)
    room.edit(first.id, "edited")
    quote = room.message(answer.id).quote
    assert quote is not None and quote.text == "edited"
    assert first.quote is None


def test_reply_to_a_message_that_is_not_here_shows_a_placeholder_and_resolves() -> None:
    inbox, early, late = Inbox(), Device(1), Device(2)
    asked, question = early.message("a question")
    inbox.deliver(late.write(reply(late, "an answer", reply_to=asked)))
    (answer,) = inbox.room.messages()
    assert answer.quote is not None and not answer.quote.is_here
    assert (answer.quote.id, answer.quote.text) == (asked, "")
    assert answer.to_json()["quote"]["isHere"] is False
    before = inbox.peer.cursor
    inbox.deliver(early.write(question))
    told = list(inbox.peer.happened(before))
    changed = [event.message for event in told if isinstance(event, MessageChanged)]
    assert [m.id for m in changed] == [answer.id], "who shows the placeholder is told"
    assert changed[0].quote is not None and changed[0].quote.text == "a question"
    assert [e.message.id for e in told if isinstance(e, MessageAdded)] == [asked]
    inbox.deliver(early.write(early.delete(asked)))
    quote = inbox.room.message(answer.id).quote
    assert quote is not None and (quote.deleted, quote.text) == (True, "")
    assert inbox.peer.check() == []


def test_replies_in_a_thread_stand_beside_the_main_timeline(room: Room) -> None:
    root, other = room.send("root"), room.send("other")
    beside = [room.send(f"beside {n}", thread=root.id) for n in range(3)]
    assert [m.id for m in room.messages()] == [root.id, other.id]
    assert [m.id for m in room.messages(thread=root.id)] == [m.id for m in beside]
    everything = [m.id for m in room.messages(threads=True)]
    assert everything == sorted([root.id, other.id, *(m.id for m in beside)])
    by_a_reply = room.messages(thread=beside[1].id)
    assert [m.id for m in by_a_reply] == [m.id for m in beside], "a reply says which thread, too"
    assert room.message(root.id).replies == 3
    assert room.count() == 5


def test_threads_are_one_level_deep(room: Room) -> None:
    root = room.send("root")
    first = room.send("first", thread=root.id)
    assert room.send("in the thread of a reply", thread=first.id).thread == root.id
    answer = room.send("answers a reply", reply_to=first.id)
    assert (answer.thread, answer.reply_to) == (root.id, first.id)
    assert room.send("answers the root", reply_to=root.id).thread is None
    assert room.send("of what is not here", thread=ABSENT).thread == ABSENT


def test_threads_come_with_counts_and_the_newest_first(peer: Peer, room: Room) -> None:
    roots = [room.send(f"root {n}") for n in range(4)]
    for root in roots[:3]:
        room.send("one", thread=root.id)
    last = room.send("two", thread=roots[0].id)
    gone = room.send("three", thread=roots[1].id)
    room.delete(gone.id)
    threads = room.threads()
    assert [t.id for t in threads] == [roots[n].id for n in (0, 2, 1)]
    assert [t.replies for t in threads] == [2, 1, 1]
    assert (threads[0].root, threads[0].last) == (room.message(roots[0].id), last)
    pages: list[str] = []
    page = room.threads(limit=2)
    while page:
        pages += [t.id for t in page]
        assert page[-1].last is not None
        page = room.threads(limit=2, before=page[-1].last.id)
    assert pages == [t.id for t in threads]
    assert room.thread(last.id) == threads[0]
    empty = room.thread(roots[3].id)
    assert (empty.replies, empty.unread, empty.last) == (0, 0, None)
    with pytest.raises(NotFoundError):
        room.thread(ABSENT)
    for limit in (0, 1_001):
        with pytest.raises(ValidationError):
            room.threads(limit=limit)
    assert peer.check() == []


def test_thread_of_a_message_that_is_not_here_has_no_root_until_it_comes() -> None:
    inbox, early, late = Inbox(), Device(1), Device(2)
    root, entry = early.message("the root")
    inbox.deliver(late.write(reply(late, "beside it", thread=root)))
    (thread,) = inbox.room.threads()
    assert (thread.id, thread.root, thread.replies, thread.unread) == (root, None, 1, 1)
    assert inbox.room.messages() == []
    inbox.deliver(early.write(entry))
    (thread,) = inbox.room.threads()
    assert thread.root is not None and thread.root.text == "the root"


def test_deleted_reply_stays_in_its_thread_also_for_who_comes_later() -> None:
    net, clock = Net(), FakeClock()
    with make_peer(1, clock=clock) as alice, make_peer(2, clock=clock) as bob:
        room, heard = alice.join(LINK), bob.join(LINK)
        root = room.send("root")
        beside = room.send("beside", thread=root.id)
        sync(net, alice, bob)
        room.delete(beside.id)
        sync(net, alice, bob)
        newcomer = Inbox(70)
        log = logged(net.world.log, heard.id)
        newcomer.deliver(*log)
        assert room.digest() == heard.digest()
        for shown in (room, heard, newcomer.room):
            assert [m.id for m in shown.messages()] == [root.id]
            assert [(m.deleted, m.text) for m in shown.messages(thread=root.id)] == [(True, "")]
            assert shown.threads() == []
        assert newcomer.peer.check() == alice.check() == bob.check() == []

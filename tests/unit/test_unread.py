"""What is unread: marking, counting, and what others get to know of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from syncchat import Room
from syncchat.core.markers import Marker, marker_key, parse_marker
from syncchat.core.reader import Change
from syncchat.core.values import ReadValue, Root, encode_value
from syncchat.errors import NotFoundError, ValidationError
from syncchat.exchange.own import OwnChain
from syncchat.exchange.volumes import Volumes
from syncchat.ids import DeviceId, MessageId, room_text, stamp_of
from syncchat.peer import Peer
from syncchat.room.unread import MARKED_MAX
from syncchat.storage import chains, outbox
from syncchat.storage.receipts import put_receipts
from syncchat.storage.tallies import UnreadCounts
from syncchat.storage.view import ViewBatch
from tests.support.devices import Device
from tests.support.peers import LINK, Inbox, Net, make_peer, sync
from tests.support.ports import FakeClock

WRITER, MESSAGE, ROOM = DeviceId("0" * 12 + "1"), MessageId("0" * 25 + "2"), "0" * 25 + "3"


class Two(NamedTuple):
    """Is two people in a room, who sync when told to."""

    alice: Peer
    bob: Peer
    net: Net

    @property
    def rooms(self) -> tuple[Room, Room]:
        return self.alice.rooms()[0], self.bob.rooms()[0]

    def sync(self) -> None:
        sync(self.net, self.alice, self.bob)


@pytest.fixture
def two() -> Iterator[Two]:
    clock = FakeClock()
    with make_peer(1, clock=clock) as alice, make_peer(2, clock=clock) as bob:
        found = Two(alice, bob, Net())
        for peer in (alice, bob):
            peer.join(LINK)
        found.sync()
        yield found


@pytest.mark.parametrize(
    "marker",
    [
        Marker(WRITER),
        Marker(WRITER, MESSAGE),
        Marker(WRITER, room=ROOM),
        Marker(WRITER, MESSAGE, ROOM),
    ],
)
def test_key_of_a_marker_says_of_whom_and_where(marker: Marker) -> None:
    assert parse_marker(marker_key(marker.writer, marker.thread, room=marker.room)) == marker


@pytest.mark.parametrize(
    "key",
    [
        "",
        WRITER[1:],
        WRITER + "x",
        WRITER + MESSAGE + "0",
        "/" + WRITER,
        "U" * 26 + "/" + WRITER,
        ROOM,
        ROOM + "/",
        ROOM + "/" + MESSAGE,
        f"{ROOM}/{ROOM}/{WRITER}",
    ],
)
def test_what_is_no_key_of_a_marker_is_none(key: str) -> None:
    assert parse_marker(key) is None


def test_replies_in_threads_have_counts_of_their_own() -> None:
    inbox, device = Inbox(), Device(1)
    root, entry = device.message("root")
    beside = [device.message(f"beside {n}", thread=root) for n in range(2)]
    me = [inbox.peer.id]
    calling = device.message("listen", thread=root, mentions=me)[1]
    inbox.deliver(device.write(entry, *(each for _, each in beside), calling))
    inbox.deliver(device.write(device.message("you too", mentions=me)[1]))
    room = inbox.room
    assert room.unread_counts() == UnreadCounts(2, 1, 3, 1)
    assert (room.unread(), room.unread(thread=root)) == (2, 3)
    (thread,) = room.threads()
    assert (thread.unread, thread.mentions) == (3, 1)
    room.mark_read(beside[0][0])
    assert (room.unread(), room.unread(thread=root)) == (2, 2), "what is beside it stays unread"
    room.mark_read(root)
    assert (room.unread(), room.unread(thread=root)) == (1, 2)
    room.mark_read(thread=root)
    assert room.unread_counts() == UnreadCounts(1, 1, 0, 0)
    room.mark_read()
    assert room.unread_counts() == UnreadCounts()
    assert inbox.peer.check() == []


def test_message_that_arrives_late_in_a_thread_stays_unread() -> None:
    inbox, early, late = Inbox(), Device(1), Device(2)
    root, entry = early.message("root")
    before = late.message("written first", thread=root)[1]
    after = early.message("arrives first", thread=root)[1]
    inbox.deliver(early.write(entry, after))
    inbox.room.mark_read()
    assert inbox.room.unread(thread=root) == 0
    inbox.deliver(late.write(before))
    assert inbox.room.unread(thread=root) == 1
    found = inbox.room.first_unread(thread=root)
    assert found is not None and found.text == "written first"


def test_reading_on_begins_at_the_first_unread_message() -> None:
    inbox, device = Inbox(), Device(1)
    assert inbox.room.first_unread() is None
    ids = [device.message(str(n)) for n in range(5)]
    inbox.deliver(device.write(*(entry for _, entry in ids)))
    inbox.room.mark_read(ids[1][0])
    first = inbox.room.first_unread()
    assert first is not None and first.text == "2"
    page = inbox.room.messages(after=ids[1][0], limit=2)
    assert [(m.text, m.unread) for m in page] == [("2", True), ("3", True)]


def test_message_marked_as_unread_stays_so_until_it_is_read() -> None:
    inbox, device = Inbox(), Device(1)
    ids = [device.message(str(n)) for n in range(3)]
    inbox.deliver(device.write(*(entry for _, entry in ids)))
    room = inbox.room
    room.mark_read()
    assert room.mark_unread(ids[1][0]).unread
    assert (room.unread(), room.first_unread() == room.message(ids[1][0])) == (1, True)
    room.mark_read(ids[0][0])
    assert room.unread() == 1
    inbox.peer.rebuild()
    assert room.unread() == 1
    room.mark_read(ids[2][0])
    assert room.unread() == 0
    assert room.mark_unread().id == ids[2][0], "the last one, if none is given"
    inbox.deliver(device.write(device.delete(ids[2][0])))
    assert room.unread() == 0
    assert inbox.peer.check() == []


def test_only_what_others_wrote_can_be_marked_as_unread() -> None:
    inbox, device = Inbox(), Device(1)
    with pytest.raises(NotFoundError, match="nobody else"):
        inbox.room.mark_unread()
    mine = inbox.room.send("mine")
    with pytest.raises(ValidationError, match="others"):
        inbox.room.mark_unread(mine.id)
    with pytest.raises(NotFoundError):
        inbox.room.mark_unread("0" * 26)
    with pytest.raises(ValidationError, match="a message or a thread"):
        inbox.room.mark_read(mine.id, thread=mine.id)
    written = [device.message(str(n)) for n in range(MARKED_MAX + 1)]
    inbox.deliver(device.write(*(entry for _, entry in written)))
    inbox.room.mark_read()
    for message, _ in written[:-1]:
        inbox.room.mark_unread(message)
    with pytest.raises(ValidationError, match="mark some as read first"):
        inbox.room.mark_unread(written[-1][0])


def test_mark_for_a_message_that_is_not_here_counts_when_it_comes(two: Two) -> None:
    """The mark of another device can be faster than the message, through the personal room."""
    room, heard = two.rooms
    message = room.send("said")
    with two.bob._db.atomic():
        text = room_text(heard.id)
        two.bob._personal.put(f"unread/{message.id}", text)
    two.sync()
    heard.mark_read()
    assert heard.unread() == 0
    again = room.send("said again")
    with two.bob._db.atomic():
        two.bob._personal.put(f"unread/{again.id}", text)
        stamp = stamp_of(again.id)
        home = two.bob._personal.make().id
        place = marker_key(two.alice.device, room=text)
        put_receipts(two.bob._db, home, {place: stamp}, me=two.bob.device, now_ms=0)
    two.sync()
    assert heard.unread() == 1, "read, and marked as unread"
    assert two.bob.check() == []


def test_private_receipts_are_not_in_the_room_at_all(two: Two) -> None:
    room, heard = two.rooms
    first = room.send("first")
    two.sync()
    heard.set_receipts("private")
    before = chains.find_chain(two.bob._db, heard._row, two.bob.device)
    heard.mark_read()
    assert heard.unread() == 0
    assert outbox.pending(two.bob._db, heard._row, limit=10) == []
    two.sync()
    after = chains.find_chain(two.bob._db, heard._row, two.bob.device)
    assert before is not None and after is not None and before.seq == after.seq
    assert room.message(first.id).read_by == ()
    assert room.digest() == heard.digest()
    heard.set_receipts("public")
    room.send("second")
    two.sync()
    heard.mark_read()
    two.sync()
    assert [m.read_by for m in room.messages()] == [(two.bob.id,)] * 2
    assert two.bob.check() == two.alice.check() == []


def test_receipts_of_large_rooms_are_private_unless_set_otherwise(two: Two) -> None:
    room, heard = two.rooms
    size = len(heard.members())
    assert heard.receipts == "public"
    two.bob.set_receipts_up_to(size - 1)
    assert (two.bob.receipts_up_to, heard.receipts) == (size - 1, "private")
    room.send("hello")
    two.sync()
    heard.mark_read()
    two.sync()
    assert (heard.unread(), room.messages()[0].read_by) == (0, ())
    heard.set_receipts("public")
    assert heard.receipts == "public"
    heard.set_receipts(None)
    assert heard.receipts == "private"
    two.bob.set_receipts_up_to(size)
    assert heard.receipts == "public"
    for bad in (-1, True, "20", 2**31):
        with pytest.raises(ValidationError, match="how many members"):
            two.bob.set_receipts_up_to(bad)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="public"):
        heard.set_receipts("sometimes")


def test_nobody_sees_what_is_read_where_the_rooms_log_is_not_here() -> None:
    with make_peer(1) as peer:
        assert peer.join(LINK).receipts == "private"


def test_read_by_tells_of_a_thread_apart_from_the_rest(two: Two) -> None:
    room, heard = two.rooms
    root = room.send("root")
    beside = room.send("beside", thread=root.id)
    later = room.send("later")
    two.sync()
    heard.mark_read(later.id)
    two.sync()
    by = [(m.text, m.read_by) for m in room.messages(threads=True)]
    assert by == [("root", (two.bob.id,)), ("beside", ()), ("later", (two.bob.id,))]
    heard.mark_read(beside.id)
    two.sync()
    assert room.message(beside.id).read_by == (two.bob.id,)
    assert room.digest() == heard.digest()


def test_readers_and_who_was_removed_can_still_read_what_is_here(two: Two) -> None:
    room, heard = two.rooms
    room.send("hello")
    two.sync()
    with two.bob._db.atomic():
        two.bob._db.execute("update room set standing = 'removed' where id = ?", (heard._row,))
    assert heard.unread() == 1
    heard.mark_read()
    assert heard.unread() == 0


def test_counts_of_all_rooms_come_at_once(two: Two) -> None:
    room, heard = two.rooms
    other = two.bob.create_room("Notes")
    root = room.send("hello")
    room.send("listen", thread=root.id, mentions=[two.bob.id])
    two.sync()
    assert two.bob.unread() == {heard.id: UnreadCounts(1, 0, 1, 1), other.id: UnreadCounts()}
    two.bob.rooms()[0].set_level("mentions")  # makes the personal room, which is not among them
    assert list(two.bob.unread()) == [heard.id, other.id]


def test_marker_of_a_restored_device_never_goes_back() -> None:
    """What it had sent before it was set back says more than what it has pending."""
    inbox, device = Inbox(), Device(1)
    ids = [device.message(str(n)) for n in range(3)]
    inbox.deliver(device.write(*(entry for _, entry in ids)))
    inbox.room.set_receipts("public")
    inbox.room.mark_read(ids[0][0])
    (op,) = [o for o in outbox.pending(inbox.db, inbox.row, limit=9) if o.root is Root.READS]
    view = ViewBatch(inbox.db, inbox.row, me=inbox.peer.device)
    own = OwnChain(inbox.db, Volumes(inbox.db), view, inbox.row, me=inbox.peer.device, now_ms=0)

    def meet(upto: str) -> None:
        value = ReadValue(op.at, upto)
        own.meet([Change(Root.READS, op.key, 0, op.at, encode_value(value), value)])

    meet("0" * 13)
    assert outbox.find(inbox.db, inbox.row, Root.READS, op.key) == op
    meet(stamp_of(ids[1][0]))
    assert outbox.find(inbox.db, inbox.row, Root.READS, op.key) is None

"""The newest of a room is shown before its log has come, confirmed by that, or taken back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from syncchat_relay import Admit, Config

from syncchat.core.message import Status
from syncchat.core.values import Root
from syncchat.events import MessageAdded
from syncchat.exchange.ahead import Part
from syncchat.storage import chains, members, previews
from syncchat.trust.chain import GENESIS
from syncchat.trust.records import is_record
from syncchat.wire.envelope import Envelope, decode_envelope, encode_envelope
from syncchat.wire.frames import Deliver, Recent
from tests.support.devices import Device
from tests.support.peers import Inbox, Net, make_peer
from tests.support.room import LINK


class Late(Inbox):
    """Is a peer that is told of the newest of a log of which it has nothing."""

    def __init__(self, *devices: Device) -> None:
        super().__init__()
        for device in devices:
            self.let_in(device.keys.public[:8])

    def show(self, *envelopes: bytes, links: dict[int, bytes], since: int = 1) -> None:
        """Show envelopes ahead, as if they stood at the places from 100 on."""
        placed = [(100 + number, raw) for number, raw in enumerate(envelopes)]
        self.receiver.hear_ahead(self.row, Part(since, placed, links), is_last=True)
        self.receiver.take_told(self.row)

    def left(self) -> int:
        """Return how many entries are shown ahead."""
        return len(previews.all_previews(self.db, self.row))

    def settle(self) -> None:
        """Take back what the log did not bring."""
        self.receiver.settle_recent(self.row)
        assert self.left() == 0


def links_of(device: Device) -> dict[int, bytes]:
    """Return the link that each envelope of a device follows, by its seq."""
    found = {seq: link for links in device._links.values() for seq, link in links}
    return {1: GENESIS} | {seq + 1: link for seq, link in found.items()}


def is_whole(inbox: Inbox) -> bool:
    """Tell whether nothing is wrong, and the room shows the same when it is folded anew."""
    before = inbox.room.digest()
    inbox.peer.rebuild()
    return inbox.peer.check() == [] and inbox.room.digest() == before


def test_newest_show_at_once_and_the_log_changes_nothing_about_them() -> None:
    ann = Device(1)
    log = [ann.send(f"text {n}") for n in range(20)]
    here = Late(ann)
    here.show(*log[17:], links={0: links_of(ann)[18]})
    assert here.texts() == ["text 17", "text 18", "text 19"]
    assert here.left() == 3
    here.deliver(*log)
    assert here.texts() == [f"text {n}" for n in range(20)]
    assert here.left() == 0
    here.settle()
    there = Inbox()
    there.deliver(*log)
    assert here.room.digest() == there.room.digest()
    assert is_whole(here)


def test_chain_does_not_move_by_what_is_shown_ahead() -> None:
    ann = Device(1)
    log = [ann.send(f"text {n}") for n in range(5)]
    here = Late(ann)
    here.show(*log[3:], links={0: links_of(ann)[4]})
    row = chains.find_chain(here.db, here.row, ann.id)
    assert row is not None
    assert (row.seq, row.volume, row.was_ever_read) == (0, 0, False)
    assert chains.load_volume(here.db, row.id, 0).entries == {}
    assert here.peer.check() == []


def test_edits_reactions_and_names_show_ahead_and_deletions_keep_a_message_out() -> None:
    ann, bob = Device(1), Device(2)
    zero = ann.send("zero")
    first, entry = ann.message("first")
    second, other = ann.message("second")
    log = [
        zero,
        ann.write(entry),
        ann.write(other),
        ann.write(ann.edit(first, "changed")),
        ann.write(ann.delete(second)),
    ]
    reaction = bob.write(bob.react(first, "👍"))
    here = Late(ann, bob)
    here.show(*log[1:], reaction, links={0: links_of(ann)[2], 4: GENESIS})
    assert here.texts() == ["changed"]
    (message,) = here.room.messages()
    assert [r.emoji for r in message.reactions] == ["👍"]
    here.deliver(*log, reaction)
    here.settle()
    assert here.texts() == ["zero", "changed"]
    assert is_whole(here)


def test_what_no_chain_brings_is_taken_back_and_comes_back_as_the_same_message() -> None:
    ann = Device(1)
    log = [ann.send(f"text {n}") for n in range(5)]
    here = Late(ann)
    empty = here.room.digest()
    cursor = here.peer.cursor
    here.show(*log[3:], links={0: links_of(ann)[4]})
    here.deliver(*log[:2])
    before = here.room.digest()
    here.settle()
    assert here.texts() == ["text 0", "text 1"]
    assert before != here.room.digest() != empty
    assert is_whole(here)
    here.deliver(*log[2:])
    assert here.texts() == [f"text {n}" for n in range(5)]
    told = [e.message.text for e in here.peer.happened(cursor) if isinstance(e, MessageAdded)]
    assert sorted(told) == [f"text {n}" for n in range(5)]  # each once
    assert is_whole(here)


def test_second_history_of_a_device_is_taken_back() -> None:
    ann, twin = Device(1), Device(1)
    log = [ann.send(f"text {n}") for n in range(4)]
    other = [twin.send(f"other {n}") for n in range(4)]
    here = Late(ann)
    here.show(other[3], links={0: links_of(twin)[4]})
    assert here.texts() == ["other 3"]
    here.deliver(*log)
    here.settle()
    assert here.texts() == [f"text {n}" for n in range(4)]
    assert is_whole(here)


def _with_other_body(raw: bytes) -> bytes:
    envelope, _ = decode_envelope(raw)
    body = bytes((envelope.body[0] ^ 1,)) + envelope.body[1:]
    return encode_envelope(Envelope(envelope.header, body, envelope.signature))


@pytest.mark.parametrize(
    ("links", "change"),
    [
        ({}, None),
        ({0: bytes(32)}, None),
        ({0: bytes(range(32))}, None),
        (None, _with_other_body),
        (None, lambda raw: b"no envelope"),
    ],
    ids=["no link", "first of a chain", "made up", "other body", "junk"],
)
def test_what_does_not_hold_is_left_out_without_a_word(
    links: dict[int, bytes] | None, change: Callable[[bytes], bytes] | None
) -> None:
    ann = Device(1)
    log = [ann.send(f"text {n}") for n in range(5)]
    here = Late(ann)
    shown = log[4] if change is None else change(log[4])
    here.show(shown, links={0: links_of(ann)[5]} if links is None else links)
    assert here.texts() == []
    assert here.reasons() == []
    assert not here.receiver.is_doubtful
    here.deliver(*log)
    assert here.texts() == [f"text {n}" for n in range(5)]


def test_device_that_may_not_write_is_not_shown() -> None:
    ann, mallory = Device(1), Device(66)
    here = Late(ann)
    mallory.send("one")
    here.show(mallory.send("two"), links={0: links_of(mallory)[2]})
    assert here.texts() == []
    assert chains.find_chain(here.db, here.row, mallory.id) is None


def test_of_envelopes_before_the_newest_only_names_are_shown() -> None:
    ann = Device(1)
    log = [ann.write(ann.field(Root.PROFILE, "name", "Ann")), ann.send("old")]
    log += [ann.send(f"text {n}") for n in range(3)]
    here = Late(ann)
    here.show(log[0], log[1], log[4], links={2: links_of(ann)[5]}, since=102)
    assert [(m.sender_name, m.text) for m in here.room.messages()] == [("Ann", "text 2")]
    here.settle()
    assert here.room.members() == Late(ann).room.members()


def test_snapshot_is_shown_ahead_by_its_newest_entries() -> None:
    ann = Device(1)
    log = [ann.send(f"text {n}") for n in range(300)]
    snapshot = ann.snapshot()
    here = Late(ann)
    here.show(snapshot, links={})
    assert here.texts()[-1] == "text 299"
    assert here.left() == 256
    here.deliver(*log, snapshot)
    here.settle()
    assert len(here.texts()) == 300
    assert is_whole(here)


def test_what_is_shown_ahead_cannot_be_marked_as_read_yet() -> None:
    ann = Device(1)
    log = [ann.send(f"text {n}") for n in range(6)]
    here = Late(ann)
    here.deliver(log[0])
    here.show(*log[4:], links={0: links_of(ann)[5]})
    assert here.room.unread() == 3
    here.room.mark_read()
    assert here.room.unread() == 2
    here.deliver(*log[1:])
    assert here.room.unread() == 5  # what came late is unread, too
    here.room.mark_read()
    assert here.room.unread() == 0


def test_again_is_harmless_and_a_rebuild_takes_it_back() -> None:
    ann = Device(1)
    log = [ann.send(f"text {n}") for n in range(6)]
    here = Late(ann)
    for _ in range(3):
        here.show(*log[3:], links={0: links_of(ann)[4]})
    assert here.left() == 3
    here.deliver(*log[:5])
    assert here.left() == 1
    here.peer.rebuild()
    assert here.texts() == [f"text {n}" for n in range(5)]
    assert here.left() == 0
    here.show(*log[3:], links={0: links_of(ann)[4]})
    here.deliver(log[5])
    here.settle()
    assert here.texts() == [f"text {n}" for n in range(6)]


def test_room_is_written_to_while_its_log_is_still_coming() -> None:
    net = Net(config=Config(admission=Admit.OPEN, deliver_bytes_max=6_000, unsent_bytes_low=0))
    ann, bob = make_peer(1), make_peer(2)
    for peer in (ann, bob):
        peer.join(LINK)
    first = net.connect(ann)
    net.settle()
    (room,) = ann.rooms()
    for number in range(400):
        room.send(f"text {number}")
        net.settle()
    net.cut(first)
    first = net.connect(ann)
    net.settle()
    late = net.connect(bob)
    late.exchange.receive(late.link.raw[0])
    late.link.reads = False  # what it is sent arrives frame by frame from now on
    (here,) = bob.rooms()
    written = None
    count_when_sent = 0
    while True:
        for raw in late.exchange.outgoing():
            net.world.send_raw(late.link, raw)
        net.world.settle()
        if not late.link.unsent:
            break
        net.world._arrive(late.link, late.link.unsent.popleft())
        late.exchange.receive(late.link.raw[-1])
        if here.count() and written is None:
            assert here.messages(limit=1)[0].text > "text 370"
            written = here.send("meanwhile")
            late.exchange.local_changed()
        if written is not None and here.message(written.id).status is Status.SENT:
            count_when_sent = count_when_sent or here.count()
    assert written is not None
    assert 0 < count_when_sent < 400
    late.taken = len(late.link.raw)
    late.link.reads = True
    net.settle()
    assert here.count() == 401
    assert here.digest() == room.digest()
    assert bob.check() == []


def test_record_comes_once_to_who_is_shown_the_newest_first() -> None:
    net = Net(config=Config(admission=Admit.OPEN, deliver_bytes_max=6_000))
    ann, bob = make_peer(1), make_peer(2)
    for peer in (ann, bob):
        peer.join(LINK)
    first = net.connect(ann)
    net.settle()
    (room,) = ann.rooms()
    for number in range(400):
        room.send(f"text {number}")
        net.settle()
    net.cut(first)
    late = net.connect(bob)
    net.settle()
    assert late.exchange.ended is None
    came = [raw for f in late.link.frames if isinstance(f, Recent | Deliver) for raw in f.envelopes]
    records = [raw for raw in came if is_record(raw)]
    assert len(records) == len(set(records)) == 3  # how Bob came in, he says himself
    (here,) = bob.rooms()
    assert here.count() == 400
    net.connect(ann)
    net.settle()
    assert here.digest() == room.digest()
    assert bob.check() == []


def test_what_was_told_is_taken_a_part_with_each_tick_while_the_newest_shows() -> None:
    net = Net(config=Config(admission=Admit.OPEN, deliver_bytes_max=2_000))
    ann, bob = make_peer(1), make_peer(2)
    for peer in (ann, bob):
        peer.join(LINK)
    first = net.connect(ann)
    net.settle()
    (room,) = ann.rooms()
    for number in range(300):
        room.send(f"text {number}")
        net.settle()
    net.cut(first)
    late = net.connect(bob)
    late.exchange.receive(late.link.raw[0])
    late.link.reads = False  # what it is sent arrives frame by frame from now on
    (here,) = bob.rooms()
    for raw in late.exchange.outgoing():
        net.world.send_raw(late.link, raw)
    net.world.settle()
    frames = 0
    while not late.exchange.has_more:
        net.world._arrive(late.link, late.link.unsent.popleft())
        late.exchange.receive(late.link.raw[-1])
        frames += isinstance(late.link.frames[-1], Recent)
    shown = here.messages(limit=1)[0].text
    assert shown > "text 270"
    assert members.records_of(bob._db, here._row) == []
    ticks = 0
    while late.exchange.has_more:
        assert late.exchange.next_tick_ms() == late.exchange._now()
        late.exchange.tick()
        ticks += 1
    assert ticks == frames > 2
    assert len(members.records_of(bob._db, here._row)) == 3
    assert late.exchange.next_tick_ms() > late.exchange._now()

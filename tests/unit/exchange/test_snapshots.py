"""Snapshots as a peer receives them: in their place, ahead of it, and with lies in them."""

from __future__ import annotations

import pytest

from syncchat.exchange.logpart import HoleInDelivery, delivered, told
from syncchat.ids import Stamp
from syncchat.storage import chains, rooms, snapshots
from syncchat.trust.chain import next_fingerprint
from tests.support.devices import Device
from tests.support.peers import Inbox
from tests.support.snapshots import lying


def envelopes(inbox: Inbox, device: Device) -> list[int]:
    """Return the chain seqs of a device that are stored here."""
    chain = chains.find_chain(inbox.db, inbox.row, device.id)
    assert chain is not None
    return [
        seq
        for (seq,) in inbox.db.rows(
            "select seq from envelope where chain = ? order by seq", (chain.id,)
        )
    ]


def seq_of(inbox: Inbox, device: Device) -> int:
    chain = chains.find_chain(inbox.db, inbox.row, device.id)
    return 0 if chain is None else chain.seq


def is_sound(inbox: Inbox) -> bool:
    """Tell whether all holds, and the room shows the same when it is folded anew."""
    before = inbox.room.digest()
    inbox.peer.rebuild()
    return inbox.peer.check() == [] and inbox.room.digest() == before


def deliver_with_gaps(inbox: Inbox, *parts: bytes | int) -> None:
    """Deliver envelopes; a number stands for a gap of so many places."""
    raws: list[bytes] = []
    gaps = []
    upto = inbox.cursor
    for part in parts:
        if isinstance(part, int):
            upto += part
            gaps.append((len(raws), upto, upto.to_bytes(8)))
        else:
            raws.append(part)
            upto += 1
    inbox.receiver.apply(inbox.row, inbox.cursor, raws, is_live=False, gaps=gaps)
    inbox.cursor = upto


def test_snapshot_takes_the_place_of_what_it_covers_and_nothing_shows() -> None:
    inbox, ann = Inbox(), Device(1)
    first, entry = ann.message("first")
    inbox.deliver(ann.write(entry), ann.send("second"), ann.write(ann.react(first, "👍")))
    before = inbox.room.digest()
    inbox.deliver(ann.snapshot())
    assert envelopes(inbox, ann) == [4]
    assert inbox.room.digest() == before
    assert is_sound(inbox)
    inbox.deliver(ann.write(ann.edit(first, "changed")), ann.send("third"))
    assert inbox.texts() == ["changed", "second", "third"]
    inbox.deliver(ann.snapshot())
    assert envelopes(inbox, ann) == [7]
    assert is_sound(inbox)


def test_what_was_erased_and_overwritten_is_in_no_snapshot() -> None:
    inbox, ann = Inbox(), Device(1)
    first, entry = ann.message("the words")
    inbox.deliver(ann.write(entry), ann.write(ann.react(first, "👍")))
    inbox.deliver(ann.write(ann.react(first, "👍", on=False)))
    erasure = entry._replace(raw=None)
    inbox.deliver(ann.write(ann.delete(first), erasure))
    inbox.deliver(raw := ann.snapshot())
    assert envelopes(inbox, ann) == [5]
    assert len(raw) < 700
    assert inbox.texts() == []
    assert is_sound(inbox)


def test_newcomer_gets_snapshots_first_and_the_rest_with_gaps() -> None:
    there, ann, bob = Inbox(), Device(1), Device(2)
    old = [ann.send(f"a{n}") for n in range(3)]
    other = bob.send("bob")
    ann.volume = 1
    middle = ann.send("middle")
    ann.volume = 0
    snapshot = ann.snapshot()
    ann.volume = 1
    last = ann.send("last")
    there.deliver(*old, middle, other, snapshot, last)
    here = Inbox()
    here.let_in(ann.keys.public[:8])
    here.let_in(bob.keys.public[:8])
    here.receiver.take_ahead(here.row, [snapshot])
    assert here.texts() == []
    assert seq_of(here, ann) == 3
    deliver_with_gaps(here, 3, middle, other, 1, last)
    assert sorted(here.texts()) == ["a0", "a1", "a2", "bob", "last", "middle"]
    assert here.room.digest() == there.room.digest()
    assert envelopes(here, ann) == [4, 5, 6]
    assert is_sound(here)


def test_snapshot_ahead_is_kept_until_the_chain_has_come_to_it() -> None:
    inbox, ann = Inbox(), Device(1)
    first, entry = ann.message("first")
    raws = [ann.write(entry), ann.send("second")]
    ann.volume = 1
    tombstone = ann.write(ann.delete(first))
    ann.volume = 0
    erased = ann.write(entry._replace(raw=None), volume=0)
    snapshot = ann.snapshot()
    inbox.deliver(*raws)
    inbox.receiver.take_ahead(inbox.row, [snapshot])
    assert inbox.texts() == ["first", "second"], "the message would go, and come back as deleted"
    assert seq_of(inbox, ann) == 2
    deliver_with_gaps(inbox, tombstone, 1)
    assert inbox.texts() == ["second"]
    assert seq_of(inbox, ann) == 5
    assert envelopes(inbox, ann) == [3, 5]
    assert is_sound(inbox)
    assert erased


def test_told_twice_or_after_a_newer_one_is_harmless() -> None:
    inbox, ann = Inbox(), Device(1)
    inbox.let_in(ann.keys.public[:8])
    ann.send("first")
    older = ann.snapshot()
    ann.send("second")
    newer = ann.snapshot()
    for raw in (newer, older, newer, older):
        inbox.receiver.take_ahead(inbox.row, [raw])
    assert inbox.texts() == ["first", "second"]
    assert envelopes(inbox, ann) == [4]
    assert is_sound(inbox)


def test_peer_that_has_a_beginning_goes_on_with_the_snapshot() -> None:
    inbox, ann = Inbox(), Device(1)
    raws = [ann.send(f"a{n}") for n in range(6)]
    inbox.deliver(*raws[:3])
    snapshot = ann.snapshot()
    inbox.receiver.take_ahead(inbox.row, [snapshot])
    assert inbox.texts() == [f"a{n}" for n in range(6)]
    deliver_with_gaps(inbox, 4)
    assert envelopes(inbox, ann) == [7]
    assert is_sound(inbox)


def test_hole_that_no_snapshot_explains_is_named() -> None:
    inbox, ann = Inbox(), Device(1)
    inbox.let_in(ann.keys.public[:8])
    raws = [ann.send(f"a{n}") for n in range(3)]
    for _ in range(2):
        gaps = [(0, inbox.cursor + 2, b"12345678")]
        inbox.receiver.apply(inbox.row, inbox.cursor, raws[2:], is_live=False, gaps=gaps)
    assert inbox.texts() == []
    assert inbox.reasons() == ["gap"]


# Lies


LIES = (
    "other words",
    "left out",
    "brought back",
    "more than was written",
    "a later stamp",
    "a place left out",
    "another link",
    "another volume",
    "out of order",
    "no journal",
)


@pytest.mark.parametrize("case", LIES)
def test_snapshot_that_says_something_else_is_refused_and_nothing_goes(case: str) -> None:
    inbox, ann, snapshot = lying(case)
    before = inbox.room.digest()
    inbox.deliver(snapshot)
    assert "cannot be read: " in (inbox.frozen(ann.id) or "")
    assert [text for text in inbox.texts() if text != "in another volume"] == ["what was said"]
    assert inbox.room.digest() == before
    assert envelopes(inbox, ann)[:4] == [1, 2, 3, 4]
    inbox.peer.rebuild()
    assert inbox.room.digest() == before


def test_snapshot_whose_seal_does_not_open_waits_or_freezes_and_keeps_all() -> None:
    inbox, ann = Inbox(), Device(1)
    inbox.deliver(ann.send("first"))
    stranger = Device(1, room_key=bytes(32))
    stranger.link, stranger.seq, stranger._links = ann.link, ann.seq, ann._links
    stranger._documents, stranger._updates = ann._documents, ann._updates
    inbox.deliver(stranger.snapshot())
    assert inbox.texts() == ["first"]
    assert envelopes(inbox, ann) == [1, 2]


def test_chain_that_comes_to_another_link_than_its_snapshot_follows_is_frozen() -> None:
    inbox, ann = Inbox(), Device(1)
    inbox.deliver(ann.send("first"))
    fork = ann.fork()
    fork.volume = 1
    ann.volume = 1
    seen, unseen = ann.send("seen"), fork.send("unseen")
    fork._links[0], fork._documents, fork._updates = ann._links[0], ann._documents, ann._updates
    snapshot = fork.snapshot(volume=0)
    assert unseen
    inbox.receiver.take_ahead(inbox.row, [snapshot])
    inbox.deliver(seen)
    assert "two histories" in (inbox.frozen(ann.id) or "")
    assert inbox.texts() == ["first", "seen"]


def test_altered_snapshot_is_asked_for_again() -> None:
    inbox, ann = Inbox(), Device(1)
    inbox.let_in(ann.keys.public[:8])
    ann.send("first")
    snapshot = ann.snapshot()
    broken = bytearray(snapshot)
    broken[-70] ^= 1
    inbox.receiver.take_ahead(inbox.row, [bytes(broken)])
    assert inbox.receiver.is_doubtful
    inbox.receiver.take_ahead(inbox.row, [snapshot])
    assert not inbox.receiver.is_doubtful
    assert inbox.texts() == ["first"]


# Deliveries with gaps


def test_part_of_the_log_skips_what_is_here_and_takes_over_fingerprints() -> None:
    there = b"12345678"
    part = delivered(4, [b"a", b"b", b"c"], [(1, 9, there)], cursor=4, fingerprint=b"00000000")
    assert part.envelopes == ((5, b"a"), (10, b"b"), (11, b"c"))
    assert (part.first, part.last) == (5, 11)
    assert part.fingerprint == next_fingerprint(next_fingerprint(there, b"b"), b"c")
    rest = delivered(4, [b"a", b"b", b"c"], [(1, 9, there)], cursor=10, fingerprint=b"00000000")
    assert rest.envelopes == ((11, b"c"),)
    assert rest.fingerprint == next_fingerprint(b"00000000", b"c")
    assert delivered(4, [], [(0, 9, there)], cursor=4, fingerprint=b"").fingerprint == there
    inside = delivered(4, [b"a"], [(0, 9, there)], cursor=7, fingerprint=b"x")
    assert (inside.envelopes, inside.last) == (((10, b"a"),), 10)
    assert told([b"a"]).last == 0


@pytest.mark.parametrize(
    "gaps",
    [[(0, 4, b"")], [(0, 3, b"")], [(2, 9, b"")], [(1, 9, b""), (0, 12, b"")], [(0, 9, b"")] * 2],
    ids=["empty", "backwards", "beyond", "out of order", "twice"],
)
def test_gaps_that_cannot_be_end_the_connection(gaps: list[tuple[int, int, bytes]]) -> None:
    with pytest.raises(HoleInDelivery):
        delivered(4, [b"a"], gaps, cursor=4, fingerprint=b"")


def test_delivery_beyond_the_cursor_ends_the_connection() -> None:
    with pytest.raises(HoleInDelivery):
        delivered(4, [b"a"], [], cursor=3, fingerprint=b"")


def test_stamps_go_on_behind_what_is_covered() -> None:
    inbox, ann = Inbox(), Device(1)
    inbox.let_in(ann.keys.public[:8])
    ann.send("first")
    late = ann.last
    snapshot = ann.snapshot()
    ann.last = Stamp("0000000000001")
    early = ann.send("from before")
    inbox.receiver.take_ahead(inbox.row, [snapshot])
    assert snapshots.covering(inbox.db, 1, 1) is not None
    deliver_with_gaps(inbox, 2, early)
    assert "a stamp does not come after" in (inbox.frozen(ann.id) or "")
    assert late > ann.last


def test_message_whose_erasure_comes_before_its_tombstone_is_not_told_of_as_new() -> None:
    inbox, ann = Inbox(), Device(1)
    message, entry = ann.message("to be deleted")
    inbox.deliver(ann.write(entry))
    (added,) = inbox.db.rows("select added from message where message = ?", (message,))
    ann.volume = 1
    later = ann.send("later")
    inbox.deliver(later, ann.write(entry._replace(raw=None), volume=0))
    assert inbox.texts() == ["later"]
    inbox.deliver(ann.write(ann.delete(message)))
    shown = inbox.room.message(message)
    assert shown is not None
    assert shown.deleted
    assert inbox.db.rows("select added from message where message = ?", (message,)) == [added]
    assert inbox.db.rows("select * from removed_message") == []
    assert is_sound(inbox)


def test_what_waited_while_snapshots_let_the_chain_go_on_is_read_as_of_its_place() -> None:
    inbox, ann = Inbox(), Device(1)
    first = ann.send("in the first volume")
    ann.volume = 1
    ann.send("1.0")
    ann.send("1.1")
    snapshot = ann.snapshot()
    inbox.receiver.take_ahead(inbox.row, [snapshot])
    deliver_with_gaps(inbox, first, 3)
    assert seq_of(inbox, ann) == 4
    assert inbox.texts() == [], "she is not let in"
    inbox.let_in(ann.keys.public[:8])
    assert inbox.texts() == ["in the first volume", "1.0", "1.1"]
    assert inbox.frozen(ann.id) is None
    assert is_sound(inbox)


def test_gap_does_not_hide_that_an_envelope_before_it_was_passed_over() -> None:
    inbox, ann, bob = Inbox(), Device(1), Device(2)
    inbox.deliver(ann.send("first"), bob.send("hello"))
    second, third = ann.send("second"), bob.send("there")
    bad = second[:-1] + bytes((second[-1] ^ 1,))
    upto = inbox.cursor + 4
    gaps = [(1, upto - 1, bytes(range(8)))]
    for _ in range(2):  # at first sight it is asked for again
        room = inbox.receiver.apply(inbox.row, inbox.cursor, [bad, third], is_live=False, gaps=gaps)
    there = next_fingerprint(bytes(range(8)), third)
    assert room.cursor == upto
    assert room.fingerprint != there  # so the room is read anew when it is opened again
    rooms.set_position(
        inbox.db, inbox.row, incarnation=room.incarnation, cursor=inbox.cursor, fingerprint=bytes(8)
    )
    room = inbox.receiver.apply(inbox.row, inbox.cursor, [second, third], is_live=False, gaps=gaps)
    assert room.fingerprint == there
    assert inbox.texts() == ["first", "hello", "second", "there"]

"""A peer that keeps little: chains go on over stubs, contents are read when they come."""

from __future__ import annotations

from unittest import mock

import pytest

from syncchat.core.reader import Change
from syncchat.core.values import Root
from syncchat.ids import Stamp
from syncchat.storage import absent, chains, keeping
from syncchat.wire.coverage import Range, split_body
from syncchat.wire.envelope import Envelope, decode_envelope, encode_envelope
from tests.support.devices import Device
from tests.support.little import Light, everything, stub, volumes_of

from .test_snapshots import deliver_with_gaps, is_sound


def test_chain_goes_on_over_stubs_and_nothing_of_them_shows() -> None:
    ann = Device(1)
    log, (first, second) = volumes_of(ann, 2)
    ann.volume = 2
    last = ann.send("new")
    here = Light(ann)
    here.tell((3, first), (6, second))
    deliver_with_gaps(here, 6, last)
    assert here.texts() == ["new"]
    assert (here.chain(ann).seq, here.chain(ann).waiting) == (7, None)
    assert here.room.has_older
    assert is_sound(here)
    assert here.give(6, second)
    assert here.texts() == ["1.0", "1.1", "new"]
    assert is_sound(here)
    assert here.give(3, first)
    assert not here.room.has_older
    assert here.room.digest() == everything(log, [last]).room.digest()
    assert is_sound(here)


def test_chain_that_ends_with_a_stub_goes_on_after_it_was_folded_anew() -> None:
    ann = Device(1)
    _, (first, second) = volumes_of(ann, 2)
    here = Light(ann)
    here.tell((3, first), (6, second))
    here.peer.rebuild()
    ann.volume = 2
    deliver_with_gaps(here, 6, ann.send("new"))
    assert here.texts() == ["new"]
    assert here.frozen(ann.id) is None


def test_what_follows_in_an_absent_volume_is_deferred_and_the_chain_goes_on() -> None:
    ann = Device(1)
    log, (first,) = volumes_of(ann, 1)
    target = ann.send("in the open volume")
    here = Light(ann)
    here.tell((3, first))
    deliver_with_gaps(here, 3, target)
    assert here.texts() == []
    assert here.chain(ann).waiting is None
    assert here.peer.check() == []
    assert here.needed() == [3], "it is the volume that she writes in"
    ann.volume = 1
    later = ann.send("in the next one")
    deliver_with_gaps(here, later)
    assert here.texts() == ["in the next one"]
    assert is_sound(here)
    assert here.give(3, first)
    assert here.texts() == ["0.0", "0.1", "in the open volume", "in the next one"]
    assert here.room.digest() == everything([*log, target, later]).room.digest()
    assert is_sound(here)


def test_closed_volume_with_loose_ends_stays_where_it_is() -> None:
    ann = Device(1)
    ann.write(ann.field(Root.PROFILE, "name", "Ann"))
    name = ann.snapshot()
    ann.volume = 1
    ann.send("1.0")
    middle = ann.snapshot()
    loose = ann.send("1.1")
    ann.volume = 2
    last = ann.send("2.0")
    here = Light(ann)
    here.tell((2, name), (4, middle))
    deliver_with_gaps(here, 4, loose, last)
    assert here.texts() == ["2.0"]
    assert here.needed() == [2]
    assert here.give(2, name)
    assert here.needed() == []
    assert here.give(4, middle)
    assert here.texts() == ["1.0", "1.1", "2.0"]
    assert is_sound(here)


def test_what_turns_out_not_to_hold_takes_back_what_was_read_behind_it() -> None:
    ann = Device(1)
    log, (first,) = volumes_of(ann, 1)
    bad = ann.seal(b"not an update")
    ann.volume = 1
    later = ann.send("read too early")
    here = Light(ann)
    here.tell((3, first))
    deliver_with_gaps(here, 3, bad, later)
    assert here.texts() == ["read too early"]
    assert here.give(3, first)
    there = everything([*log, bad, later])
    assert here.texts() == there.texts() == ["0.0", "0.1"]
    assert here.frozen(ann.id) == there.frozen(ann.id) is not None
    assert here.room.digest() == there.room.digest()


def test_what_waited_is_read_as_of_its_own_place_though_the_chain_is_further() -> None:
    ann = Device(1)
    log, (first,) = volumes_of(ann, 1)
    waits = ann.send("waits")
    ann.volume = 1
    later = [ann.send("1.0"), ann.send("1.1"), ann.snapshot()]
    ann.volume = 2
    last = [ann.send("2.0"), ann.snapshot()]
    for is_whole in (True, False):
        here = Light(ann)
        here.tell((3, first), (9, last[-1]))
        if is_whole:
            here.receiver.take_ahead(here.row, [later[-1]])
        else:
            here.tell((7, later[-1]))
            assert here.give(7, later[-1])
        deliver_with_gaps(here, 3, waits, 5)
        assert here.give(3, first)
        assert here.give(9, last[-1])
        assert here.frozen(ann.id) is None
        there = everything([*log, waits, *later, *last])
        assert here.texts() == there.texts()
        assert here.room.digest() == there.room.digest()
        assert is_sound(here)


def test_contents_that_are_not_what_the_stub_said_are_asked_for_again_and_then_left() -> None:
    ann = Device(1)
    _, (first, second) = volumes_of(ann, 2)
    here = Light(ann)
    here.tell((3, first), (6, second))
    envelope, header = decode_envelope(first)
    coverage, sealed = split_body(envelope.body, header.seq)
    lie = Envelope(envelope.header, coverage.raw + bytes(len(sealed)), envelope.signature)
    for wrong in (encode_envelope(lie), second, b"nonsense"):
        assert not here.give(3, wrong)
    assert not here.give(3, b"")
    assert here.texts() == []
    assert here.give(3, first)
    assert here.texts() == ["0.0", "0.1"]
    assert is_sound(here)


def test_first_wrong_contents_end_the_connection_and_the_second_do_not() -> None:
    ann = Device(1)
    _, (first,) = volumes_of(ann, 1)
    here = Light(ann)
    here.tell((3, first))
    assert not here.give(3, b"nonsense")
    assert here.receiver.is_doubtful
    assert not here.give(3, b"nonsense")
    assert not here.receiver.is_doubtful


@pytest.mark.parametrize("part", ["header", "coverage", "hash", "signature", "kind", "cut"])
def test_stub_that_does_not_hold_is_set_aside_and_the_chain_stays(part: str) -> None:
    ann = Device(1)
    log, (first,) = volumes_of(ann, 1)
    envelope, header = decode_envelope(stub(first))
    coverage, digest = split_body(envelope.body, header.seq)
    body = bytearray(envelope.body)
    raw = stub(first)
    if part == "header":
        changed = envelope.header.replace(bytes(23) + b"\3", bytes(23) + b"\4")
        raw = encode_envelope(Envelope(changed, envelope.body, envelope.signature))
        assert raw != stub(first)
    elif part == "coverage":
        body[-40] ^= 1
        raw = encode_envelope(Envelope(envelope.header, bytes(body), envelope.signature))
    elif part == "hash":
        body[-1] ^= 1
        raw = encode_envelope(Envelope(envelope.header, bytes(body), envelope.signature))
    elif part == "signature":
        raw = encode_envelope(Envelope(envelope.header, envelope.body, bytes(64)))
    elif part == "kind":
        raw = log[0]
    else:
        raw = encode_envelope(
            Envelope(envelope.header, coverage.raw + digest[:16], envelope.signature)
        )
    here = Light(ann)
    here.receiver.take_stubs(here.row, [(3, raw)])
    assert here.receiver.is_doubtful
    assert not here.room.has_older
    found = chains.find_chain(here.db, here.row, ann.id)
    assert found is None or found.seq == 0
    here.deliver(*log)
    assert here.texts() == ["0.0", "0.1"]


def test_stub_of_a_device_that_wrote_two_histories_freezes_it_as_a_whole_one_does() -> None:
    ann, other = Device(1), Device(1)
    log = [ann.send("one"), ann.send("two")]
    assert other.send("one") == log[0]
    other.volume = 1
    other.send("another")
    ranges = [Range(1, 1, ann._links[0][0][1])]
    snapshot = other.snapshot(volume=0, ranges=ranges)
    here = Light(ann)
    here.tell((9, snapshot))
    here.deliver(*log)
    there = everything(log, [snapshot])
    assert here.frozen(ann.id) is not None
    assert there.frozen(ann.id) is not None or there.reasons()


def test_newer_stub_takes_the_place_of_an_older_one_and_of_what_waited() -> None:
    ann = Device(1)
    first, entry = ann.message("taken back")
    log = [ann.write(entry), ann.send("kept")]
    old = ann.snapshot()
    ann.volume = 1
    tombstone = ann.write(ann.delete(first))
    ann.volume = 0
    erasure = ann.write(entry._replace(raw=None), volume=0)
    new = ann.snapshot(volume=0)
    ann.volume = 1
    last = ann.send("new")
    here = Light(ann)
    here.tell((3, old))
    deliver_with_gaps(here, 3, tombstone, erasure)
    assert here.needed() == [3]
    here.tell((6, new))
    deliver_with_gaps(here, 1, last)
    assert here.texts() == ["new"]
    assert here.chain(ann).waiting is None
    assert here.give(6, new)
    assert here.texts() == ["kept", "new"]
    assert is_sound(here)
    there = everything([*log, old, tombstone, erasure, new, last])
    assert here.room.digest() == there.room.digest()


def test_newer_snapshot_that_comes_whole_takes_the_place_of_absent_contents() -> None:
    ann = Device(1)
    first, entry = ann.message("taken back")
    log = [ann.write(entry), ann.send("kept")]
    old = ann.snapshot()
    ann.volume = 1
    tombstone = ann.write(ann.delete(first))
    erasure = ann.write(entry._replace(raw=None), volume=0)
    new = ann.snapshot(volume=0)
    last = ann.send("new")
    there = everything([*log, old, tombstone, erasure, new, last])
    for step in (1, 5):
        here = Light(ann)
        here.tell((3, old))
        rest = [tombstone, erasure, new, last]
        deliver_with_gaps(here, 3)
        for start in range(0, 4, step):
            deliver_with_gaps(here, *rest[start : start + step])
        assert here.texts() == ["kept", "new"]
        assert not here.room.has_older
        assert is_sound(here)
        assert here.room.digest() == there.room.digest()


def test_newer_snapshot_that_leaves_something_out_does_not_take_the_place() -> None:
    ann = Device(1)
    log, (old,) = volumes_of(ann, 1)
    more = ann.send("more")
    links = dict(ann._links[0])
    wrong = ann.snapshot(ranges=[Range(4, 4, links[4])])
    here = Light(ann)
    here.tell((3, old))
    deliver_with_gaps(here, 3, more, wrong)
    assert here.room.has_older
    assert here.give(3, old)
    assert here.texts() == ["0.0", "0.1", "more"]
    assert here.frozen(ann.id) == everything([*log, more, wrong]).frozen(ann.id) is not None
    other = Light(ann)
    other.tell((3, old))
    deliver_with_gaps(other, 3)
    other.tell((5, wrong))
    assert other.frozen(ann.id) is not None


def test_tombstones_that_came_first_win_over_contents() -> None:
    ann, bob = Device(1), Device(2)
    first, entry = ann.message("first")
    log = [ann.write(entry), ann.send("second"), snapshot := ann.snapshot()]
    ann.volume = 1
    gone = ann.write(ann.delete(first))
    reaction = bob.write(bob.react(first, "👍"))
    here = Light(ann, bob)
    here.tell((3, snapshot))
    deliver_with_gaps(here, 3, gone, reaction)
    assert here.give(3, snapshot)
    assert here.texts() == ["second"]
    assert here.room.digest() == everything([*log, gone, reaction]).room.digest()
    assert is_sound(here)


def test_contents_and_what_follows_them_in_one_delivery() -> None:
    ann = Device(1)
    _, (first,) = volumes_of(ann, 1)
    more = [ann.send("more"), ann.send("and more")]
    here = Light(ann)
    here.tell((3, first))
    deliver_with_gaps(here, 2, first, *more)
    assert here.texts() == ["0.0", "0.1", "more", "and more"]
    assert here.frozen(ann.id) is None
    assert is_sound(here)


def test_whole_snapshot_of_a_stub_that_is_told_or_delivered_counts_as_its_contents() -> None:
    ann = Device(1)
    _, (first, second) = volumes_of(ann, 2)
    here = Light(ann)
    here.tell((3, first), (6, second))
    here.receiver.take_ahead(here.row, [second])
    assert here.texts() == ["1.0", "1.1"]
    deliver_with_gaps(here, 2, first, 3)
    assert here.texts() == ["0.0", "0.1", "1.0", "1.1"]
    assert not here.room.has_older
    assert is_sound(here)


def test_stub_ahead_of_its_chain_waits_until_the_chain_has_come_to_it() -> None:
    ann = Device(1)
    ann.volume = 1
    early = ann.send("early")
    ann.volume = 2
    log, snapshots = [ann.send("2.0"), ann.snapshot()], []
    snapshots.append(log[-1])
    ann.volume = 1
    here = Light(ann)
    here.tell((3, snapshots[0]))
    assert here.chain(ann).seq == 0
    assert here.give(3, snapshots[0])
    assert here.texts() == []
    deliver_with_gaps(here, early, 2)
    assert here.texts() == ["early", "2.0"]
    assert is_sound(here)


def test_volume_of_which_something_is_here_is_needed_and_compared() -> None:
    ann = Device(1)
    early = ann.send("early")
    ann.send("late")
    snapshot = ann.snapshot()
    here = Light(ann)
    here.deliver(early)
    here.tell((3, snapshot))
    deliver_with_gaps(here, 2)
    assert here.needed() == [3]
    assert is_sound(here)
    assert here.give(3, snapshot)
    assert here.texts() == ["early", "late"]
    assert is_sound(here)


def test_frozen_chain_still_takes_contents_from_before() -> None:
    ann = Device(1)
    log, (first, second) = volumes_of(ann, 2)
    ann.volume = 2
    bad = ann.seal(b"not an update")
    later = ann.send("never read")
    here = Light(ann)
    here.tell((3, first), (6, second))
    deliver_with_gaps(here, 6, bad, later)
    assert here.frozen(ann.id)
    assert here.give(6, second)
    assert here.give(3, first)
    there = everything([*log, bad, later])
    assert here.texts() == there.texts() == ["0.0", "0.1", "1.0", "1.1"]
    assert here.frozen(ann.id) == there.frozen(ann.id)
    here.peer.rebuild()
    assert here.room.digest() == there.room.digest()


def test_name_of_who_says_something_is_fetched_and_of_who_is_silent_not() -> None:
    ann, bob = Device(1), Device(2)
    ann.write(ann.field(Root.PROFILE, "name", "Ann"))
    ann.send("old")
    first = ann.snapshot()
    ann.volume = 1
    new = ann.send("new")
    bob.write(bob.field(Root.PROFILE, "name", "Bob"))
    other = bob.snapshot()
    here = Light(ann, bob)
    here.tell((3, first), (6, other))
    deliver_with_gaps(here, 3, new, 2)
    assert here.needed() == [3]
    here.room.keep_history("all")
    assert here.needed() == [6, 3]


def test_tombstone_stays_while_its_message_may_be_in_what_was_left() -> None:
    ann = Device(1)
    first, entry = ann.message("taken back elsewhere")
    ann.write(entry)
    snapshot = ann.snapshot()
    here = Light(ann)
    tombstone = Change(Root.DELETES, first, 0, Stamp(first[:13]), "", None)
    with mock.patch.object(keeping, "cutoff_of", lambda db, room: Stamp("Z" * 13)):
        assert keeping.shed(here.db, here.row, {0: tombstone}) == {0}
        here.tell((3, snapshot))
        assert keeping.shed(here.db, here.row, {0: tombstone}) == set()


def test_place_is_forgotten_with_the_log_and_learnt_again() -> None:
    ann = Device(1)
    _, (first,) = volumes_of(ann, 1)
    here = Light(ann)
    here.tell((3, first))
    here.room.keep_history("all")
    assert here.needed() == [3]
    with here.db.atomic():
        absent.forget_places(here.db, here.row)
    assert here.needed() == []
    here.tell((11, first))
    assert here.needed() == [11]

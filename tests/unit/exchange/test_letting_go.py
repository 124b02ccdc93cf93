"""Snapshots that let go of what is old, as peers receive them: in their place, ahead, and lying."""

from __future__ import annotations

import pytest

from syncchat.core import clock
from syncchat.core.keeping import DAY_MS
from syncchat.core.snapshots import LettingGo
from syncchat.core.values import Root
from syncchat.ids import Stamp
from syncchat.storage import chains
from tests.support.devices import Device
from tests.support.peers import Inbox
from tests.support.ports import START_MS

from .test_snapshots import deliver_with_gaps, envelopes, is_sound


def at(day: float) -> int:
    return START_MS + round(day * DAY_MS)


def stamp(day: float) -> Stamp:
    return clock.stamp(at(day))


def write(device: Device, text: str, day: float) -> bytes:
    return device.write(device.message(text, now_ms=at(day))[1])


def test_who_has_the_envelopes_lets_go_as_who_has_not() -> None:
    there, ann = Inbox(), Device(1)
    old, entry = ann.message("old", now_ms=at(1))
    raws = [ann.write(entry), ann.write(ann.edit(old, "older")), ann.write(ann.react(old, "👍"))]
    raws += [write(ann, "young", 20), write(ann, "younger", 21)]
    there.deliver(*raws)
    letting = LettingGo(ann.stamp(at(30)), stamp(15))
    snapshot = ann.snapshot(letting_go=letting, gone=[0, 1, 2])
    there.deliver(snapshot)
    assert there.texts() == ["young", "younger"]
    assert envelopes(there, ann) == [6]
    here = Inbox()
    here.let_in(ann.keys.public[:8])
    here.receiver.take_ahead(here.row, [snapshot])
    assert here.room.digest() == there.room.digest()
    assert here.texts() == there.texts()
    for inbox in (here, there):
        assert is_sound(inbox)
        assert inbox.frozen(ann.id) is None
    more = write(ann, "after it", 31)
    there.deliver(more)
    deliver_with_gaps(here, 6, more)
    assert here.room.digest() == there.room.digest()
    assert here.texts() == ["young", "younger", "after it"]


def test_what_is_not_about_messages_stays() -> None:
    inbox, ann = Inbox(), Device(1)
    inbox.deliver(write(ann, "old", 1), write(ann, "young", 20))

    inbox.deliver(ann.write(ann.field(Root.PROFILE, "name", "Ann")))
    letting = LettingGo(ann.stamp(at(30)), stamp(25))
    inbox.deliver(ann.snapshot(letting_go=letting, gone=[0, 2]))
    assert "cannot be read" in (inbox.frozen(ann.id) or "")


def test_some_of_what_is_old_may_stay() -> None:
    inbox, ann = Inbox(), Device(1)
    inbox.deliver(write(ann, "old", 1), write(ann, "kept all the same", 2))
    inbox.deliver(ann.snapshot(letting_go=LettingGo(ann.stamp(at(30)), stamp(25)), gone=[0]))
    assert inbox.texts() == ["kept all the same"]
    assert is_sound(inbox)


def test_volume_is_let_go_of_whole_and_again() -> None:
    inbox, ann = Inbox(), Device(1)
    inbox.deliver(*(write(ann, f"{day}", day) for day in range(6)))
    for day, gone in ((10, [0, 1, 2]), (20, [0, 1, 2, 3, 4, 5])):
        letting = LettingGo(ann.stamp(at(day)), stamp(day - 7))
        inbox.deliver(raw := ann.snapshot(letting_go=letting, gone=gone))
        assert inbox.texts() == [f"{n}" for n in range(len(gone), 6)]
        assert is_sound(inbox)
    assert len(raw) < 400
    assert envelopes(inbox, ann) == [8]


def test_deletion_of_what_is_gone_leaves_no_row() -> None:
    inbox, ann = Inbox(), Device(1)
    old, entry = ann.message("old", now_ms=at(1))
    inbox.deliver(ann.write(entry))
    inbox.deliver(ann.write(ann.delete(old), entry._replace(raw=None)))
    empty = Inbox().room.digest()
    letting = LettingGo(ann.stamp(at(9)), stamp(8))
    inbox.deliver(ann.snapshot(letting_go=letting, gone=[0, 1]))
    assert inbox.room.messages() == []
    assert inbox.room.digest() == empty
    assert is_sound(inbox)


@pytest.mark.parametrize(
    ("cutoff", "gone"),
    [(9.5, [0]), (9.5, []), (11, [0]), (2.5, [0, 1, 2]), (0.5, [0])],
    ids=["cutoff of today", "that lets go of nothing", "in the future", "young", "none is old"],
)
def test_snapshot_that_lets_go_too_early_is_refused(cutoff: float, gone: list[int]) -> None:
    inbox, ann = Inbox(), Device(1)
    inbox.deliver(*(write(ann, f"{day}", day) for day in (1, 2, 3)))
    inbox.deliver(ann.snapshot(letting_go=LettingGo(ann.stamp(at(10)), stamp(cutoff)), gone=gone))
    assert "cannot be read" in (inbox.frozen(ann.id) or "")
    assert inbox.texts() == ["1", "2", "3"]


def test_what_follows_such_a_snapshot_is_newer_than_it() -> None:
    """Who says that it is made in the future, to let go of what is young, has to live there."""
    inbox, ann = Inbox(), Device(1)
    inbox.deliver(write(ann, "young", 1), write(ann, "younger", 2))
    inbox.deliver(ann.snapshot(letting_go=LettingGo(stamp(400), stamp(300)), gone=[0, 1]))
    assert inbox.texts() == []
    chain = chains.find_chain(inbox.db, inbox.row, ann.id)
    assert chain is not None and chain.last_stamp == stamp(400)
    inbox.deliver(write(ann, "as if nothing had been", 3))
    assert "a stamp does not come after" in (inbox.frozen(ann.id) or "")


def test_volumes_that_are_snapshotted_in_turn_are_read_ahead_of_their_chain() -> None:
    """The last stamp of a volume that goes on behind a snapshot is newer than that snapshot."""
    there, ann = Inbox(), Device(1)
    first = [write(ann, "old", 1), write(ann, "older", 2)]
    ann.volume = 1
    second = [write(ann, "young", 20)]
    ann.volume = 0
    older = ann.snapshot(letting_go=LettingGo(ann.stamp(at(30)), stamp(15)), gone=[0, 1])
    ann.volume = 1
    third = [write(ann, "younger", 40)]
    newer = ann.snapshot()
    last = write(ann, "last", 50)
    there.deliver(*first, *second, older, *third, newer, last)
    here = Inbox()
    here.let_in(ann.keys.public[:8])
    here.receiver.take_ahead(here.row, [older, newer])
    deliver_with_gaps(here, 6, last)
    for inbox in (here, there):
        assert inbox.frozen(ann.id) is None
        assert inbox.texts() == ["young", "younger", "last"]
        assert is_sound(inbox)
    assert here.room.digest() == there.room.digest()

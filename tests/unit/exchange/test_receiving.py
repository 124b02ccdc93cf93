"""Receiving: what does not fit is set aside alone, with its reason, and nothing else waits."""

from __future__ import annotations

import pytest

from syncchat.core.journal import Entry
from syncchat.core.values import ReadValue, Root
from syncchat.errors import DiskFull, LeaseLost
from syncchat.storage import chains, lease, rooms
from syncchat.storage.view import ViewBatch
from tests.contracts.chains import fingerprint_of, with_broken_signature
from tests.support.devices import Device
from tests.support.peers import Inbox
from tests.support.updates import Item, update

BOB_SAYS = "bob goes on"


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def alice() -> Device:
    return Device(1)


@pytest.fixture
def bob() -> Device:
    return Device(2)


def test_envelopes_of_a_chain_are_shown_in_its_order(inbox: Inbox, alice: Device) -> None:
    inbox.deliver(*(alice.send(f"number {n}") for n in range(5)))
    assert inbox.texts() == [f"number {n}" for n in range(5)]
    assert inbox.peer.check() == []


def test_bytes_that_are_no_envelope_are_set_aside_alone(
    inbox: Inbox, alice: Device, bob: Device
) -> None:
    inbox.deliver(alice.send("before"), b"junk", bob.send(BOB_SAYS), alice.send("after"))
    assert inbox.texts() == ["before", BOB_SAYS, "after"]
    (reason,) = inbox.reasons()
    assert "not an envelope" in reason


def test_bad_signature_is_set_aside_and_the_good_one_is_taken_when_it_comes(
    inbox: Inbox, alice: Device, bob: Device
) -> None:
    first, second = alice.send("first"), alice.send("second")
    inbox.deliver(with_broken_signature(first), bob.send(BOB_SAYS))
    assert inbox.texts() == [BOB_SAYS]
    (reason,) = inbox.reasons()
    assert "signature" in reason
    inbox.deliver(first, second)
    assert sorted(inbox.texts()) == sorted(["first", "second", BOB_SAYS])


def test_good_envelope_behind_a_bad_one_at_its_place_is_taken_from_the_same_batch(
    inbox: Inbox, alice: Device
) -> None:
    first = alice.send("first")
    inbox.deliver(with_broken_signature(first), first, alice.send("second"))
    assert inbox.texts() == ["first", "second"]


def test_gap_is_closed_when_the_missing_envelope_comes(
    inbox: Inbox, alice: Device, bob: Device
) -> None:
    first, second, third = (alice.send(text) for text in ("first", "second", "third"))
    inbox.deliver(third, first, bob.send(BOB_SAYS))
    assert sorted(inbox.texts()) == sorted(["first", BOB_SAYS])
    assert inbox.reasons() == ["gap"]
    inbox.deliver(second)
    assert sorted(inbox.texts()) == sorted(["first", "second", "third", BOB_SAYS])
    assert inbox.reasons() == []
    assert inbox.peer.check() == []


def test_envelope_that_comes_again_changes_nothing(inbox: Inbox, alice: Device) -> None:
    first = alice.send("first")
    inbox.deliver(first, first)
    inbox.deliver(first)
    assert inbox.texts() == ["first"]
    assert inbox.reasons() == []
    assert inbox.peer.check() == []


@pytest.mark.parametrize("together", [True, False])
def test_second_envelope_at_one_place_is_kept_as_evidence_and_freezes_the_chain(
    inbox: Inbox, alice: Device, bob: Device, together: bool
) -> None:
    twin = alice.fork()
    one, other = alice.send("one history"), twin.send("another history")
    assert one != other
    if together:
        inbox.deliver(one, other)
    else:
        inbox.deliver(one)
        inbox.deliver(other)
    inbox.deliver(alice.send("goes on"), bob.send(BOB_SAYS))
    assert sorted(inbox.texts()) == sorted(["one history", BOB_SAYS])
    (reason,) = inbox.reasons()
    assert "two different envelopes at 1" in reason
    assert "two different envelopes" in (inbox.frozen(alice.id) or "")
    assert inbox.frozen(bob.id) is None
    assert any("two different envelopes" in fault for fault in inbox.peer.check())


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("unreadable", "cannot be read"),
        ("refused update", "unknown root map"),
        ("unknown kind", "of a later version"),
        ("other room key", "does not open under the room's key"),
        ("volume skipped", "comes before volume"),
    ],
)
def test_unreadable_body_is_kept_and_its_chain_read_no_further(
    inbox: Inbox, alice: Device, bob: Device, what: str, reason: str
) -> None:
    if what == "other room key":
        alice = Device(1, room_key=bytes(32))
    good = [] if what == "other room key" else [alice.send("before")]
    entry = Entry(Root.MESSAGES, alice.stamp(), "{}")
    match what:
        case "unreadable":
            bad = alice.seal(b"junk that is no update")
        case "refused update":
            raw = update(0, 1, [Item(Root.MESSAGES, entry.key, raw="{}")])
            bad = alice.seal(raw.replace(b"messages", b"passages"))
        case "unknown kind":
            bad = alice.seal(alice.update(entry), kind=7)
        case "volume skipped":
            bad = alice.write(entry, volume=2)
        case _:
            bad = alice.write(entry)
    inbox.deliver(*good, bad, alice.seal(b"behind it"), bob.send(BOB_SAYS))
    assert inbox.texts() == [*(["before"] if good else []), BOB_SAYS]
    (said,) = inbox.reasons()
    assert reason in said
    assert reason in (inbox.frozen(alice.id) or "")
    chain = chains.find_chain(inbox.db, inbox.row, alice.id)
    assert chain is not None and chain.seq == alice.seq
    inbox.deliver(bob.send("and on"))
    assert inbox.texts()[-1] == "and on"
    inbox.peer.rebuild()
    assert inbox.texts()[-2:] == [BOB_SAYS, "and on"]


def test_envelope_of_another_room_is_set_aside(inbox: Inbox, alice: Device, bob: Device) -> None:
    elsewhere = Device(1, room=bytes(16))
    inbox.deliver(elsewhere.send("said elsewhere"), bob.send(BOB_SAYS), alice.send("said here"))
    assert sorted(inbox.texts()) == sorted([BOB_SAYS, "said here"])
    (reason,) = inbox.reasons()
    assert "signature" in reason


def test_nobody_else_edits_or_deletes_a_message(inbox: Inbox, alice: Device, bob: Device) -> None:
    message, entry = alice.message("mine")
    inbox.deliver(alice.write(entry))
    inbox.deliver(bob.write(bob.edit(message, "forged"), bob.delete(message)))
    (shown,) = inbox.room.messages()
    assert (shown.text, shown.deleted, shown.edited_at) == ("mine", False, None)
    assert inbox.peer.check() == []


def test_message_from_a_clock_far_ahead_is_flagged_and_does_not_move_the_own_clock(
    inbox: Inbox, alice: Device
) -> None:
    day = 24 * 3_600_000
    _, entry = alice.message("from tomorrow", now_ms=inbox.clock.now_ms() + day)
    inbox.deliver(alice.write(entry))
    (shown,) = inbox.room.messages()
    assert shown.clock_ahead
    mine = inbox.room.send("from today")
    assert abs(mine.sent_at - inbox.clock.now_ms()) < 1_000
    assert not mine.clock_ahead


def test_late_message_stays_unread_although_it_sorts_above_the_read_marker(
    inbox: Inbox, alice: Device, bob: Device
) -> None:
    late = [alice.send("written offline"), alice.send("and one more")]
    for _ in range(10):
        bob.stamp()
    inbox.deliver(bob.send("read"))
    inbox.room.mark_read()
    assert inbox.room.unread() == 0
    inbox.deliver(*late)
    assert inbox.texts() == ["written offline", "and one more", "read"]
    assert inbox.room.unread() == 2
    assert inbox.peer.check() == []
    inbox.room.mark_read(inbox.room.messages()[0].id)
    assert inbox.room.unread() == 1
    assert inbox.peer.check() == []


def test_stale_holder_of_the_lease_writes_nothing(inbox: Inbox, alice: Device) -> None:
    inbox.deliver(alice.send("before"))
    lease.give_up(inbox.db, "test")
    assert lease.take(inbox.db, "successor", now_ms=0)
    digest = inbox.room.digest()
    with pytest.raises(LeaseLost):
        inbox.receiver.apply(inbox.row, inbox.cursor, (alice.send("after"),), is_live=True)
    assert inbox.texts() == ["before"]
    assert inbox.room.digest() == digest


def test_batch_that_fills_the_disk_leaves_nothing_behind_and_is_taken_later(
    inbox: Inbox, alice: Device
) -> None:
    inbox.deliver(alice.send("before"))
    digest, batch = inbox.room.digest(), [alice.send("x" * 10_000) for _ in range(20)]
    (pages,) = inbox.db.execute("pragma page_count").fetchone()
    inbox.db.execute(f"pragma max_page_count = {pages + 5}")
    with pytest.raises(DiskFull):
        inbox.receiver.apply(inbox.row, inbox.cursor, tuple(batch), is_live=False)
    assert inbox.texts() == ["before"]
    assert inbox.room.digest() == digest
    assert inbox.peer.check() == []
    inbox.db.execute(f"pragma max_page_count = {pages + 5_000}")
    inbox.deliver(*batch)
    assert len(inbox.texts()) == 21
    assert inbox.peer.check() == []


def test_last_edit_wins_over_one_in_an_earlier_volume(inbox: Inbox, alice: Device) -> None:
    message, entry = alice.message("first")
    inbox.deliver(alice.write(entry), alice.write(alice.edit(message, "second")))
    alice.volume += 1
    inbox.deliver(alice.write(alice.edit(message, "third")))
    assert inbox.texts() == ["third"]
    inbox.peer.rebuild()
    assert inbox.texts() == ["third"]


def test_last_reaction_wins_over_one_in_an_earlier_volume(
    inbox: Inbox, alice: Device, bob: Device
) -> None:
    message, entry = alice.message("hello")
    inbox.deliver(alice.write(entry), bob.write(bob.react(message, "👍")))
    bob.volume += 1
    inbox.deliver(bob.write(bob.react(message, "👍", on=False)))
    assert inbox.room.messages()[0].reactions == ()
    inbox.peer.rebuild()
    assert inbox.room.messages()[0].reactions == ()


def test_message_that_comes_after_its_own_read_marker_is_read(inbox: Inbox, alice: Device) -> None:
    _, entry = alice.message("read in a former life")
    upto = alice.last
    value = ReadValue(alice.stamp(), upto)
    with inbox.db.atomic():
        batch = ViewBatch(inbox.db, inbox.row, me=inbox.peer.device)
        batch.note(Root.READS, alice.id, value)
        batch.flush()
    inbox.deliver(alice.write(entry), alice.send("not read yet"))
    assert inbox.room.unread() == 1
    assert inbox.peer.recount() == []


def _doubts(inbox: Inbox, *envelopes: bytes, is_live: bool) -> bool:
    row = inbox.receiver.apply(inbox.row, inbox.cursor, envelopes, is_live=is_live)
    inbox.cursor = row.cursor
    return inbox.receiver.is_doubtful


def test_damaged_signature_inside_a_run_is_doubted_once_the_room_is_live(
    inbox: Inbox, alice: Device
) -> None:
    run = [alice.send(f"number {n}") for n in range(3)]
    inbox.let_in(alice.keys.public[:8])
    before = inbox.cursor
    assert _doubts(inbox, run[0], with_broken_signature(run[1]), run[2], is_live=True)
    assert inbox.cursor == before
    assert not _doubts(inbox, *run, is_live=True)
    assert inbox.texts() == [f"number {n}" for n in range(3)]
    assert inbox.reasons() == []


def test_damaged_signature_inside_a_run_is_mended_when_the_log_is_read_anew(
    inbox: Inbox, alice: Device
) -> None:
    """A later signature proves what is written; but no relay takes this copy of the envelope."""
    run = [alice.send(f"number {n}") for n in range(3)]
    damaged = [run[0], with_broken_signature(run[1]), run[2]]
    inbox.let_in(alice.keys.public[:8])
    at = rooms.load_room(inbox.db, inbox.row)
    assert not _doubts(inbox, *damaged, is_live=False)
    before = rooms.load_room(inbox.db, inbox.row)
    rooms.set_position(
        inbox.db,
        inbox.row,
        incarnation=at.incarnation,
        cursor=at.cursor,
        fingerprint=at.fingerprint,
    )
    inbox.cursor = at.cursor
    assert not _doubts(inbox, *run, is_live=False)
    chain = chains.find_chain(inbox.db, inbox.row, alice.id)
    assert chain is not None
    stored = chains.envelopes_after(inbox.db, chain.id, 0, limit=9, bytes_max=10**6)
    assert [raw for _, raw in stored] == run
    now = rooms.load_room(inbox.db, inbox.row)
    assert now.fingerprint == fingerprint_of(run, after=at.fingerprint)
    assert before.fingerprint == fingerprint_of(damaged, after=at.fingerprint)
    assert inbox.reasons() == []
    assert inbox.peer.check() == []

"""Faults that the simulator found in the engine, each as the shortest scenario that shows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from syncchat.ids import device_text, stamp_of
from syncchat.storage import chains, rooms
from syncchat.testing import Schedule, SimPeer, Step, World
from syncchat.testing.network import SimLink
from syncchat.testing.playing import play
from syncchat.wire import frames
from syncchat.wire.codes import ItemStatus

from ..support.linking import linked
from .scenarios import damaged_on_the_way


def _found(seed: int) -> Schedule:
    """Return a schedule as it was drawn when there were fewer acts to draw from."""
    kept = json.loads(Path(__file__).with_name("found.json").read_text(encoding="utf-8"))
    return Schedule.from_json(kept[str(seed)])


def _garble_next_from(peer: SimPeer) -> None:
    assert peer.link is not None
    peer.link.garble = 1


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bit_in_a_push_does_not_park_the_outbox_for_good(seed: int) -> None:
    with World(seed=seed, peers=2) as world:
        alice, _ = world.peers
        world.run(seconds=2)
        _garble_next_from(alice)
        world.write(alice, "damaged on its way to the relay")
        world.run(seconds=60)
        world.heal()
        world.check(deep=True)


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bit_in_a_delivery_is_asked_for_again(seed: int) -> None:
    with World(seed=seed, peers=2) as world:
        alice, bob = world.peers
        world.run(seconds=2)
        world.write(alice, "damaged on its way from the relay")
        for _ in range(40):  # until the relay sends something to Bob
            if bob.link is not None:
                bob.link.garble = 1
            world.run(seconds=0.005)
        world.run(seconds=60)
        world.write(alice, "whole")
        world.heal()
        world.check(deep=True)


@pytest.mark.parametrize("seed", range(6))
def test_restored_device_waits_for_others_when_the_relay_was_wiped(seed: int) -> None:
    """Both forgot what it had written; the others did not, and give it back in time."""
    with World(seed=seed, peers=3) as world:
        alice, bob, _ = world.peers
        world.write(alice, "before the backup")
        world.run(seconds=3)
        world.back_up(alice)
        world.write(alice, "after the backup")
        world.run(seconds=3)
        alice.kill()
        world.relay.wipe()
        world.relay.start()
        world.run(seconds=0.5)
        since, _ = world._backups[alice.name].pop()
        alice.restore()
        world.oracle.restored(alice.name, since)
        world._forget_statuses(alice)
        alice.start()
        world.write(alice, "written at once after the restore")
        world.heal()
        world.check(deep=True)
        assert len(world.shown(bob)) == 3


def test_view_folded_anew_does_not_tell_old_messages_as_new() -> None:
    """Doctor beside a running chat had every message of the room shown again."""
    with World(seed=1, peers=2) as world:
        alice, bob = world.peers
        world.write(alice, "long ago")
        world.run(seconds=3)
        before = bob.peer.cursor
        assert world.rebuild(bob)
        assert list(bob.peer.happened(before)) == []


def test_view_folded_anew_does_not_set_back_the_state_of_a_deleted_message() -> None:
    with World(seed=1, peers=2) as world:
        alice, _ = world.peers
        world.write(alice, "soon gone")
        world.run(seconds=3)
        world.delete(alice, world.shown(alice)[0])
        world.run(seconds=3)
        (before,) = world.shown(alice)
        assert world.rebuild(alice)
        assert world.shown(alice) == [before]
        world.check()


def test_message_deleted_on_its_way_is_no_message_of_the_outbox() -> None:
    """It was listed without a text, until the view was folded anew."""
    with World(seed=1, peers=2) as world:
        alice, _ = world.peers
        world.run(seconds=2)
        world.write(alice, "sealed, and never acknowledged")
        world.relay.kill()
        world.delete(alice, world.shown(alice)[0])
        assert [item.what for item in alice.room.outbox() if item.what == "messages"] == []
        world.rebuild(alice)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_damage_in_what_was_missed_is_noticed_when_it_is_caught_up(part: int) -> None:
    """The last signature of a run proves what all of it says, but not the signatures before it:
    a copy with a damaged one stayed, and no relay that had lost the envelope would take it."""
    damaged_on_the_way(part)


def test_false_refusal_is_forgotten_when_the_log_shows_the_envelope() -> None:
    """One flipped bit makes "stored" a refusal; doctor went on naming it after all was well."""
    with World(seed=1, peers=2) as world:
        alice, _ = world.peers
        world.run(seconds=2)
        assert alice.link is not None
        world.was_garbled = True
        deliver, refused = alice.link._to_peer, False

        def refuse(link: SimLink, raw: bytes) -> None:
            nonlocal refused
            frame = frames.decode(raw)
            if isinstance(frame, frames.Ack) and not refused:
                items = [frames.AckItem(ItemStatus.BAD_ENVELOPE, item.seq) for item in frame.items]
                raw, refused = frames.encode(frames.Ack(frame.alias, frame.number, items)), True
            deliver(link, raw)

        alice.link._to_peer = refuse
        world.write(alice, "stored all the same")
        world.run(seconds=60)
        assert refused
        assert alice.peer.check() == []
        world.heal()
        world.check(deep=True)


def test_own_envelope_that_arrives_after_a_restore_does_not_leave_the_room_behind() -> None:
    """It was under way in a former life, and the log brought it when the room was open already:
    the restored device waited for ever for an ack to what it had never pushed."""
    steps = (
        Step("write", 1, 787, 558),
        Step("back up", 0, 259, 923),
        Step("slow", 0, 376, 942),
        Step("wait", 2, 131, 494),
        Step("react", 0, 63, 202),
        Step("restore", 0, 214, 238),
    )
    assert play(Schedule(107285, 3, steps)).failure == ""


def test_own_envelopes_that_a_wiped_relay_lacks_are_not_taken_for_pushed() -> None:
    """They were acknowledged by the log before; what counts is the log that there is."""
    steps = (
        Step("wait", 2, 10, 554),
        Step("half open", 2, 988, 807),
        Step("toggle online", 4, 468, 597),
        Step("toggle online", 0, 489, 267),
        Step("toggle full", 3, 342, 395),
        Step("write", 1, 23, 97),
        Step("write", 1, 861, 747),
        Step("write", 2, 925, 329),
        Step("wait", 1, 130, 695),
        Step("reply", 1, 175, 868),
        Step("reply", 4, 38, 995),
        Step("relay wipe", 2, 783, 312),
    )
    assert play(Schedule(200923, 5, steps)).failure == ""


def test_false_refusal_is_forgotten_also_where_the_envelope_was_acknowledged_before() -> None:
    """The relay was set back in between, and what it refused was old to it once."""
    outcome = play(_found(205195))
    assert outcome.failure == ""


def test_refusal_that_a_flipped_bit_makes_an_ack_is_not_believed() -> None:
    """What the relay found bad was marked as sent; its place in the log was 0."""
    outcome = play(_found(206576))
    assert outcome.failure == ""


def test_damaged_envelope_is_forgotten_when_an_own_one_takes_its_place_in_the_log() -> None:
    """Schedule 7830: it bore a device id with a flipped bit, and the log was set back to before
    it; what an ack put in its place did not count as filling it, and doctor named it for ever."""
    with World(seed=1, peers=2) as world:
        alice, _ = world.peers
        world.run(seconds=5)
        db, row = alice.peer._db, alice.room._row
        log_seq = rooms.load_room(db, row).cursor + 1
        with db.atomic():
            chains.quarantine(
                db,
                row,
                device_text(b"no such!"),
                4,
                reason="gap",
                raw=b"damaged",
                evidence=False,
                log_seq=log_seq,
                now_ms=0,
            )
        assert len(alice.peer.check()) == 1
        world.write(alice, "in its place")
        world.run(seconds=5)
        assert alice.peer.check() == []


def test_message_of_another_own_device_with_the_same_stamp_is_another_message() -> None:
    """Changing or deleting it took the message of this device for it, and that was gone."""
    with World(seed=8, peers=2) as world:
        alice, bob = world.peers
        phone = linked(world, alice, "phone")
        alice.go_offline()
        phone.go_offline()
        world.run(seconds=60)
        here = alice.do(lambda: alice.room.send("of alice"))
        there = phone.do(lambda: phone.room.send("of the phone"))
        assert stamp_of(here.id) == stamp_of(there.id)
        alice.go_online()
        phone.go_online()
        world.run(seconds=10)
        alice.do(lambda: alice.room.edit(there.id, "changed"))
        world.run(seconds=5)
        assert {m.text for m in bob.room.messages()} == {"of alice", "changed"}
        alice.do(lambda: alice.room.delete(there.id))
        world.run(seconds=5)
        for room in (alice.room, phone.room, bob.room):
            assert [m.text for m in room.messages() if not m.deleted] == ["of alice"]
        assert alice.peer.check() == phone.peer.check() == bob.peer.check() == []


def test_crash_while_files_are_tidied_away_takes_nothing_from_what_was_written() -> None:
    """Schedule 5486: the world took the message for not written, and everybody showed it."""
    with World(seed=1, peers=2) as world:
        alice, _ = world.peers
        alice.go_offline()
        world.parcels.attach(alice, "taken back", size=500)
        world.discard(alice, world.shown(alice)[0])
        alice.disk.crash_in = 1
        world.write(alice, "written before the crash")
        assert alice.crashes == 1
        world.heal()
        world.check()


def test_files_that_become_loose_while_something_is_sealed_are_told_to_the_relay() -> None:
    """They waited until something else came up."""
    assert play(_found(2551)).failure == ""

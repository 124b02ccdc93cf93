"""Tests of fan-out: order, sharing, several pushers in one flush, slow receivers, cursors."""

from __future__ import annotations

from dataclasses import replace

from syncchat_relay import Admit, Config
from syncchat_relay.log import Append

from syncchat.trust.keys import DeviceKeys
from syncchat.wire.codes import ItemStatus
from syncchat.wire.frames import (
    Ack,
    Applied,
    AskCursors,
    Cursors,
    Deliver,
    DeviceCursor,
    Live,
    Open,
    RoomCursor,
)
from syncchat.wire.limits import FRAME_BYTES_MAX
from tests.contracts.chains import ROOM, Writer, fingerprint_of
from tests.unit.relay.world import World, acked

KEYS = DeviceKeys(bytes(31) + b"\7")
SMALL = Config(
    admission=Admit.OPEN, unsent_bytes_max=4_000, unsent_bytes_low=1_000, deliver_bytes_max=2_000
)


def test_all_receivers_of_a_flush_get_the_same_bytes_object() -> None:
    world = World()
    alice = Writer(1)
    link, alias = world.join(alice.keys)
    readers = [world.join(KEYS)[0] for _ in range(3)]
    world.push(link, alias, 1, alice.write_many(2))
    world.push(link, alias, 2, alice.write_many(2))
    world.flush()
    first, *others = [reader.raw[-1] for reader in readers]
    assert all(other is first for other in others)
    assert [len(reader.of(Deliver)) for reader in readers] == [1, 1, 1]


def test_pushers_of_one_flush_get_acks_and_each_others_envelopes_in_log_order() -> None:
    world = World()
    alice, bob = Writer(1), Writer(2)
    a, alias = world.join(alice.keys)
    b, _ = world.join(bob.keys)
    reader, _ = world.join(KEYS)
    one, two, three = alice.write_many(2), bob.write_many(1), alice.write_many(1)
    for link, number, envelopes in ((a, 1, one), (b, 1, two), (a, 2, three)):
        world.push(link, alias, number, envelopes)
    world.flush()
    assert a.frames[-3:] == [
        *(a.of(Ack)[0], Deliver(alias, 2, list(two)), a.of(Ack)[1]),
    ]
    assert [seq for _, items in acked(a) for _, seq in items] == [1, 2, 4]
    assert b.frames[-3:] == [
        *(Deliver(alias, 0, list(one)), b.of(Ack)[0], Deliver(alias, 3, list(three))),
    ]
    assert reader.delivered() == [*one, *two, *three]


def test_live_delivery_goes_on_after_pushers_had_their_turn() -> None:
    world = World()
    alice, bob = Writer(1), Writer(2)
    a, alias = world.join(alice.keys)
    b, _ = world.join(bob.keys)
    for number in range(5):
        world.push(a, alias, number, [alice.write()])
        world.push(b, alias, number, [bob.write()])
        world.flush()
    assert not world.work, "nobody had to read what was there to be delivered"
    assert len(a.delivered()) == len(b.delivered()) == 5


def test_a_pusher_that_is_behind_is_acked_at_once_and_reads_its_own_too() -> None:
    world = World()
    alice, bob = Writer(1), Writer(2)
    a, alias = world.join(alice.keys)
    old = alice.write_many(3)
    world.push(a, alias, 1, old)
    world.settle()
    b = world.enter(bob.keys)
    b.reads = False
    world.send(b, Open(world.log.incarnation, [RoomCursor(ROOM, 0, bytes(8), 0)]))
    world.work_once()
    b.reads = True
    world.drain(b)
    own = bob.write()
    world.push(b, alias, 1, [own])
    world.flush()
    assert acked(b) == [(1, [(ItemStatus.STORED, 4)])]
    world.settle()
    assert b.delivered() == [*old, own]
    assert b.frames[-1] == Live(alias, 4, fingerprint_of([*old, own]))


def test_a_slow_receiver_leaves_live_delivery_and_catches_up_by_reading() -> None:
    world = World(SMALL)
    alice = Writer(1)
    link, alias = world.join(alice.keys)
    slow, _ = world.join(KEYS)
    quick, _ = world.join(KEYS)
    slow.reads = False
    sent: list[bytes] = []
    for number in range(60):
        run = alice.write_many(4)
        sent += run
        world.push(link, alias, number, run)
        world.settle()
    assert quick.delivered() == sent
    assert sum(map(len, slow.unsent)) <= SMALL.unsent_bytes_max + SMALL.deliver_bytes_max + 200
    slow.reads = True
    world.drain(slow)
    world.settle()
    assert slow.delivered() == sent
    last = alice.write()
    world.push(link, alias, 99, [last])
    world.flush()
    assert slow.delivered()[-1] == last, "it is live again"
    assert not world.work


def test_what_is_written_while_one_reads_comes_after_what_it_reads() -> None:
    world = World(SMALL)
    alice = Writer(1)
    link, alias = world.join(alice.keys)
    old = alice.write_many(40)
    world.push(link, alias, 1, old)
    world.settle()
    reader = world.enter(KEYS)
    world.send(reader, Open(world.log.incarnation, [RoomCursor(ROOM, 0, bytes(8), 0)]))
    new: list[bytes] = []
    while world.work:
        world.work_once()
        if len(new) < 5:
            new.append(alice.write())
            world.push(link, alias, 2 + len(new), [new[-1]])
            world.flush()
    assert reader.delivered() == [*old, *new]
    assert [frame.after for frame in reader.of(Deliver)] == sorted(
        {frame.after for frame in reader.of(Deliver)}
    )
    assert len(reader.of(Live)) == 1


def test_no_frame_is_larger_than_the_wire_allows_and_large_envelopes_go_alone() -> None:
    world = World()
    alice = Writer(1)
    link, alias = world.join(alice.keys)
    reader, _ = world.join(KEYS)
    run = alice.write_many(6, body_bytes=100_000)
    largest = alice.write(body_bytes=245_400)
    for number, raw in enumerate((*run, largest)):
        world.push(link, alias, number, [raw])
    world.settle()
    assert reader.delivered() == [*run, largest]
    assert max(map(len, reader.raw)) <= FRAME_BYTES_MAX
    late, _ = world.join(KEYS)
    assert late.delivered() == [*run, largest]


def test_cursors_are_collected_and_never_told_to_their_own_device() -> None:
    world = World()
    alice, bob = Writer(1), Writer(2)
    a, alias = world.join(alice.keys)
    b, _ = world.join(bob.keys)
    c, _ = world.join(KEYS)
    world.push(a, alias, 1, alice.write_many(5))
    world.settle()
    world.send(b, Applied(alias, 3))
    world.send(b, Applied(alias, 5))
    world.send(b, Applied(alias, 4))
    world.send(a, Applied(alias, 5))
    world.tick(999)
    assert not a.of(Cursors)
    world.tick(1)
    of_a, of_b = DeviceCursor(alice.device, 5), DeviceCursor(bob.device, 5)
    assert a.of(Cursors) == [Cursors(alias, [of_b])]
    assert b.of(Cursors) == [Cursors(alias, [of_a])]
    assert [set(frame.cursors) for frame in c.of(Cursors)] == [{of_a, of_b}]
    world.tick(10_000)
    assert len(c.of(Cursors)) == 1


def test_a_large_room_hears_of_cursors_less_often() -> None:
    world = World(Config(admission=Admit.OPEN, cursors_small_members=2))
    alice = Writer(1)
    a, alias = world.join(alice.keys)
    others = [world.join(DeviceKeys(bytes([9] * 31 + [n])))[0] for n in range(3)]
    world.push(a, alias, 1, alice.write_many(1))
    world.settle()
    world.send(others[0], Applied(alias, 1))
    world.tick(4_999)
    assert not a.of(Cursors)
    world.tick(1)
    assert len(a.of(Cursors)) == 1


def test_a_cursor_beyond_the_log_counts_as_its_head() -> None:
    world = World()
    alice = Writer(1)
    a, alias = world.join(alice.keys)
    b, _ = world.join(KEYS)
    world.push(a, alias, 1, alice.write_many(2))
    world.settle()
    world.send(b, Applied(alias, 2**50))
    world.tick(1_000)
    world.settle()
    assert a.last(Cursors).cursors == [DeviceCursor(KEYS.public[:8], 2)]
    assert world.log.cursors(ROOM) == [(KEYS.public[:8], 2)]


def test_cursors_can_be_asked_for_and_include_what_is_not_saved_yet() -> None:
    world = World()
    alice = Writer(1)
    a, alias = world.join(alice.keys)
    b, _ = world.join(KEYS)
    world.push(a, alias, 1, alice.write_many(2))
    world.settle()
    world.send(a, AskCursors(alias))
    world.settle()
    assert a.last(Cursors) == Cursors(alias, [])
    world.send(b, Applied(alias, 1))
    world.send(a, AskCursors(alias))
    world.settle()
    assert a.last(Cursors).cursors == [DeviceCursor(KEYS.public[:8], 1)]


def test_a_cursor_outlives_its_connection() -> None:
    world = World()
    alice = Writer(1)
    a, alias = world.join(alice.keys)
    world.push(a, alias, 1, alice.write_many(2))
    world.settle()
    world.send(a, Applied(alias, 2))
    world.lose(a)
    world.settle()
    assert world.log.cursors(ROOM) == [(alice.device, 2)]


def test_asks_of_a_receiver_that_does_not_read_wait_each_once() -> None:
    world = World(SMALL)
    alice = Writer(1)
    a, alias = world.join(alice.keys)
    a.reads = False
    for _ in range(500):
        world.send(a, AskCursors(alias))
        world.settle()
    assert sum(map(len, a.unsent)) <= SMALL.unsent_bytes_max
    a.reads = True
    world.drain(a)
    world.settle()
    assert a.of(Cursors)


def test_a_flush_after_one_that_nobody_heard_of_is_read_and_not_delivered_over_a_hole() -> None:
    world = World()
    alice, bob = Writer(1), Writer(2)
    a, alias = world.join(alice.keys)
    reader, _ = world.join(KEYS)
    unheard, heard = bob.write(), alice.write()
    world.log.append([Append(ROOM, (unheard,))])
    world.push(a, alias, 1, [heard])
    world.settle()
    assert reader.delivered() == [unheard, heard]


def test_a_flush_that_was_tried_again_after_its_commit_reaches_the_others() -> None:
    world = World()
    alice = Writer(1)
    a, alias = world.join(alice.keys)
    reader, _ = world.join(KEYS)
    raw = alice.write()
    world.push(a, alias, 1, [raw])
    world.log.append([Append(ROOM, (raw,))])
    world.settle()
    assert acked(a) == [(1, [(ItemStatus.KNOWN, 1)])]
    assert reader.delivered() == [raw]


def test_catching_up_goes_no_faster_than_the_receiver_reads() -> None:
    world = World(SMALL)
    alice = Writer(1)
    a, alias = world.join(alice.keys)
    run = alice.write_many(100)
    world.push(a, alias, 1, run)
    world.settle()
    slow = world.enter(KEYS)
    slow.reads = False
    world.send(slow, Open(world.log.incarnation, [RoomCursor(ROOM, 0, bytes(8), 0)]))
    world.settle()
    most = SMALL.unsent_bytes_low + SMALL.reads_in_flight_max * SMALL.deliver_bytes_max
    assert sum(map(len, slow.unsent)) <= most
    slow.reads = True
    world.drain(slow)
    world.settle()
    assert slow.delivered() == list(run)


def test_a_room_opened_anew_while_it_was_being_read_is_not_read_for_twice() -> None:
    world = World(replace(SMALL, reads_in_flight_max=1))
    alice = Writer(1)
    link, alias = world.join(alice.keys)
    slow, _ = world.join(KEYS)
    slow.reads = False
    run = list(alice.write_many(60))
    for number, raw in enumerate(run):
        world.push(link, alias, number + 1, [raw])
        world.settle()
    world.send(slow, Open(world.log.incarnation, [RoomCursor(ROOM, 60, fingerprint_of(run), 0)]))
    world.settle()
    slow.reads = True
    world.drain(slow)
    world.push(link, alias, 61, [alice.write()])
    world.flush()
    world.settle()
    assert slow.of(Deliver)[-1].after == 60
    assert sum(frame.after >= 60 for frame in slow.of(Deliver)) == 1

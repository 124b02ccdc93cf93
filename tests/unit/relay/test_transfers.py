"""Tests of the hub's part about files: who may, what gives way, and what is bounded."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from syncchat_relay import Admit, Config
from syncchat_relay.effects import BlobLoaded, Failed
from syncchat_relay.log import Append

from syncchat.trust.changes import Role
from syncchat.trust.files import blob_name
from syncchat.trust.keys import DeviceKeys
from syncchat.wire.codes import BlobState, ErrorCode
from syncchat.wire.frames import (
    AskBlobs,
    BlobData,
    BlobStates,
    Deliver,
    DropBlobs,
    Error,
    GetBlob,
    Open,
    Opened,
    PutBlob,
    RoomCursor,
)
from syncchat.wire.limits import BLOB_BYTES_MAX, BLOBS_IN_FLIGHT_MAX
from tests.contracts.chains import ROOM, Writer
from tests.support.people import House, Human, pin
from tests.support.ports import START_MS
from tests.unit.relay.world import Link, World

ALICE, BOB, CAROL, MALLORY = Human(1), Human(2), Human(3), Human(8)
ROOMS = Config(admission=Admit.ROOMS)
HERE, ABSENT, BUSY, TAKEN = BlobState.HERE, BlobState.ABSENT, BlobState.BUSY, BlobState.TAKEN
REFUSED, BAD = BlobState.REFUSED, BlobState.BAD
ONE, TWO = b"one blob", b"another blob"


def open_world(config: Config | None = None) -> tuple[World, Link, int]:
    """Return a world where anybody may, with a connection that has its room open."""
    world = World(config)
    link, alias = world.join(DeviceKeys(bytes(31) + b"\7"))
    return world, link, alias


def with_bob(world: World) -> House:
    """Return a stored room of Alice's with Bob as a member."""
    team = House(ALICE)
    team.add(BOB)
    store(world, team, *team.raws)
    return team


def store(world: World, team: House, *raws: bytes) -> None:
    world.log.append([Append(team.id, raws, ALICE.device.public, True)], now_ms=START_MS)


def enter(world: World, person: Human, room: bytes) -> tuple[Link, int]:
    link = world.enter(person.device)
    return link, world.open(link, room)


def states(link: Link) -> list[tuple[int, list[int]]]:
    """Return (number, states) of a connection's answers that are final."""
    return [
        (frame.number, list(frame.states))
        for frame in link.of(BlobStates)
        if frame.number and frame.states != bytes((TAKEN,))
    ]


def put(world: World, link: Link, alias: int, number: int, data: bytes) -> int:
    world.send(link, PutBlob(alias, number, blob_name(data), data))
    world.settle()
    ((told, (state,)),) = [found for found in states(link) if found[0] == number]
    assert told == number
    return state


def get(world: World, link: Link, alias: int, number: int, data: bytes) -> bytes:
    world.send(link, GetBlob(alias, number, blob_name(data)))
    world.settle()
    return next(frame.data for frame in link.of(BlobData) if frame.number == number)


def drop(world: World, link: Link, alias: int, number: int, *blobs: bytes) -> list[int]:
    world.send(link, DropBlobs(alias, number, [blob_name(data) for data in blobs]))
    world.settle()
    return next(found for told, found in states(link) if told == number)


# The life of a blob


def test_blob_is_put_found_got_and_dropped() -> None:
    world, link, alias = open_world()
    assert put(world, link, alias, 1, ONE) == HERE
    world.send(link, AskBlobs(alias, 2, [blob_name(ONE), blob_name(TWO)]))
    world.settle()
    assert states(link)[-1] == (2, [HERE, ABSENT])
    assert get(world, link, alias, 3, ONE) == ONE
    assert get(world, link, alias, 4, TWO) == b""
    assert drop(world, link, alias, 5, ONE, TWO) == [ABSENT, ABSENT]
    assert get(world, link, alias, 6, ONE) == b""


def test_blob_that_came_is_taken_at_once_and_here_only_when_it_is_stored() -> None:
    world, link, alias = open_world()
    world.send(link, PutBlob(alias, 1, blob_name(ONE), ONE))
    assert [list(frame.states) for frame in link.of(BlobStates)] == [[TAKEN]]
    assert world.blobs.all_bytes() == 0
    world.settle()
    assert states(link) == [(1, [HERE])]
    assert world.blobs.get(ROOM, blob_name(ONE)) == ONE


def test_blob_of_another_name_is_bad() -> None:
    world, link, alias = open_world()
    world.send(link, PutBlob(alias, 1, blob_name(TWO), ONE))
    world.settle()
    assert states(link) == [(1, [BAD])]
    assert get(world, link, alias, 2, TWO) == b""


def test_quotas_are_refused_with_their_own_words() -> None:
    config = Config(admission=Admit.OPEN, room_blob_bytes_max=10, blob_bytes_max=15)
    world, link, alias = open_world(config)
    assert put(world, link, alias, 1, b"0123456789") == HERE
    assert put(world, link, alias, 2, b"x") == BlobState.ROOM_FULL
    other = world.open(link, b"o" * 16)
    assert put(world, link, other, 3, b"0123456789") == BlobState.RELAY_FULL
    assert put(world, link, other, 4, b"01234") == HERE


def test_who_asked_in_vain_is_told_once_that_more_has_come() -> None:
    world, link, alias = open_world()
    other, _ = world.join(DeviceKeys(bytes(31) + b"\1"))
    silent, _ = world.join(DeviceKeys(bytes(31) + b"\2"))
    assert get(world, other, alias, 1, ONE) == b""
    put(world, link, alias, 1, TWO)
    put(world, link, alias, 2, ONE)
    news = BlobStates(alias, 0, b"")
    assert other.of(BlobStates) == [news]
    assert silent.of(BlobStates) == []
    assert get(world, other, alias, 2, ONE) == ONE


def test_who_asks_at_the_moment_in_which_it_comes_is_told_too() -> None:
    world, link, alias = open_world()
    other, _ = world.join(DeviceKeys(bytes(31) + b"\1"))
    world.send(other, GetBlob(alias, 1, blob_name(ONE)))
    load = world.blob_work.popleft()
    put(world, link, alias, 1, ONE)
    world.blob_work.append(load)
    world.blobs.drop(ROOM, [blob_name(ONE)], link_holder(world, link))  # as if read before
    world.settle()
    assert other.of(BlobData) == [BlobData(alias, 1, b"")]
    assert other.of(BlobStates) == [BlobStates(alias, 0, b"")]


def link_holder(world: World, link: Link) -> bytes:
    return world.hub._connections[link.conn].device


def test_store_that_fails_is_answered_busy_and_the_connection_goes_on() -> None:
    world, link, alias = open_world()
    world.send(link, PutBlob(alias, 1, blob_name(ONE), ONE))
    world.send(link, GetBlob(alias, 2, blob_name(TWO)))
    failed = [Failed(work.ticket) for work in world.blob_work]
    world.blob_work.clear()
    world.perform(world.hub.blobs_done(failed))
    assert states(link) == [(1, [BUSY]), (2, [BUSY])]
    assert link.closed is None
    assert put(world, link, alias, 3, ONE) == HERE


# Who may


def test_a_closed_room_and_one_that_is_not_there_are_answered_with_the_same_bytes() -> None:
    team, absent = House(ALICE), House(CAROL)
    heard = []
    for room in (team, absent):
        world = World(ROOMS)
        if room is team:
            store(world, team, *team.raws)
            alice, alias = enter(world, ALICE, team.id)
            assert put(world, alice, alias, 1, ONE) == HERE
        link = world.enter(MALLORY.device)
        world.send(link, Open(world.log.incarnation, [RoomCursor(room.id, 0, bytes(8), 0)]))
        world.settle()
        alias = link.last(Opened).aliases[0]
        name = blob_name(ONE)
        for frame in (
            GetBlob(alias, 1, name),
            GetBlob(alias, 2, blob_name(TWO)),
            AskBlobs(alias, 3, [name, blob_name(TWO)]),
            DropBlobs(alias, 4, [name]),
            PutBlob(alias, 5, blob_name(TWO), TWO),
            PutBlob(alias, 6, name, ONE),
        ):
            world.send(link, frame)
            world.settle()
        heard.append([frame for frame in link.frames if isinstance(frame, BlobData | BlobStates)])
        assert world.blobs.all_bytes() == (len(ONE) if room is team else 0)
    assert heard[0] == heard[1]
    assert [list(f.states) for f in heard[0] if isinstance(f, BlobStates)] == [
        [ABSENT, ABSENT],
        [ABSENT],
        [REFUSED],
        [REFUSED],
    ]


def test_guest_may_get_and_not_put_or_drop() -> None:
    world = World(ROOMS)
    team = House(ALICE)
    invite = team.invite()
    store(world, team, *team.raws)
    alice, alias = enter(world, ALICE, team.id)
    put(world, alice, alias, 1, ONE)
    guest = world.enter(CAROL.device)
    alias = world.open(guest, team.id, proved=invite)
    assert get(world, guest, alias, 1, ONE) == ONE
    assert put(world, guest, alias, 2, TWO) == REFUSED
    assert drop(world, guest, alias, 3, ONE) == [ABSENT]
    assert get(world, alice, alias, 2, ONE) == ONE


def test_reader_may_get_and_not_put() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    reading = team.set_role(BOB, Role.READER, pins=[pin(BOB.device, 0)])
    store(world, team, reading.raw)
    bob, alias = enter(world, BOB, team.id)
    assert put(world, bob, alias, 1, ONE) == REFUSED
    alice, _ = enter(world, ALICE, team.id)
    put(world, alice, alias, 1, ONE)
    assert get(world, bob, alias, 2, ONE) == ONE


def test_second_device_of_a_member_drops_what_the_first_put() -> None:
    world = World(ROOMS)
    person = Human(5)
    person.certify()
    laptop = person.devices[-1]
    team = House(ALICE)
    team.add(person)
    store(world, team, *team.raws)
    phone, alias = enter(world, person, team.id)
    put(world, phone, alias, 1, ONE)
    other = world.enter(laptop)
    assert drop(world, other, world.open(other, team.id), 1, ONE) == [ABSENT]
    assert get(world, phone, alias, 2, ONE) == b""


def test_member_drops_nothing_of_others() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    alice, alias = enter(world, ALICE, team.id)
    bob, _ = enter(world, BOB, team.id)
    put(world, alice, alias, 1, ONE)
    assert drop(world, bob, alias, 1, ONE) == [HERE]
    assert get(world, alice, alias, 2, ONE) == ONE
    put(world, bob, alias, 2, ONE)
    assert drop(world, alice, alias, 3, ONE) == [HERE]
    assert drop(world, bob, alias, 3, ONE) == [ABSENT]
    assert get(world, alice, alias, 4, ONE) == b""


def test_removed_member_gets_nothing_from_the_record_on() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    alice, alias = enter(world, ALICE, team.id)
    bob, _ = enter(world, BOB, team.id)
    put(world, alice, alias, 1, ONE)
    assert get(world, bob, alias, 1, ONE) == ONE
    world.send(bob, GetBlob(alias, 2, blob_name(ONE)))  # under way when the record comes
    removed = team.remove(BOB, pins=[pin(BOB.device, 0)])
    world.push(alice, alias, 1, [removed.raw])
    world.settle()
    assert get(world, bob, alias, 3, ONE) == b""
    assert put(world, bob, alias, 4, TWO) == REFUSED
    assert drop(world, bob, alias, 5, ONE) == [ABSENT]
    assert get(world, alice, alias, 6, ONE) == ONE


def test_removed_member_is_not_told_of_news() -> None:
    world = World(ROOMS)
    team = with_bob(world)
    alice, alias = enter(world, ALICE, team.id)
    bob, _ = enter(world, BOB, team.id)
    get(world, bob, alias, 1, ONE)
    world.push(alice, alias, 1, [team.remove(BOB, pins=[pin(BOB.device, 0)]).raw])
    world.settle()
    put(world, alice, alias, 1, ONE)
    assert bob.of(BlobStates) == []


# Giving way


def test_message_overtakes_the_blobs_that_wait_for_a_slow_receiver() -> None:
    world, link, alias = open_world()
    blobs = [bytes([number]) * BLOB_BYTES_MAX for number in range(6)]
    for number, data in enumerate(blobs):
        put(world, link, alias, number + 1, data)
    reader, _ = world.join(DeviceKeys(bytes(31) + b"\1"))
    reader.reads = False
    for number, data in enumerate(blobs):
        world.send(reader, GetBlob(alias, number + 1, blob_name(data)))
    world.settle()
    assert len(reader.unsent) <= 2  # the others are not even read
    world.push(link, alias, 1, [Writer(3).write()])
    world.settle()
    reader.reads = True
    world.drain(reader)
    world.settle()
    kinds = [type(frame) for frame in reader.frames if isinstance(frame, BlobData | Deliver)]
    assert kinds.index(Deliver) <= 2
    assert kinds.count(BlobData) == 6
    got = [frame.data for frame in reader.of(BlobData)]
    assert got == blobs


def test_file_does_not_use_up_what_messages_may_send() -> None:
    config = Config(admission=Admit.OPEN, bytes_per_second=1_000, bytes_burst=2_000)
    world, link, alias = open_world(config)
    for number in range(5):
        put(world, link, alias, number + 1, bytes([number]) * 1_000)
    assert link.paused_ms == []


def test_file_has_a_rate_of_its_own() -> None:
    config = Config(admission=Admit.OPEN, blob_bytes_per_second=1_000, blob_bytes_burst=2_000)
    world, link, alias = open_world(config)
    put(world, link, alias, 1, bytes(1_900))
    assert link.paused_ms == []
    put(world, link, alias, 2, bytes(1_000))
    assert link.paused_ms and link.paused_ms[0] >= 900


# Bounds


def ask_all(world: World, link: Link, alias: int, count: int) -> Sequence[int]:
    """Ask so many times, and do nothing of it; return the numbers that were answered BUSY."""
    for number in range(1, count + 1):
        world.send(link, AskBlobs(alias, number, [blob_name(ONE)]))
    return [number for number, found in states(link) if found == [BUSY]]


def test_frames_beyond_the_bound_are_answered_busy_and_later_ones_are_taken() -> None:
    world, link, alias = open_world()
    busy = ask_all(world, link, alias, BLOBS_IN_FLIGHT_MAX + 3)
    assert list(busy) == [BLOBS_IN_FLIGHT_MAX + more for more in (1, 2, 3)]
    world.send(link, GetBlob(alias, 200, blob_name(ONE)))
    assert states(link)[-1] == (200, [BUSY])
    world.settle()
    assert len(states(link)) == BLOBS_IN_FLIGHT_MAX + 4
    assert put(world, link, alias, 201, ONE) == HERE


def test_bytes_that_wait_to_be_stored_are_bounded_over_all_connections() -> None:
    config = Config(admission=Admit.OPEN, pending_blob_bytes_max=2_500)
    world, link, alias = open_world(config)
    other, _ = world.join(DeviceKeys(bytes(31) + b"\1"))
    for number, (who, size) in enumerate(((link, 1_000), (other, 1_000), (other, 1_001))):
        data = bytes([number]) * size
        world.send(who, PutBlob(alias, number + 1, blob_name(data), data))
    assert states(other) == [(3, [BUSY])]
    world.settle()
    assert put(world, other, alias, 4, bytes(2_500)) == HERE


def test_peer_that_goes_while_its_blobs_are_stored_costs_nothing_afterwards() -> None:
    world, link, alias = open_world()
    world.send(link, PutBlob(alias, 1, blob_name(ONE), ONE))
    world.send(link, GetBlob(alias, 2, blob_name(TWO)))
    world.lose(link)
    world.settle()
    assert world.hub._pending_blobs == {}
    assert world.hub._blob_bytes == 0
    assert world.blobs.get(ROOM, blob_name(ONE)) == ONE  # what came whole is kept


def test_what_was_dropped_is_not_given_out_of_memory() -> None:
    world, link, alias = open_world()
    other, _ = world.join(DeviceKeys(bytes(31) + b"\1"))
    put(world, link, alias, 1, ONE)
    world.send(other, GetBlob(alias, 1, blob_name(ONE)))
    assert other.last(BlobData).data == ONE  # without any work
    world.hub.forget_recent()
    world.send(other, GetBlob(alias, 2, blob_name(ONE)))
    load = world.blob_work.popleft()
    drop(world, link, alias, 2, ONE)
    world.perform(world.hub.blobs_done([BlobLoaded(load.ticket, ONE)]))  # read just before
    assert get(world, other, alias, 3, ONE) == b""


@pytest.mark.parametrize("frame", [GetBlob(99, 1, bytes(32)), PutBlob(99, 1, bytes(32), b"x")])
def test_frame_about_a_room_that_is_not_open_ends_the_connection(
    frame: GetBlob | PutBlob,
) -> None:
    world, link, _ = open_world()
    world.send(link, frame)
    assert link.last(Error).code == ErrorCode.BAD_FRAME
    assert link.closed

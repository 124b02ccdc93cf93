"""Tests of the hub: entering, opening rooms, pushing, and being told what is wrong."""

from __future__ import annotations

import pytest
from syncchat_relay import Admit, Config

from syncchat.trust.chain import EMPTY_FINGERPRINT
from syncchat.trust.keys import DeviceKeys
from syncchat.wire import limits
from syncchat.wire.codes import ErrorCode, ItemStatus
from syncchat.wire.frames import (
    Ack,
    Applied,
    AskChains,
    Auth,
    Bye,
    Chains,
    Deliver,
    Error,
    Frame,
    Hello,
    Live,
    Open,
    Opened,
    Ping,
    Pong,
    Push,
    RoomCursor,
    RoomState,
    encode,
)
from tests.contracts.chains import OTHER_ROOM, ROOM, Writer, fingerprint_of
from tests.unit.relay.world import World, acked, answer

STORED, KNOWN, FULL = ItemStatus.STORED, ItemStatus.KNOWN, ItemStatus.FULL
KEYS = DeviceKeys(bytes(31) + b"\7")
EIGHT = bytes(8)


def test_the_relay_speaks_first_with_a_nonce_of_its_own_for_each_connection() -> None:
    world = World()
    first, second = world.connect().last(Hello), world.connect().last(Hello)
    assert first.incarnation == world.log.incarnation
    assert (first.version_min, first.version_max) == (limits.VERSION, limits.VERSION)
    assert first.nonce != second.nonce


def test_open_may_follow_auth_in_the_same_flight() -> None:
    world = World()
    link, _ = world.join(KEYS)
    assert [type(frame) for frame in link.frames] == [Hello, Opened]
    assert link.closed is None


@pytest.mark.parametrize("host", ["relay.example.org", "127.0.0.2", ""])
def test_a_challenge_answered_for_another_host_is_refused(host: str) -> None:
    link = World().enter(KEYS, host=host)
    assert link.last(Error).code == ErrorCode.BAD_AUTH
    assert link.closed


def test_a_challenge_answered_for_another_connection_is_refused() -> None:
    world = World()
    stolen = answer(world.connect().last(Hello), KEYS)
    link = world.connect()
    world.send(link, stolen)
    assert link.last(Error).code == ErrorCode.BAD_AUTH
    assert link.closed


def test_a_challenge_answered_with_another_key_is_refused() -> None:
    world = World()
    link = world.connect()
    honest = answer(link.last(Hello), KEYS)
    other = DeviceKeys(bytes(32)).public
    world.send(link, Auth(honest.version, other, honest.host, honest.signature))
    assert link.last(Error).code == ErrorCode.BAD_AUTH


def test_a_version_that_the_relay_does_not_speak_is_refused() -> None:
    world = World()
    link = world.connect()
    world.send(link, answer(link.last(Hello), KEYS, version=limits.VERSION + 1))
    assert link.last(Error).code == ErrorCode.BAD_VERSION
    assert link.closed


def test_nothing_but_auth_may_come_first_not_even_an_unknown_frame() -> None:
    for data in (encode(Ping(1)), encode(Open(EIGHT, [])), b"\x91\xcd\x03\xe7", b"", b"GET /"):
        world = World()
        link = world.connect()
        world.send_raw(link, data)
        assert link.last(Error).code == ErrorCode.BAD_FRAME
        assert link.closed


def test_a_frame_of_an_unknown_kind_is_skipped_after_auth() -> None:
    world = World()
    link = world.enter(KEYS)
    world.send_raw(link, b"\x92\xcd\x03\xe7\x01")
    world.send(link, Ping(5))
    assert link.last(Pong).number == 5
    assert link.closed is None


@pytest.mark.parametrize(
    "frame",
    [
        Hello(1, 1, EIGHT, bytes(32)),
        Auth(1, bytes(32), "localhost", bytes(64)),
        Opened([], []),
        Ack(1, 1, []),
        Deliver(1, 0, [b"x"]),
        Live(1, 0, EIGHT),
        Push(99, 1, [b"x"]),
        Applied(99, 1),
        AskChains(99),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_a_frame_that_may_not_come_now_ends_the_connection(frame: Frame) -> None:
    world = World()
    link = world.enter(KEYS)
    world.send(link, frame)
    assert link.last(Error).code == ErrorCode.BAD_FRAME
    assert link.closed
    world.send(link, Ping(1))
    assert not link.of(Pong)


def test_a_room_that_is_as_the_peer_said_is_not_in_the_states() -> None:
    world = World()
    alice = Writer(1)
    run = alice.write_many(3)
    pusher, alias = world.join(alice.keys)
    world.push(pusher, alias, 1, run)
    world.settle()
    again = world.enter(alice.keys)
    world.open(again, cursor=3, fingerprint=fingerprint_of(list(run)), own_seq=3)
    assert again.last(Opened).states == []
    assert not again.of(Live)
    assert not again.delivered()


def test_a_room_that_is_behind_is_read_and_then_live() -> None:
    world = World()
    alice = Writer(1)
    run = alice.write_many(5)
    pusher, alias = world.join(alice.keys)
    world.push(pusher, alias, 1, run)
    world.settle()
    reader = world.enter(KEYS)
    assert world.open(reader, cursor=2, fingerprint=fingerprint_of(list(run[:2]))) == alias
    assert reader.last(Opened).states == [RoomState(0, 2, 5, 0)]
    assert reader.last(Deliver).after == 2
    assert reader.delivered() == list(run[2:])
    assert reader.frames[-1] == Live(alias, 5, fingerprint_of(list(run)))


def test_a_cursor_of_another_log_counts_as_nothing() -> None:
    world = World()
    alice = Writer(1)
    run = list(alice.write_many(3))
    pusher, alias = world.join(alice.keys)
    world.push(pusher, alias, 1, run)
    world.settle()
    cases = [
        {"cursor": 3, "fingerprint": fingerprint_of(run), "incarnation": b"formerly"},
        {"cursor": 3, "fingerprint": fingerprint_of(run[:2])},
        {"cursor": 4, "fingerprint": fingerprint_of(run)},
    ]
    for case in cases:
        reader = world.enter(KEYS)
        world.open(reader, **case)  # type: ignore[arg-type]
        assert reader.last(Opened).states == [RoomState(0, 0, 3, 0)]
        assert reader.delivered() == run


def test_a_wiped_relay_tells_a_peer_that_it_has_nothing() -> None:
    world = World()
    link = world.enter(KEYS)
    world.open(link, cursor=9, fingerprint=b"whatever", own_seq=4, incarnation=b"formerly")
    assert link.last(Opened).states == [RoomState(0, 0, 0, 0)]
    assert link.frames[-1] == Live(link.last(Opened).aliases[0], 0, EMPTY_FINGERPRINT)


def test_a_restored_backup_hears_of_its_own_higher_chain() -> None:
    world = World()
    alice = Writer(1)
    run = alice.write_many(3)
    link, alias = world.join(alice.keys)
    world.push(link, alias, 1, run)
    world.settle()
    backup = world.enter(alice.keys)
    world.open(backup, cursor=3, fingerprint=fingerprint_of(list(run)), own_seq=1)
    assert backup.last(Opened).states == [RoomState(0, 3, 3, 3)]
    assert backup.frames[-1] == Live(alias, 3, fingerprint_of(list(run)))


def test_rooms_of_one_open_are_answered_in_the_order_asked_for() -> None:
    world = World()
    here, there = Writer(1), Writer(1, room=OTHER_ROOM)
    link, alias = world.join(here.keys, OTHER_ROOM)
    world.push(link, alias, 1, [there.write()])
    world.settle()
    reader = world.enter(KEYS)
    rooms = [RoomCursor(room, 0, EIGHT, 0) for room in (ROOM, OTHER_ROOM)]
    world.send(reader, Open(world.log.incarnation, rooms))
    world.settle()
    opened = reader.last(Opened)
    assert opened.aliases[1] == alias
    assert opened.aliases[0] != alias
    assert opened.states == [RoomState(1, 0, 1, 0)]


def test_an_alias_is_never_used_for_another_room() -> None:
    world = World()
    link, alias = world.join(KEYS)
    world.lose(link)
    _, other = world.join(KEYS, OTHER_ROOM)
    _, again = world.join(KEYS)
    assert len({alias, other, again}) == 3


def test_ack_comes_after_the_commit_and_not_before() -> None:
    world = World()
    alice = Writer(1)
    link, alias = world.join(alice.keys)
    reader, _ = world.join(KEYS)
    world.push(link, alias, 1, alice.write_many(2))
    assert not link.of(Ack)
    assert not reader.delivered()
    world.flush()
    assert acked(link) == [(1, [(STORED, 1), (STORED, 2)])]
    assert not link.delivered(), "an Ack stands for the delivery to the sender"
    assert len(reader.delivered()) == 2


def test_a_push_repeated_after_a_lost_ack_is_known_and_not_delivered_again() -> None:
    world = World()
    alice = Writer(1)
    run = alice.write_many(2)
    link, alias = world.join(alice.keys)
    reader, _ = world.join(KEYS)
    world.push(link, alias, 1, run)
    world.lose(link)
    world.settle()
    again, alias = world.join(alice.keys)
    world.push(again, alias, 1, run)
    world.settle()
    assert acked(again) == [(1, [(KNOWN, 1), (KNOWN, 2)])]
    assert reader.delivered() == list(run)


def test_a_peer_may_refill_the_chains_of_others() -> None:
    world = World()
    alice, bob = Writer(1), Writer(2)
    link, alias = world.join(KEYS)
    world.push(link, alias, 1, [alice.write(), bob.write(), b"junk"])
    world.settle()
    statuses = [status for status, _ in acked(link)[0][1]]
    assert statuses == [STORED, STORED, ItemStatus.BAD_ENVELOPE]
    world.send(link, AskChains(alias))
    world.settle()
    heads = [(head.device, head.seq) for head in link.last(Chains).heads]
    assert heads == sorted([(alice.device, 1), (bob.device, 1)])
    assert link.last(Chains).more is False


def test_pushes_beyond_the_window_are_full_and_the_window_opens_again() -> None:
    world = World()
    alice = Writer(1)
    link, alias = world.join(alice.keys)
    for number in range(limits.PUSHES_IN_FLIGHT_MAX + 1):
        world.push(link, alias, number, [alice.write()])
    assert acked(link) == [(limits.PUSHES_IN_FLIGHT_MAX, [(FULL, 0)])]
    world.settle()
    world.push(link, alias, 100, [alice.write()])
    world.settle()
    assert acked(link)[-1] == (100, [(ItemStatus.GAP, limits.PUSHES_IN_FLIGHT_MAX)])


def test_more_than_the_hub_may_hold_is_full_for_any_connection() -> None:
    world = World(Config(admission=Admit.OPEN, pending_envelopes_max=10))
    alice, bob = Writer(1), Writer(2)
    one, alias = world.join(alice.keys)
    two, _ = world.join(bob.keys)
    world.push(one, alias, 1, alice.write_many(8))
    late = bob.write_many(3)
    world.push(two, alias, 1, late)
    assert acked(two) == [(1, [(FULL, 0)] * 3)]
    world.settle()
    world.push(two, alias, 2, late)
    world.settle()
    assert acked(two)[-1] == (2, [(STORED, 9), (STORED, 10), (STORED, 11)])


@pytest.mark.parametrize("committed", [False, True])
def test_a_flush_of_unknown_outcome_is_never_acked_and_loses_nothing(committed: bool) -> None:
    world = World()
    alice = Writer(1)
    run = alice.write_many(2)
    link, alias = world.join(alice.keys)
    reader, _ = world.join(KEYS)
    world.push(link, alias, 1, run)
    world.fail_flush(committed=committed)
    assert not link.of(Ack)
    assert link.last(Error).code == ErrorCode.INTERNAL
    assert link.closed
    again, alias = world.join(alice.keys)
    world.push(again, alias, 1, run)
    world.settle()
    assert acked(again) == [(1, [((KNOWN if committed else STORED), seq) for seq in (1, 2)])]
    assert reader.delivered() == list(run)


def test_too_many_rooms_are_refused_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncchat_relay.hub.ROOMS_PER_CONNECTION_MAX", 3)
    world = World()
    link, _ = world.join(KEYS)
    rooms = [RoomCursor(bytes([number] * 16), 0, EIGHT, 0) for number in range(1, 4)]
    world.send(link, Open(world.log.incarnation, rooms))
    world.settle()
    assert link.last(Error).code == ErrorCode.TOO_MANY_ROOMS
    assert len(link.of(Opened)) == 1
    world.send(link, Open(world.log.incarnation, rooms[:2]))
    world.settle()
    assert len(link.of(Opened)) == 2
    assert link.closed is None


def test_one_connection_too_many_is_told_when_to_come_back() -> None:
    world = World(Config(admission=Admit.OPEN, connections_max=2))
    first = world.connect()
    world.connect()
    third = world.connect()
    assert third.last(Error).code == ErrorCode.BUSY
    assert third.last(Error).retry_after_ms > 0
    assert third.closed
    world.lose(first)
    assert world.connect().closed is None


def test_who_does_not_prove_itself_in_time_is_closed() -> None:
    world = World()
    link = world.connect()
    world.tick(limits.HANDSHAKE_MS_MAX)
    assert link.closed is None
    world.tick(1)
    assert link.last(Error).code == ErrorCode.BAD_AUTH
    assert link.closed


def test_who_is_silent_is_closed_and_who_pings_stays() -> None:
    world = World()
    silent, speaking = world.enter(KEYS), world.enter(KEYS)
    for _ in range(3):
        world.tick(limits.HEARTBEAT_MS)
        world.send(speaking, Ping(1))
    assert silent.closed
    assert speaking.closed is None


def test_who_sends_too_fast_is_paused_until_its_rate_allows_more() -> None:
    world = World(Config(admission=Admit.OPEN, frames_per_second=10, frames_burst=20))
    link = world.enter(KEYS)
    for _ in range(19):
        world.send(link, Ping(1))
    assert link.paused_ms == []
    world.send(link, Ping(1))
    assert link.paused_ms == [100]
    world.now_ms += 200
    world.send(link, Ping(1))
    assert link.paused_ms == [100]
    assert link.closed is None


def test_bytes_count_as_well_as_frames() -> None:
    world = World(Config(admission=Admit.OPEN, bytes_per_second=1_000, bytes_burst=5_000))
    alice = Writer(1)
    link, alias = world.join(alice.keys)
    world.push(link, alias, 1, [alice.write(body_bytes=6_000)])
    assert link.paused_ms[0] > 1_000


def test_bye_ends_a_connection_without_an_error() -> None:
    world = World()
    link = world.enter(KEYS)
    world.send(link, Bye())
    assert link.closed
    assert not link.of(Error)


def test_shutting_down_tells_everybody() -> None:
    world = World()
    links = [world.enter(KEYS), world.connect()]
    world.perform(world.hub.shut_down())
    for link in links:
        assert link.last(Error).code == ErrorCode.SHUTTING_DOWN
        assert link.last(Error).retry_after_ms > 0
        assert link.closed


def test_bodies_are_forwarded_as_they_came_whatever_they_hold() -> None:
    world = World()
    alice = Writer(1)
    raw = alice.write(b"\x00\xff not a sealed body at all", body_bytes=64)
    link, alias = world.join(alice.keys)
    reader, _ = world.join(KEYS)
    world.push(link, alias, 1, [raw])
    world.settle()
    assert reader.delivered() == [raw]

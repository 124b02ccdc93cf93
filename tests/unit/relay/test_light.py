"""Old history stays at the relay: stubs for who wants little, and contents for who asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from unittest import mock

import pytest
from syncchat_relay import Admit, Config, light

from syncchat.trust.chain import EMPTY_FINGERPRINT, stub_of
from syncchat.wire.envelope import decode_envelope, encode_envelope
from syncchat.wire.frames import (
    AskContents,
    Contents,
    Deliver,
    Error,
    Live,
    Open,
    Opened,
    RoomCursor,
    Snapshots,
    Stubs,
)
from syncchat.wire.limits import CONTENTS_IN_FLIGHT_MAX
from tests.contracts.chains import ROOM, Writer, fingerprint_of
from tests.unit.relay.world import Link, World


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    """Have small snapshots told as stubs, too."""
    with mock.patch.object(light, "STUBS_FROM_BYTES", 0):
        yield


def stub(raw: bytes) -> bytes:
    return encode_envelope(stub_of(*decode_envelope(raw)))


def filled(config: Config | None = None) -> tuple[World, list[bytes], list[int]]:
    """Return a world, its log, and the places of the snapshots in that."""
    world = World(config or Config(admission=Admit.OPEN))
    writer = Writer(1)
    log: list[bytes] = []
    places = []
    for volume in range(3):
        writer.volume = volume
        log += [*writer.write_many(4), writer.snapshot()]
        places.append(len(log))
    log += writer.write_many(2)
    pusher, alias = world.join(Writer(1).keys)
    world.push(pusher, alias, 1, log)
    world.settle()
    return world, log, places


def opened(
    world: World,
    *,
    reader: int = 9,
    recent: int = 2,
    is_light: bool = True,
    cursor: int = 0,
    log: Sequence[bytes] = (),
) -> tuple[Link, int]:
    link = world.enter(Writer(reader).keys)
    fingerprint = fingerprint_of([*log[:cursor]]) if cursor else EMPTY_FINGERPRINT
    asked = RoomCursor(ROOM, cursor, fingerprint, 0)
    light_rooms = [0] if is_light else []
    world.send(link, Open(world.log.incarnation, [asked], recent, light_rooms))
    world.settle()
    return link, link.last(Opened).aliases[0]


def test_light_room_is_told_of_stubs_with_their_places_and_delivered_without_them() -> None:
    world, log, places = filled()
    link, _ = opened(world)
    assert link.of(Snapshots) == []
    (told,) = link.of(Stubs)
    assert told.places == places
    assert told.stubs == [stub(log[place - 1]) for place in places]
    assert link.delivered() == log[15:]
    assert link.last(Live).head == len(log)
    kinds = [type(frame) for frame in link.frames]
    assert kinds.index(Stubs) < kinds.index(Deliver)


def test_others_and_who_lacks_little_and_who_wrote_it_are_told_whole() -> None:
    world, log, places = filled()
    whole = [log[place - 1] for place in places]
    for link, _ in (
        opened(world, is_light=False),
        opened(world, recent=len(log)),
        opened(world, reader=1),
    ):
        assert link.of(Stubs) == []
        assert [raw for frame in link.of(Snapshots) for raw in frame.envelopes] == whole


def test_log_without_gaps_is_told_with_stubs_too() -> None:
    world = World(Config(admission=Admit.OPEN))
    writer = Writer(1)
    writer.write_many(4)
    first = writer.snapshot()
    writer.volume = 1
    log = [first, *writer.write_many(5)]
    pusher, alias = world.join(Writer(1).keys)
    world.push(pusher, alias, 1, log)
    world.settle()
    link, _ = opened(world)
    (told,) = link.of(Stubs)
    assert told.places == [1]
    assert link.delivered() == log[1:]
    assert link.last(Live).head == len(log)
    assert opened(world, is_light=False)[0].delivered() == log


def test_small_snapshot_is_told_whole() -> None:
    world, log, places = filled()
    with mock.patch.object(light, "STUBS_FROM_BYTES", 100_000):
        link, _ = opened(world)
    assert link.of(Stubs) == []
    (told,) = link.of(Snapshots)
    assert told.envelopes == [log[place - 1] for place in places]


def test_live_snapshot_comes_whole_to_a_light_room() -> None:
    world, log, _ = filled()
    link, _ = opened(world)
    writer = Writer(2)
    pusher, alias = world.join(writer.keys)
    more = [*writer.write_many(2), writer.snapshot()]
    world.push(pusher, alias, 1, more)
    world.settle()
    assert link.delivered() == [*log[15:], *more]


def test_contents_are_given_by_place_and_nothing_where_there_is_none() -> None:
    world, log, places = filled()
    link, alias = opened(world)
    asked = [places[2], places[0], 1, 10_000]
    world.send(link, AskContents(alias, asked))
    world.settle()
    assert link.of(Contents) == [
        Contents(alias, places[2], log[places[2] - 1]),
        Contents(alias, places[0], log[places[0] - 1]),
        Contents(alias, 1, b""),
        Contents(alias, 10_000, b""),
    ]
    world.send(link, AskContents(alias, [places[1]]))
    world.settle()
    assert link.last(Contents) == Contents(alias, places[1], log[places[1] - 1])


def test_who_may_not_read_the_room_is_given_nothing() -> None:
    world, _, places = filled(Config(admission=Admit.ROOMS))
    link, alias = opened(world)
    world.send(link, AskContents(alias, places))
    world.settle()
    assert link.of(Contents) == [Contents(alias, place, b"") for place in places]


def test_more_than_may_be_under_way_ends_the_connection_and_answers_make_room() -> None:
    world, _, places = filled()
    link, alias = opened(world)
    most = [places[0]] * CONTENTS_IN_FLIGHT_MAX
    for _ in range(3):
        world.send(link, AskContents(alias, most))
        world.settle()
    assert link.closed is None
    assert len(link.of(Contents)) == 3 * CONTENTS_IN_FLIGHT_MAX
    world.send(link, AskContents(alias, most))
    world.send(link, AskContents(alias, [places[0]]))
    assert link.last(Error)
    assert link.closed is not None


def test_asked_in_turns_each_place_is_answered_once() -> None:
    world, _, places = filled()
    link, alias = opened(world)
    for place in places:
        world.send(link, AskContents(alias, [place]))
    world.settle()
    assert [frame.place for frame in link.of(Contents)] == places


def test_who_comes_back_after_long_is_told_of_stubs_too() -> None:
    world, log, places = filled()
    link, _ = opened(world, cursor=3, log=log)
    (told,) = link.of(Stubs)
    assert told.places == places

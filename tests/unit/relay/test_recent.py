"""What a peer that lacks much of a room is told first: its records, and its newest."""

from __future__ import annotations

from collections.abc import Sequence

from syncchat_relay import Admit, Config
from syncchat_relay.log import Append

from syncchat.trust.chain import EMPTY_FINGERPRINT, context, link_after
from syncchat.wire.envelope import decode_envelope
from syncchat.wire.frames import Access, Deliver, Gap, Live, Open, Opened, Recent, RoomCursor
from tests.contracts.chains import ROOM, Writer, fingerprint_of
from tests.support.people import House, Human
from tests.support.ports import START_MS
from tests.unit.relay.world import Link, World


def opened(world: World, *, recent: int, cursor: int = 0, log: Sequence[bytes] = ()) -> Link:
    link = world.enter(Writer(9).keys)
    fingerprint = fingerprint_of([*log[:cursor]])
    asked = RoomCursor(ROOM, cursor, fingerprint, 0)
    world.send(link, Open(world.log.incarnation, [asked], recent))
    world.settle()
    return link


def filled(config: Config | None = None, *, count: int = 40) -> tuple[World, list[bytes]]:
    world = World(config or Config(admission=Admit.OPEN))
    log = [*Writer(1).write_many(count)]
    pusher, alias = world.join(Writer(1).keys)
    world.push(pusher, alias, 1, log)
    world.settle()
    return world, log


def test_newest_come_before_the_log_and_the_log_whole_all_the_same() -> None:
    world, log = filled()
    link = opened(world, recent=4)
    kinds = [type(frame) for frame in link.frames]
    first = kinds.index(Opened)
    assert kinds[first : first + 3] == [Opened, Recent, Deliver]
    (recent,) = link.of(Recent)
    assert (recent.since, recent.more) == (37, False)
    assert recent.places == [1, 37, 38, 39, 40]
    assert recent.envelopes == [log[0], *log[36:]]
    assert [each.index for each in recent.links] == [0, 1]
    assert link.delivered() == log
    assert link.last(Live).head == 40


def test_who_lacks_no_more_than_that_or_does_not_ask_is_told_nothing_first() -> None:
    world, log = filled()
    for link in (
        opened(world, recent=0),
        opened(world, recent=40),
        opened(world, recent=4, cursor=36, log=log),
    ):
        assert link.of(Recent) == []
        assert link.of(Live)


def test_frames_are_bounded_and_each_can_be_read_by_itself() -> None:
    world, log = filled(Config(admission=Admit.OPEN, deliver_bytes_max=600), count=200)
    link = opened(world, recent=8)
    recents = link.of(Recent)
    assert len(recents) > 1
    assert [frame.more for frame in recents] == [True] * (len(recents) - 1) + [False]
    for frame in recents:
        assert sum(map(len, frame.envelopes)) <= 600
        links = {each.index: each.link for each in frame.links}
        follows = b""
        for index, raw in enumerate(frame.envelopes):
            envelope, header = decode_envelope(raw)
            follows = links.get(index, follows)
            assert follows  # the first of each frame comes with its link
            follows = link_after(context(ROOM, follows, envelope.header), envelope, header)
    assert link.delivered() == log


def test_closed_room_tells_its_newest_when_it_opens_and_nothing_before() -> None:
    alice, bob = Human(1), Human(2)
    world = World(Config(admission=Admit.ROOMS))
    team = House(alice)
    writer = Writer(alice.devices[0], room=team.id)
    log = [*writer.write_many(5)]
    world.log.append(
        [Append(team.id, (team.genesis.raw, *log), alice.device.public, True)], now_ms=START_MS
    )
    link = world.enter(bob.device)
    asked = RoomCursor(team.id, 0, EMPTY_FINGERPRINT, 0)
    world.send(link, Open(world.log.incarnation, [asked], 2))
    world.settle()
    assert link.last(Opened).states[0].is_closed
    assert link.of(Recent) == []
    pusher, alias = world.join(alice.device, team.id)
    added = team.add(bob)
    world.push(pusher, alias, 1, [added.raw])
    world.settle()
    (recent,) = link.of(Recent)
    assert [type(frame) for frame in link.frames[2:5]] == [Access, Recent, Deliver]
    assert recent.envelopes == [team.genesis.raw, added.raw, log[0], *log[-2:]]
    assert recent.places == [1, 7, 2, 5, 6]


def test_records_that_were_told_are_gaps_where_they_stand_and_later_ones_are_delivered() -> None:
    alice, bob, carol = Human(1), Human(2), Human(3)
    world = World(Config(admission=Admit.ROOMS))
    team = House(alice)
    writer = Writer(alice.devices[0], room=team.id)
    log = [team.genesis.raw, *writer.write_many(3), team.add(bob).raw, *writer.write_many(3)]
    world.log.append([Append(team.id, tuple(log), alice.device.public, True)], now_ms=START_MS)
    link = world.enter(bob.device)
    asked = RoomCursor(team.id, 0, EMPTY_FINGERPRINT, 0)
    world.send(link, Open(world.log.incarnation, [asked], 2))
    world.settle()
    (recent,) = link.of(Recent)
    assert (recent.envelopes[:2], recent.places[:2]) == ([log[0], log[4]], [1, 5])
    (deliver,) = link.of(Deliver)
    assert deliver.envelopes == [*log[1:4], *log[5:]]
    assert deliver.gaps == [
        Gap(0, 1, fingerprint_of(log[:1])),
        Gap(3, 5, fingerprint_of(log[:5])),
    ]
    assert link.last(Live).head == len(log)
    pusher, alias = world.join(alice.device, team.id)
    later = team.add(carol).raw
    world.push(pusher, alias, 1, [later])
    world.settle()
    assert link.of(Deliver)[-1].envelopes == [later]
    assert link.of(Deliver)[-1].gaps == []

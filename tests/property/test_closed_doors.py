"""A room that is closed to somebody looks exactly as one that is not there.

Two relays are told the same, word for word. One has the room, the other has not, and there is no
difference between them that a stranger could see, whatever they send and whatever goes on inside:
each frame they get is the same to the last byte, and so is each pause and each end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from syncchat_relay import Admit, Config, Creators
from syncchat_relay.effects import Grant
from syncchat_relay.log import Append

from syncchat.trust.keys import DeviceKeys
from syncchat.wire.codes import ItemStatus
from syncchat.wire.frames import (
    Ack,
    Applied,
    AskChains,
    AskCursors,
    Bye,
    Frame,
    Hello,
    Open,
    Opened,
    Ping,
    Push,
    Renew,
    RoomCursor,
    encode,
)
from tests.contracts.chains import Writer, fingerprint_of, logged
from tests.support.mischief import REVOKED, Mischief, make_room
from tests.support.people import Human, pin
from tests.unit.relay.world import Link, World, answer, proof_of

OWNER, BOB, MALLORY = Human(61), Human(62), Human(63)
PEOPLE = [OWNER, BOB, MALLORY]
TEAM = make_room(OWNER, BOB)
REMOVED = TEAM.remove(BOB, pins=[pin(BOB.device, 2)])
"""Bob was in and is out; Mallory never was in."""

BOBS = Writer(BOB.device, room=TEAM.id).write_many(2)
STORED = [*TEAM.raws[:-1], *BOBS, REMOVED.raw]
OUT = [BOB, MALLORY]
INVITE = TEAM.opened[REVOKED]
MISCHIEF = Mischief(TEAM, PEOPLE, [INVITE])
CONFIGS = {
    "anyone creates rooms": Config(admission=Admit.ROOMS),
    "operators create rooms": Config(admission=Admit.ROOMS, create_rooms=Creators.OPERATORS),
    "tokens": Config(admission=Admit.TOKEN),
}
BYTE = st.integers(0, 255)


@dataclass(frozen=True)
class Step:
    """Is what the stranger or the owner does next, in both worlds."""

    what: str
    numbers: tuple[int, int, int] = (0, 0, 0)
    raw: bytes = b""


STEPS = st.one_of(
    st.builds(Step, st.just("bytes"), raw=st.binary(max_size=30)),
    st.builds(Step, st.just("open"), st.tuples(BYTE, BYTE, BYTE)),
    st.builds(Step, st.just("ask"), st.tuples(BYTE, BYTE, BYTE)),
    st.builds(Step, st.just("push"), st.tuples(BYTE, BYTE, BYTE)),
    st.builds(Step, st.just("push"), st.tuples(BYTE, BYTE, BYTE)),
    st.builds(Step, st.just("push bytes"), raw=st.binary(max_size=30)),
    st.builds(Step, st.just("wait"), st.tuples(BYTE, BYTE, BYTE)),
    st.builds(Step, st.just("inside"), st.tuples(BYTE, BYTE, BYTE)),
)


class Side:
    """Is one of the two relays, with a stranger and the room's owner connected."""

    def __init__(self, config: Config, stranger: Human, *, is_there: bool) -> None:
        self.config = config
        self.stranger = stranger
        self.world = World(config)
        self.is_there = is_there
        if is_there:
            append = Append(TEAM.id, tuple(STORED), OWNER.device.public, True)
            (outcomes,) = self.world.log.append([append], now_ms=self.world.wall_ms)
            assert {outcome.status for outcome in outcomes} == {ItemStatus.STORED}
        self.owner, self.link = self.enter(OWNER), self.enter(stranger)
        for link in (self.owner, self.link):
            self.world.open(link, TEAM.id)

    def enter(self, person: Human) -> Link:
        link = self.world.connect()
        self.world.send(link, answer(link.last(Hello), person.device, token="a token"))
        if self.config.admission == Admit.TOKEN:
            self.world.vouch(Grant("somebody", 0), left_ms=60_000)
        return link

    def take(self, step: Step) -> None:
        a, b, c = step.numbers
        match step.what:
            case "bytes":
                self.world.send_raw(self.link, step.raw)
            case "open":
                self.send(_open(self, a, b, c))
            case "ask":
                self.send(_ask(self.link, a, b))
            case "push":
                self.push(MISCHIEF.make(STORED, self.stranger, a, b, c))
            case "push bytes":
                self.push([step.raw])
            case "wait":
                self.world.tick(a * 100)
            case _:
                self.live(a)
        self.world.settle()
        while self.world.vouches:
            self.world.vouch(None)

    def live(self, a: int) -> None:
        """Have the owner, if connected, write or change the room, where it is."""
        if self.owner.closed:
            return
        writer = Writer(OWNER.device, room=TEAM.id)
        writer.write_many(self.world.log.chain_seq(TEAM.id, writer.device))
        stored = logged(self.world.log, TEAM.id)
        change = MISCHIEF.make(stored, OWNER, 7, 0, 0)
        alias = self.owner.last(Opened).aliases[0]
        self.world.push(self.owner, alias, 1, change if a % 2 and stored else [writer.write()])

    def send(self, frame: Frame) -> None:
        self.world.send_raw(self.link, encode(frame))

    def push(self, items: list[bytes]) -> None:
        """Push, but not what makes the room: who has its first record knows that it is there."""
        may_make = self.config.create_rooms is not Creators.OPERATORS
        if items and not (may_make and TEAM.genesis.raw in items):
            self.send(Push(self.link.last(Opened).aliases[0], len(self.link.frames), items))

    def heard(self) -> tuple[list[bytes], list[int], str | None]:
        return self.link.raw[1:], self.link.paused_ms, self.link.closed


def _open(side: Side, a: int, b: int, c: int) -> Open:
    """Return an Open by somebody who seems to know the room, with a key that opens nothing."""
    cursor = a % (len(STORED) + 2)
    proofs: list[Callable[[], DeviceKeys]] = [
        lambda: INVITE,
        lambda: side.stranger.root,
        lambda: DeviceKeys(bytes((c,)) * 32),
    ]
    proof = proof_of(side.link, proofs[b % 3](), TEAM.id) if b % 4 else None
    asked = RoomCursor(TEAM.id, cursor, fingerprint_of(STORED[:cursor]), c % 4, proof)
    incarnation = side.world.log.incarnation if b % 5 else bytes(8)
    return Open(incarnation, [asked] * (1 + c % 2))


def _ask(link: Link, a: int, b: int) -> Frame:
    alias = link.last(Opened).aliases[0] + (b == 0)
    asks = [AskChains(alias), AskCursors(alias), Applied(alias, b), Ping(b), Renew("x"), Bye()]
    return asks[a % 6 if a % 24 > 5 else a % 4]


@given(
    config=st.sampled_from(list(CONFIGS.values())),
    stranger=st.sampled_from(OUT),
    steps=st.lists(STEPS, max_size=20),
)
@settings(max_examples=max(100, settings().max_examples))
def test_nobody_outside_can_tell_a_closed_room_from_one_that_is_not_there(
    config: Config, stranger: Human, steps: list[Step]
) -> None:
    there, away = (Side(config, stranger, is_there=is_there) for is_there in (True, False))
    assert there.heard() == away.heard()
    for step in steps:
        there.take(step)
        away.take(step)
        assert there.heard() == away.heard(), step
    for ack in there.link.of(Ack):
        assert {item.status for item in ack.items} == {ItemStatus.FORBIDDEN}


def test_who_is_inside_sees_a_difference_or_the_comparison_means_nothing() -> None:
    there, away = (
        Side(CONFIGS["anyone creates rooms"], MALLORY, is_there=is_there)
        for is_there in (True, False)
    )
    assert there.owner.raw[1:] != away.owner.raw[1:]

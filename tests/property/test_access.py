"""Laws of rooms whose records say who may read, against any order of everything.

Whatever happens, nobody is shown a room that the log does not let them read: each connection gets
the log without a hole from where the door opened up to at most the record that closed it. When all
is quiet, whoever may read has all of it, and whoever may not stands before a closed door. Whatever
is pushed, signed badly, on old heads or by somebody who was removed, the log holds nothing but what
members may write and change. The same where tokens say who comes in.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from syncchat_relay import Admit, Config
from syncchat_relay.effects import Grant

from syncchat.trust.membership import fold_group
from syncchat.trust.records import Record, decode_record, is_record
from syncchat.wire.codes import ErrorCode, ItemStatus
from syncchat.wire.frames import Access, Ack, AnyFrame, Deliver, Error, Hello, Live, Opened, Renew
from tests.contracts.chains import Writer, logged
from tests.support.lawful import assert_lawful
from tests.support.mischief import Mischief
from tests.support.people import House, Human, pin
from tests.support.ports import START_MS
from tests.unit.relay.world import Link, World, answer

CONFIG = Config(
    admission=Admit.ROOMS, unsent_bytes_max=3_000, unsent_bytes_low=1_000, deliver_bytes_max=2_000
)
TOKENS = replace(CONFIG, admission=Admit.TOKEN)
GRANT_MS = 600_000
PEOPLE = [Human(seed) for seed in range(1, 5)]
OWNER = PEOPLE[0]


@dataclass(repr=False)
class Visitor:
    """Is a connection of one person as its peer understands it, from nothing but the frames."""

    link: Link
    person: Human
    position: int = -1
    """Up to where it has the log; -1 before a closed door."""
    keys: tuple[bytes, ...] = ()
    """What it has proved, its device's key first."""
    alias: int = 0
    pushed: dict[int, list[bytes]] = field(default_factory=dict)
    taken: int = 0
    number: int = 0

    def __repr__(self) -> str:
        return f"visitor {self.link.conn}"


class AccessMachine(RuleBasedStateMachine):
    config: ClassVar[Config] = CONFIG

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.config)
        self.team = House(OWNER)
        self.invite = self.team.invite()
        self.mischief = Mischief(self.team, PEOPLE, [self.invite])
        self.checked = 0
        self.visitors: list[Visitor] = []

    @initialize(is_there=st.booleans())
    def three_are_at_the_door(self, is_there: bool) -> None:
        for person in PEOPLE[:3]:
            self.come(person)
        self.world.settle()
        self.every_frame_is_lawful()
        if is_there:
            self.push_from(self.visitors[0], self.team.raws)
            self.world.settle()

    @rule(person=st.sampled_from(PEOPLE), is_guest=st.booleans())
    @precondition(lambda self: len(self.visitors) < 6)
    def visit(self, person: Human, is_guest: bool) -> None:
        self.come(person, is_guest=is_guest)

    @rule(data=st.data(), count=st.integers(1, 3))
    def write(self, data: st.DataObject, count: int) -> None:
        visitor = self.any(data)
        writer = Writer(visitor.person.device, room=self.team.id)
        writer.write_many(self.world.log.chain_seq(self.team.id, writer.device))
        self.push_from(visitor, list(writer.write_many(count)))

    @rule(data=st.data(), person=st.sampled_from(PEOPLE[1:]), more=st.booleans())
    def open_or_close_a_door(self, data: st.DataObject, person: Human, more: bool) -> None:
        """Record something on what the log has by now, pushed by anybody."""
        team = self.present()
        visitor = self.any(data)
        what = data.draw(st.sampled_from(["join", "remove", "add", "leave", "rotate", "revoke"]))
        device = person.device
        pins = [pin(device, self.world.log.chain_seq(self.team.id, device.public[:8]))]
        made: list[Record]
        match what:
            case "join":
                made = [team.join(visitor.person, self.invite)]
            case "remove":
                made = [team.remove(person, pins=pins)]
            case "add":
                made = [team.add(person)]
            case "leave":
                made = [team.leave(person, pins=pins)]
            case "rotate":
                made = [team.rotate(by=visitor.person)]
            case _:
                made = [team.revoke_invite(self.invite)]
        if more:
            made.append(team.rotate(by=visitor.person))
        self.push_from(visitor, [record.raw for record in made])

    @rule(data=st.data(), what=st.integers(0, 18), a=st.integers(0, 255), b=st.integers(0, 255))
    def push_what_should_not_be(self, data: st.DataObject, what: int, a: int, b: int) -> None:
        visitor = self.any(data)
        made = self.mischief.make(self.stored(), visitor.person, what, a, b)
        if made:
            self.push_from(visitor, made)

    @rule(data=st.data())
    def make_the_room(self, data: st.DataObject) -> None:
        self.push_from(self.any(data), self.team.raws)

    @rule(count=st.integers(1, 4), fate=st.integers(0, 9))
    def flush(self, count: int, fate: int) -> None:
        if fate < 2 and self.world.appends:
            self.world.fail_flush(committed=fate == 1)
        else:
            self.world.flush(count)

    @rule(count=st.integers(1, 4))
    def do_log_work(self, count: int) -> None:
        for _ in range(min(count, len(self.world.work))):
            self.world.work_once()

    @rule(data=st.data(), reads=st.booleans())
    def stop_reading_or_read_on(self, data: st.DataObject, reads: bool) -> None:
        visitor = self.any(data)
        visitor.link.reads = reads
        if reads:
            self.world.drain(visitor.link)

    @rule(data=st.data())
    @precondition(lambda self: len(self.visitors) > 3)
    def lose(self, data: st.DataObject) -> None:
        self.world.lose(self.any(data).link)

    @invariant()
    def every_frame_is_lawful(self) -> None:
        for visitor in self.visitors:
            frames = visitor.link.frames
            for frame in frames[visitor.taken :]:
                self.take(visitor, frame)
            visitor.taken = len(frames)
        self.visitors = [found for found in self.visitors if found.link.closed is None]

    @invariant()
    def the_log_holds_nothing_else(self) -> None:
        stored = self.stored()
        if len(stored) > self.checked:
            assert_lawful(self.team.id, stored)
            self.checked = len(stored)

    def teardown(self) -> None:
        for visitor in self.visitors:
            visitor.link.reads = True
            self.world.drain(visitor.link)
        self.world.settle()
        self.every_frame_is_lawful()
        self.the_log_holds_nothing_else()
        for visitor in self.visitors:
            standing = self.world.log.standing(self.team.id, visitor.keys, now_ms=START_MS)
            assert visitor.position == (len(self.stored()) if standing else -1)
            assert not visitor.pushed, "every push was answered"

    def take(self, visitor: Visitor, frame: AnyFrame) -> None:
        match frame:
            case Opened():
                (visitor.alias,) = frame.aliases
                is_closed = any(state.is_closed for state in frame.states)
                visitor.position = -1 if is_closed else 0
            case Access(is_open=True):
                assert visitor.position < 0, "a door opened that was open"
                visitor.position = 0
            case Access():
                assert visitor.position >= 0, "a door closed that was closed"
                assert not self.may_read(visitor, visitor.position), "a door closed too early"
                visitor.position = -1
            case Deliver():
                assert frame.after == visitor.position, "a hole, a repetition, or a closed door"
                end = frame.after + len(frame.envelopes)
                assert self.stored()[frame.after : end] == frame.envelopes, "not committed"
                assert self.could_read_on(visitor, end), "shown to somebody who may not read it"
                visitor.position = end
            case Ack():
                raws = visitor.pushed.pop(frame.number)
                for item, raw in zip(frame.items, raws, strict=True):
                    if item.status in (ItemStatus.STORED, ItemStatus.KNOWN):
                        assert self.stored()[item.seq - 1] == raw
                    if item.status == ItemStatus.STORED and item.seq == visitor.position + 1:
                        visitor.position = item.seq
            case Live():
                assert frame.head == visitor.position
            case Error():
                visitor.pushed.clear()
            case _:
                pass

    def may_read(self, visitor: Visitor, seq: int) -> bool:
        """Tell whether a visitor may read in the state after ``seq``."""
        records = [decode_record(raw) for raw in self.stored()[:seq] if is_record(raw)]
        if not records:
            return False
        group = fold_group(records)
        opened = group.invites.get(self.invite.public)
        is_guest = self.invite.public in visitor.keys
        is_open = opened is not None and not opened.refusal(START_MS)
        return group.may_read(visitor.person.device.public) or (is_guest and is_open)

    def could_read_on(self, visitor: Visitor, end: int) -> bool:
        """Tell whether what ends at ``end`` may be shown: who may read now may read all of it."""
        stored = self.stored()
        if self.may_read(visitor, len(stored)):
            return True
        closed = [
            seq
            for seq in range(1, len(stored) + 1)
            if is_record(stored[seq - 1])
            and self.may_read(visitor, seq - 1)
            and not self.may_read(visitor, seq)
        ]
        return bool(closed) and end <= closed[-1]

    def come(self, person: Human, *, is_guest: bool = False) -> None:
        link = self.enter(person)
        keys = (person.device.public, self.invite.public)[: 1 + is_guest]
        visitor = Visitor(link, person, keys=keys)
        self.visitors.append(visitor)
        self.world.open(link, self.team.id, proved=self.invite if is_guest else None)

    def enter(self, person: Human) -> Link:
        return self.world.enter(person.device)

    def present(self) -> House:
        """Return the room as the log has it, or as it will be made."""
        stored = [decode_record(raw) for raw in self.stored() if is_record(raw)]
        return self.team.with_log(stored)

    def push_from(self, visitor: Visitor, raws: list[bytes]) -> None:
        if visitor.alias:
            visitor.number += 1
            visitor.pushed[visitor.number] = raws
            self.world.push(visitor.link, visitor.alias, visitor.number, raws)

    def any(self, data: st.DataObject) -> Visitor:
        if not self.visitors:
            self.come(OWNER)
        return data.draw(st.sampled_from(self.visitors))

    def stored(self) -> list[bytes]:
        return logged(self.world.log, self.team.id)


class TokenMachine(AccessMachine):
    """The same where an app vouches for devices, for a time, and may change its mind."""

    config = TOKENS

    def enter(self, person: Human) -> Link:
        link = self.world.connect()
        self.world.send(link, answer(link.last(Hello), person.device, token="a token"))
        self.world.vouch(Grant(f"person {person.seed}", 0, True), left_ms=GRANT_MS)
        return link

    @rule(data=st.data(), subject=st.none() | st.sampled_from(PEOPLE), has_failed=st.booleans())
    @precondition(lambda self: len(self.visitors) > 3)
    def renew(self, data: st.DataObject, subject: Human | None, has_failed: bool) -> None:
        """Renew a token, at times with one that is bad, another's, or that nobody can check."""
        visitor = self.any(data)
        self.world.send(visitor.link, Renew("another token"))
        grant = None if subject is None else Grant(f"person {subject.seed}", 0, True)
        self.world.vouch(grant, left_ms=GRANT_MS, has_failed=has_failed)
        if subject is not visitor.person or has_failed:
            visitor.link.reads = True
            self.world.drain(visitor.link)
            code = ErrorCode.INTERNAL if has_failed else ErrorCode.BAD_TOKEN
            assert visitor.link.closed and visitor.link.last(Error).code == code


TestAccess = AccessMachine.TestCase
TestTokens = TokenMachine.TestCase
TestAccess.settings = settings(
    max_examples=max(150, settings().max_examples), stateful_step_count=30
)
TestTokens.settings = settings(stateful_step_count=30)

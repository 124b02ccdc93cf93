"""Laws of the hub, against any order of pushes, flushes, reads, losses and slow receivers.

Whatever happens, each connection gets a room's log without a hole, in order, nothing before its
commit, and no Ack before the commit; when all is quiet it has all of it; and what waits for a
receiver that does not read stays bounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from syncchat_relay import Config

from syncchat.wire.codes import ItemStatus
from syncchat.wire.frames import (
    Ack,
    AnyFrame,
    Applied,
    AskChains,
    AskCursors,
    Deliver,
    Error,
    Live,
    Open,
    Opened,
    RoomCursor,
)
from tests.contracts.chains import OTHER_ROOM, ROOM, FixedRandom, Writer, fingerprint_of
from tests.unit.relay.world import Link, World

CONFIG = Config(
    unsent_bytes_max=3_000,
    unsent_bytes_low=800,
    deliver_bytes_max=1_000,
    pending_envelopes_max=40,
)
FLUSH_BYTES_MAX = 40 * 400
ROOMS = (ROOM, OTHER_ROOM)


@dataclass
class Receiver:
    """Is a connection as its peer understands it, from nothing but the frames."""

    link: Link
    seed: int
    opened: list[list[RoomCursor]] = field(default_factory=list)
    positions: dict[int, int] = field(default_factory=dict)
    rooms: dict[int, bytes] = field(default_factory=dict)
    pushed: dict[int, tuple[int, tuple[bytes, ...]]] = field(default_factory=dict)
    early: dict[int, set[int]] = field(default_factory=dict)
    taken: int = 0
    number: int = 0


class HubMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World(CONFIG)
        self.receivers: list[Receiver] = []
        self.writers = {
            (seed, room): Writer(seed, room=room) for seed in range(1, 4) for room in ROOMS
        }
        self.random = FixedRandom(3)

    @rule(seed=st.integers(1, 3))
    @precondition(lambda self: len(self.receivers) < 5)
    def enter(self, seed: int) -> None:
        link = self.world.enter(self.writers[seed, ROOM].keys)
        self.receivers.append(Receiver(link, seed))

    @rule(data=st.data(), back=st.integers(0, 9))
    def open(self, data: st.DataObject, back: int) -> None:
        receiver = self.any(data)
        if receiver is None or receiver.opened or receiver.rooms:
            return
        asked = []
        for room in data.draw(st.lists(st.sampled_from(ROOMS), min_size=1, unique=True)):
            log = self.stored(room)
            cursor = max(0, len(log) - back)
            fingerprint = fingerprint_of(log[:cursor], room=room)
            asked.append(RoomCursor(room, cursor, fingerprint, 0))
        receiver.opened.append(asked)
        self.world.send(receiver.link, Open(self.world.log.incarnation, asked))

    @rule(data=st.data(), count=st.integers(1, 6), repeat=st.booleans())
    def push(self, data: st.DataObject, count: int, repeat: bool) -> None:
        receiver = self.any(data)
        if receiver is None or not receiver.rooms:
            return
        alias = data.draw(st.sampled_from(sorted(receiver.rooms)))
        room = receiver.rooms[alias]
        if repeat:
            envelopes = tuple(self.stored(room)[-count:])
        else:
            writer = self.writers[receiver.seed, room]
            if self.world.log.chain_seq(room, writer.device) == 0:
                writer = self.writers[receiver.seed, room] = Writer(receiver.seed, room=room)
            envelopes = writer.write_many(count)
        if envelopes:
            receiver.number += 1
            receiver.pushed[receiver.number] = (alias, envelopes)
            self.world.push(receiver.link, alias, receiver.number, envelopes)

    @rule(count=st.integers(1, 4))
    def flush(self, count: int) -> None:
        self.world.flush(count)

    @rule(committed=st.booleans())
    def fail_flush(self, committed: bool) -> None:
        if self.world.appends:
            self.world.fail_flush(committed=committed)

    @rule(count=st.integers(1, 4))
    def do_log_work(self, count: int) -> None:
        for _ in range(min(count, len(self.world.work))):
            self.world.work_once()

    @rule(data=st.data())
    def stop_reading(self, data: st.DataObject) -> None:
        receiver = self.any(data)
        if receiver is not None:
            receiver.link.reads = False

    @rule(data=st.data())
    def read_on(self, data: st.DataObject) -> None:
        receiver = self.any(data)
        if receiver is not None:
            receiver.link.reads = True
            self.world.drain(receiver.link)

    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        receiver = self.any(data)
        if receiver is not None:
            self.world.lose(receiver.link)

    @rule(data=st.data(), wants=st.sampled_from(["applied", "chains", "cursors"]))
    def ask(self, data: st.DataObject, wants: str) -> None:
        receiver = self.any(data)
        if receiver is None or not receiver.rooms:
            return
        alias = data.draw(st.sampled_from(sorted(receiver.rooms)))
        if wants == "applied":
            frame = Applied(alias, receiver.positions.get(alias, 0))
        else:
            frame = AskChains(alias) if wants == "chains" else AskCursors(alias)
        self.world.send(receiver.link, frame)

    @rule(ms=st.integers(1, 1_500))
    def tick(self, ms: int) -> None:
        self.world.tick(ms)

    @invariant()
    def every_frame_is_lawful(self) -> None:
        for receiver in self.receivers:
            frames = receiver.link.frames
            for frame in frames[receiver.taken :]:
                self.take(receiver, frame)
            receiver.taken = len(frames)
        self.receivers = [found for found in self.receivers if found.link.closed is None]

    @invariant()
    def what_waits_is_bounded(self) -> None:
        most = CONFIG.unsent_bytes_max + FLUSH_BYTES_MAX // 4 + 2 * CONFIG.deliver_bytes_max
        assert self.world.unsent_peak <= most

    def teardown(self) -> None:
        for receiver in self.receivers:
            receiver.link.reads = True
            self.world.drain(receiver.link)
        self.world.settle()
        self.every_frame_is_lawful()
        for receiver in self.receivers:
            for alias, room in receiver.rooms.items():
                assert receiver.positions[alias] == len(self.stored(room))
            assert not receiver.pushed, "every push was answered"
            assert not receiver.opened, "every open was answered"

    def take(self, receiver: Receiver, frame: AnyFrame) -> None:
        match frame:
            case Opened():
                asked = receiver.opened.pop(0)
                for position, (alias, room) in enumerate(zip(frame.aliases, asked, strict=True)):
                    receiver.rooms[alias] = room.room
                    receiver.positions[alias] = asked[position].cursor
                    receiver.early[alias] = set()
                for state in frame.states:
                    assert state.after == asked[state.position].cursor
            case Deliver():
                assert frame.after == receiver.positions[frame.alias], "a hole or a repetition"
                log = self.stored(receiver.rooms[frame.alias])
                end = frame.after + len(frame.envelopes)
                assert log[frame.after : end] == frame.envelopes, "not what is committed"
                receiver.positions[frame.alias] = end
            case Ack():
                self.take_ack(receiver, frame)
            case Live():
                assert frame.head == receiver.positions[frame.alias]
            case Error():
                receiver.pushed.clear()
            case _:
                pass

    def take_ack(self, receiver: Receiver, frame: Ack) -> None:
        alias, envelopes = receiver.pushed.pop(frame.number)
        log = self.stored(receiver.rooms[alias])
        for item, raw in zip(frame.items, envelopes, strict=True):
            if item.status in (ItemStatus.STORED, ItemStatus.KNOWN):
                assert log[item.seq - 1] == raw, "acked what is not committed"
            if item.status == ItemStatus.STORED and item.seq == receiver.positions[alias] + 1:
                receiver.positions[alias] = item.seq

    def any(self, data: st.DataObject) -> Receiver | None:
        if not self.receivers:
            return None
        return data.draw(st.sampled_from(self.receivers))

    def stored(self, room: bytes) -> list[bytes]:
        return self.world.log.read(room, 0, envelopes_max=10**6, bytes_max=10**9)


TestHub = HubMachine.TestCase

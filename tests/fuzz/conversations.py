"""Conversations: sequences of frames and events for the two state machines, from one input.

An input is read as a list of records. For the session: an even byte lets that many seconds pass,
an odd one is followed by a length in two bytes and a frame. For the hub a record begins with a
connection (low two bits) and an act (the rest): connect, prove who one is, send a frame, leave, or
let time pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from syncchat_relay.blobs import Quotas
from syncchat_relay.blobs.memory import MemoryBlobs
from syncchat_relay.blobs.work import answer_to
from syncchat_relay.config import Admit, Config
from syncchat_relay.connection import Backlog
from syncchat_relay.effects import (
    Append,
    Close,
    Effect,
    FindBlobs,
    KeepRevocation,
    LoadBlob,
    Pause,
    ReleaseBlobs,
    Send,
    StoreBlob,
    Vouch,
)
from syncchat_relay.hub import Hub
from syncchat_relay.log.memory import MemoryLog
from syncchat_relay.performing import perform, perform_appends

from syncchat.sync.events import Ready, RoomOpened
from syncchat.sync.session import PONGS_WAITING_MAX, Position, Session
from syncchat.trust.chain import EMPTY_FINGERPRINT
from syncchat.trust.keys import auth_text
from syncchat.wire import frames
from syncchat.wire.codes import ItemStatus
from syncchat.wire.limits import FRAME_BYTES_MAX, PUSHES_IN_FLIGHT_MAX, VERSION
from tests.contracts.chains import FixedRandom
from tests.vectors.bases import ALICE, BOB, INCARNATION, ROOM

HOST = "relay.example"
RECORDS_MAX = 200
OTHER_ROOM = bytes(range(16))
OUT_MAX = 64
"""Frames that a session may have ready after one step: pings, pongs, one answer."""


def frames_in(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (first byte, what belongs to it) for each record of an input."""
    at = 0
    for _ in range(RECORDS_MAX):
        if at >= len(data):
            return
        kind, at = data[at], at + 1
        if not kind & 1:
            yield kind, b""
            continue
        size = int.from_bytes(data[at : at + 2])
        yield kind, data[at + 2 : at + 2 + size]
        at += 2 + size


def fuzz_session(data: bytes) -> bool:
    """A session whose relay says anything at any time."""
    session, now_ms, pushed = Session(ALICE, host=HOST, now_ms=0), 0, 0
    is_over = False
    for kind, raw in frames_in(data):
        if kind & 1:
            events = session.receive(raw, now_ms)
        else:
            now_ms += kind * 500
            events = session.tick(now_ms)
        assert not (is_over and events), "a session speaks after its end"
        is_over = session._is_dead
        for event in events:
            match event:
                case Ready(incarnation):
                    positions = [
                        Position(room, 0, EMPTY_FINGERPRINT, 0) for room in (ROOM, OTHER_ROOM)
                    ]
                    session.open(incarnation, positions)
                case RoomOpened(room=room):
                    session.ask_chains(room)
                    session.applied(room, event.after)
                    while session.pushes_free and pushed < 4:
                        session.push(room, [b"an envelope"])
                        pushed += 1
        out = session.outgoing()
        assert len(out) <= OUT_MAX + PONGS_WAITING_MAX
        assert all(len(frame) <= FRAME_BYTES_MAX for frame in out)
        assert 0 <= session.pushes_free <= PUSHES_IN_FLIGHT_MAX
        assert is_over or session.next_tick_ms() >= 0
    return pushed > 0


class _Relay:
    """Is a hub with its log in memory, and what four connections heard."""

    def __init__(self) -> None:
        random = FixedRandom(7)
        self.log = MemoryLog(random=random)
        self.log._incarnation = INCARNATION
        self.blobs = MemoryBlobs(Quotas(room_bytes_max=40, bytes_max=60))
        self.hub = Hub(
            incarnation=INCARNATION,
            config=Config(names=(HOST,), admission=Admit.OPEN),
            random=random,
        )
        self.now_ms = 0
        self.next_conn = 1
        self.conns: list[int] = [0] * 4
        self.nonces: dict[int, bytes] = {}
        self.heard = 0
        self.acked: list[int] = []

    def act(self, place: int, act: int, raw: bytes) -> None:
        """Let something happen on one of four connections."""
        conn = self.conns[place]
        match act % 6:
            case 0 if not conn:
                self.conns[place], self.next_conn = self.next_conn, self.next_conn + 1
                self._perform(self.hub.connected(self.conns[place], self.now_ms))
            case 1:
                self._perform(self.hub.receive(conn, raw, self.now_ms))
            case 2 if conn in self.nonces:
                keys = (ALICE, BOB)[place % 2]
                text = auth_text(
                    host=HOST, incarnation=INCARNATION, nonce=self.nonces[conn], version=VERSION
                )
                auth = frames.Auth(VERSION, keys.public, HOST, keys.sign(text))
                self._perform(self.hub.receive(conn, frames.encode(auth), self.now_ms))
            case 3:
                self.conns[place] = 0
                self._perform(self.hub.lost(conn))
            case 4:
                self.now_ms += 500
                self._perform(self.hub.tick(self.now_ms))

    def _perform(self, effects: list[Effect]) -> None:
        todo = list(effects)
        while todo:
            appends = [effect for effect in todo if isinstance(effect, Append)]
            others = [effect for effect in todo if not isinstance(effect, Append)]
            todo = (
                list(self.hub.done(list(perform_appends(self.log, appends, now_ms=self.now_ms))))
                if appends
                else []
            )
            for effect in others:
                match effect:
                    case Send(conns, raw):
                        todo += self._sent(conns, raw)
                    case Close(conn):
                        self.conns = [0 if each == conn else each for each in self.conns]
                    case Pause():
                        pass
                    case Append():
                        raise AssertionError("sorted out above")
                    case Vouch() | KeepRevocation():
                        raise AssertionError("there are no tokens and no operators here")
                    case StoreBlob() | FindBlobs() | ReleaseBlobs() | LoadBlob():
                        told = answer_to(self.log, self.blobs, effect, now_ms=self.now_ms)
                        todo += self.hub.blobs_done([told])
                    case _:
                        answer = perform(self.log, effect, now_ms=self.now_ms)
                        if answer is not None:
                            todo += self.hub.done([answer])

    def _sent(self, conns: tuple[int, ...], raw: bytes) -> list[Effect]:
        assert len(raw) <= FRAME_BYTES_MAX
        frame = frames.decode(raw)
        assert frame is not None
        self.heard += 1
        match frame:
            case frames.Hello(nonce=nonce):
                for conn in conns:
                    self.nonces[conn] = nonce
            case frames.Ack(items=items):
                self.acked += [item.seq for item in items if item.status == ItemStatus.STORED]
        return [effect for conn in conns for effect in self.hub.sent(conn, len(raw))]


def fuzz_hub(data: bytes) -> bool:
    """A hub to which four connections say anything at any time."""
    relay = _Relay()
    for number, (kind, raw) in enumerate(_acts_in(data)):
        if number >= RECORDS_MAX:
            break
        relay.act(kind & 3, kind >> 2, raw)
    stored = sum(len(room.envelopes) for room in relay.log._rooms.values())
    assert len(relay.acked) <= stored, "more was acknowledged than is stored"
    assert not relay.hub._pending, "the hub waits for an answer that it has"
    assert not relay.hub._pending_blobs, "the hub waits for a blob that it has"
    assert relay.hub._blob_bytes == 0
    assert relay.blobs.all_bytes() <= 60, "more is stored than the quota allows"
    assert relay.hub._backlog == Backlog()
    for conn in relay.conns:
        relay._perform(relay.hub.lost(conn))
    assert not relay.hub._connections
    assert not relay.hub._rooms, "a room stays though nobody has it open"
    return relay.heard > len(relay.nonces)


def _acts_in(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        kind, at = data[at], at + 1
        raw = b""
        if (kind >> 2) % 6 == 1:
            size = int.from_bytes(data[at : at + 2])
            raw = data[at + 2 : at + 2 + size]
            at += 2 + size
        yield kind, raw


CONVERSATIONS: dict[str, Callable[[bytes], bool]] = {
    "session": fuzz_session,
    "hub": fuzz_hub,
}
"""Targets by name; each tells whether the conversation got anywhere."""

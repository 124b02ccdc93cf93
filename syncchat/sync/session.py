"""One connection to a relay, sans IO.

Feed it bytes with ``receive`` and time with ``tick``; send what ``outgoing`` returns; act on the
events that both return. A session lives as long as its connection: what must survive is in the
store, and the next session starts from there.

The relay speaks first. Its Hello is answered with Auth, rooms are opened in the same flight, and
from then on pushes go up and deliveries come down. A session that has heard nothing for
``HEARTBEAT_MS`` asks for a Pong; after ``SILENCE_MS_MAX`` it declares itself dead, whatever the
socket says, so a half-open connection is noticed in that time. A relay that gives signs of life,
but not what it owes (the opening of a room, its log, an Ack, its chains), is given up after
``ANSWER_MS_MAX`` without any progress in that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import DecodeError
from ..ids import DeviceId, device_text
from ..trust.keys import DeviceKeys, proof_text
from ..wire import frames
from ..wire.codes import NOT_RETRIED, ErrorCode, ItemStatus
from ..wire.limits import (
    HANDSHAKE_MS_MAX,
    HEARTBEAT_MS,
    PUSHES_IN_FLIGHT_MAX,
    ROOMS_PER_OPEN_MAX,
    SILENCE_MS_MAX,
    VERSION,
)
from .blobs import Blobs
from .events import (
    AccessChanged,
    Acked,
    CaughtUp,
    ChainsSeen,
    ContentsCame,
    CursorsSeen,
    Dead,
    Delivered,
    Ready,
    RecentTold,
    Refused,
    RoomOpened,
    SessionEvent,
    SignalHeard,
    SnapshotsTold,
    StubsTold,
    TokenWanted,
)
from .greeting import auth_for

ANSWER_MS_MAX = 60_000
"""How long a relay may make no progress in what it owes; a full Push takes 52 s at 5 KB/s."""

CHAINS_FRAMES_MAX = 25
"""Frames in one answer to AskChains, 100,000 devices: more than any room has."""

PONGS_WAITING_MAX = 8
"""Pongs that wait to be sent; a relay that asks faster than it reads gets no more."""


REASON_CHARS_MAX = 200
"""Of a relay's own words, which end on somebody's terminal; control codes are left out too."""


@dataclass(frozen=True, slots=True)
class Position:
    """Says how far this peer is in one room."""

    room: bytes
    cursor: int
    fingerprint: bytes
    own_seq: int
    proof: DeviceKeys | None = None
    """Keys of an invite, or of the person's root, that open the room to a device it lacks."""
    is_light: bool = False
    """Whether old history of the room is to stay at the relay."""


_OPENING = "the opening of a room"
_LOG = "the rest of a room's log"
_ACK = "an answer to what was sent"
_CHAINS = "the list of chains that it holds"
_CONTENTS = "old history that was asked for"


@dataclass(slots=True)
class _ChainsAnswer:
    heads: dict[DeviceId, int] = field(default_factory=dict)
    frames: int = 0


@dataclass(slots=True)
class _Push:
    number: int
    alias: int
    envelopes: tuple[bytes, ...]


class Session:
    """Is this peer's end of one connection."""

    def __init__(
        self,
        keys: DeviceKeys,
        *,
        host: str,
        now_ms: int,
        token: str = "",
        operator_secret: bytes = b"",
    ) -> None:
        """``token`` is what an app vouches with at this relay, ``operator_secret`` the relay's."""
        self._keys = keys
        self._host = host
        self._token = token
        self._operator_secret = operator_secret
        self._started_ms = self._heard_ms = now_ms
        self._pinged_ms: int | None = None
        self._pings = 0
        self._out: list[bytes] = []
        self._is_ready = False
        self._is_dead = False
        self._challenge = (b"", b"")
        self._opening: deque[list[Position]] = deque()
        self._rooms: dict[int, bytes] = {}
        self._aliases: dict[bytes, int] = {}
        self._pushes: deque[_Push] = deque()
        self._pushed = 0
        self._chains: dict[int, _ChainsAnswer] = {}
        self._behind: set[int] = set()
        self._contents: set[tuple[int, int]] = set()
        self._owed_since_ms: dict[str, int] = {}
        self._pongs = 0
        self.blobs = Blobs()
        """What is asked about blobs; its frames are for the owner to send, when no others wait."""

    @property
    def is_ready(self) -> bool:
        """Tell whether rooms may be opened and envelopes pushed."""
        return self._is_ready and not self._is_dead

    @property
    def pushes_free(self) -> int:
        """Return how many more pushes may be under way."""
        return PUSHES_IN_FLIGHT_MAX - len(self._pushes)

    def outgoing(self) -> list[bytes]:
        """Return the frames to send now, in order; each is returned once."""
        out, self._out, self._pongs = self._out, [], 0
        return out

    def is_open(self, room: bytes) -> bool:
        """Tell whether a room is open on this connection."""
        return room in self._aliases

    def alias_of(self, room: bytes) -> int:
        """Return the alias of an open room."""
        return self._aliases[room]

    def pushes_of(self, room: bytes) -> int:
        """Return how many pushes of a room are under way."""
        alias = self._aliases.get(room)
        return sum(push.alias == alias for push in self._pushes)

    def open(self, incarnation: bytes, positions: Sequence[Position], *, recent: int = 0) -> None:
        """Open rooms, of which none may be open yet, at positions taken from ``incarnation``.

        Of those in which more is missing, so many of the ``recent`` envelopes are to come first.
        """
        for start in range(0, len(positions), ROOMS_PER_OPEN_MAX):
            part = list(positions[start : start + ROOMS_PER_OPEN_MAX])
            self._opening.append(part)
            cursors = [
                frames.RoomCursor(p.room, p.cursor, p.fingerprint, p.own_seq, self._proof(p))
                for p in part
            ]
            light = [number for number, position in enumerate(part) if position.is_light]
            self._send(frames.Open(incarnation, cursors, recent, light))

    def _proof(self, position: Position) -> frames.Proof | None:
        if position.proof is None:
            return None
        incarnation, nonce = self._challenge
        text = proof_text(room=position.room, incarnation=incarnation, nonce=nonce)
        return frames.Proof(position.proof.public, position.proof.sign(text))

    def push(self, room: bytes, envelopes: Sequence[bytes]) -> None:
        """Hand envelopes of an open room to the relay; Acked follows."""
        alias = self._aliases[room]
        self._pushed += 1
        self._pushes.append(_Push(self._pushed, alias, tuple(envelopes)))
        self._send(frames.Push(alias, self._pushed, list(envelopes)))

    def applied(self, room: bytes, cursor: int) -> None:
        """Say that the log of an open room is applied up to ``cursor``."""
        self._send(frames.Applied(self._aliases[room], cursor))

    def ask_chains(self, room: bytes) -> None:
        """Ask how much of each chain the relay holds; ChainsSeen follows."""
        self._chains.setdefault(self._aliases[room], _ChainsAnswer())
        self._send(frames.AskChains(self._aliases[room]))

    def ask_contents(self, room: bytes, places: Sequence[int]) -> None:
        """Ask for the snapshots at some places of a room's log; ContentsCame follows for each.

        No more than ``CONTENTS_IN_FLIGHT_MAX`` may be under way."""
        alias = self._aliases[room]
        self._contents |= {(alias, place) for place in places}
        self._send(frames.AskContents(alias, list(places)))

    def ask_cursors(self, room: bytes) -> None:
        """Ask how far other devices are; CursorsSeen follows."""
        self._send(frames.AskCursors(self._aliases[room]))

    def signal(self, room: bytes, data: bytes) -> None:
        """Say something in passing to those who have an open room open."""
        self._send(frames.Signal(self._aliases[room], data))

    def renew(self, token: str) -> None:
        """Hand a fresh token to the relay."""
        if self.is_ready:
            self._send(frames.Renew(token))

    def say_bye(self) -> None:
        """Tell the relay that nothing more comes."""
        if not self._is_dead:
            self._send(frames.Bye())
            self._is_dead = True

    def tick(self, now_ms: int) -> list[SessionEvent]:
        """Let time pass: send a heartbeat, or give a silent connection up."""
        if self._is_dead:
            return []
        if not self._is_ready and now_ms - self._started_ms >= HANDSHAKE_MS_MAX:
            return self._die("the relay did not answer the greeting in time")
        silent = now_ms - self._heard_ms
        if silent < 0:
            self._heard_ms = now_ms
        elif silent >= SILENCE_MS_MAX:
            return self._die(f"nothing heard from the relay for {silent // 1000} s")
        elif silent >= HEARTBEAT_MS and self._is_ready and self._pinged_ms is None:
            self._pinged_ms = now_ms
            self._pings += 1
            self._send(frames.Ping(self._pings))
        return [*self.blobs.tick(now_ms), *self._look_for_debts(now_ms)]

    def next_tick_ms(self) -> int:
        """Return the time at which ``tick`` has something to do."""
        if not self._is_ready:
            return self._started_ms + HANDSHAKE_MS_MAX
        quiet = HEARTBEAT_MS if self._pinged_ms is None else SILENCE_MS_MAX
        times = [self._heard_ms + quiet]
        return min([*times, self.blobs.next_tick_ms] if self.blobs.is_waiting else times)

    def receive(self, raw: bytes, now_ms: int) -> list[SessionEvent]:
        """Take in one frame and return what it means."""
        if self._is_dead:
            return []
        self._heard_ms = now_ms
        self._pinged_ms = None
        try:
            frame = frames.decode(raw)
            events = [] if frame is None else self._act(frame)
            return events if self._is_dead else events + self._look_for_debts(now_ms)
        except DecodeError as exc:
            return self._die(f"the relay sent what is no frame: {exc}")
        except _OutOfPlace as exc:
            return self._die(f"the relay sent a frame out of place: {exc}")

    def _act(self, frame: frames.AnyFrame) -> list[SessionEvent]:
        match frame:
            case frames.Hello():
                return self._greet(frame)
            case frames.Opened():
                return self._opened(frame)
            case frames.Deliver(alias, after, envelopes, gaps):
                if alias in self._behind:
                    self._owed_since_ms.pop(_LOG, None)
                gone = tuple((gap.index, gap.upto, gap.fingerprint) for gap in gaps)
                return [Delivered(self._room(alias), after, tuple(envelopes), gone)]
            case frames.Snapshots(alias, envelopes):
                if alias in self._behind:
                    self._owed_since_ms.pop(_LOG, None)
                return [SnapshotsTold(self._room(alias), tuple(envelopes))]
            case frames.Stubs(alias, places, stubs):
                if len(places) != len(stubs):
                    raise _OutOfPlace("Stubs that have no place")
                if alias in self._behind:
                    self._owed_since_ms.pop(_LOG, None)
                return [StubsTold(self._room(alias), tuple(zip(places, stubs, strict=True)))]
            case frames.Contents(alias, place, envelope):
                if (alias, place) not in self._contents:
                    raise _OutOfPlace("Contents that were not asked for")
                self._contents.discard((alias, place))
                self._owed_since_ms.pop(_CONTENTS, None)
                return [ContentsCame(self._room(alias), place, envelope)]
            case frames.Recent(alias, since, places, envelopes, links, more):
                if len(places) != len(envelopes):
                    raise _OutOfPlace("a Recent with envelopes that have no place")
                if alias in self._behind:
                    self._owed_since_ms.pop(_LOG, None)
                before = {each.index: each.link for each in links}
                told = tuple(places), tuple(envelopes)
                return [RecentTold(self._room(alias), since, *told, before, not more)]
            case frames.Live(alias, head, fingerprint):
                self._behind.discard(alias)
                self._owed_since_ms.pop(_LOG, None)
                return [CaughtUp(self._room(alias), head, fingerprint)]
            case frames.Ack():
                return self._acked(frame)
            case frames.Cursors(alias, cursors):
                seen = tuple((device_text(c.device), c.cursor) for c in cursors)
                return [CursorsSeen(self._room(alias), seen)]
            case frames.Chains():
                return self._chains_seen(frame)
            case frames.Access(alias, is_open):
                (self._behind.add if is_open else self._behind.discard)(alias)
                return [AccessChanged(self._room(alias), is_open)]
            case frames.Signal(alias, data):
                return [SignalHeard(self._room(alias), data)]
            case frames.Ping(number):
                if self._pongs < PONGS_WAITING_MAX:
                    self._pongs += 1
                    self._send(frames.Pong(number))
                return []
            case frames.BlobStates() | frames.BlobData():
                return self._blobs_said(frame)
            case frames.Error():
                return self._refused(frame)
            case frames.Bye():
                return self._die("the relay said goodbye")
            case frames.Pong():
                return []
            case _:
                raise _OutOfPlace(type(frame).__name__)

    def _greet(self, hello: frames.Hello) -> list[SessionEvent]:
        if self._is_ready:
            raise _OutOfPlace("a second Hello")
        if not hello.version_min <= VERSION <= hello.version_max:
            older = "the relay" if hello.version_max < VERSION else "this syncchat"
            self._is_dead = True
            return [Refused(ErrorCode.BAD_VERSION, f"no common version: update {older}", 0, False)]
        self._send(
            auth_for(
                hello,
                self._keys,
                host=self._host,
                token=self._token,
                operator_secret=self._operator_secret,
            )
        )
        self._is_ready = True
        self._challenge = (hello.incarnation, hello.nonce)
        return [Ready(hello.incarnation)]

    def _opened(self, frame: frames.Opened) -> list[SessionEvent]:
        if not self._opening or len(self._opening[0]) != len(frame.aliases):
            raise _OutOfPlace("an Opened that was not asked for")
        if len({*frame.aliases, *self._rooms}) < len(frame.aliases) + len(self._rooms):
            raise _OutOfPlace("an Opened with one alias for two rooms")
        asked = self._opening.popleft()
        self._owed_since_ms.pop(_OPENING, None)
        states = {state.position: state for state in frame.states}
        events: list[SessionEvent] = []
        for number, (position, alias) in enumerate(zip(asked, frame.aliases, strict=True)):
            self._rooms[alias] = position.room
            self._aliases[position.room] = alias
            state = states.get(number)
            if state is None:
                events.append(
                    RoomOpened(
                        position.room, False, position.cursor, position.cursor, position.own_seq
                    )
                )
            else:
                if not state.is_closed:
                    self._behind.add(alias)
                events.append(
                    RoomOpened(
                        position.room,
                        True,
                        state.after,
                        state.head,
                        state.own_seq,
                        is_closed=state.is_closed,
                    )
                )
        return events

    def _acked(self, frame: frames.Ack) -> list[SessionEvent]:
        for push in self._pushes:
            if push.number == frame.number:
                break
        else:
            raise _OutOfPlace("an Ack of no Push")
        if len(frame.items) != len(push.envelopes) or frame.alias != push.alias:
            raise _OutOfPlace("an Ack that does not fit its Push")
        self._pushes.remove(push)
        self._owed_since_ms.pop(_ACK, None)
        try:
            items = tuple((ItemStatus(item.status), item.seq) for item in frame.items)
        except ValueError as exc:
            raise _OutOfPlace(f"an Ack with an unknown state: {exc}") from exc
        return [Acked(self._room(push.alias), push.envelopes, items)]

    def _chains_seen(self, frame: frames.Chains) -> list[SessionEvent]:
        room = self._room(frame.alias)
        answer = self._chains.get(frame.alias)
        if answer is None:
            raise _OutOfPlace("Chains that were not asked for")
        answer.frames += 1
        if answer.frames > CHAINS_FRAMES_MAX:
            raise _OutOfPlace("Chains without an end")
        self._owed_since_ms.pop(_CHAINS, None)
        answer.heads.update((device_text(head.device), head.seq) for head in frame.heads)
        if frame.more:
            return []
        del self._chains[frame.alias]
        return [ChainsSeen(room, answer.heads)]

    def _blobs_said(self, frame: frames.BlobStates | frames.BlobData) -> list[SessionEvent]:
        try:
            return [*self.blobs.receive(frame, self._room(frame.alias), self._heard_ms)]
        except DecodeError as exc:
            raise _OutOfPlace(str(exc)) from exc

    def _refused(self, frame: frames.Error) -> list[SessionEvent]:
        known = frame.code in ErrorCode.__members__.values()
        code = ErrorCode(frame.code) if known else ErrorCode.INTERNAL
        match code:
            case ErrorCode.TOKEN_EXPIRING:
                return [TokenWanted(frame.retry_after_ms)]
            case ErrorCode.NOT_OPERATOR:
                return []  # takes nothing but the operator's rights; logging in again tells of it
        words = "".join(c if c.isprintable() else "?" for c in frame.text[:REASON_CHARS_MAX])
        return [Refused(frame.code, words, frame.retry_after_ms, code not in NOT_RETRIED)]

    def _room(self, alias: int) -> bytes:
        try:
            return self._rooms[alias]
        except KeyError:
            raise _OutOfPlace("a frame about a room that is not open") from None

    def _look_for_debts(self, now_ms: int) -> list[SessionEvent]:
        """Give the relay up if it has owed something for too long without any progress."""
        owed = (
            (_OPENING, self._opening),
            (_LOG, self._behind),
            (_ACK, self._pushes),
            (_CHAINS, self._chains),
            (_CONTENTS, self._contents),
        )
        for what, open_asks in owed:
            if not open_asks:
                self._owed_since_ms.pop(what, None)
            elif now_ms - self._owed_since_ms.setdefault(what, now_ms) >= ANSWER_MS_MAX:
                return self._die(f"the relay is there, but owes {what} for too long")
        return []

    def _die(self, reason: str) -> list[SessionEvent]:
        self._is_dead = True
        return [Dead(reason)]

    def _send(self, frame: frames.Frame) -> None:
        self._out.append(frames.encode(frame))


class _OutOfPlace(Exception):
    """A well-formed frame came when it may not."""

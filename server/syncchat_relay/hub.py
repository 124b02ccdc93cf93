"""The hub: the relay's protocol as a state machine, without IO, clock or entropy.

The story of a connection. ``connected`` says Hello with a nonce. The first frame must be Auth: a
version that both speak, a host name that is this relay's, the device's signature over both and the
nonce. Then frames come in any order. Open has the log look up each room and answers with what
differs from what the peer said; a room that is behind is read from the log part by part, Live says
when that is over. Push goes to the log; after the commit ``fan_out`` acks and delivers.

Everything has a bound, and each says what happens beyond it:

- Work rate: a frame costs one unit, plus one for 16 envelopes or 4 rooms; over the rate of units
  or bytes the connection is not listened to for a moment (``Pause``), so nobody honest is cut off.
- More than ``PUSHES_IN_FLIGHT_MAX`` pushes of a connection, or more envelopes waiting in the hub
  than configured: the Push is answered at once with FULL for each item; the peer tries again.
- Unsent bytes: a slow receiver leaves live delivery, keeps its position, and reads from the log
  when it has caught its breath. Answers to asks wait likewise, each ask once.
- Rooms: an Open that would go over the limit is refused with TOO_MANY_ROOMS and changes nothing.
- Connections: one too many is told BUSY and closed. A frame that is malformed or out of place is
  told BAD_FRAME and closed. Silence and an unfinished handshake are closed.

Every method returns the effects to perform, in order (see ``effects``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from syncchat.errors import DecodeError
from syncchat.ports import Random
from syncchat.wire.codes import ErrorCode, ItemStatus
from syncchat.wire.frames import (
    AnyFrame,
    Applied,
    AskChains,
    AskCursors,
    Bye,
    Error,
    Hello,
    Live,
    Open,
    Opened,
    Ping,
    Pong,
    Push,
    RoomState,
    decode,
    encode,
)
from syncchat.wire.limits import (
    HANDSHAKE_MS_MAX,
    PUSHES_IN_FLIGHT_MAX,
    ROOMS_PER_CONNECTION_MAX,
    SILENCE_MS_MAX,
    VERSION,
)

from .admission import Refused, authenticate
from .config import Config
from .connection import (
    DEVICE_BYTES,
    Ask,
    Bucket,
    Connection,
    Pending,
    PendingHead,
    PendingOpen,
    PendingPush,
    PendingRead,
    Room,
    Subscription,
    cost_of,
)
from .cursors import chain_frames, cursor_frames, is_due, note_applied, pass_on, unsaved
from .effects import (
    Append,
    Appended,
    Close,
    DevicesRead,
    Effect,
    LogAnswer,
    LookedUp,
    Lookup,
    Pause,
    Read,
    ReadChains,
    ReadCursors,
    RoomFacts,
    SaveCursors,
    Send,
    WasRead,
)
from .fanout import ENVELOPES_PER_DELIVER, Segment, ack, fall_behind, fan_out, learn_head, parts_of
from .log import Outcome
from .opening import compare, pending_open

NONCE_BYTES = 32
RETRY_MS = 1_000
"""When to come back after the relay failed or stopped."""


class Hub:
    """Serves every connection of one relay."""

    def __init__(self, *, incarnation: bytes, config: Config, random: Random) -> None:
        self._incarnation = incarnation
        self._config = config
        self._random = random
        self._names = config.accepted_names
        self._connections: dict[int, Connection] = {}
        self._rooms: dict[bytes, Room] = {}
        self._pending: dict[int, Pending] = {}
        self._next_alias = 1
        self._next_ticket = 1
        self._pending_envelopes = 0
        self._pending_bytes = 0
        self._out: list[Effect] = []

    def connected(self, conn: int, now_ms: int) -> list[Effect]:
        """Take a new connection; ``conn`` is a number that was never used before."""
        config, nonce = self._config, self._random.bytes(NONCE_BYTES)
        connection = Connection(
            conn,
            nonce,
            now_ms,
            now_ms,
            Bucket.full(config.frames_per_second, config.frames_burst, now_ms),
            Bucket.full(config.bytes_per_second, config.bytes_burst, now_ms),
        )
        is_full = len(self._connections) >= config.connections_max
        self._connections[conn] = connection
        if is_full:
            self._refuse(
                connection, ErrorCode.BUSY, "too many connections", config.connections_retry_ms
            )
        else:
            self._send(connection, encode(Hello(VERSION, VERSION, self._incarnation, nonce)))
        return self._effects()

    def receive(self, conn: int, data: bytes, now_ms: int) -> list[Effect]:
        """Take one frame from a connection; from one that is gone it does nothing."""
        connection = self._connections.get(conn)
        if connection is None:
            return []
        connection.heard_ms = now_ms
        try:
            try:
                frame = decode(data)
            except DecodeError as exc:
                raise Refused(ErrorCode.BAD_FRAME, str(exc)[:200]) from exc
            if not connection.device:
                connection.device = authenticate(
                    frame,
                    incarnation=self._incarnation,
                    nonce=connection.nonce,
                    names=self._names,
                )
            elif frame is not None:
                self._take(connection, frame, now_ms)
        except Refused as exc:
            self._refuse(connection, exc.code, str(exc))
            return self._effects()
        wait_ms = max(
            connection.frames.take(cost_of(frame), now_ms),
            connection.octets.take(len(data), now_ms),
        )
        if wait_ms and conn in self._connections:
            connection.heard_ms = now_ms + wait_ms  # its silence until then is our doing
            self._out.append(Pause(conn, wait_ms))
        return self._effects()

    def sent(self, conn: int, octets: int) -> list[Effect]:
        """Take note that so many bytes of what was to send have left."""
        connection = self._connections.get(conn)
        if connection is None:
            return []
        connection.unsent_bytes -= octets
        if not connection.asks:
            return []
        self._pump(connection)
        return self._effects()

    def lost(self, conn: int) -> list[Effect]:
        """Take note that a connection has ended."""
        connection = self._connections.get(conn)
        if connection is not None:
            self._forget(connection)
        return self._effects()

    def tick(self, now_ms: int) -> list[Effect]:
        """Close who is silent or unproven for too long; save and pass on cursors that are due."""
        for connection in list(self._connections.values()):
            if not connection.device and now_ms - connection.opened_ms > HANDSHAKE_MS_MAX:
                self._refuse(connection, ErrorCode.BAD_AUTH, "no Auth in time")
            elif now_ms - connection.heard_ms > SILENCE_MS_MAX:
                self._close(connection, "silent for too long")
        self._save_cursors(self._rooms.values())
        for room in self._rooms.values():
            if is_due(room, now_ms, self._config):
                self._out += pass_on(room, self._config)
        return self._effects()

    def shut_down(self) -> list[Effect]:
        """Say to every connection that the relay stops, and close it."""
        for connection in list(self._connections.values()):
            self._refuse(connection, ErrorCode.SHUTTING_DOWN, "the relay is stopping", RETRY_MS)
        return self._effects()

    def done(self, answers: Sequence[LogAnswer]) -> list[Effect]:
        """Take what the log answered; all ``Appended`` of one call are of one flush, in order."""
        segments: dict[bytes, list[Segment]] = {}
        for answer in answers:
            pending = self._pending.pop(answer.ticket)
            match answer, pending:
                case Appended(), PendingPush():
                    self._release(pending)
                    found = Segment.from_outcomes(pending, answer.outcomes)
                    segments.setdefault(pending.room, []).append(found)
                case LookedUp(), PendingOpen():
                    self._opened(pending, answer.facts)
                case LookedUp(), PendingHead():
                    if pending.room in self._rooms:
                        self._learn_head(self._rooms[pending.room], answer.facts[0].head)
                case WasRead(), PendingRead():
                    self._was_read(pending, answer)
                case DevicesRead(), PendingRead():
                    self._devices_read(pending, answer.devices)
                case _:
                    self._log_failed(pending)
        for name, of_room in segments.items():
            self._flushed(name, of_room)
        return self._effects()

    # Frames from peers.

    def _take(self, connection: Connection, frame: AnyFrame, now_ms: int) -> None:
        match frame:
            case Push():
                self._take_push(connection, frame)
            case Applied():
                note_applied(self._subscription(connection, frame.alias), frame.cursor, now_ms)
            case Open():
                self._take_open(connection, frame)
            case AskChains():
                self._ask(connection, Ask.CHAINS, frame.alias)
            case AskCursors():
                self._ask(connection, Ask.CURSORS, frame.alias)
            case Ping():
                self._send(connection, encode(Pong(frame.number)))
            case Pong() | Error():
                pass
            case Bye():
                self._close(connection, "bye")
            case _:
                raise Refused(
                    ErrorCode.BAD_FRAME, f"a peer sends no {type(frame).__name__} at this point"
                )

    def _take_open(self, connection: Connection, frame: Open) -> None:
        rooms_after = len(connection.subscriptions) + connection.rooms_opening + len(frame.rooms)
        if rooms_after > ROOMS_PER_CONNECTION_MAX:
            self._error(
                connection,
                ErrorCode.TOO_MANY_ROOMS,
                f"a connection may have {ROOMS_PER_CONNECTION_MAX} rooms open",
            )
            return
        pending = pending_open(connection, frame, self._incarnation)
        connection.rooms_opening += len(pending.rooms)
        wanted = tuple((room, cursor) for room, cursor, _, _ in pending.rooms)
        self._out.append(Lookup(self._ticket(pending), connection.device, wanted))

    def _take_push(self, connection: Connection, frame: Push) -> None:
        room = self._subscription(connection, frame.alias).room
        envelopes = tuple(frame.envelopes)
        size = sum(map(len, envelopes))
        push = PendingPush(connection, room.name, frame.alias, frame.number, envelopes, size)
        if (
            connection.pushes_in_flight >= PUSHES_IN_FLIGHT_MAX
            or self._pending_envelopes + len(envelopes) > self._config.pending_envelopes_max
            or self._pending_bytes + size > self._config.pending_bytes_max
        ):
            self._send(connection, ack(push, [Outcome(ItemStatus.FULL, 0)] * len(envelopes)))
            return
        connection.pushes_in_flight += 1
        self._pending_envelopes += len(envelopes)
        self._pending_bytes += size
        self._out.append(Append(self._ticket(push), room.name, envelopes))

    def _ask(self, connection: Connection, ask: Ask, alias: int) -> None:
        self._subscription(connection, alias)
        connection.asks[ask, alias] = None
        self._pump(connection)

    def _subscription(self, connection: Connection, alias: int) -> Subscription:
        try:
            return connection.subscriptions[alias]
        except KeyError:
            raise Refused(ErrorCode.BAD_FRAME, f"room alias {alias} is not open here") from None

    # Answers of the log.

    def _opened(self, pending: PendingOpen, facts: Sequence[RoomFacts]) -> None:
        connection = pending.connection
        if connection.conn not in self._connections:
            return
        connection.rooms_opening -= len(pending.rooms)
        aliases: list[int] = []
        states: list[RoomState] = []
        told_live: list[tuple[Subscription, bytes]] = []
        for position, told in enumerate(compare(pending, facts)):
            room = self._room(told.name, told.fact.head)
            subscription = Subscription(connection, room, told.after, True, not told.is_same)
            connection.subscriptions[room.alias] = subscription
            room.subscriptions[connection.conn] = subscription
            aliases.append(room.alias)
            if not told.is_same:
                states.append(RoomState(position, told.after, room.head, told.fact.own_seq))
            if told.after < room.head:
                fall_behind(subscription)
            elif not told.is_same:
                told_live.append((subscription, told.fingerprint))
        self._send(connection, encode(Opened(aliases, states)))
        for subscription, fingerprint in told_live:
            self._say_live(subscription, fingerprint)
        self._pump(connection)

    def _was_read(self, pending: PendingRead, read: WasRead) -> None:
        subscription = pending.subscription
        connection, room = subscription.connection, subscription.room
        connection.reads_in_flight -= 1
        if self._is_current(subscription):
            if not read.envelopes:
                self._refuse(connection, ErrorCode.INTERNAL, "the log has a hole", RETRY_MS)
                return
            for part in parts_of(
                room.alias, subscription.position, read.envelopes, self._config.deliver_bytes_max
            ):
                self._send(connection, part.data)
                subscription.position = part.last
            self._learn_head(room, subscription.position)
            if subscription.position < room.head:
                fall_behind(subscription)
            else:
                subscription.is_live = True
                self._say_live(subscription, read.fingerprint)
        self._pump(connection)

    def _devices_read(self, pending: PendingRead, devices: Sequence[tuple[bytes, int]]) -> None:
        connection, alias = pending.subscription.connection, pending.subscription.room.alias
        connection.reads_in_flight -= 1
        if self._is_current(pending.subscription):
            if pending.ask is Ask.CURSORS:
                others = [item for item in devices if item[0] != connection.device]
                frames = cursor_frames(alias, others)
            else:
                frames = chain_frames(alias, devices)
            for data in frames:
                self._send(connection, data)
        self._pump(connection)

    def _flushed(self, name: bytes, segments: Sequence[Segment]) -> None:
        room = self._rooms.get(name)
        if room is not None:
            self._out += fan_out(room, segments, self._config)
            self._pump_room(room)

    def _log_failed(self, pending: Pending) -> None:
        match pending:
            case PendingHead():
                return  # the log is broken for good; who opens the room again is told
            case PendingPush():
                # The outcome is unknown: the pusher learns it when it opens the room again, and
                # its other receivers must hear of what may have been committed.
                self._release(pending)
                ticket = self._ticket(PendingHead(pending.room))
                self._out.append(Lookup(ticket, bytes(DEVICE_BYTES), ((pending.room, 0),)))
                connection = pending.connection
            case PendingOpen():
                connection = pending.connection
            case PendingRead():
                connection = pending.subscription.connection
        self._refuse(connection, ErrorCode.INTERNAL, "the relay's log failed", RETRY_MS)

    # Bookkeeping.

    def _pump(self, connection: Connection) -> None:
        """Ask the log for what a connection waits for, as far as it has room for answers."""
        while (
            connection.asks
            and connection.unsent_bytes <= self._config.unsent_bytes_low
            and connection.reads_in_flight < self._config.reads_in_flight_max
            and connection.conn in self._connections
        ):
            ask, alias = next(iter(connection.asks))
            del connection.asks[ask, alias]
            subscription = connection.subscriptions.get(alias)
            if subscription is None:
                continue
            connection.reads_in_flight += 1
            ticket = self._ticket(PendingRead(subscription, ask))
            room = subscription.room
            match ask:
                case Ask.ENVELOPES:
                    self._out.append(
                        Read(
                            ticket,
                            room.name,
                            subscription.position,
                            ENVELOPES_PER_DELIVER,
                            self._config.deliver_bytes_max,
                        )
                    )
                case Ask.CHAINS:
                    self._out.append(ReadChains(ticket, room.name))
                case Ask.CURSORS:
                    self._save_cursors([room])
                    self._out.append(ReadCursors(ticket, room.name))

    def _room(self, name: bytes, head: int) -> Room:
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = Room(name, self._next_alias, head)
            self._next_alias += 1
        self._learn_head(room, head)
        return room

    def _learn_head(self, room: Room, seq: int) -> None:
        if seq > room.head:  # a commit whose answer has not come, or never will
            learn_head(room, seq)
            self._pump_room(room)

    def _pump_room(self, room: Room) -> None:
        for subscription in room.subscriptions.values():
            if not subscription.is_live:
                self._pump(subscription.connection)

    def _is_current(self, subscription: Subscription) -> bool:
        connection = subscription.connection
        return (
            connection.conn in self._connections
            and connection.subscriptions.get(subscription.room.alias) is subscription
        )

    def _ticket(self, pending: Pending) -> int:
        ticket = self._next_ticket
        self._next_ticket += 1
        self._pending[ticket] = pending
        return ticket

    def _release(self, push: PendingPush) -> None:
        push.connection.pushes_in_flight -= 1
        self._pending_envelopes -= len(push.envelopes)
        self._pending_bytes -= push.size

    def _save_cursors(self, rooms: Iterable[Room]) -> None:
        entries = [entry for room in rooms for entry in unsaved(room)]
        if entries:
            self._out.append(SaveCursors(tuple(entries)))

    def _say_live(self, subscription: Subscription, fingerprint: bytes) -> None:
        if subscription.owes_live_frame:
            subscription.owes_live_frame = False
            frame = Live(subscription.room.alias, subscription.position, fingerprint)
            self._send(subscription.connection, encode(frame))

    def _send(self, connection: Connection, data: bytes) -> None:
        if connection.conn in self._connections:
            connection.unsent_bytes += len(data)
            self._out.append(Send((connection.conn,), data))

    def _error(
        self, connection: Connection, code: ErrorCode, text: str, retry_after_ms: int = 0
    ) -> None:
        self._send(connection, encode(Error(code, retry_after_ms, text)))

    def _refuse(
        self, connection: Connection, code: ErrorCode, text: str, retry_after_ms: int = 0
    ) -> None:
        self._error(connection, code, text, retry_after_ms)
        self._close(connection, text)

    def _close(self, connection: Connection, reason: str) -> None:
        if connection.conn in self._connections:
            self._forget(connection)
            self._out.append(Close(connection.conn, reason))

    def _forget(self, connection: Connection) -> None:
        del self._connections[connection.conn]
        for subscription in connection.subscriptions.values():
            room = subscription.room
            del room.subscriptions[connection.conn]
            if not room.subscriptions:
                self._save_cursors([room])
                del self._rooms[room.name]
        connection.subscriptions.clear()
        connection.asks.clear()

    def _effects(self) -> list[Effect]:
        effects, self._out = self._out, []
        return effects

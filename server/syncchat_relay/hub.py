"""The hub: the relay's protocol as a state machine, without IO, clock or entropy.

The story of a connection. ``connected`` says Hello with a nonce. The first frame must be Auth: a
version that both speak, a host name that is this relay's, the device's signature over both and the
nonce; in mode ``token`` also a token, which somebody else looks at (see ``admission``). Then frames
come in any order. Open has the log look up each room and answers with what differs from what the
peer said; a room that is behind is read from the log part by part, Live says when that is over.
Push goes to the log; after the commit ``fan_out`` acks and delivers. A room that its device may not
read is closed and waits; records open and close it (see ``access``).

Everything has a bound, and each says what happens beyond it:

- Work rate: a frame costs one unit, plus one for 16 envelopes or 4 rooms; over the rate of units
  or bytes the connection is not listened to for a moment (``Pause``), so nobody honest is cut off.
- More than ``PUSHES_IN_FLIGHT_MAX`` pushes of a connection, or more envelopes waiting in the hub
  than configured: the Push is answered at once with FULL for each item; the peer tries again.
- Signals: what is over a connection's rate is left out, and so is what a receiver has no room for.
- Unsent bytes: a slow receiver leaves live delivery, keeps its position, and reads from the log
  when it has caught its breath. Answers to asks wait likewise, each ask once.
- Closed rooms and forbidden pushes: each costs as much rate as folding a long log may take.
- Finds: one costs as much rate as a thousand frames, and all that miss have a rate together;
  beyond that Find is answered BUSY.
- Old snapshots: who asks for more than ``CONTENTS_IN_FLIGHT_MAX`` of a room at a time is closed.
- Files have bounds and a rate of their own (``transfers``).
- Rooms: an Open that would go over the limit is refused with TOO_MANY_ROOMS and changes nothing.
- Connections: one too many is told BUSY and closed. A frame that is malformed or out of place is
  told BAD_FRAME and closed. Silence and an unfinished handshake are closed.

Every method returns the effects to perform, in order (see ``effects``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from syncchat.errors import DecodeError
from syncchat.ports import Random
from syncchat.wire.codes import ErrorCode, ItemStatus
from syncchat.wire.frames import (
    AnyFrame,
    Applied,
    AskBlobs,
    AskChains,
    AskContents,
    AskCursors,
    Bye,
    DropBlobs,
    Error,
    Find,
    Found,
    GetBlob,
    Hello,
    Open,
    Opened,
    Ping,
    Pong,
    Push,
    PutBlob,
    Renew,
    Revoke,
    RoomState,
    Signal,
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

from . import access, light, recent
from .admission import Admission, Refused, Revoked
from .answering import Answering
from .asking import device_frames
from .config import Config
from .connection import (
    CLOSED_COST,
    Ask,
    Bucket,
    Connection,
    Pace,
    Pending,
    PendingCheck,
    PendingFind,
    PendingOpen,
    PendingPush,
    PendingRead,
    Subscription,
    cost_of,
)
from .cursors import is_due, note_applied, pass_on
from .effects import (
    Append,
    Appended,
    Checked,
    ContentsRead,
    DevicesRead,
    Effect,
    FindRoom,
    LogAnswer,
    LookedUp,
    Lookup,
    NewestRead,
    Pause,
    RoomFacts,
    RoomFound,
    Vouched,
    WasRead,
)
from .fanout import (
    Segment,
    ack,
    fall_behind,
    fan_out,
    first_record,
    learn_head,
    stretch_parts,
)
from .log import Outcome
from .opening import compare, pending_open, state_of, subscription_of
from .signals import hand_on

NONCE_BYTES = 32
RETRY_MS = 1_000
"""When to come back after the relay failed or stopped."""

MISSES_PER_SECOND, MISSES_BURST = 20, 200
"""Invites that all connections together may look for in vain: who types a code wrong does so once,
and who tries codes does not get far with 18,000 of them in a code's life, of 2^55."""


class Hub(Answering):
    """Serves every connection of one relay."""

    def __init__(
        self, *, incarnation: bytes, config: Config, random: Random, operator_secret: bytes = b""
    ) -> None:
        super().__init__(config)
        self._incarnation = incarnation
        self._random = random
        self._misses = Bucket.full(MISSES_PER_SECOND, MISSES_BURST, 0)
        self._admission = Admission(
            config, incarnation=incarnation, operator_secret=operator_secret
        )

    def connected(self, conn: int, now_ms: int) -> list[Effect]:
        """Take a new connection; ``conn`` is a number that was never used before."""
        config, nonce = self._config, self._random.bytes(NONCE_BYTES)
        connection = Connection.new(conn, nonce, now_ms, config)
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
            if not connection.device or connection.is_vouching:
                self._out += self._admission.enter(connection, frame)
            elif frame is not None:
                self._take(connection, frame, now_ms)
        except Refused as exc:
            self._refuse(connection, exc.code, str(exc), exc.retry_after_ms)
            return self._effects()
        octets = connection.blob_octets if isinstance(frame, PutBlob) else connection.octets
        wait_ms = max(
            connection.frames.take(cost_of(frame), now_ms), octets.take(len(data), now_ms)
        )
        if wait_ms and conn in self._connections:
            connection.heard_ms = now_ms + wait_ms  # its silence until then is our doing
            self._out.append(Pause(conn, wait_ms))
        return self._effects()

    def sent(self, conn: int, octets: int) -> list[Effect]:
        """Take note that so many bytes of what was to send have left."""
        return self.all_sent((conn,), octets)

    def all_sent(self, conns: Sequence[int], octets: int) -> list[Effect]:
        """Take note that so many bytes have left for each of some connections."""
        connections = self._connections
        for conn in conns:
            connection = connections.get(conn)
            if connection is not None:
                connection.unsent_bytes -= octets
                if connection.asks or connection.loads:
                    self._pump(connection)
        return self._effects() if self._out else []

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
            else:
                self._judge(connection, lambda it: self._admission.check_grant(it, now_ms))
        moved = list(self._moved.values())
        self._save_cursors(moved)
        for room in moved:
            if is_due(room, now_ms, self._config):
                self._out += pass_on(room, self._config)
            if not room.cursors_unsent:
                del self._moved[room.name]
        return self._effects()

    def vouched(self, answer: Vouched, now_ms: int) -> list[Effect]:
        """Take the answer to ``Vouch``."""
        connection = self._connections.get(answer.conn)
        if connection is not None:
            connection.heard_ms = now_ms  # it was not listened to until now
            self._judge(connection, lambda it: self._admission.vouched(it, answer, now_ms))
        return self._effects()

    def turn_away(self, revoked: Revoked) -> list[Effect]:
        """Turn away, now and from now on, exactly those who are revoked."""
        self._admission.revoked = revoked
        for connection in list(self._connections.values()):
            self._judge(connection, self._admission.check_revoked)
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
                    self._backlog.remove(pending)
                    found = Segment.from_outcomes(pending, answer.outcomes)
                    segments.setdefault(pending.room, []).append(found)
                case LookedUp(), PendingOpen():
                    self._opened(pending, answer.facts)
                case Checked(), PendingCheck():
                    self._checked(pending, answer)
                case RoomFound(), PendingFind():
                    self._misses.owe(0 if answer.room else 1)
                    told = Found(pending.invite, answer.room)
                    self._send(pending.connection, encode(told))
                case WasRead(), PendingRead():
                    self._was_read(pending, answer)
                case NewestRead(), PendingRead():
                    self._newest_read(pending, answer)
                case ContentsRead(), PendingRead():
                    self._contents_read(pending, answer)
                case DevicesRead(), PendingRead():
                    self._devices_read(pending, answer.devices)
                case _:
                    self._log_failed(pending)
        for name, of_room in segments.items():
            self._flushed(name, of_room)
        return self._effects()

    def _judge(
        self, connection: Connection, judge: Callable[[Connection], list[Effect] | None]
    ) -> None:
        """Let admission look at a connection, and end it if that refuses it."""
        try:
            self._out += judge(connection) or ()
        except Refused as exc:
            self._refuse(connection, exc.code, str(exc), exc.retry_after_ms)

    # Frames from peers.

    def _take(self, connection: Connection, frame: AnyFrame, now_ms: int) -> None:
        match frame:
            case Push():
                self._take_push(connection, frame)
            case Applied():
                subscription = self._subscription(connection, frame.alias)
                if note_applied(subscription, frame.cursor, now_ms):
                    self._moved[subscription.room.name] = subscription.room
            case Open():
                self._take_open(connection, frame)
            case Signal():
                subscription = self._subscription(connection, frame.alias)
                self._out += hand_on(subscription, frame, self._config, now_ms)
            case AskContents():
                self._take_ask(self._subscription(connection, frame.alias), frame)
            case AskChains():
                self._ask(connection, Ask.CHAINS, frame.alias)
            case AskCursors():
                self._ask(connection, Ask.CURSORS, frame.alias)
            case PutBlob() | GetBlob() | AskBlobs() | DropBlobs():
                self._take_blobs(connection, self._subscription(connection, frame.alias), frame)
            case Ping():
                self._send(connection, encode(Pong(frame.number)))
            case Pong() | Error():
                pass
            case Bye():
                self._close(connection, "bye")
            case Renew():
                self._out += self._admission.renew(connection, frame)
            case Revoke():
                self._out += self._admission.revoke(connection, frame)
            case Find():
                self._take_find(connection, frame, now_ms)
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
        connection.recent = frame.recent
        wanted = tuple(
            (room, cursor, keys)
            for (room, cursor, _, _), keys in zip(pending.rooms, pending.keys, strict=True)
        )
        self._out.append(Lookup(self._ticket(pending), connection.device, wanted))

    def _take_push(self, connection: Connection, frame: Push) -> None:
        room = self._subscription(connection, frame.alias).room
        envelopes = tuple(frame.envelopes)
        size = sum(map(len, envelopes))
        push = PendingPush(connection, room.name, frame.alias, frame.number, envelopes, size)
        is_over = connection.pushes_in_flight >= PUSHES_IN_FLIGHT_MAX
        if is_over or not self._backlog.has_room_for(push, self._config):
            self._send(connection, ack(push, [Outcome(ItemStatus.FULL, 0)] * len(envelopes)))
            return
        connection.pushes_in_flight += 1
        self._backlog.add(push)
        self._out.append(
            Append(
                self._ticket(push),
                room.name,
                envelopes,
                connection.device_key,
                self._admission.may_create_room(
                    connection, is_member=connection.is_member_somewhere
                ),
            )
        )

    def _take_find(self, connection: Connection, frame: Find, now_ms: int) -> None:
        wait_ms = self._misses.take(0, now_ms)
        if wait_ms:
            self._error(connection, ErrorCode.BUSY, "too many guess at codes", wait_ms)
            return
        pending = PendingFind(connection, frame.invite)
        self._out.append(FindRoom(self._ticket(pending), frame.invite))

    def _ask(self, connection: Connection, ask: Ask, alias: int) -> None:
        if not self._subscription(connection, alias).standing:
            for data in device_frames(ask, alias, [], connection.device):
                self._send(connection, data)
            return
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
        behind: list[Subscription] = []
        for position, told in enumerate(compare(pending, facts)):
            room = self._room(told.name, told.fact.head)
            subscription = subscription_of(connection, room, told, pending.keys[position])
            subscription.wants_little = position in pending.light
            connection.subscriptions[room.alias] = subscription
            room.subscriptions[connection.conn] = subscription
            aliases.append(room.alias)
            if not told.is_same:
                states.append(state_of(position, told, room.head))
            if subscription.pace is Pace.CLOSED:
                connection.frames.owe(CLOSED_COST)
            elif told.after < room.head:
                recent.plan(subscription)
                behind.append(subscription)
            elif not told.is_same:
                told_live.append((subscription, told.fingerprint))
        for subscription in behind:  # the newest of every room comes before all of any
            fall_behind(subscription)
        self._send(connection, encode(Opened(aliases, states)))
        for subscription, fingerprint in told_live:
            self._say_live(subscription, fingerprint)
        self._pump(connection)

    def _was_read(self, pending: PendingRead, read: WasRead) -> None:
        subscription = pending.subscription
        connection, room = subscription.connection, subscription.room
        connection.reads_in_flight -= 1
        if self._is_current(subscription):
            is_stuck = read.upto == subscription.position < read.last
            if is_stuck and not read.snapshots:
                self._refuse(connection, ErrorCode.INTERNAL, "the log has a hole", RETRY_MS)
                return
            access.admit(subscription, read, lambda data: self._send(connection, data))
            bytes_max = self._config.deliver_bytes_max
            for data in light.told_frames(subscription, read.snapshots, bytes_max):
                self._send(connection, data)
            subscription.told = read.told
            for part in stretch_parts(room.alias, subscription.position, read, bytes_max):
                self._send(connection, part.data)
                subscription.position = part.last
            self._learn_head(room, subscription.position)
            end = room.head if read.standing else read.last
            if subscription.position < end:
                fall_behind(subscription)
            elif not read.standing:
                access.shut(subscription, lambda data: self._send(connection, data))
            else:
                subscription.pace = Pace.LIVE
                self._say_live(subscription, read.fingerprint)
        self._pump(connection)

    def _flushed(self, name: bytes, segments: Sequence[Segment]) -> None:
        for segment in segments:
            if all(outcome.status is ItemStatus.FORBIDDEN for outcome in segment.outcomes):
                segment.push.connection.frames.owe(CLOSED_COST)
        room = self._rooms.get(name)
        if room is not None:
            record = 0 if self._config.is_open else first_record(segments)
            self._out += fan_out(room, segments, self._config, record=record)
            if record:
                self._check(room)
            self._pump_room(room)

    def _checked(self, pending: PendingCheck, answer: Checked) -> None:
        room = self._rooms.get(pending.room)
        if room is not None:
            learn_head(room, answer.head)
            current = [found for found in pending.subscriptions if self._is_current(found)]
            standings = dict(zip(pending.subscriptions, answer.standings, strict=True))
            access.go_on(current, [standings[found] for found in current], answer.head)
            self._pump_room(room)

    def _log_failed(self, pending: Pending) -> None:
        match pending:
            case PendingCheck():
                # The log is broken for good: who is read for is told, and who opens the room again.
                for found in filter(self._is_current, pending.subscriptions):
                    if found.pace is Pace.HELD:
                        fall_behind(found)
                        self._pump(found.connection)
                return
            case PendingPush():
                # The outcome is unknown: the pusher learns it when it opens the room again, and
                # its other receivers must hear of what may have been committed.
                self._backlog.remove(pending)
                if pending.room in self._rooms:
                    self._check(self._rooms[pending.room])
                connection = pending.connection
            case PendingOpen() | PendingFind():
                connection = pending.connection
            case PendingRead():
                connection = pending.subscription.connection
        self._refuse(connection, ErrorCode.INTERNAL, "the relay's log failed", RETRY_MS)

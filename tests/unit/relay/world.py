"""A hub with a log in memory and peers made of frames, driven step by step and without time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TypeVar

from syncchat_relay import Admit, Config
from syncchat_relay.blobs import Blobs, Quotas
from syncchat_relay.blobs.memory import MemoryBlobs
from syncchat_relay.blobs.work import answer_to
from syncchat_relay.effects import (
    Append,
    BlobWork,
    Close,
    Effect,
    Failed,
    FindBlobs,
    Grant,
    KeepRevocation,
    LoadBlob,
    LogWork,
    Pause,
    ReleaseBlobs,
    SaveCursors,
    Send,
    StoreBlob,
    Vouch,
    Vouched,
)
from syncchat_relay.hub import Hub
from syncchat_relay.log import Log
from syncchat_relay.log.memory import MemoryLog
from syncchat_relay.performing import perform, perform_appends

from syncchat.ids import DeviceKey
from syncchat.trust.chain import EMPTY_FINGERPRINT
from syncchat.trust.keys import DeviceKeys, auth_text, operator_proof, proof_text
from syncchat.wire.frames import (
    Ack,
    AnyFrame,
    Auth,
    Deliver,
    Frame,
    Hello,
    Open,
    Opened,
    Proof,
    Push,
    RoomCursor,
    decode,
    encode,
)
from syncchat.wire.limits import VERSION
from tests.contracts.chains import ROOM, FixedRandom
from tests.support.ports import START_MS

F = TypeVar("F", bound=Frame)


class Link:
    """Is one connection, from the peer's side: what it got, and what it has not taken yet."""

    def __init__(self, conn: int) -> None:
        self.conn = conn
        self.frames: list[AnyFrame] = []
        self.raw: list[bytes] = []
        self.unsent: deque[bytes] = deque()
        self.reads = True
        self.closed: str | None = None
        self.paused_ms: list[int] = []

    def of(self, kind: type[F]) -> list[F]:
        """Return the frames of one kind that came."""
        return [frame for frame in self.frames if isinstance(frame, kind)]

    def last(self, kind: type[F]) -> F:
        """Return the last frame of one kind."""
        return self.of(kind)[-1]

    def delivered(self) -> list[bytes]:
        """Return all envelopes that were delivered, in the order in which they came."""
        return [raw for frame in self.of(Deliver) for raw in frame.envelopes]


class World:
    """Performs a hub's effects: log work waits until ``flush``, frames arrive at once.

    Tokens wait in ``vouches`` until ``vouch``, what operators revoke in ``revocations``.
    """

    def __init__(
        self, config: Config | None = None, *, log: Log | None = None, operator_secret: bytes = b""
    ) -> None:
        config = config or Config(admission=Admit.OPEN)
        self.log: Log = log or MemoryLog(random=FixedRandom(7), is_open=config.is_open)
        self.hub = Hub(
            incarnation=self.log.incarnation,
            config=config,
            random=FixedRandom(1),
            operator_secret=operator_secret,
        )
        self.blobs: Blobs = MemoryBlobs(Quotas(config.room_blob_bytes_max, config.blob_bytes_max))
        self.blob_work: deque[BlobWork] = deque()
        self.vouches: list[Vouch] = []
        self.revocations: list[KeepRevocation] = []
        self.links: dict[int, Link] = {}
        self.appends: list[Append] = []
        self.work: deque[LogWork] = deque()
        self.saved: list[SaveCursors] = []
        self.now_ms = 0
        self.wall_ms = START_MS
        self.unsent_peak = 0

    def connect(self) -> Link:
        """Open a connection that has said nothing yet."""
        link = Link(len(self.links) + 1)
        self.links[link.conn] = link
        self.perform(self.hub.connected(link.conn, self.now_ms))
        return link

    def enter(self, keys: DeviceKeys, *, host: str = "localhost") -> Link:
        """Open a connection and prove who it is."""
        link = self.connect()
        self.send(link, answer(link.last(Hello), keys, host=host))
        return link

    def join(self, keys: DeviceKeys, room: bytes = ROOM) -> tuple[Link, int]:
        """Enter and open one room from its beginning; return the connection and the alias."""
        link = self.enter(keys)
        return link, self.open(link, room)

    def open(
        self,
        link: Link,
        room: bytes = ROOM,
        *,
        cursor: int = 0,
        fingerprint: bytes = EMPTY_FINGERPRINT,
        own_seq: int = 0,
        incarnation: bytes | None = None,
        proved: DeviceKeys | None = None,
    ) -> int:
        """Open a room, with a proof of ``proved`` if any; do all log work; return the alias."""
        proof = None if proved is None else proof_of(link, proved, room)
        asked = RoomCursor(room, cursor, fingerprint, own_seq, proof)
        self.send(link, Open(incarnation or self.log.incarnation, [asked]))
        self.settle()
        return link.last(Opened).aliases[0]

    def push(self, link: Link, alias: int, number: int, envelopes: Sequence[bytes]) -> None:
        """Send a Push."""
        self.send(link, Push(alias, number, list(envelopes)))

    def send(self, link: Link, frame: Frame) -> None:
        """Give a peer's frame to the hub."""
        self.send_raw(link, encode(frame))

    def send_raw(self, link: Link, data: bytes) -> None:
        """Give a peer's bytes to the hub."""
        self.perform(self.hub.receive(link.conn, data, self.now_ms))

    def vouch(self, grant: Grant | None, *, left_ms: int = 0, has_failed: bool = False) -> None:
        """Answer the token that waits longest."""
        answer = Vouched(self.vouches.pop(0).conn, grant, left_ms, has_failed)
        self.perform(self.hub.vouched(answer, self.now_ms))

    def lose(self, link: Link) -> None:
        """End a connection from outside."""
        link.closed = link.closed or "lost"
        self.perform(self.hub.lost(link.conn))

    def tick(self, ms: int) -> None:
        """Let time pass."""
        self.now_ms += ms
        self.perform(self.hub.tick(self.now_ms))

    def flush(self, count: int | None = None) -> None:
        """Commit the appends that wait, or the first few, as one flush."""
        batch, self.appends = self.appends[:count], self.appends[len(self.appends[:count]) :]
        if batch:
            self.perform(self.hub.done(perform_appends(self.log, batch, now_ms=self.wall_ms)))

    def fail_flush(self, *, committed: bool) -> None:
        """Have a flush fail, after its commit or before it."""
        batch, self.appends = self.appends, []
        if committed:
            perform_appends(self.log, batch, now_ms=self.wall_ms)
        self.perform(self.hub.done([Failed(work.ticket) for work in batch]))

    def work_once(self) -> None:
        """Do one piece of other log work."""
        work = self.work.popleft()
        found = perform(self.log, work, now_ms=self.wall_ms)
        if found is not None:
            self.perform(self.hub.done([found]))

    def blob_work_once(self) -> None:
        """Do one piece of work about blobs."""
        answer = answer_to(self.log, self.blobs, self.blob_work.popleft(), now_ms=self.wall_ms)
        self.perform(self.hub.blobs_done([answer]))

    def settle(self) -> None:
        """Do all work there is, and what comes of it."""
        while self.appends or self.work or self.blob_work:
            self.flush()
            if self.work:
                self.work_once()
            if self.blob_work:
                self.blob_work_once()

    def drain(self, link: Link) -> None:
        """Have a peer that had stopped reading take all that waits for it."""
        while link.unsent:
            self._arrive(link, link.unsent.popleft())

    def perform(self, effects: Sequence[Effect]) -> None:
        """Perform effects in order."""
        for effect in effects:
            match effect:
                case Send():
                    for conn in effect.conns:
                        link = self.links[conn]
                        assert link.closed is None, "a frame for a connection that was closed"
                        link.unsent.append(effect.data)
                        self._note_peak(link)
                        if link.reads:
                            self.drain(link)
                case Close():
                    self.links[effect.conn].closed = effect.reason
                case Pause():
                    self.links[effect.conn].paused_ms.append(effect.ms)
                case Append():
                    self.appends.append(effect)
                case Vouch():
                    self.vouches.append(effect)
                case KeepRevocation():
                    self.revocations.append(effect)
                case StoreBlob() | FindBlobs() | ReleaseBlobs() | LoadBlob():
                    self.blob_work.append(effect)
                case _:
                    if isinstance(effect, SaveCursors):
                        self.saved.append(effect)
                    self.work.append(effect)

    def _arrive(self, link: Link, data: bytes) -> None:
        frame = decode(data)
        assert frame is not None
        link.raw.append(data)
        link.frames.append(frame)
        self.perform(self.hub.sent(link.conn, len(data)))

    def _note_peak(self, link: Link) -> None:
        self.unsent_peak = max(self.unsent_peak, sum(map(len, link.unsent)))


def proof_of(link: Link, keys: DeviceKeys, room: bytes) -> Proof:
    """Return the proof of a key for a room on one connection."""
    hello = link.last(Hello)
    text = proof_text(room=room, incarnation=hello.incarnation, nonce=hello.nonce)
    return Proof(keys.public, keys.sign(text))


def answer(
    hello: Hello,
    keys: DeviceKeys,
    *,
    host: str = "localhost",
    version: int = VERSION,
    token: str = "",
    secret: bytes = b"",
) -> Auth:
    """Return the Auth that answers a Hello; ``secret`` is the relay's operator secret."""
    text = auth_text(host=host, incarnation=hello.incarnation, nonce=hello.nonce, version=version)
    proof = operator_proof(secret, device_key=keys.public, text=text) if secret else b""
    return Auth(version, DeviceKey(keys.public), host, keys.sign(text), token, proof)


def acked(link: Link) -> list[tuple[int, list[tuple[int, int]]]]:
    """Return a connection's Acks as (number, [(status, seq), …])."""
    return [
        (frame.number, [(item.status, item.seq) for item in frame.items]) for frame in link.of(Ack)
    ]

"""Peers for tests: with a database in memory, fed by hand or joined to a relay's hub."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from syncchat_relay import Config
from syncchat_relay.log import Append

from syncchat.errors import DecodeError
from syncchat.exchange.exchange import Exchange
from syncchat.exchange.receiving import Receiver
from syncchat.exchange.volumes import Volumes
from syncchat.ids import DeviceId, MemberId
from syncchat.peer import Peer, open_peer
from syncchat.room import Room
from syncchat.storage import chains, lease, members
from syncchat.trust.records import RecordHash
from syncchat.wire.envelope import decode_envelope
from tests.unit.relay.world import Link, World

from .devices import KEYS
from .ports import FakeClock, chance
from .room import LINK, RECORDS, RELAY, ROOM, join

__all__ = ["LINK", "RELAY", "ROOM"]

HOLDER = "test"


def make_peer(
    seed: int, *, path: Path | str = ":memory:", clock: FakeClock | None = None, name: str = ""
) -> Peer:
    """Open a peer whose keys follow from ``seed``."""
    return open_peer(
        path, name=name or f"Peer {seed}", clock=clock or FakeClock(), random=chance(seed)
    )


class Inbox:
    """Is a peer in the shared test room that is handed envelopes as if a relay delivered them."""

    def __init__(self, seed: int = 90, *, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.peer = make_peer(seed, clock=self.clock)
        self.room: Room = self.peer.join(LINK)
        self.db = self.peer._db
        self.row = self.room._row
        lease.take(self.db, HOLDER, now_ms=0)
        self.receiver = Receiver(
            self.db, Volumes(self.db), keys=self.peer._keys, clock=self.clock, holder=HOLDER
        )
        self.cursor = 0
        self.log_head: RecordHash = RECORDS[-1].hash
        self._let_in: set[bytes] = set()
        self._take(tuple(record.raw for record in RECORDS))

    def deliver(self, *envelopes: bytes) -> None:
        """Apply one batch at the end of the log; what is in doubt comes again just the same.

        The devices that wrote it are let in first.
        """
        for raw in envelopes:
            with suppress(DecodeError):
                self.let_in(decode_envelope(raw)[1].device)
        self._take(envelopes)

    def let_in(self, device: bytes) -> None:
        """Have the room's log let a device in, which stands for its own member here."""
        if device in self._let_in or device not in KEYS:
            return
        self._let_in.add(device)
        id_ = KEYS[device].device
        with self.db.atomic():
            members.set_owners(self.db, self.row, [(id_, MemberId(id_))])
        record = join(KEYS[device], prev=self.log_head)
        self.log_head = record.hash
        self._take((record.raw,))

    def _take(self, envelopes: tuple[bytes, ...]) -> None:
        for _ in range(3):
            row = self.receiver.apply(self.row, self.cursor, envelopes, is_live=False)
            if not self.receiver.is_doubtful:
                break
        self.cursor += len(envelopes)
        assert row.cursor == self.cursor

    def texts(self) -> list[str]:
        """Return the texts that the room shows."""
        return [message.text for message in self.room.messages(limit=1_000) if not message.deleted]

    def reasons(self) -> list[str]:
        """Return why envelopes were set aside."""
        return [reason for _, _, reason in chains.quarantined(self.db, self.row)]

    def frozen(self, device: DeviceId) -> str | None:
        """Return why a chain is read no further."""
        chain = chains.find_chain(self.db, self.row, device)
        assert chain is not None
        return chain.frozen


class Line:
    """Is one peer's connection to the hub of a ``Net``."""

    def __init__(self, peer: Peer, link: Link, exchange: Exchange) -> None:
        self.peer = peer
        self.link = link
        self.exchange = exchange
        self.taken = 0


class Net:
    """Joins peers through a relay's hub and a log in memory, step by step, in virtual time."""

    def __init__(self, *, config: Config | None = None) -> None:
        self.world = World(config)
        self.world.log.append([Append(ROOM, tuple(record.raw for record in RECORDS))])
        self.lines: list[Line] = []

    def connect(self, peer: Peer) -> Line:
        """Open a connection; nothing has moved on it yet."""
        lease.take(peer._db, HOLDER, now_ms=peer.now_ms())
        exchange = Exchange(
            peer._db,
            peer._keys,
            relay=RELAY,
            host="localhost",
            clock=peer._clock,
            random=peer._random,
            holder=HOLDER,
        )
        line = Line(peer, self.world.connect(), exchange)
        self.lines.append(line)
        return line

    def cut(self, line: Line) -> None:
        """End a connection without a goodbye; what is under way is lost."""
        self.lines.remove(line)
        self.world.lose(line.link)

    def settle(self, *, steps_max: int = 1_000) -> None:
        """Move bytes both ways until all is quiet."""
        for line in self.lines:
            line.exchange.local_changed()
        for _ in range(steps_max):
            if not any([self.step(line) for line in self.lines]):
                return
        raise AssertionError("the peers never come to rest")

    def step(self, line: Line) -> bool:
        """Move what waits on one connection; tell whether anything did."""
        moved = False
        while frames := line.exchange.outgoing():
            moved = True
            for raw in frames:
                if line.link.closed is None:
                    self.world.send_raw(line.link, raw)
        self.world.settle()
        fresh: Sequence[bytes] = line.link.raw[line.taken :]
        for raw in fresh:
            moved = True
            line.taken += 1
            line.exchange.receive(raw)
        return moved

    def advance(self, ms: int, *clocks: FakeClock) -> None:
        """Let time pass for the relay and these clocks, and move what comes of it."""
        for clock in clocks:
            clock.advance(ms)
        self.world.tick(ms)
        for line in self.lines:
            line.exchange.tick()
        self.settle()


def sync(net: Net, *peers: Peer) -> None:
    """Connect peers, bring them to rest, and disconnect them."""
    lines = [net.connect(peer) for peer in peers]
    net.settle()
    for line in lines:
        assert line.exchange.ended is None, line.exchange.ended
        net.cut(line)


def copy_database(source: Path, target: Path) -> None:
    """Copy a database as a backup would, whole and at one moment."""
    target.unlink(missing_ok=True)
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    reading, writing = sqlite3.connect(source), sqlite3.connect(target)
    try:
        reading.backup(writing)
    finally:
        reading.close()
        writing.close()

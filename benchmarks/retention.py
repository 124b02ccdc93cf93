"""What a room weighs that keeps messages for 90 days only, after a year of them.

Some devices write for 360 days of virtual time, between peers and a relay's hub with its log in
memory: twice a day they connect, and write in turn, some messages at a time. A tenth of the
messages is edited and a tenth deleted for everyone. One device is away for 60 days, and writes on.
In the end all have to show the same, also somebody who joins then. *Live* is what the room would
weigh if every volume had just been snapshotted, and there were none in which nothing is left.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from time import process_time
from typing import Any

from syncchat.core.keeping import DAY_MS
from syncchat.ids import RoomId
from syncchat.peer import Peer
from syncchat.storage import chains, snapshots
from syncchat.testing.ports import SeededRandom
from tests.support.peers import RELAY, Net, make_peer, sync
from tests.support.ports import FakeClock

from . import workload

NAME = "retention"
SUMMARY = (
    "bytes at the relay and at peers of a room that keeps 90 days, after a year in which a tenth "
    "of the messages was edited and a tenth deleted and a device was away for 60 days, and whether "
    "all show the same; bytes of envelopes and of database pages in use are counted"
)
PLACE_BYTES = 8
"""What the relay keeps of an envelope that is gone: its fingerprint."""

DEVICES = 5
DAYS = 360
KEPT_DAYS = 90
AWAY = range(240, 300)
"""Days on which one device does not connect."""

SESSIONS_A_DAY = 2
CHANGED_OF, CHANGED_DAYS = 50, 30
"""Of so many of one's last messages, of so many days, one is edited, or deleted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this scenario."""
    parser.add_argument("--messages", type=int, help="how many are written (10,000)")
    parser.add_argument("--burst", type=int, help="how many a device writes at a time (1 and 10)")
    parser.add_argument("--devices", type=int, default=DEVICES, help=f"who write ({DEVICES})")


def run(
    smoke: bool,
    *,
    messages: int | None = None,
    burst: int | None = None,
    devices: int = DEVICES,
) -> dict[str, Any]:
    """Return the figures."""
    count = messages or (400 if smoke else 10_000)
    found: dict[str, Any] = {"messages written": count, "devices": devices}
    for size in (burst,) if burst else (10,) if smoke else (1, 10):
        with tempfile.TemporaryDirectory() as folder:
            started, every = process_time(), 16 if smoke else 1
            life = Life(Path(folder), count, burst=size, devices=devices, every=every)
            life.live(DAYS)
            figures = life.end() | {"CPU seconds": round(process_time() - started, 1)}
        found |= {f"{name}, {size} at a time": figure for name, figure in figures.items()}
    return found


@dataclass(frozen=True, slots=True)
class Weight:
    """Is what a room weighs: bytes of envelopes at the relay, how many places of its log are of
    what is gone, and the bytes of a peer's database that are in use, of the largest."""

    kept: int
    gone: int
    database: int

    @property
    def relay(self) -> int:
        """Return the bytes at the relay with the fingerprints of what is gone."""
        return self.kept + self.gone * PLACE_BYTES


class Life:
    """Is one room's life: ``messages`` are written in each year of 360 days.

    Of the sessions of a day every so many takes place.
    """

    def __init__(
        self,
        folder: Path,
        messages: int,
        *,
        burst: int,
        devices: int = DEVICES,
        days_kept: int = KEPT_DAYS,
        every: int = 1,
    ) -> None:
        self._messages = messages
        self._burst = burst
        self._every = every
        self._folder = folder
        self._clock = FakeClock()
        self._net = Net()
        self._chance = SeededRandom("retention")
        self._peers = [self._open(seed) for seed in range(2, devices + 2)]
        self._traveller = self._peers[-1]
        room = self._peers[0].create_room("Team", relay=RELAY)
        self._room_id: RoomId = room.id
        self._link = room.invite(uses=0)
        for other in self._peers[1:]:
            other.join(self._link)
        sync(self._net, *self._peers)
        if days_kept:
            room.set_keep(days_kept * DAY_MS // 1_000)
        sync(self._net, *self._peers)
        self._own: dict[str, list[tuple[int, str]]] = {peer.id: [] for peer in self._peers}
        self._sessions = self._written = 0

    def live(self, days: int) -> None:
        """Live until so many days are over."""
        per_year = DAYS * SESSIONS_A_DAY // self._every
        texts = islice(cycle(workload.texts(self._messages)), self._written, None)
        for session in range(self._sessions, days * SESSIONS_A_DAY // self._every):
            self._clock.wall_ms += DAY_MS // SESSIONS_A_DAY * self._every
            self._net.world.tick(60_000)
            is_away = session * self._every // SESSIONS_A_DAY in AWAY
            present = [peer for peer in self._peers if not (is_away and peer is self._traveller)]
            upto = self._messages * (session + 1) // per_year
            with self._online(present):
                while self._written < upto:
                    for peer in self._in_turn():
                        part = list(islice(texts, min(self._burst, upto - self._written)))
                        self._written += len(part)
                        self._write(peer, part)
                        if self._burst == 1:
                            self._net.settle()
                    self._net.settle()
                self._net.settle()
            self._sessions = session + 1

    def weigh(self) -> Weight:
        """Return what the room weighs now."""
        sync(self._net, *self._peers)
        kept, gone = self._relay_bytes()
        return Weight(kept, gone, max(self._page_bytes(peer) for peer in self._peers))

    def end(self) -> dict[str, Any]:
        """Return what the room weighs, and what it would if it was all new."""
        late = self._open(90)
        late.join(self._link)
        everybody = [*self._peers, late]
        for _ in range(2):
            sync(self._net, *everybody)
        digests = {peer.rooms()[0].digest() for peer in everybody}
        assert len(digests) == 1, "the peers differ"
        assert [peer.check() for peer in everybody] == [[]] * len(everybody)
        weight = self.weigh()
        shown = late.rooms()[0].count()
        for peer in self._peers:
            _make_due(peer)
        for _ in range(2):
            sync(self._net, *everybody)
        live = self._relay_bytes()[0] - _empty_bytes(late)
        return {
            "messages shown": shown,
            "relay / live bytes": round(weight.kept / live, 3),
            "with fingerprints of what is gone": round(weight.relay / live, 3),
            "relay: bytes per message shown": round(weight.kept / shown, 1),
            "places that are gone per message shown": round(weight.gone / shown, 2),
            "peer: bytes per message shown": round(weight.database / shown, 1),
            "peers with the same digest": len(everybody),
        }

    def _open(self, seed: int) -> Peer:
        return make_peer(seed, path=self._folder / f"{seed}.db", clock=self._clock)

    @contextmanager
    def _online(self, peers: Sequence[Peer]) -> Iterator[None]:
        lines = [self._net.connect(peer) for peer in peers]
        self._net.settle()
        with ExitStack() as stack:
            for line in lines:
                stack.callback(self._net.cut, line)
            yield
            assert all(line.exchange.ended is None for line in lines)

    def _write(self, peer: Peer, texts: Sequence[str]) -> None:
        (room,), mine = peer.rooms(), self._own[peer.id]
        with peer._db.atomic(durable=False):
            for text in texts:
                sent = room.send(text)
                mine.append((sent.sent_at, sent.id))
                del mine[:-CHANGED_OF]
                while mine[0][0] < sent.sent_at - CHANGED_DAYS * DAY_MS:
                    del mine[0]
                if self._chance.chance(0.1):
                    room.edit(mine[self._chance.below(len(mine))][1], f"{text} (changed)")
                if self._chance.chance(0.1):
                    room.delete(mine.pop(self._chance.below(len(mine)))[1])

    def _in_turn(self) -> list[Peer]:
        """Return the peers, another one first each time."""
        self._peers = [*self._peers[1:], self._peers[0]]
        return self._peers

    def _relay_bytes(self) -> tuple[int, int]:
        """Return the bytes of the room's envelopes at the relay, and how many are gone."""
        log = self._net.world.log
        head = log.head(self._room_id).seq
        kept = log.read(self._room_id, 0, upto=head, envelopes_max=2**31, bytes_max=2**62)
        return sum(len(raw) for _, raw in kept.envelopes), head - len(kept.envelopes)

    @staticmethod
    def _page_bytes(peer: Peer) -> int:
        pragmas = ("page_count", "freelist_count", "page_size")
        count, free, size = (int(peer._db.execute(f"pragma {p}").fetchone()[0]) for p in pragmas)
        return (count - free) * size


def _empty_bytes(peer: Peer) -> int:
    """Return the bytes of envelopes of volumes in which nothing is left."""
    (row,) = (room._row for room in peer.rooms())
    (found,) = peer._db.execute(
        "with used as (select chain, volume from message where clock is not null "
        "union select chain, volume from mark) "
        "select coalesce(sum(length(raw)), 0) from envelope join chain on chain.id = chain "
        "where room = ? and (chain.id, envelope.volume) not in used",
        (row,),
    ).fetchone()
    return int(found)


def _make_due(peer: Peer) -> None:
    """Have a peer snapshot every volume of its own of which anything is loose."""
    (room,) = peer.rooms()
    own = chains.find_chain(peer._db, room._row, peer.device)
    assert own is not None
    with peer._db.atomic():
        peer._db.execute("update snapshot set made_ms = 0")
        for volume in chains.volume_numbers(peer._db, own.id):
            snapshots.note_erasure(peer._db, own.id, volume)
    room.send("so that it is looked for what is due")

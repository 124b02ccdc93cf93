"""A simulated peer: the real store, rooms and exchange, on virtual time and a simulated disk.

What the asyncio driver does in production (connect, feed the exchange, back off) is done here by
callbacks of the loop; everything below it is the code that ships.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..errors import StorageError, SyncchatError
from ..exchange.exchange import Exchange
from ..peer import Peer
from ..room import Room
from ..storage import lease
from ..storage.erasing import fade
from ..sync.backoff import Backoff
from ..sync.events import Dead, Refused
from .disk import SimCrash, SimDatabase, SimDisk
from .loop import Loop
from .network import SimLink
from .ports import SeededRandom, SimClock
from .relay import HOST, URL, SimRelay

T = TypeVar("T")

FADE_EVERY_MS = 1_000
RECENT_ENVELOPES = 3
"""Shown first of a room of which more is missing; few, as simulated rooms are small."""


class SimPeer:
    """Is one person's device."""

    def __init__(self, name: str, loop: Loop, random: SeededRandom, relay: SimRelay) -> None:
        self.name = name
        self.clock = SimClock(lambda: loop.now_ms, lambda: loop.slept_ms)
        self.disk = SimDisk()
        self._loop = loop
        self._random = random
        self._relay = relay
        self._peer: Peer | None = None
        self._room: Room | None = None
        self._exchange: Exchange | None = None
        self._link: SimLink | None = None
        self._backoff = Backoff(random)
        self._wake_ms: int | None = None
        self._life = 0
        self.rewinds = 0
        """How often the disk went back in time: by a power cut, or a backup that was restored."""
        self.wants_online = False
        self.can_reach_relay = True
        self.is_lost = False
        self.watch: Callable[[SimPeer], None] | None = None
        """Is called after everything that a connection brought."""
        self.crashes = 0
        self.problems: list[str] = []
        """Why connections ended, in order."""
        self.images: list[bytes] = []
        self.start()

    # For scenarios

    @property
    def peer(self) -> Peer:
        """Return the running peer; after a crash another one."""
        assert self._peer is not None, f"{self.name} is not running"
        return self._peer

    @property
    def room(self) -> Room:
        """Return the first room."""
        if self._room is None:
            self._room = self.peer.rooms()[0]
        return self._room

    @property
    def is_running(self) -> bool:
        """Tell whether the process runs."""
        return self._peer is not None

    @property
    def life(self) -> int:
        """Return a number that every start of the process changes."""
        return self._life

    @property
    def moment(self) -> tuple[int, int, int]:
        """Return what is another whenever a running peer may show something else."""
        db = self.peer._db
        assert isinstance(db, SimDatabase)
        return self._life, db.writes, self.peer.now_ms()

    @property
    def link(self) -> SimLink | None:
        """Return the connection, if there is one."""
        return self._link

    @property
    def exchange(self) -> Exchange | None:
        """Return the exchange of the connection, if there is one."""
        return self._exchange

    def start(self) -> None:
        """Start the process on what the disk holds."""
        if self._peer is not None or self.is_lost:
            return
        self._life += 1
        while True:
            db = SimDatabase(self.disk, f"simulated/{self.name}.db")
            try:
                self._peer = Peer(db, None, self.clock, self._random, None)
                break
            except SimCrash:
                self.crashes += 1
                self.disk.load(self.disk.latest())
        if self.wants_online:
            self._connect_soon(0)
        self._fade_soon()

    def kill(self) -> None:
        """Kill the process; what was committed stays."""
        self._stop()
        self.disk.load(self.disk.latest())

    def cut_power(self, pick: int) -> None:
        """Cut the power: commits since the last durable one may be gone."""
        self._stop()
        self.rewinds += 1
        self.disk.load(self.disk.after_power_cut(pick))
        self.disk.lose_chunks(pick)

    def keep_image(self) -> None:
        """Take a backup of the database."""
        self.images.append(self.disk.latest())

    def restore(self) -> bool:
        """Put the last backup in the place of the database; tell whether there was one."""
        self._stop()
        self.rewinds += 1
        if not self.images:
            self.disk.load(self.disk.latest())
            return False
        self.disk.load(self.images.pop())
        return True

    def go_online(self) -> None:
        """Connect, and keep connected."""
        self.wants_online = True
        if self._peer is not None and self._link is None:
            self._connect_soon(0)

    def go_offline(self) -> None:
        """Disconnect on purpose."""
        self.wants_online = False
        self._hang_up()

    def do(self, call: Callable[[], T]) -> T:
        """Run a local call; afterwards the exchange takes notice.

        A crash that was set for this moment happens: the process is gone, ``SimCrash`` is raised.
        """
        try:
            result = call()
            if self._exchange is not None:
                self._guarded(self._exchange.local_changed)
        except SimCrash:
            self._crash()
            raise
        return result

    # Inside

    def _stop(self) -> None:
        self._life += 1
        self._hang_up(abruptly=True)
        if self._peer is not None:
            self._peer.close()
            self._peer = self._room = None

    def _crash(self) -> None:
        self.crashes += 1
        self.kill()
        self._later(50, self.start)

    def _hang_up(self, *, abruptly: bool = False) -> None:
        link, self._link = self._link, None
        exchange, self._exchange = self._exchange, None
        if exchange is not None and link is not None and not abruptly:
            exchange.close()
            for raw in exchange.outgoing():
                link.send_up(raw)
        if link is not None:
            link.cut()

    def _connect_soon(self, delay_ms: int) -> None:
        life = self._life

        def connect() -> None:
            if self._life == life and self.wants_online and self._link is None:
                self._connect()

        self._loop.after(delay_ms, connect)

    def _connect(self) -> None:
        if not self._relay.is_up or not self.can_reach_relay:
            self._connect_soon(self._backoff.failed(self._loop.now_ms))
            return
        try:
            holder = f"{self.name}-{self._life}"
            taken = lease.take(self.peer._db, holder, now_ms=self.clock.now_ms(), process=self.name)
            if not taken:
                self.peer._db.execute("delete from lease")
                lease.take(self.peer._db, holder, now_ms=self.clock.now_ms(), process=self.name)
            self._exchange = Exchange(
                self.peer._db,
                self.peer._keys,
                relay=URL,
                host=HOST,
                clock=self.clock,
                random=self._random,
                holder=holder,
                recent=RECENT_ENVELOPES,
                groups=self.peer._membership.groups,
            )
        except SimCrash:
            self._crash()
            return
        except StorageError:
            self._connect_soon(self._backoff.failed(self._loop.now_ms))
            return
        self._link = SimLink(
            self._loop,
            self._random,
            to_relay=self._relay.receive,
            to_peer=self._received,
            relay_lost=self._relay.lost,
            peer_lost=self._lost,
        )
        self._relay.accept(self._link)
        self._plan_tick()

    def _received(self, link: SimLink, raw: bytes) -> None:
        exchange = self._exchange
        if link is self._link and exchange is not None:
            self._guarded(lambda: exchange.receive(raw))

    def _lost(self, link: SimLink) -> None:
        if link is self._link:
            self._link = self._exchange = None
            self._reconnect()

    def _guarded(self, call: Callable[[], None]) -> None:
        """Run a call of the exchange, then send what it says; crash or hang up where it failed."""
        exchange, link = self._exchange, self._link
        assert exchange is not None and link is not None
        out: list[bytes] = []
        try:
            call()
            while frames := exchange.outgoing():
                out += frames
        except SimCrash:
            self._crash()
            return
        except SyncchatError as exc:
            self.problems.append(str(exc))
            self._hang_up(abruptly=True)
            self._reconnect()
            return
        if self.watch is not None:
            self.watch(self)
        for raw in out:
            link.send_up(raw)
        if exchange.has_connected:
            self._backoff.connected(self._loop.now_ms)
        if exchange.ended is not None:
            match exchange.ended:
                case Dead(reason=problem) | Refused(text=problem):
                    self.problems.append(problem)
            self._hang_up()
            self._reconnect()
        else:
            self._plan_tick()

    def _reconnect(self) -> None:
        if self.wants_online and self._peer is not None:
            self._connect_soon(max(1, self._backoff.failed(self._loop.now_ms)))

    def _plan_tick(self) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        at_ms = max(exchange.next_tick_ms(), self._loop.now_ms + 1)
        if self._wake_ms is not None and self._loop.now_ms < self._wake_ms <= at_ms:
            return
        self._wake_ms = at_ms

        def wake() -> None:
            if self._wake_ms == at_ms:
                self._wake_ms = None
            current = self._exchange
            if current is not None:
                self._guarded(current.tick)

        self._loop.at(at_ms, wake)

    def _fade_soon(self) -> None:
        """Look now and then for messages whose time is over, as the driver does."""
        life = self._life

        def look() -> None:
            if self._life != life:
                return
            if self._exchange is not None:
                self._guarded(self._fade)
            if self._life == life:
                self._fade_soon()

        self._loop.after(FADE_EVERY_MS, look)

    def _fade(self) -> None:
        peer, exchange = self.peer, self._exchange
        assert exchange is not None
        if fade(peer._db, me=peer.device, now_ms=peer.now_ms()):
            exchange.local_changed()

    def _later(self, delay_ms: int, callback: Callable[[], None]) -> None:
        self._loop.after(delay_ms, callback)

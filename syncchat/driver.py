"""The driver: the peer's only asyncio code. Keeps connections up and feeds the exchanges.

One task holds the sync lease, one watches for writes of other processes, and one for each relay
connects, runs an exchange, and connects again. All live in one task group.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from .errors import (
    DatabaseDamaged,
    LeaseLost,
    StorageError,
    SyncchatError,
    TokenMissing,
    TransportError,
    ValidationError,
)
from .exchange.exchange import Exchange
from .exchange.groups import Groups
from .exchange.signals import Passing
from .exchange.state import ConnectionState, Phase
from .ports import Clock, Random
from .storage import lease, loose, rooms
from .storage.database import Database
from .storage.erasing import fade
from .sync.backoff import Backoff
from .sync.events import Dead, Refused
from .transport.base import Connect, Transport, host_of
from .transport.tokens import TokenSource, fetch_token
from .trust.keys import DeviceKeys

log = logging.getLogger("syncchat.driver")

WATCH_MS = 50
"""How often other processes' writes are looked for: one pragma, a few microseconds."""

NUDGED_MS = 1_000
"""How long the rest before the next connection lasts when someone writes, or another relay is
reached: both are signs that trying again may be worth it."""

PUBLISH_MS = 200
"""How often, at most, connection states are shown to other processes; and how often it is looked
for messages whose time is over."""

REST_MS = 1_000
"""How long syncing rests when the database cannot be written."""

TOKEN_AGAIN_MS = 5_000
"""How long until the app is asked again for a token that it could not give; the relay's reminder
comes a minute before the old one ends."""

StatesChanged = Callable[[str, ConnectionState], None]


class Driver:
    """Syncs one database until it is cancelled."""

    def __init__(
        self,
        db: Database,
        keys: DeviceKeys,
        *,
        clock: Clock,
        random: Random,
        connect: Connect,
        changed: Callable[[], None],
        state_changed: StatesChanged,
        token: TokenSource | None = None,
        passing: Passing | None = None,
        groups: Groups | None = None,
    ) -> None:
        """``changed`` is called when the database may show something new, ``state_changed``
        when a connection's state did; ``token`` is asked for what vouches at a relay;
        ``passing`` is what is said and heard in passing; ``groups`` what is known already of
        who is in the rooms."""
        self._db = db
        self._keys = keys
        self._clock = clock
        self._random = random
        self._connect = connect
        self._token = token
        self._passing = passing or Passing()
        self._groups = groups or Groups(db)
        self._changed = changed
        self._state_changed = state_changed
        self._holder = random.bytes(8).hex()
        self._links: dict[str, _Link] = {}
        self._published: dict[str, str] = {}
        self._is_due = False

    @property
    def states(self) -> dict[str, ConnectionState]:
        """Return the state of the connection to each relay."""
        return {relay: link.state for relay, link in self._links.items()}

    def is_live(self, room: bytes) -> bool:
        """Tell whether a room is caught up and connected."""
        return any(link.is_live(room) for link in self._links.values())

    def ring(self) -> None:
        """Say that something was written here."""
        for link in self._links.values():
            link.ring()

    def typing(self, room: bytes, thread: str, *, is_typing: bool) -> None:
        """Say that this person types in a room, or stopped."""
        for link in self._links.values():
            link.typing(room, thread, is_typing=is_typing)

    async def run(self) -> None:
        """Sync whenever the lease can be had; ends by cancellation or ``DatabaseDamaged``.

        A full disk or a lock that is held for long only makes it rest for a while.
        """
        while True:
            try:
                await self._run_term()
            except LeaseLost:
                log.info("another process took over syncing")
                self._links.clear()
            except DatabaseDamaged:
                raise
            except StorageError as exc:
                log.warning("syncing rests: %s", exc)
                for link in self._links.values():
                    link.rest(str(exc), REST_MS)
                await asyncio.sleep(REST_MS / 1000)

    async def _run_term(self) -> None:
        """Sync as long as the lease is held; raises the ``StorageError`` family."""
        await self._take_lease()
        self._links.clear()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_lease())
                tasks.create_task(self._watch(tasks))
        except BaseExceptionGroup as group:
            raise first_of(group) from None
        finally:
            self._give_up()

    async def _take_lease(self) -> None:
        while True:
            if lease.take(self._db, self._holder, now_ms=self._clock.now_ms()):
                return
            await asyncio.sleep(PUBLISH_MS / 1000)

    def _give_up(self) -> None:
        try:
            lease.give_up(self._db, self._holder)
        except StorageError as exc:
            log.warning("the lease will lapse by itself: %s", exc)

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(lease.RENEW_MS / 1000)
            lease.renew(self._db, self._holder, now_ms=self._clock.now_ms())

    async def _watch(self, tasks: asyncio.TaskGroup) -> None:
        """Start a link for each relay, and ring when another process has written."""
        seen = -1
        publish_at = 0.0
        while True:
            version = self._db.data_version()
            if version != seen or self._is_due:
                seen, self._is_due = version, False
                for room in rooms.all_rooms(self._db):
                    if room.relay and room.relay not in self._links:
                        self._start(tasks, room.relay)
                self.ring()
                self._changed()
            if self._clock.monotonic() >= publish_at:
                publish_at = self._clock.monotonic() + PUBLISH_MS / 1000
                self._publish()
                self._passing.nearby.lapse(round(self._clock.monotonic() * 1000))
                if fade(self._db, me=self._keys.device, now_ms=self._clock.now_ms()):
                    loose.sweep(self._db)
                    publish_at = 0.0  # there may be more
                    self.ring()
                    self._changed()
            await asyncio.sleep(WATCH_MS / 1000)

    def look_for_relays(self) -> None:
        """Say that rooms were added here; links to their relays start soon."""
        self._is_due = True

    def _start(self, tasks: asyncio.TaskGroup, relay: str) -> None:
        link = _Link(self, relay)
        self._links[relay] = link
        tasks.create_task(link.run())

    def _publish(self) -> None:
        now = {relay: str(state) for relay, state in self.states.items()}
        if now != self._published:
            self._published = now
            lease.publish_states(self._db, self._holder, now)

    # For links

    async def token(self, relay: str) -> str:
        """Return what vouches for this device at ``relay``; raises ``TokenMissing``."""
        return await fetch_token(self._token, relay, self._keys.public)

    def exchange(self, relay: str, host: str, token: str) -> Exchange:
        """Return a new exchange for a connection to ``relay``."""
        return Exchange(
            self._db,
            self._keys,
            relay=relay,
            host=host,
            clock=self._clock,
            random=self._random,
            holder=self._holder,
            token=token,
            passing=self._passing,
            groups=self._groups,
        )

    def moved(self, relay: str, state: ConnectionState) -> None:
        """Pass on that a link's state changed."""
        self._state_changed(relay, state)

    def applied(self) -> None:
        """Pass on that the database changed."""
        self._changed()

    @property
    def connect(self) -> Connect:
        """Return what opens transports."""
        return self._connect

    @property
    def clock(self) -> Clock:
        """Return the clock."""
        return self._clock

    @property
    def random(self) -> Random:
        """Return the source of jitter."""
        return self._random


class _Link:
    """Keeps one relay connected."""

    def __init__(self, driver: Driver, relay: str) -> None:
        self._driver = driver
        self._relay = relay
        self._backoff = Backoff(driver.random)
        self._exchange: Exchange | None = None
        self._bell = asyncio.Event()
        self._is_rung = False
        self._tick_at_ms = 0
        self._wake = asyncio.Event()
        self._token_wanted = asyncio.Event()
        self.state = ConnectionState(Phase.OFFLINE)

    def ring(self) -> None:
        """Say that something was written here: send it, or try to connect sooner."""
        self._is_rung = True
        self._bell.set()

    def typing(self, room: bytes, thread: str, *, is_typing: bool) -> None:
        """Say that this person types in a room that is live here, or stopped."""
        if self._exchange is not None and self._exchange.is_live(room):
            self._exchange.typing(room, thread, is_typing=is_typing)
            self._bell.set()

    def rest(self, problem: str, wait_ms: int) -> None:
        """Show that nothing is synced, and why."""
        self._move(ConnectionState(Phase.OFFLINE, problem=problem, retry_in_ms=wait_ms))

    def is_live(self, room: bytes) -> bool:
        """Tell whether a room is caught up on this link."""
        return self._exchange is not None and self._exchange.is_live(room)

    async def run(self) -> None:
        """Connect again and again; ends with ``LeaseLost`` or by cancellation."""
        while True:
            wait_ms, least_ms, problem = await self._connect_once()
            self._move(ConnectionState(Phase.OFFLINE, problem=problem, retry_in_ms=wait_ms))
            await self._rest(wait_ms, least_ms)

    async def _rest(self, wait_ms: int, least_ms: int) -> None:
        """Wait for ``wait_ms``, or only ``least_ms`` once someone writes or the network is back."""
        started_ms = self._now_ms()
        self._is_rung = False
        while True:
            end_ms = started_ms + (least_ms if self._is_rung else wait_ms)
            left_ms = end_ms - self._now_ms()
            if left_ms <= 0:
                return
            self._bell.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left_ms / 1000):
                    await self._bell.wait()

    async def _connect_once(self) -> tuple[int, int, str]:
        """Run one connection; return how long to wait after it, at least, and why it ended."""
        self._move(ConnectionState(Phase.CONNECTING, problem=self.state.problem))
        problem, permanent, least_ms = "", False, 0
        try:
            host = host_of(self._relay)
            token = await self._driver.token(self._relay)
            async with self._driver.connect(self._relay) as transport:
                exchange = self._exchange = self._driver.exchange(self._relay, host, token)
                try:
                    await self._run_exchange(exchange, transport)
                finally:
                    self._exchange = None
                match exchange.ended:
                    case Refused(text=text, retry=retry, retry_after_ms=after):
                        problem, permanent, least_ms = text, not retry, after
                    case Dead(reason=reason):
                        problem = reason
        except TransportError as exc:
            problem = str(exc)
        except ValidationError as exc:
            problem, permanent = str(exc), True
        except StorageError as exc:
            if isinstance(exc, LeaseLost | DatabaseDamaged):
                raise
            problem = str(exc)
            log.warning("syncing stopped: %s", exc)
        wait_ms = self._backoff.failed(self._now_ms(), permanent=permanent)
        wait_ms = max(wait_ms, least_ms)
        return wait_ms, wait_ms if permanent else max(least_ms, NUDGED_MS), problem

    async def _run_exchange(self, exchange: Exchange, transport: Transport) -> None:
        """Feed one exchange until it ends; raises ``TransportError`` or what the store raises."""
        task = asyncio.current_task()
        assert task is not None
        cancels = task.cancelling()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(exchange, transport))
                tasks.create_task(self._write(exchange, transport))
                tasks.create_task(self._keep_time(exchange))
                tasks.create_task(self._keep_token(exchange))
                await asyncio.Event().wait()  # in the group's body, so that cancels are counted
        except BaseExceptionGroup as group:
            if task.cancelling() > cancels:  # the group drops a cancel that comes with an error
                raise asyncio.CancelledError from None
            reason = first_of(group)
            if not isinstance(reason, _Ended):
                raise reason from None
        finally:
            exchange.close()
            try:
                async with asyncio.timeout(1):
                    for raw in exchange.outgoing():
                        await transport.send(raw)
            except (TransportError, TimeoutError):
                log.debug("could not say goodbye")

    async def _read(self, exchange: Exchange, transport: Transport) -> None:
        while True:
            raw = await transport.receive()
            exchange.receive(raw)
            if exchange.next_tick_ms() < self._tick_at_ms:
                self._bell.set()
            self._tell(exchange)
            await asyncio.sleep(0)
            while exchange.has_more:  # what can be shown of it is: whoever shows it has a turn
                exchange.tick()
                self._tell(exchange)
                await asyncio.sleep(0)

    def _tell(self, exchange: Exchange) -> None:
        if exchange.take_news():
            self._driver.applied()
        self._after(exchange)

    async def _write(self, exchange: Exchange, transport: Transport) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while frames := exchange.outgoing():
                for raw in frames:
                    await transport.send(raw)

    async def _keep_time(self, exchange: Exchange) -> None:
        while True:
            self._tick_at_ms = exchange.next_tick_ms()
            wait_ms = max(0, self._tick_at_ms - self._now_ms())
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_ms / 1000):
                    await self._bell.wait()
            self._bell.clear()
            if self._is_rung:
                self._is_rung = False
                exchange.local_changed()
            if self._now_ms() >= exchange.next_tick_ms():  # also when the bell never rests
                exchange.tick()
            self._after(exchange)
            await asyncio.sleep(0)

    async def _keep_token(self, exchange: Exchange) -> None:
        """Give the relay a fresh token whenever it says that the old one ends."""
        while True:
            await self._token_wanted.wait()
            self._token_wanted.clear()
            while exchange.wants_token:
                try:
                    exchange.renew(await self._driver.token(self._relay))
                    self._wake.set()
                except TokenMissing as exc:
                    log.warning("%s", exc)
                    await asyncio.sleep(TOKEN_AGAIN_MS / 1000)

    def _after(self, exchange: Exchange) -> None:
        """Send what there is to send, and pass on what changed."""
        self._wake.set()
        if exchange.wants_token:
            self._token_wanted.set()
        if exchange.has_connected:
            self._backoff.connected(self._now_ms())
        if exchange.ended is not None:
            raise _Ended
        self._move(exchange.state)

    def _move(self, state: ConnectionState) -> None:
        if state != self.state:
            if self.state.phase is Phase.CONNECTING and state.phase is not Phase.OFFLINE:
                self._driver.ring()  # the network is there: a sign for the others as well
            self.state = state
            self._driver.moved(self._relay, state)

    def _now_ms(self) -> int:
        return round(self._driver.clock.monotonic() * 1000)


class _Ended(Exception):
    """The exchange is over."""


def first_of(group: BaseExceptionGroup[BaseException]) -> Exception:
    """Return the exception of a group that matters most: what nobody expects, then storage."""
    leaves: list[Exception] = []
    groups = [group]
    while groups:
        for exc in groups.pop().exceptions:
            if isinstance(exc, BaseExceptionGroup):
                groups.append(exc)
            elif isinstance(exc, Exception):
                leaves.append(exc)
            else:
                raise exc
    ranks = (_Ended, TransportError, LeaseLost, StorageError, SyncchatError)
    return max(
        leaves,
        key=lambda exc: next((n for n, r in enumerate(ranks) if isinstance(exc, r)), len(ranks)),
    )

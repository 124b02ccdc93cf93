"""Being online: connections that last as long as a block of code."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Self

from ..errors import DatabaseDamaged, StorageError, ValidationError
from ..events import (
    ConnectionChanged,
    ring_or_time,
)
from ..exchange.state import ConnectionState, Phase
from ..storage import lease, rooms
from ..storage.locks import RawKey
from ..storage.rooms import RoomRow
from .later import PeerLater
from .presence import PeerPresence, SayTyping

if TYPE_CHECKING:
    pass


log = logging.getLogger("syncchat.peer")

PLANS_SECONDS = 1.0
"""How often planned messages are looked for."""


class PeerOnline(PeerPresence, PeerLater):
    """Is what a peer can do about its connections; part of ``Peer``."""

    @asynccontextmanager
    async def online(self, *, visible: bool = True) -> AsyncIterator[Self]:
        """Stay connected to the rooms' relays, and reconnect, until the block ends.

        Where ``visible`` is true, members see that this person is here, and when they type, unless
        ``set_invisible`` says otherwise.

        Of several processes on one database one syncs; the others wait to take over. Trouble with
        the network or a full disk is a connection state, and ends by itself; raises
        ``DatabaseDamaged`` and what the block raises.
        """
        if self._driver is not None:
            raise ValidationError("this peer is online already")
        # Loaded only here: a program that writes a message and ends needs no network code.
        from ..driver import Driver, first_of
        from ..exchange.signals import Passing
        from ..transport.websocket import connect_websocket

        driver = self._driver = Driver(
            self._db,
            self._keys,
            clock=self._clock,
            random=self._random,
            connect=self._connect or connect_websocket,
            changed=self._wake,
            state_changed=self._state_changed,
            token=self._token,
            passing=Passing(self._nearby, lambda: self._myself(visible=visible)),
            groups=self._membership.groups,
        )
        self._say_typing = driver.typing
        failure: Exception | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(driver.run())
                waiting = tasks.create_task(self._keep_plans())
                try:
                    yield self
                except Exception as exc:  # the block's own, not to be wrapped in a group
                    failure = exc
                finally:
                    running.cancel()
                    waiting.cancel()
        except BaseExceptionGroup as group:
            failure = failure or first_of(group)
        finally:
            self._driver = self._say_typing = None
        if failure is not None:
            raise failure

    async def _keep_plans(self) -> None:
        """Send what was planned when its time has come."""
        while True:
            try:
                self.send_due()
            except DatabaseDamaged:
                raise
            except StorageError as exc:
                log.warning("planned messages wait: %s", exc)
            await asyncio.sleep(PLANS_SECONDS)

    @contextmanager
    def background(self, *, visible: bool = True) -> Iterator[None]:
        """Be online in a thread of its own, for programs without an event loop.

        ``visible`` is as in ``online``.

        Raises what ``open_peer`` raises, and at the end of the block what ``online`` does.
        """
        started = threading.Event()
        failed: list[BaseException] = []
        stop: list[Callable[[], object]] = []

        async def stay() -> None:
            with self._open(
                self._db.path,
                name=None,
                key=None if self._db.raw_key is None else RawKey(self._db.raw_key),
                clock=self._clock,
                random=self._random,
                connect=self._connect,
                token=self._token,
            ) as twin:
                twin._nearby = self._nearby
                async with twin.online(visible=visible):
                    loop, done = asyncio.get_running_loop(), asyncio.Event()
                    self._say_typing = _from_thread(loop, twin)
                    stop.append(lambda: loop.call_soon_threadsafe(done.set))
                    started.set()
                    await done.wait()

        def run() -> None:
            try:
                asyncio.run(stay())
            except BaseException as exc:
                failed.append(exc)
            finally:
                started.set()

        thread = threading.Thread(target=run, name="syncchat", daemon=True)
        thread.start()
        started.wait()
        if failed:
            thread.join()
            raise failed[0]
        try:
            yield
        finally:
            self._say_typing = None
            if stop and thread.is_alive():
                stop[0]()
            thread.join()
        if failed:
            raise failed[0]

    @property
    def connections(self) -> dict[str, str]:
        """Return the connection state for each relay, in words, whichever process syncs."""
        if self._driver is not None and self._driver.states:
            return {relay: str(state) for relay, state in self._driver.states.items()}
        shown = lease.states(self._db, now_ms=self.now_ms())
        relays = {row.relay for row in rooms.all_rooms(self._db) if row.relay}
        return {relay: shown.get(relay, Phase.OFFLINE.value) for relay in sorted(relays)}

    # Inside

    def _state_changed(self, relay: str, state: ConnectionState) -> None:
        for queue in self._passing_events.values():
            queue.append(ConnectionChanged(relay, state))
        self._wake()

    def _is_live(self, row: RoomRow) -> bool:
        if self._driver is not None and self._driver.states:
            return self._driver.is_live(row.room_id)
        return lease.states(self._db, now_ms=self.now_ms()).get(row.relay) == Phase.LIVE.value

    async def _until(self, condition: Callable[[], bool]) -> None:
        bell = asyncio.Event()
        self._bells.add(bell)
        try:
            while not condition():
                await ring_or_time(bell)
        finally:
            self._bells.discard(bell)


def _from_thread(loop: asyncio.AbstractEventLoop, twin: PeerOnline) -> SayTyping:
    """Return what says in the thread of ``loop`` that this person types."""

    def say(room: bytes, thread: str, *, is_typing: bool) -> None:
        def there() -> None:
            if twin._say_typing is not None:
                twin._say_typing(room, thread, is_typing=is_typing)

        with suppress(RuntimeError):  # the loop has just ended
            loop.call_soon_threadsafe(there)

    return say

"""Peers: one running installation with its own device key and database."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from .contacts import Contacts
from .core.clock import ms_of
from .core.values import (
    NAME_CHARS_MAX,
    TITLE_CHARS_MAX,
    FieldValue,
    Root,
    encode_value,
    is_label,
)
from .devices import Devices
from .errors import ValidationError
from .events import (
    ConnectionChanged,
    Event,
    MessageAdded,
    MessageChanged,
    ReadMoved,
    RoomChanged,
    ring_or_time,
)
from .exchange.state import ConnectionState, Phase
from .ids import DeviceId, MemberId
from .membership import Membership
from .ports import Clock, Random, SystemClock, SystemRandom
from .room import Room, checked_title
from .storage import history as stored_history
from .storage import identity, lease, members, outbox, rooms, view
from .storage.database import Database
from .storage.locks import Key, RawKey
from .storage.outbox import Op
from .storage.rooms import RoomRow, Standing
from .transport.base import Connect, host_of
from .transport.tokens import TokenSource
from .trust.keys import SEED_BYTES, DeviceKeys
from .wire.invite import InviteKind, decode_invite

if TYPE_CHECKING:
    from .driver import Driver
    from .operate import Operator

_OUT = (
    Standing.REMOVED,
    Standing.LEFT,
    Standing.REFUSED,
    Standing.JOINING,
    Standing.ASKING,
)
_CONNECTION_EVENTS_MAX = 100


def open_peer(
    path: str | Path,
    *,
    name: str | None = None,
    key: Key | None = None,
    clock: Clock | None = None,
    random: Random | None = None,
    connect: Connect | None = None,
    token: TokenSource | None = None,
) -> Peer:
    """Open a peer's database, creating it and the device's keys at first use.

    ``name`` is what others see; given again, it renames. ``key`` locks a new database and opens one
    that is locked with it. The peer belongs to the thread that
    opens it; other threads and processes open the same path for themselves. ``clock``, ``random``
    and ``connect`` replace the system's, for tests. ``token`` is asked, with a relay's address and
    this device's key, for what vouches there (see ``TokenSource``). Raises the ``StorageError``
    family and ``ValidationError``.
    """
    checked = None if name is None else checked_name(name)
    chance = random or SystemRandom()
    db = Database(path, key=key, random=chance)
    try:
        return Peer(db, checked, clock or SystemClock(), chance, connect, token)
    except BaseException:
        db.close()
        raise


class Peer:
    """Is an open database; use it as a context manager."""

    def __init__(
        self,
        db: Database,
        name: str | None,
        clock: Clock,
        random: Random,
        connect: Connect | None,
        token: TokenSource | None = None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._random = random
        self._connect = connect
        self._token = token
        self._driver: Driver | None = None
        self._bells: set[asyncio.Event] = set()
        self._connection_events: dict[asyncio.Event, deque[ConnectionChanged]] = {}
        local = rooms.load_local(db)
        if local is None:
            fallback = name or checked_name(Path(db.path).stem or "me")
            with db.atomic():
                seed = random.bytes(SEED_BYTES)
                rooms.create_local(db, rooms.Local(seed, fallback), now_ms=clock.now_ms())
            local = rooms.load_local(db)
            assert local is not None
        self._keys = DeviceKeys(local.seed)
        self._membership = Membership(db, self._keys, clock=clock, random=random)
        if identity.load_identity(db) is None:
            with db.atomic():
                self._membership.be_somebody()
        if name is not None and name != local.name:
            self.rename(name)

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; again is harmless."""
        self._db.close()

    # Who I am

    @property
    def name(self) -> str:
        """Return the name that others see."""
        local = rooms.load_local(self._db)
        assert local is not None
        return local.name

    @property
    def device(self) -> DeviceId:
        """Return this device's id."""
        return self._keys.device

    @property
    def id(self) -> MemberId:
        """Return this person's member id."""
        return self._membership.me

    @property
    def path(self) -> Path:
        """Return the database's path."""
        return self._db.path

    @property
    def lock(self) -> str | None:
        """Return what the database is encrypted with, in words; None where it is plain."""
        lock = self._db.lock
        return None if lock is None else lock.words

    def rename(self, name: str) -> None:
        """Change the name that others see, in every room."""
        checked = checked_name(name)
        with self._db.atomic():
            rooms.rename_local(self._db, checked)
            for room in rooms.all_rooms(self._db):
                self._put_field(room.id, Root.PROFILE, "name", checked)
        self._ring()

    # Rooms

    def create_room(self, title: str, *, relay: str = "", history: str = "shared") -> Room:
        """Create a room; ``relay`` is the address others meet at, empty for a room of one's own.

        ``history`` says what new members may read: "shared" for all, "from_join" for what comes
        after. Raises ``ValidationError``.
        """
        checked = checked_title(title)
        if relay:
            host_of(relay)
        with self._db.atomic():
            row = self._membership.create(checked, relay.rstrip("/"), history=history)
            self._put_field(row.id, Root.ROOM, "title", checked)
            self._put_field(row.id, Root.PROFILE, "name", self.name)
            self.devices.tell_home()
        self._ring()
        return Room(self, row.id)

    def join(self, link: str) -> Room:
        """Join a room by its invite link; works offline, history comes with the first sync.

        Where the invite needs approval, an admin lets this person in (``Room.standing`` is
        "asking" until then). Joining again returns the room as it is, and tries another invite
        where one led nowhere. Raises ``InviteError``, and ``ValidationError`` for a link that is
        for a device.
        """
        invite = decode_invite(link)
        if invite.kind is InviteKind.DEVICE:
            raise ValidationError("this link is for another device of yours: use 'device join'")
        asks = invite.kind is InviteKind.APPROVAL
        standing = Standing.ASKING if asks else Standing.JOINING
        if invite.relay:
            host_of(invite.relay)
        with self._db.atomic():
            here = rooms.find_by_id(self._db, invite.room_id)
            if here is not None and here.standing in _OUT:
                rooms.use_invite(self._db, here.id, standing, invite.seed)
            if here is None:
                here = rooms.add_room(
                    self._db,
                    invite.room_id,
                    title=invite.title if is_label(invite.title, TITLE_CHARS_MAX) else "",
                    relay=invite.relay,
                    standing=standing,
                    invite=invite.seed,
                    now_ms=self.now_ms(),
                )
                members.set_owners(self._db, here.id, [(self.device, self.id)])
                self._put_field(here.id, Root.PROFILE, "name", self.name)
                self.devices.tell_home()
        self._ring()
        return Room(self, here.id)

    def rooms(self) -> list[Room]:
        """Return every room, in the order in which they were added."""
        found = rooms.all_rooms(self._db)
        return [Room(self, row.id) for row in found if not row.is_personal]

    def room(self, name: str | bytes) -> Room:
        """Return the room with this id, title, or beginning of its id in text.

        Raises ``NotFoundError``, and ``ValidationError`` when several have the title.
        """
        if isinstance(name, bytes):
            row = rooms.find_by_id(self._db, name)
            if row is not None:
                return Room(self, row.id)
            name = name.hex()
        return Room(self, rooms.find_room(self._db, name).id)

    # Being online

    @asynccontextmanager
    async def online(self) -> AsyncIterator[Peer]:
        """Stay connected to the rooms' relays, and reconnect, until the block ends.

        Of several processes on one database one syncs; the others wait to take over. Trouble with
        the network or a full disk is a connection state, and ends by itself; raises
        ``DatabaseDamaged`` and what the block raises.
        """
        if self._driver is not None:
            raise ValidationError("this peer is online already")
        # Loaded only here: a program that writes a message and ends needs no network code.
        from .driver import Driver, first_of
        from .transport.websocket import connect_websocket

        driver = self._driver = Driver(
            self._db,
            self._keys,
            clock=self._clock,
            random=self._random,
            connect=self._connect or connect_websocket,
            changed=self._wake,
            state_changed=self._state_changed,
            token=self._token,
        )
        failure: Exception | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(driver.run())
                try:
                    yield self
                except Exception as exc:  # the block's own, not to be wrapped in a group
                    failure = exc
                finally:
                    running.cancel()
        except BaseExceptionGroup as group:
            failure = failure or first_of(group)
        finally:
            self._driver = None
        if failure is not None:
            raise failure

    @contextmanager
    def background(self) -> Iterator[None]:
        """Be online in a thread of its own, for programs without an event loop.

        Raises what ``open_peer`` raises, and at the end of the block what ``online`` does.
        """
        started = threading.Event()
        failed: list[BaseException] = []
        stop: list[Callable[[], object]] = []

        async def stay() -> None:
            with open_peer(
                self._db.path,
                key=None if self._db.raw_key is None else RawKey(self._db.raw_key),
                clock=self._clock,
                random=self._random,
                connect=self._connect,
                token=self._token,
            ) as twin:
                async with twin.online():
                    loop, done = asyncio.get_running_loop(), asyncio.Event()
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

    def events(self) -> AsyncGenerator[Event, None]:
        """Yield what happens from this call on, in this process or another on the same database.

        A slow reader loses none of it, but sees only the latest of what changed repeatedly.
        """
        return self._events_after(rooms.last_change(self._db))

    async def _events_after(self, seen: int) -> AsyncGenerator[Event, None]:
        connection: deque[ConnectionChanged] = deque(maxlen=_CONNECTION_EVENTS_MAX)
        bell = asyncio.Event()
        self._bells.add(bell)
        self._connection_events[bell] = connection
        try:
            while True:
                while connection:
                    yield connection.popleft()
                upto = rooms.last_change(self._db)
                if upto > seen:
                    for event in self._between(seen, upto):
                        yield event
                    seen = upto
                await ring_or_time(bell)
        finally:
            self._bells.discard(bell)
            del self._connection_events[bell]

    @property
    def devices(self) -> Devices:
        """Return what this person can do about their devices and their recovery phrase."""
        return Devices(self)

    @property
    def contacts(self) -> Contacts:
        """Return what this person knows of others: safety numbers, and what has changed."""
        return Contacts(self)

    @property
    def operator(self) -> Operator:
        """Return what this person can do as an operator of relays."""
        from .operate import Operator

        return Operator(self._db, self._keys, connect=self._connect, token=self._token)

    # Checks

    def check(self) -> list[str]:
        """Return every fault found in the database, in words; empty when all is well.

        Recounts digests and unread counts, verifies every chain's signatures, and compares what
        the journals hold with what the CRDT library makes of the same updates.
        """
        from . import checks

        return checks.faults(self._db, self._keys.device)

    def recount(self) -> list[str]:
        """Return what counts and digests are off, in words: the quick part of ``check``."""
        from . import checks

        return checks.miscounts(self._db, self._keys.device)

    def rebuild(self) -> None:
        """Fold every room's view anew from its stored envelopes and the outbox."""
        from . import checks

        checks.rebuild(self._db, self._keys.device, now_ms=self.now_ms())

    def backup(self, path: str | Path, passphrase: str) -> None:
        """Write everything to one encrypted file, as it is now; an older backup is replaced.

        ``syncchat.restore`` makes a database of it again. Raises ``ValidationError`` for a
        passphrase under 8 characters or a file that is no backup, and the ``StorageError`` family.
        """
        from .storage.backup import write_backup

        write_backup(self._db, path, passphrase, random=self._random)

    # Inside

    def now_ms(self) -> int:
        """Return the wall time in milliseconds since 1970."""
        return self._clock.now_ms()

    def _put_field(self, room: int, root: Root, key: str, value: object) -> None:
        """Queue a field; inside a transaction."""
        stamp = rooms.next_stamp(self._db, self.now_ms())
        field = FieldValue(stamp, value)
        outbox.put(self._db, room, Op(root, key, stamp, encode_value(field)), device=self.device)
        batch = view.ViewBatch(self._db, room, me=self.device)
        batch.note(root, key, field)
        batch.flush()

    def _ring(self) -> None:
        """Tell the driver and everyone who waits that something was written."""
        if self._driver is not None:
            self._driver.look_for_relays()
            self._driver.ring()
        self._wake()

    def _wake(self) -> None:
        for bell in self._bells:
            bell.set()

    def _state_changed(self, relay: str, state: ConnectionState) -> None:
        for queue in self._connection_events.values():
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

    def _between(self, after: int, upto: int) -> Iterator[Event]:
        """Yield what changed after one change number, up to another."""
        handles = {row.id: Room(self, row.id) for row in rooms.all_rooms(self._db)}
        ids = {row.id: row.room_id for row in rooms.all_rooms(self._db)}
        for room in stored_history.changed_rooms(self._db, after, upto):
            yield RoomChanged(ids[room])
        for changed in stored_history.changed_messages(self._db, after, upto):
            message = handles[changed.room]._reading().one(changed.message)
            if message is not None:
                kind = MessageAdded if changed.new else MessageChanged
                yield kind(ids[changed.room], message)
        for moved in stored_history.moved_reads(self._db, after, upto):
            yield ReadMoved(ids[moved.room], moved.member, moved.writer, ms_of(moved.upto))


def checked_name(name: str) -> str:
    """Return a person's name without outer spaces; raises ``ValidationError``."""
    name = name.strip()
    if not is_label(name, NAME_CHARS_MAX):
        raise ValidationError(f"a name has 1 to {NAME_CHARS_MAX} printable characters")
    return name

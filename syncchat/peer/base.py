"""What every part of a peer stands on: an open database and who it belongs to."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

from ..core.values import (
    NAME_CHARS_MAX,
    Root,
    is_label,
)
from ..errors import StorageError, ValidationError
from ..events import Event
from ..ids import DeviceId, MemberId
from ..membership import Membership
from ..personal import Personal
from ..ports import Clock, Random, SystemClock, SystemRandom
from ..room import Room
from ..storage import identity, loose, rooms
from ..storage.database import Database
from ..storage.erasing import fade
from ..storage.fields import put_field
from ..storage.locks import Key
from ..storage.view import rooms_without_admins
from ..sync.nearby import Nearby
from ..transport.base import Connect
from ..transport.tokens import TokenSource
from ..trust.keys import SEED_BYTES, DeviceKeys

if TYPE_CHECKING:
    from ..driver import Driver
    from .peer import Peer
    from .presence import SayTyping


class PeerPart:
    """Is a peer's foundation: its database, its keys, and whom to tell of changes."""

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
        self._nearby = Nearby()
        self._say_typing: SayTyping | None = None
        self._bells: set[asyncio.Event] = set()
        self._passing_events: dict[asyncio.Event, deque[Event]] = {}
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
        self._personal = Personal(db, self._membership, device=self._keys.device, clock=clock)
        if identity.load_identity(db) is None:
            with db.atomic():
                self._membership.be_somebody()
        if name is not None and name != local.name:
            self.rename(name)
        self._learn_logs()
        self._fade()

    @classmethod
    def _open(
        cls,
        path: str | Path,
        *,
        name: str | None,
        key: Key | None,
        clock: Clock | None,
        random: Random | None,
        connect: Connect | None,
        token: TokenSource | None,
    ) -> Self:
        checked = None if name is None else checked_name(name)
        chance = random or SystemRandom()
        db = Database(path, key=key, random=chance)
        try:
            return cls(db, checked, clock or SystemClock(), chance, connect, token)
        except BaseException:
            db.close()
            raise

    def __enter__(self) -> Self:
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

    # For the parts

    def _handle(self, row: int) -> Room:
        return Room(cast("Peer", self), row)

    def now_ms(self) -> int:
        """Return the wall time in milliseconds since 1970."""
        return self._clock.now_ms()

    def _put_field(self, room: int, root: Root, key: str, value: object) -> None:
        """Queue a field; inside a transaction."""
        put_field(self._db, room, root, key, value, me=self.device, now_ms=self.now_ms())

    def _introduce(self, room: int) -> None:
        """Say in a room who this person is; inside a transaction."""
        self._put_field(room, Root.PROFILE, "name", self.name)
        picture = self._personal.get("avatar")
        if picture is not None:
            self._put_field(room, Root.PROFILE, "avatar", picture)

    def _fade(self) -> None:
        """Let messages disappear whose time is over; later, where nothing can be written now."""
        with suppress(StorageError):
            if fade(self._db, me=self.device, now_ms=self.now_ms()):
                loose.sweep(self._db)

    def _learn_logs(self) -> None:
        """Store what rooms' logs say that an earlier version did not store."""
        for room in rooms_without_admins(self._db):
            with self._db.atomic():
                self._membership.learn_log(room)

    def _ring(self) -> None:
        """Tell the driver and everyone who waits that something was written."""
        if self._driver is not None:
            self._driver.look_for_relays()
            self._driver.ring()
        self._wake()

    def _wake(self) -> None:
        for bell in self._bells:
            bell.set()


def checked_name(name: str) -> str:
    """Return a person's name without outer spaces; raises ``ValidationError``."""
    name = name.strip()
    if not is_label(name, NAME_CHARS_MAX):
        raise ValidationError(f"a name has 1 to {NAME_CHARS_MAX} printable characters")
    return name

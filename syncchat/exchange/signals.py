"""Signals of one connection: what this peer says in passing, and what it hears."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import DecodeError, SealBroken, SignatureInvalid
from ..ids import device_text
from ..ports import Clock, Random
from ..storage import chains, rooms
from ..storage.database import Database
from ..sync.beacon import MEMBERS_MAX, ROOMS_MAX, Beacon
from ..sync.nearby import Nearby
from ..sync.session import Session
from ..trust.keys import DeviceKeys
from ..trust.person import member_text
from ..trust.signals import open_signal, seal_signal
from ..wire.envelope import NONCE_BYTES
from ..wire.signal import Content, Here, SignalHeader, decode_signal
from .groups import Groups
from .progress import Progress

log = logging.getLogger("syncchat.exchange")


def nobody() -> tuple[bool, str]:
    """Say that this person does not want to be seen."""
    return False, ""


@dataclass(frozen=True, slots=True)
class Passing:
    """Is what outlives a connection of what is said in passing.

    ``nearby`` is what was heard of others; ``myself`` tells whether this person wants to be seen,
    and what they say about themselves.
    """

    nearby: Nearby = field(default_factory=Nearby)
    myself: Callable[[], tuple[bool, str]] = nobody


class Signals:
    """Says and hears signals on one connection."""

    def __init__(
        self,
        db: Database,
        session: Session,
        groups: Groups,
        keys: DeviceKeys,
        passing: Passing,
        clock: Clock,
        random: Random,
    ) -> None:
        self._db = db
        self._session = session
        self._groups = groups
        self._keys = keys
        self._nearby = passing.nearby
        self._myself = passing.myself
        self._clock = clock
        self._random = random
        self._beacon = Beacon(random, now_ms=self._now())
        self._number = 0
        self._lately: frozenset[int] = frozenset()
        self._lately_at = -1

    def look(self) -> None:
        """See whether this person wants to be seen; nothing is said before the next ``say``."""
        is_visible, status = self._myself()
        self._beacon.show(is_visible=is_visible, status=status)

    def enter(self, progress: Progress) -> None:
        """Begin to be seen in a room that is caught up, if it is one of those for it.

        Again is harmless; to be called when the members change, and what is written here.
        """
        if not progress.is_live or self._beacon.is_in(progress.room):
            return
        if not self._is_written_lately(progress.row):
            return  # seen before who is in it, for of a thousand rooms few are
        group = self._groups.of(progress.row)
        if group is None or group.is_personal or not 1 < len(group.members) <= MEMBERS_MAX:
            return
        self._beacon.enter(progress.room, self._now())

    def _is_written_lately(self, room: int) -> bool:
        change = rooms.last_change(self._db)
        if change != self._lately_at:
            found = chains.rooms_last_written(self._db, self._keys.device, limit=ROOMS_MAX)
            self._lately, self._lately_at = frozenset(found), change
        return room in self._lately

    def typing(self, room: bytes, thread: str, *, is_typing: bool) -> None:
        """Say that this person types in an open room, or stopped."""
        self._beacon.typing(room, thread, self._now(), is_typing=is_typing)

    def say(self) -> None:
        """Say what is due."""
        for room, content in self._beacon.due(self._now()):
            self._send(room, content)

    def close(self) -> None:
        """Say goodbye in every room."""
        for room, content in self._beacon.leave():
            self._send(room, content)

    def next_say_ms(self) -> int | None:
        """Return when ``say`` has something to say, None for never."""
        return self._beacon.next_due_ms()

    def heard(self, progress: Progress, data: bytes) -> None:
        """Take in a signal; what does not hold is left out, as anything said in passing may be."""
        try:
            signal, header = decode_signal(data)
            device = device_text(header.device)
            if device == self._keys.device or not self._nearby.is_new(
                progress.room, device, header.number
            ):
                return
            key = self._room_key(progress, header)
            device_key, user = self._member(progress, header.device)
            content = open_signal(
                signal, header, room=progress.room, room_key=key, device_key=device_key
            )
        except (DecodeError, SealBroken, SignatureInvalid, _NotHere) as exc:
            log.debug("a signal was left out: %s", exc)
            return
        member = member_text(user)
        now_ms = self._now()
        self._nearby.heard(progress.room, member, device, header.number, content, now_ms)
        if isinstance(content, Here) and content.asks:
            group = self._groups.of(progress.row)
            self._beacon.asked(progress.room, len(group.members) if group else 0, now_ms)

    def _send(self, room: bytes, content: Content) -> None:
        row = rooms.find_by_id(self._db, room)
        key = None if row is None else rooms.room_key(self._db, row.id, row.epoch)
        if row is None or key is None or not self._session.is_open(room):
            return
        self._number = max(self._clock.now_ms(), self._number + 1)
        raw = seal_signal(
            self._keys,
            content,
            room=room,
            room_key=key,
            epoch=row.epoch,
            number=self._number,
            nonce=self._random.bytes(NONCE_BYTES),
        )
        self._session.signal(room, raw)

    def _room_key(self, progress: Progress, header: SignalHeader) -> bytes:
        epoch = rooms.load_room(self._db, progress.row).epoch
        key = rooms.room_key(self._db, progress.row, header.epoch)
        if key is None or header.epoch < epoch - 1:  # one that the log has just replaced is fine
            raise _NotHere(f"the key of epoch {header.epoch} is not here, or an old one")
        return key

    def _member(self, progress: Progress, device: bytes) -> tuple[bytes, bytes]:
        """Return the whole key of a member's device, and whose it is."""
        group = self._groups.of(progress.row)
        user = None if group is None else group.owners.get(device)
        if group is not None and user in group.members:
            for each in group.members[user].person.active:
                if each.key[:8] == device:
                    return each.key, user
        raise _NotHere("it is from no member's device")

    def _now(self) -> int:
        return round(self._clock.monotonic() * 1000)


class _NotHere(Exception):
    """Something that it takes to understand a signal is not here."""

"""Told ahead: who is in a room, as far as its newest needs it, before all of that is verified.

Ahead of a room's log come all of its records that are missing, in a large room thousands of people
with two signatures for each device of theirs. Until each is verified none is stored, and nobody
builds on them. But whose newest messages may be shown can be known sooner: all records are read
and folded, which takes a tenth of the time, and of those by which people merely come in only the
ones of people who are *asked for* are verified. What anybody else came in by, if it should be
forged, can keep a message from being shown for a moment, and no more:

* whoever is asked for is so by records that are verified, each with who signed it: what let them
  in, every one that changed something about them, and everything that was done in the room beside
  coming in (who opened the invite, who was removed, what key is in force);
* all stand in one chain, so that nothing verified stands on other than its signer saw.

A log that does not come like that, or in which something does not hold, is not folded ahead: its
records are verified one after the other, as they are in their places of the log.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from ..errors import DecodeError, SyncchatError, TrustError
from ..storage.rooms import RoomRow
from ..trust.changes import Add, Change, Devices, Join, Role, change_of
from ..trust.group import Group, copied
from ..trust.membership import fold_group, room_of, verify_change
from ..trust.records import Record, RecordHash, decode_record, is_record, record_hash
from ..trust.rules import newcomer, refusal_of

WAITING_BYTES_MAX = 16 * 1024 * 1024
"""What may wait to be verified; a relay tells half as much of a room."""


class Part(NamedTuple):
    """Is one frame of what is told (``wire.frames.Recent``).

    ``placed`` are (place in the log, envelope); of those before ``since`` only what their writer
    is called is shown. ``previous`` has links by index.
    """

    since: int
    placed: Sequence[tuple[int, bytes]]
    previous: Mapping[int, bytes]


class Ahead:
    """Is what was told ahead of one room's log and is not taken for good yet, and who is in by it.

    ``is_here`` tells of a record whether it is stored. ``is_complete`` says that all was told, and
    ``verified`` which of the records need not be verified once more.
    """

    def __init__(
        self, room: RoomRow, group: Group | None, *, is_here: Callable[[RecordHash], bool]
    ) -> None:
        self.parts: deque[Part] = deque()
        self.is_complete = False
        self.verified: set[RecordHash] = set()
        self._bytes = 0
        self._room = room
        self._is_here = is_here
        self._group = None if group is None else copied(group)
        self._is_plain = True
        self._unverified: dict[bytes, list[Record]] = {}

    @property
    def group(self) -> Group | None:
        """Return who is in the room if all that was told holds; None where that is not known, or
        known for sure as soon as it is taken."""
        return self._group if self._unverified else None

    @property
    def may_wait(self) -> bool:
        """Tell whether it is worth while to verify later what was told."""
        return self.group is not None and self._bytes <= WAITING_BYTES_MAX

    def take(self, part: Part) -> None:
        """Take what is told next."""
        self.parts.append(part)
        self._bytes += sum(len(raw) for _, raw in part.placed)
        try:
            for _, raw in part.placed:
                if self._is_plain and is_record(raw):
                    self._fold(decode_record(raw))
        except (DecodeError, TrustError, _NotPlain):
            self._give_up()

    def vouches(self, device: bytes) -> bool:
        """Tell whether all is verified by which a device is whose it is in the group; it is given
        by the first 8 bytes of its key."""
        user = None if self.group is None else self.group.owners.get(device)
        if user is None:
            return False
        try:
            self._verify(user)
        except (DecodeError, TrustError):
            self._give_up()
        return self.group is not None

    def close(self) -> None:
        """Hear nothing more, and show nothing more of it: it is being taken for good."""
        self._is_plain, self._group = False, None

    def _give_up(self) -> None:
        """Fold no more: what does not hold shows when it is taken for good."""
        self._is_plain, self._group = False, None

    def _fold(self, record: Record) -> None:
        """Let a record take effect that stands on all before it."""
        if self._is_here(record.hash):
            return
        group = self._group
        if group is None:
            self._verify_record(record)
            if room_of(record) != self._room.room_id:
                raise _NotPlain
            self._group = fold_group([record])
            return
        is_next = record.log == self._room.room_id and record.prevs == group.heads
        if not is_next or refusal_of(group, record):
            raise _NotPlain
        change = change_of(record)
        if isinstance(change, Add | Join) and _only_lets_in(change):
            self._unverified.setdefault(newcomer(record, change).id, []).append(record)
        else:
            self._verify_record(record)
            self._verify_signer(record)
            if isinstance(change, Devices):
                self._verify(change.user)
        fold_group([record], group)
        record.memo.clear()

    def _verify(self, user: bytes) -> None:
        """Verify what a person came in by; raises ``DecodeError`` or ``TrustError``."""
        records = self._unverified.get(user)
        if not records:
            return
        self._unverified[user] = []
        for record in records:
            self._verify_record(record)
            self._verify_signer(record)
            record.memo.clear()

    def _verify_record(self, record: Record) -> None:
        verify_change(record)
        self.verified.add(record.hash)

    def _verify_signer(self, record: Record) -> None:
        assert self._group is not None
        person = self._group.person_of(record.signer)
        if person is not None:
            self._verify(person.id)


class Early:
    """Keeps which records were told ahead of one room's log, by their places there.

    A relay does not deliver them a second time. ``raw_of`` gives a record that is stored; what was
    told and is not stored is kept as it is: it counts as delivered, like anything that does not
    hold, and the log's fingerprint tells if the relay has something else there.
    """

    def __init__(self, raw_of: Callable[[RecordHash], bytes | None]) -> None:
        self._raw_of = raw_of
        self._stored: dict[int, RecordHash] = {}
        self._loose: dict[int, bytes] = {}
        self._bytes = 0
        self._places: list[int] = []

    def note(self, placed: Iterable[tuple[int, bytes]]) -> None:
        """Take note of records that were told just now, and stored if they may be."""
        for place, raw in placed:
            if not is_record(raw):
                continue
            if place not in self._stored and place not in self._loose:
                insort(self._places, place)
            self._loose.pop(place, None)
            hash_ = record_hash(raw)
            if self._raw_of(hash_) == raw:
                self._stored[place] = hash_
            elif self._bytes + len(raw) <= WAITING_BYTES_MAX:
                self._stored.pop(place, None)
                self._loose[place] = raw
                self._bytes += len(raw)

    def between(self, after: int, upto: int) -> list[tuple[int, bytes]]:
        """Return (place, record) of what stands behind a place, up to another one."""
        first, last = bisect_right(self._places, after), bisect_right(self._places, upto)
        found: list[tuple[int, bytes]] = []
        for place in self._places[first:last]:
            hash_ = self._stored.get(place)
            raw = self._loose.get(place) if hash_ is None else self._raw_of(hash_)
            if raw is not None:
                found.append((place, raw))
        return found


class _NotPlain(SyncchatError):
    """The records are not those of a log that has never forked, or one may not be there."""


def _only_lets_in(change: Change) -> bool:
    """Tell whether a record does no more than letting somebody in to whom nobody listens."""
    match change:
        case Join():
            return change.epoch is None
        case Add():
            return change.epoch is None and change.role > Role.ADMIN
        case _:
            return False

"""Receiving: what a relay delivers, and what it acknowledges of records, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..ports import Clock
from ..storage import absent, chains, identity, lease, members, previews, rooms
from ..storage.chains import ChainRow
from ..storage.database import Database
from ..storage.erasing import fade
from ..storage.rooms import RoomRow
from ..trust import chain as links
from ..trust.chain import next_fingerprint
from ..trust.group import Group
from ..trust.keys import DeviceKeys
from ..trust.person import user_of
from ..trust.records import Record, is_record
from .absence import is_whole
from .ahead import Ahead, Early, Part
from .batch import Batch
from .homing import follow_home
from .letters import take_letters
from .logpart import delivered, told
from .recent import RecentBatch
from .roster import take_records
from .volumes import Volumes


class Receiver:
    """Applies deliveries of all rooms of one database."""

    def __init__(
        self, db: Database, volumes: Volumes, *, keys: DeviceKeys, clock: Clock, holder: str
    ) -> None:
        self._db = db
        self._volumes = volumes
        self._keys = keys
        self._clock = clock
        self._holder = holder
        self._ahead: dict[int, Ahead] = {}
        self._early: dict[int, Early] = {}
        self.is_doubtful = False
        self.has_new_room = False

    def apply(
        self,
        room: int,
        after: int,
        envelopes: Sequence[bytes],
        *,
        is_live: bool,
        gaps: Sequence[tuple[int, int, bytes]] = (),
    ) -> RoomRow:
        """Apply envelopes at ``after`` + 1 and on of a room's log; return the room as it is then.

        ``gaps`` are those of the delivery (``logpart``); the fingerprint behind one is the relay's
        word, so where something was passed over before it, the room's is spoilt: it is read anew
        when it is opened again, and a relay that is honest by then brings what is missing.
        While a room catches up (not ``is_live``) only the last signature of a run is verified; the
        log's fingerprint tells at the end whether the others are those that the relay has.
        Afterwards ``is_doubtful`` tells whether some did not hold and should be asked for again,
        ``has_new_room`` whether somebody told of a room that is to be opened.
        Raises ``HoleInDelivery``, ``LeaseLost`` or the ``StorageError`` family; then nothing of
        the batch was stored.
        """
        try:
            with self._db.atomic(durable=False):
                lease.check(self._db, self._holder)
                row = rooms.load_room(self._db, room)
                early = self._early.get(room)
                part = delivered(
                    after,
                    envelopes,
                    gaps,
                    cursor=row.cursor,
                    fingerprint=row.fingerprint,
                    early=(lambda after, upto: ()) if early is None else early.between,
                )
                before = rooms.last_change(self._db)
                batch = Batch(
                    self._db,
                    self._volumes,
                    row,
                    self._clock.now_ms(),
                    self._keys.device,
                    extend=links.extend_each if is_live else links.extend_as_far_as_valid,
                )
                batch.take(part, keys=self._keys)
                self.is_doubtful = batch.is_doubtful
                if batch.is_doubtful:
                    return row
                now_ms, me = self._clock.now_ms(), self._keys.device
                fade(self._db, me=me, now_ms=now_ms)
                has_room = take_letters(self._db, row, after=before, me=me, now_ms=now_ms)
                self.has_new_room = self.has_new_room or has_room
                fingerprint = part.fingerprint
                if gaps and chains.is_missing_before(self._db, room, gaps[-1][1]):
                    fingerprint = next_fingerprint(fingerprint, b"")
                rooms.set_position(
                    self._db,
                    room,
                    incarnation=row.incarnation,
                    cursor=part.last,
                    fingerprint=fingerprint,
                )
                rooms.set_head(self._db, room, max(row.head, part.last))
        except BaseException:
            self._volumes.forget()
            raise
        return rooms.load_room(self._db, room)

    def take_ahead(self, room: int, envelopes: Sequence[bytes]) -> None:
        """Take snapshots that the relay tells of ahead of their places; the cursor stays.

        ``is_doubtful`` and what is raised are as for ``apply``; again is harmless.
        """
        self._aside(room, lambda batch: batch.take(told(envelopes), keys=self._keys))

    def take_stubs(self, room: int, stubs: Sequence[tuple[int, bytes]]) -> None:
        """Take stubs of snapshots, with their places in the log, as ``take_ahead``."""
        self._aside(room, lambda batch: batch.take_stubs(stubs))

    def take_contents(self, room: int, place: int, raw: bytes) -> bool:
        """Take the whole snapshot that was asked for by its place; tell whether it was that one.

        ``is_doubtful`` tells whether to ask again: it was something else, for the first time.
        """
        stub = absent.at_place(self._db, room, place)
        self.is_doubtful = False
        if stub is None:
            return True  # a newer one has come meanwhile
        if raw and is_whole(stub, raw):
            self.take_ahead(room, [raw])
            return True
        with self._db.atomic(durable=False):
            lease.check(self._db, self._holder)
            absent.set_wanted(self._db, stub, False)
            if raw and not stub.is_doubted:
                absent.set_doubted(self._db, stub)
                self.is_doubtful = True
        return False

    def _aside(self, room: int, take: Callable[[Batch], None]) -> None:
        """Take something beside a room's log, in a transaction."""
        try:
            with self._db.atomic(durable=False):
                lease.check(self._db, self._holder)
                row = rooms.load_room(self._db, room)
                now_ms, me = self._clock.now_ms(), self._keys.device
                before = rooms.last_change(self._db)
                batch = Batch(self._db, self._volumes, row, now_ms, me)
                take(batch)
                self.is_doubtful = batch.is_doubtful
                fade(self._db, me=me, now_ms=now_ms)
                has_room = take_letters(self._db, row, after=before, me=me, now_ms=now_ms)
                self.has_new_room = self.has_new_room or has_room
        except BaseException:
            self._volumes.forget()
            raise

    def hear_ahead(self, room: int, part: Part, *, is_last: bool) -> None:
        """Show of the newest of a room, told ahead of its log (``recent``), what can be shown
        before all of its records are verified; the cursor stays.

        ``take_told`` is to follow: at once, where ``may_wait`` is false then.
        Raises as ``apply``; again is harmless.
        """
        ahead = self._ahead.get(room)
        if ahead is None:
            row, group = rooms.load_room(self._db, room), self._volumes.groups.of(room)
            ahead = self._ahead[room] = Ahead(
                row, group, is_here=lambda hash_: members.has_record(self._db, room, hash_)
            )
        ahead.take(part)
        ahead.is_complete = is_last
        if ahead.group is not None and not all(is_record(raw) for _, raw in part.placed):
            self._show_ahead(room, lambda batch: batch.foresee(part, ahead, user=self._user()))

    def may_wait(self, room: int) -> bool:
        """Tell whether what was told ahead of a room's log may be taken when there is time."""
        ahead = self._ahead.get(room)
        return ahead is not None and ahead.may_wait

    def has_told(self, room: int) -> bool:
        """Tell whether there is something to take of what was told ahead of a room's log."""
        return room in self._ahead

    def take_told(self, room: int) -> Part | None:
        """Take a part of what was told ahead of a room's log for good; return it, None for none.

        ``is_doubtful`` and what is raised are as for ``apply``; again is harmless.
        """
        ahead = self._ahead.get(room)
        if ahead is None or not ahead.parts:
            return None
        part = ahead.parts.popleft()
        if ahead.is_complete:
            ahead.close()
            if not ahead.parts:
                del self._ahead[room]
        self._show_ahead(
            room,
            lambda batch: batch.take_recent(part, keys=self._keys, verified=ahead.verified),
        )
        if room not in self._early:
            self._early[room] = Early(lambda hash_: members.record_raw(self._db, room, hash_))
        self._early[room].note(part.placed)
        return part

    def _show_ahead(self, room: int, take: Callable[[RecentBatch], None]) -> None:
        try:
            with self._db.atomic(durable=False):
                lease.check(self._db, self._holder)
                row = rooms.load_room(self._db, room)
                now_ms, me = self._clock.now_ms(), self._keys.device
                batch = RecentBatch(self._db, self._volumes, row, now_ms, me)
                take(batch)
                self.is_doubtful = batch.is_doubtful
                fade(self._db, me=me, now_ms=now_ms)
        except BaseException:
            self._volumes.forget()
            raise

    def _user(self) -> bytes:
        who = identity.load_identity(self._db)
        return b"" if who is None else user_of(who.root)

    def settle_recent(self, room: int) -> None:
        """Take back what was shown ahead of a room's log and did not come with it."""
        if not previews.all_previews(self._db, room):
            return
        try:
            with self._db.atomic(durable=False):
                lease.check(self._db, self._holder)
                row = rooms.load_room(self._db, room)
                now_ms, me = self._clock.now_ms(), self._keys.device
                RecentBatch(self._db, self._volumes, row, now_ms, me).take_back()
        except BaseException:
            self._volumes.forget()
            raise

    def follow_home(self, room: RoomRow) -> bool:
        """Take up what other devices of the person's say in the personal room."""
        with self._db.atomic():
            lease.check(self._db, self._holder)
            now_ms = self._clock.now_ms()
            return follow_home(self._db, room, me=self._keys.device, now_ms=now_ms)

    def differs_anew(self, room: int, fingerprint: bytes) -> bool:
        """Tell whether other bytes came than the relay says to have, for the first time.

        What it repeats is believed: the chains hold, and asking for ever would mend nothing.
        """
        row = rooms.load_room(self._db, room)
        differs = row.fingerprint != fingerprint
        if differs is row.is_doubted:
            return False
        with self._db.atomic(durable=False):
            lease.check(self._db, self._holder)
            rooms.set_doubted(self._db, room, differs)
        return differs

    def group_of(self, room: int) -> Group | None:
        """Return who is in a room, by all of its log that is here."""
        return self._volumes.groups.of(room)

    def end_of(self, room: int, own: ChainRow) -> int:
        """Return up to where the own chain may count for others, by the room's log."""
        group = self.group_of(room)
        pin = None if group is None else group.pins.get(self._keys.public[:8])
        return own.seq if pin is None else max(pin.seq, own.delivered)

    def take_records(self, room: int, records: Sequence[tuple[Record, int | None]]) -> None:
        """Take records that the relay has stored; inside a transaction."""
        row = rooms.load_room(self._db, room)
        group = take_records(self._db, self._volumes.groups, row, records, keys=self._keys)
        if group is not None:
            row = rooms.load_room(self._db, room)
            now_ms = self._clock.now_ms()
            batch = Batch(self._db, self._volumes, row, now_ms, self._keys.device)
            batch.follow_group(group)

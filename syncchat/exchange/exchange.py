"""Runs one relay connection against the store: what arrives is applied, what waits is sent.

The owner feeds bytes (``receive``), time (``tick``) and news of local writes (``local_changed``),
and sends what ``outgoing`` returns. Nothing here waits, so a simulator drives it like the driver.

For each room: open it with the own cursor; apply what the relay delivers; once caught up, push
sealed envelopes that the relay lacks, then seal the outbox and push that. When the relay turns
out to have lost something (wiped, restored from an old backup), start over from the cursor that
is still common, push the own chain at once, and after a pause, for the authors who are away, the
others' chains. Files come after all of that (``transfers``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import nullcontext

from ..storage import absent, chains, identity, lease, members, outbox, rooms
from ..storage.rooms import NO_FINGERPRINT, RoomRow
from ..sync.events import (
    AccessChanged,
    Acked,
    BlobCame,
    BlobEvent,
    BlobsNews,
    BlobsSilent,
    BlobsTold,
    CaughtUp,
    ChainsSeen,
    ContentsCame,
    CursorsSeen,
    Dead,
    Delivered,
    Ready,
    RecentTold,
    Refused,
    RoomOpened,
    SessionEvent,
    SignalHeard,
    SnapshotsTold,
    StubsTold,
    TokenWanted,
)
from ..sync.session import Position
from ..trust.records import is_record
from ..wire.codes import ItemStatus
from .ahead import Part
from .logpart import HoleInDelivery
from .progress import Progress, next_times
from .roster import note_closed, note_open, proof_of
from .sending import APPLIED_EVERY_MS, Sending
from .state import ConnectionState, Phase

log = logging.getLogger("syncchat.exchange")

_BUILDING = Delivered | CaughtUp | Acked | AccessChanged | SnapshotsTold | StubsTold | ContentsCame
"""What comes of a room's log, and is judged by all of its records that are there."""


class Exchange(Sending):
    """Is one connection's work; make a new one for each connection."""

    # For the owner

    @property
    def state(self) -> ConnectionState:
        """Return the state of the connection now."""
        if not self._session.is_ready:
            return ConnectionState(Phase.CONNECTING)
        waiting = [p for p in self._rooms.values() if not p.is_live and not p.is_closed]
        if waiting:
            left = sum(max(0, p.head - p.cursor) for p in waiting)
            return ConnectionState(Phase.CATCHING_UP, left=left)
        return ConnectionState(Phase.LIVE)

    def is_live(self, room: bytes) -> bool:
        """Tell whether a room is caught up on this connection, and the relay with the own chain."""
        progress = self._rooms.get(room)
        if progress is None or not progress.is_live or not self._session.is_ready:
            return False
        own = chains.find_chain(self._db, progress.row, self._keys.device)
        is_pushed = own is None or own.seq <= progress.pushed
        return is_pushed and not self._session.pushes_of(room)

    def outgoing(self) -> list[bytes]:
        """Return the frames to send now; ask again until there are none.

        One of a file is alone, and comes when no others wait: so messages never wait for more
        than one of them here.
        """
        out = self._session.outgoing()
        if out or not self._session.is_ready or self.ended is not None:
            return out
        frame = self._transfers.next_frame()
        return [] if frame is None else [frame]

    def take_news(self) -> bool:
        """Tell whether the database may show something new since this was asked last.

        What comes of a file is told now and then, and not chunk by chunk.
        """
        told, self._has_news = self._has_news, False
        return self._transfers.take_news() or told

    def receive(self, raw: bytes) -> None:
        """Take in one frame.

        Raises ``LeaseLost`` or the ``StorageError`` family; the connection is then to be closed,
        and nothing that was not committed has been acknowledged to anyone.
        """
        self._act(self._session.receive(raw, self._now()))

    def tick(self) -> None:
        """Let time pass; raises as ``receive`` does."""
        self._act(self._session.tick(self._now()))
        if self._session.is_ready and self.ended is None:
            for room in list(self._untaken)[:1]:
                self._take_told(self._rooms[room])
                self._has_news = True
            if self.ended is not None:
                return
            self._signals.say()
            self._do_due()
            self._pump()

    @property
    def has_more(self) -> bool:
        """Tell whether something that came is not taken in yet: a part of it is with each
        ``tick``, and all of it before what comes next of its room, for who does not wait."""
        return bool(self._untaken) and self.ended is None

    def next_tick_ms(self) -> int:
        """Return the monotonic time, in ms, at which ``tick`` has something to do."""
        if self.has_more:
            return self._now()
        times = [self._session.next_tick_ms(), *self._transfers.times]
        if (due := self._signals.next_say_ms()) is not None:
            times.append(due)
        return min(times + next_times(self._timed))

    def local_changed(self) -> None:
        """Take notice of what was written here, by this or another process; raises as above."""
        if not self._session.is_ready or self.ended is not None:
            return
        self._open_rooms()
        self._signals.look()
        self._transfers.look(is_local=True)
        rows = outbox.rooms_with_ops(self._db) | members.rooms_with_changes(self._db)
        person = identity.person_records(self._db)
        is_new_device, self._person = person != self._person, person
        for progress in self._rooms.values():
            # One that is parked goes on when somebody says retry.
            progress.refused.clear()  # somebody may want it once more
            self._ask_contents(progress)
            if progress.row in rows or progress.is_parked or is_new_device:
                self._dirty.add(progress.room)
        self._look_what_is_over()
        self._pump()

    def typing(self, room: bytes, thread: str, *, is_typing: bool) -> None:
        """Say that this person types in a room, or stopped."""
        self._signals.typing(room, thread, is_typing=is_typing)

    def renew(self, token: str) -> None:
        """Hand a fresh token to the relay."""
        self.wants_token = False
        self._session.renew(token)

    def close(self) -> None:
        """Say goodbye; ``outgoing`` has the last frames."""
        self._signals.close()
        self._session.say_bye()

    # What the session says

    def _act(self, events: Iterable[SessionEvent]) -> None:
        for event in events:
            self._has_news = self._has_news or not isinstance(event, BlobEvent)
            if isinstance(event, _BUILDING):
                self._take_all_told(self._rooms[event.room])
                if self.ended is not None:
                    return
            match event:
                case Ready(incarnation):
                    self._incarnation = incarnation
                    self.has_connected = True
                    self._signals.look()
                    self._open_rooms()
                case RoomOpened():
                    self._room_opened(event)
                case AccessChanged(room, is_open):
                    self._access_changed(self._rooms[room], is_open=is_open)
                case Delivered():
                    self._delivered(self._rooms[event.room], event)
                case SnapshotsTold(room, envelopes):
                    self._told(self._rooms[room], envelopes)
                case StubsTold(room, stubs):
                    self._stubs_told(self._rooms[room], stubs)
                case ContentsCame(room, place, envelope):
                    self._contents_came(self._rooms[room], place, envelope)
                case RecentTold():
                    self._recent_told(self._rooms[event.room], event)
                case CaughtUp(room, head, fingerprint):
                    self._caught_up(self._rooms[room], head, fingerprint)
                case Acked(room, envelopes, items):
                    self._acked(self._rooms[room], envelopes, items)
                case CursorsSeen(room, cursors):
                    self._acks.cursors_seen(self._rooms[room], cursors)
                case ChainsSeen(room, heads):
                    self._refiller.chains_seen(self._rooms[room], heads, now_ms=self._now())
                    self._dirty.add(room)
                case SignalHeard(room, data):
                    self._signals.heard(self._rooms[room], data)
                case BlobsTold() | BlobCame() | BlobsNews() | BlobsSilent():
                    self._transfers.take(event)
                case TokenWanted():
                    self.wants_token = True
                case Refused() | Dead():
                    self.ended = event
            if self.ended is not None:
                return
        self._pump()

    def _open_rooms(self) -> None:
        """Open every room of this relay that is not open yet."""
        here = [room for room in rooms.all_rooms(self._db) if room.relay == self._relay]
        new = [room for room in here if room.room_id not in self._rooms]
        self._dirty |= {p.room for r in here if (p := self._rooms.get(r.room_id)) and p.may_open(r)}
        if not new:
            return
        is_other = any(room.incarnation != self._incarnation for room in new)
        with self._db.atomic(durable=False) if is_other else nullcontext():
            positions = [self._enter_room(room) for room in new]
        self._session.open(self._incarnation, positions, recent=self._recent)

    def _enter_room(self, room: RoomRow) -> Position:
        """Return from where a room is to be opened."""
        own = chains.find_chain(self._db, room.id, self._keys.device)
        acked = 0 if own is None else own.acked
        progress = Progress(room.id, room.room_id, room.invite, self._timed)
        self._rooms[room.room_id] = progress
        if room.incarnation != self._incarnation:
            room = self._start_over(room, is_loss=bool(acked or room.head))
            self._transfers.note_loss(progress)
        if rooms.owes_refill(self._db, room.id):
            self._refiller.note_loss(progress, now_ms=self._now())
        progress.cursor = progress.head = room.cursor
        proof = proof_of(self._db, self._volumes.groups, room)
        progress.has_absent = absent.count(self._db, room.id) > 0
        is_light = absent.is_light(self._db, room.id) and not room.is_personal
        return Position(room.room_id, room.cursor, room.fingerprint, acked, proof, is_light)

    def _start_over(self, room: RoomRow, *, is_loss: bool) -> RoomRow:
        """Read a room's log from its beginning, because it is another log than before.

        ``is_loss`` keeps in mind that the relay lost something, until all that is here is there.
        """
        with self._db.atomic(durable=False):
            lease.check(self._db, self._holder)
            rooms.set_position(
                self._db,
                room.id,
                incarnation=self._incarnation,
                cursor=0,
                fingerprint=NO_FINGERPRINT,
            )
            chains.forget_relay_seqs(self._db, room.id)
            members.forget_record_seqs(self._db, room.id)
            absent.forget_places(self._db, room.id)
            if is_loss:
                rooms.set_refill(self._db, room.id, True)
        return rooms.load_room(self._db, room.id)

    def _room_opened(self, event: RoomOpened) -> None:
        progress = self._rooms[event.room]
        progress.is_open = True
        progress.is_closed = event.is_closed
        if event.is_closed:
            self._dirty.add(event.room)
            return
        progress.head = event.head
        if event.after < progress.cursor:
            log.info("the relay's log of a room is not the one that was read: reading it anew")
            self._start_over(rooms.load_room(self._db, progress.row), is_loss=True)
            progress.cursor = 0
            self._refiller.note_loss(progress, now_ms=self._now())
            self._transfers.note_loss(progress)
        elif members.has_records_behind(self._db, progress.row, progress.cursor):
            with self._db.atomic(durable=False):
                lease.check(self._db, self._holder)
                members.forget_record_seqs_behind(self._db, progress.row, progress.cursor)
        own = chains.find_chain(self._db, progress.row, self._keys.device)
        own_seq, acked = (0, 0) if own is None else (own.seq, own.acked)
        if event.own_seq < acked:
            lost = acked - event.own_seq
            log.info("the relay has lost %d envelopes that it acknowledged: sent again", lost)
            self._refiller.set_owed(progress, True)
            self._refiller.note_loss(progress, now_ms=self._now())
        progress.relay_own_seq = event.own_seq
        progress.is_behind_itself = event.own_seq > own_seq
        progress.pushed = min(event.own_seq, own_seq)
        with self._db.atomic(durable=False):
            rooms.set_head(self._db, progress.row, event.head)
        progress.is_live = not event.differs
        self._signals.enter(progress)
        self._transfers.look()
        self._ask_contents(progress)
        self._dirty.add(event.room)
        if own and self._acks.wants_cursors(progress, own, max(acked, progress.pushed)):
            self._session.ask_cursors(event.room)

    def _access_changed(self, progress: Progress, *, is_open: bool) -> None:
        progress.is_closed = not is_open
        progress.is_live = progress.is_abreast = False
        progress.is_reread = is_open
        progress.pushed = 0
        self._dirty.add(progress.room)

    def _note_closed(self, progress: Progress) -> None:
        """Take note that the relay does not let this device in; an invite is tried once more."""
        with self._db.atomic(durable=False):
            lease.check(self._db, self._holder)
            is_asked_again = note_closed(self._db, self._volumes.groups, progress.row)
        if is_asked_again:
            self._give_up("the relay lets this device in no longer; trying the invite again")

    def _note_doubt(self) -> bool:
        """End the connection where what came does not hold; tell whether it did."""
        if self._receiver.is_doubtful:
            self._give_up("the relay delivered envelopes that do not hold; asking for them again")
        return self._receiver.is_doubtful

    def _delivered(self, progress: Progress, event: Delivered) -> None:
        after, envelopes = event.after, event.envelopes
        is_reread = progress.is_reread and after < progress.cursor
        if after != progress.cursor and not is_reread:
            self._give_up(f"the relay's log goes from {progress.cursor} to {after + 1}")
            return
        try:
            room = self._receiver.apply(
                progress.row, after, envelopes, is_live=progress.is_live, gaps=event.gaps
            )
        except HoleInDelivery as exc:
            self._give_up(str(exc))
            return
        if self._note_doubt():
            return
        progress.cursor = room.cursor
        progress.head = max(progress.head, room.cursor)
        if any(is_record(raw) for raw in envelopes):
            self._recorder.came(progress, now_ms=self._now())
            self._signals.enter(progress)  # somebody may have come
            self._dirty.add(progress.room)
        self._plan_applied(progress)
        self._follow(progress, room)

    def _told(self, progress: Progress, snapshots: Sequence[bytes]) -> None:
        self._receiver.take_ahead(progress.row, snapshots)
        if not self._note_doubt():
            self._follow(progress, rooms.load_room(self._db, progress.row))

    def _stubs_told(self, progress: Progress, stubs: Sequence[tuple[int, bytes]]) -> None:
        self._receiver.take_stubs(progress.row, stubs)
        progress.has_absent = True
        if not self._note_doubt():
            self._follow(progress, rooms.load_room(self._db, progress.row))

    def _contents_came(self, progress: Progress, place: int, envelope: bytes) -> None:
        progress.asked.discard(place)
        if not self._receiver.take_contents(progress.row, place, envelope):
            progress.refused.add(place)
        if not self._note_doubt():
            self._follow(progress, rooms.load_room(self._db, progress.row))
            self._settle_recent(progress)

    def _settle_recent(self, progress: Progress) -> None:
        """Take back what was shown ahead, once nothing more of it can come."""
        if progress.is_live and not progress.asked and not progress.is_closed:
            self._receiver.settle_recent(progress.row)

    def _recent_told(self, progress: Progress, event: RecentTold) -> None:
        placed = list(zip(event.places, event.envelopes, strict=True))
        part = Part(event.since, placed, event.links)
        self._receiver.hear_ahead(progress.row, part, is_last=event.is_last)
        if not self._receiver.may_wait(progress.row):
            self._take_all_told(progress)
        elif event.is_last:
            self._untaken[progress.room] = None

    def _take_all_told(self, progress: Progress) -> None:
        while self._receiver.has_told(progress.row) and self._take_told(progress):
            pass

    def _take_told(self, progress: Progress) -> bool:
        """Take a part of what was told ahead of a room's log; tell whether there was one."""
        part = self._receiver.take_told(progress.row)
        if part is None or self._note_doubt():
            return False
        if any(is_record(raw) for _, raw in part.placed):
            self._recorder.came(progress, now_ms=self._now())
        if not self._receiver.has_told(progress.row):
            self._untaken.pop(progress.room, None)
            progress.is_abreast = not rooms.owes_refill(self._db, progress.row)
            self._dirty.add(progress.room)
        return True

    def _follow(self, progress: Progress, room: RoomRow) -> None:
        """Do what follows from what came of a room."""
        self._transfers.look()
        self._ask_contents(progress)
        if progress.is_behind_itself:
            self._check_own(progress)
        else:
            self._note_own(progress)
        if outbox.count(self._db, room.id):  # what another own device deleted goes here, too
            self._dirty.add(progress.room)
        has_room, self._receiver.has_new_room = self._receiver.has_new_room, False
        if (room.is_personal and self._receiver.follow_home(room)) or has_room:
            self._open_rooms()

    def _caught_up(self, progress: Progress, head: int, fingerprint: bytes) -> None:
        if progress.is_behind_itself:
            self._check_own(progress)
        if head != progress.cursor or progress.is_behind_itself:
            self._give_up(
                "the relay says that all was delivered, but it was not: "
                f"log {progress.cursor} of {head}"
                + (", own chain incomplete" if progress.is_behind_itself else "")
            )
            return
        if self._receiver.differs_anew(progress.row, fingerprint):
            self._give_up("what was delivered is not what the relay has; reading the room anew")
            return
        progress.head = head
        progress.is_live = True
        self._ask_contents(progress)
        self._settle_recent(progress)
        self._transfers.look()
        progress.is_reread = False
        with self._db.atomic(durable=False):
            lease.check(self._db, self._holder)
            note_open(self._db, self._volumes.groups, progress.row, keys=self._keys)
        self._signals.enter(progress)
        self._dirty.add(progress.room)

    def _check_own(self, progress: Progress) -> None:
        """See whether the own chain, restored from an old copy, is complete again."""
        own = chains.find_chain(self._db, progress.row, self._keys.device)
        if own is not None and own.seq >= progress.relay_own_seq:
            progress.is_behind_itself = False
            progress.pushed = own.seq
            self._dirty.add(progress.room)

    def _note_own(self, progress: Progress) -> None:
        """See whether the log brought own envelopes that a former life had under way."""
        own = chains.find_chain(self._db, progress.row, self._keys.device)
        if own is not None and own.seq > progress.pushed:
            progress.pushed = max(progress.pushed, chains.last_at_relay(self._db, own.id))

    def _acked(
        self,
        progress: Progress,
        envelopes: tuple[bytes, ...],
        items: tuple[tuple[ItemStatus, int], ...],
    ) -> None:
        self._dirty.add(progress.room)
        moved, doubt = self._acks.take(
            progress, self._incarnation, envelopes, items, now_ms=self._now()
        )
        if any(is_record(raw) for raw in envelopes):
            statuses = [status for status, _ in items]
            self._recorder.acked(progress, envelopes, statuses, now_ms=self._now())
            if progress.is_refused and progress.is_closed:
                self._note_closed(progress)
        if doubt:
            self._give_up(f"{doubt}; asking again")
        elif moved:
            self._signals.enter(progress)  # it may be the first that was written here
            self._plan_applied(progress)

    def _plan_applied(self, progress: Progress) -> None:
        if progress.applied_due_ms is None:
            progress.applied_due_ms = max(self._now(), progress.applied_at_ms + APPLIED_EVERY_MS)

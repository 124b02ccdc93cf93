"""Sending: what a connection is made of, and what leaves on it, room by room and file by file."""

from __future__ import annotations

from ..ports import Clock, Random
from ..storage import absent, chains, identity, operators, rooms, snapshots
from ..storage.database import Database
from ..storage.rooms import RoomRow, Standing
from ..sync.events import Dead, Refused
from ..sync.session import Session
from ..trust.keys import DeviceKeys
from ..wire.limits import CONTENTS_IN_FLIGHT_MAX, ENVELOPES_PER_PUSH_MAX
from .acks import Acks
from .duties import Duties
from .groups import Groups
from .progress import Progress
from .receiving import Receiver
from .recording import Recorder
from .refilling import PUSH_BYTES_MAX, Refiller
from .sealing import Sealer
from .signals import Passing, Signals
from .snapshotting import Snapshotter
from .transfers import Transfers
from .volumes import Volumes

SEALS_IN_FLIGHT_MAX = 2
"""Fresh pushes of a room under way; what is written meanwhile gathers into the next envelope."""

LOOK_EVERY = 8
"""Own envelopes after which it is looked again whether a snapshot is due."""

APPLIED_EVERY_MS = 1_000
"""How often the relay is told how far a room is applied; the source of others' *delivered*."""


RECENT_ENVELOPES = 256
"""A few screens of messages, and what was said about them."""


class Sending:
    """Is the part of an exchange that sends; what it raises is as the exchange's."""

    def __init__(
        self,
        db: Database,
        keys: DeviceKeys,
        *,
        relay: str,
        host: str,
        clock: Clock,
        random: Random,
        holder: str,
        token: str = "",
        passing: Passing | None = None,
        recent: int = RECENT_ENVELOPES,
        groups: Groups | None = None,
    ) -> None:
        """``relay`` is the address whose rooms are exchanged, ``host`` the name dialled,
        ``holder`` the token of the sync lease that this process has, ``token`` what the app
        vouches with at the relay, ``passing`` what is said and heard in passing, ``recent`` how
        many of the newest envelopes of a room are to come first where more is missing, ``groups``
        what is known already of who is in the rooms."""
        self._db = db
        self._keys = keys
        self._relay = relay
        self._clock = clock
        self._random = random
        self._session = Session(
            keys,
            host=host,
            now_ms=self._now(),
            token=token,
            operator_secret=operators.find_secret(db, relay),
        )
        self._volumes = Volumes(db, groups)
        self._receiver = Receiver(db, self._volumes, keys=keys, clock=clock, holder=holder)
        self._recorder = Recorder(
            db,
            self._session,
            self._volumes.groups,
            Duties(db, keys, clock=clock, random=random),
            random=random,
            holder=holder,
        )
        self._refiller = Refiller(
            db, self._session, self._volumes.groups, keys.device, random=random, holder=holder
        )
        self._sealer = Sealer(db, self._volumes, keys, clock, random, holder)
        self._snapshotter = Snapshotter(db, self._volumes, keys, clock, random, holder)
        self._acks = Acks(db, keys, clock, holder, self._receiver)
        self._signals = Signals(
            db, self._session, self._volumes.groups, keys, passing or Passing(), clock, random
        )
        self._holder = holder
        self._recent = recent
        self._incarnation = b""
        self._rooms: dict[bytes, Progress] = {}
        self._timed: dict[bytes, Progress] = {}
        self._dirty: set[bytes] = set()
        self._untaken: dict[bytes, None] = {}
        self._has_news = False
        self._transfers = Transfers(
            db, self._session, self._rooms, clock=clock, random=random, holder=holder
        )
        self._person = identity.person_records(db)
        self.ended: Dead | Refused | None = None
        """Why the connection is of no more use; None while it is."""
        self.has_connected = False
        """Whether the relay has greeted this peer."""
        self.wants_token = False
        """Whether the relay waits for a fresh token (``renew``)."""

    def _look_what_is_over(self) -> None:
        """Take note of rooms in which more is older than the room keeps messages."""
        cutoffs = {row.room: row.cutoff for row in rooms.keeping_rooms(self._db)}
        for progress in self._rooms.values() if cutoffs else ():
            if cutoffs.get(progress.row, progress.cutoff) != progress.cutoff:
                self._dirty.add(progress.room)

    def _do_due(self) -> None:
        now = self._now()
        self._look_what_is_over()
        for progress in list(self._timed.values()):
            if progress.applied_due_ms is not None and now >= progress.applied_due_ms:
                progress.applied_due_ms = None
                progress.applied_at_ms = now
                if progress.cursor != progress.applied and progress.is_open:
                    progress.applied = progress.cursor
                    self._session.applied(progress.room, progress.cursor)
            if progress.refill_at_ms is not None and now >= progress.refill_at_ms:
                is_quiet = not progress.refills and not self._session.pushes_of(progress.room)
                if progress.is_live and is_quiet:
                    progress.refill_at_ms = None
                    self._session.ask_chains(progress.room)
                else:
                    progress.refill_at_ms = now + APPLIED_EVERY_MS
            if progress.pass_times(now):
                self._dirty.add(progress.room)

    def _pump(self) -> None:
        """Send what can be sent; rooms that wait for a free push stay dirty."""
        if self._session.is_ready:
            self._transfers.pump()
        if self._session.pushes_free <= 0:
            return  # or thousands of rooms would be asked in vain after every frame
        for room in sorted(self._dirty):
            if self.ended is not None or not self._session.is_ready:
                return
            if self._session.pushes_free <= 0:
                return
            if self._pump_room(self._rooms[room]):
                self._dirty.discard(room)

    def _pump_room(self, progress: Progress) -> bool:
        """Send what a room has; tell whether nothing is left that waits only for a free push."""
        if progress.is_closed:
            if progress.may_open(rooms.load_room(self._db, progress.row)):
                self._give_up("there is another invite; trying it")
                return True
            self._recorder.push_to_closed(progress)
            return True
        is_ready = progress.is_live or progress.is_abreast
        if not is_ready or progress.is_behind_itself or progress.resume_at_ms:
            return True
        room = rooms.load_room(self._db, progress.row)
        while self._session.pushes_free > 0:
            if progress.duty is not None:
                return True
            if self._recorder.push_due(progress, room, now_ms=self._now()):
                continue
            if room.standing is not Standing.MEMBER:
                return True  # the relay would refuse it, and that would park the chain
            own = chains.find_chain(self._db, progress.row, self._keys.device)
            is_frozen = progress.is_parked = own is not None and own.frozen is not None
            if own is not None and not is_frozen and own.seq > progress.pushed:
                self._push_own(progress, own)
            elif progress.refills:
                self._refiller.push(progress)
            elif is_frozen or not self._may_seal(progress):
                return True
            elif self._sealer.seal(room) or self._snapshot(progress, room):
                continue
            else:
                return True
        return False

    def _snapshot(self, progress: Progress, room: RoomRow) -> bool:
        """Make a snapshot if one is due; it is looked for now and then, and after erasures."""
        own = chains.find_chain(self._db, progress.row, self._keys.device)
        is_settled = own is not None and own.acked == own.seq and not progress.is_behind_itself
        if own is None or not is_settled:
            return False
        cutoff = rooms.keep_row(self._db, room.id).cutoff
        is_time = not progress.looked_at or own.seq - progress.looked_at >= LOOK_EVERY
        is_time = is_time or cutoff != progress.cutoff
        wait_ms = snapshots.erasure_due_in_ms(self._db, own.id, self._clock.now_ms())
        if not is_time and wait_ms != 0:
            progress.snapshot_at_ms = 0 if wait_ms is None else self._now() + wait_ms
            return False
        if not self._sealer.may_write(room):
            return False
        is_made = self._snapshotter.snapshot(room)
        progress.looked_at = 0 if is_made else own.seq
        progress.cutoff = cutoff
        if wait_ms and not is_made:
            progress.snapshot_at_ms = self._now() + wait_ms
        return is_made

    def _ask_contents(self, progress: Progress) -> None:
        """Ask for old history that is needed here, or wanted."""
        if not progress.has_absent or not progress.is_open or progress.is_closed:
            return
        left = CONTENTS_IN_FLIGHT_MAX - len(progress.asked)
        but = sorted(progress.asked | progress.refused)
        places = absent.needed(
            self._db, progress.row, limit=left, but=but, is_live=progress.is_live
        )
        if places:
            progress.asked |= set(places)
            self._session.ask_contents(progress.room, places)
        elif not progress.asked:
            progress.has_absent = absent.count(self._db, progress.row) > 0

    def _give_up(self, reason: str) -> None:
        """End this connection: the next one starts from what is known for sure."""
        self.ended = Dead(reason)
        self._session.say_bye()

    def _may_seal(self, progress: Progress) -> bool:
        is_due = self._now() >= progress.seal_at_ms
        return is_due and self._session.pushes_of(progress.room) < SEALS_IN_FLIGHT_MAX

    def _push_own(self, progress: Progress, own: chains.ChainRow) -> None:
        if self._refiller.push_ahead(progress, own.id, progress.pushed):
            return
        found = chains.envelopes_after(
            self._db,
            own.id,
            progress.pushed,
            limit=ENVELOPES_PER_PUSH_MAX,
            bytes_max=PUSH_BYTES_MAX,
        )
        self._session.push(progress.room, [raw for _, raw in found])
        progress.pushed = found[-1][0]

    def _now(self) -> int:
        return round(self._clock.monotonic() * 1000)

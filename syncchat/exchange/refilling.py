"""Refilling a relay that lost something: the own chain at once, others' after a pause."""

from __future__ import annotations

from collections.abc import Iterator

from ..ids import DeviceId
from ..ports import Random
from ..storage import absent, chains, lease, rooms, snapshots
from ..storage.database import Database
from ..sync.session import Session
from ..wire.limits import ENVELOPES_PER_PUSH_MAX, FRAME_BYTES_MAX
from .groups import Groups
from .progress import Progress

PUSH_BYTES_MAX = FRAME_BYTES_MAX - 12 * 1024
"""Envelope bytes in one Push; the rest is for the frame around them."""

SEAL_AFTER_LOSS_MS = 7_000
"""How long nothing new is sealed after a relay lost something. If this database was restored from
an old backup as well, others now give back what this device wrote since; going on before that
would write a second history."""

REFILL_AFTER_MS = (2_000, 5_000)
"""How long authors have to refill a relay with their own chains before others do it for them."""

REFILL_AGAIN_MS_MAX = 3_600_000
"""How long a relay is left alone at most that takes no more; from a minute on it doubles."""


class Refiller:
    """Refills a relay over one connection; every method raises as the exchange does."""

    def __init__(
        self,
        db: Database,
        session: Session,
        groups: Groups,
        me: DeviceId,
        *,
        random: Random,
        holder: str,
    ) -> None:
        self._db = db
        self._session = session
        self._groups = groups
        self._me = me
        self._random = random
        self._holder = holder

    def note_loss(self, progress: Progress, *, now_ms: int) -> None:
        """Plan what follows from a loss of the relay: refill it, and wait before sealing."""
        self._plan(progress, now_ms)
        if any(c.device != self._me for c in chains.all_chains(self._db, progress.row)):
            progress.seal_at_ms = now_ms + SEAL_AFTER_LOSS_MS

    def set_owed(self, progress: Progress, owes: bool) -> None:
        """Keep in mind whether the relay may lack what is here, also for the next connection."""
        with self._db.atomic(durable=False):
            lease.check(self._db, self._holder)
            rooms.set_refill(self._db, progress.row, owes)

    def chains_seen(self, progress: Progress, heads: dict[DeviceId, int], *, now_ms: int) -> None:
        """Compare what the relay has of others' chains with what is here."""
        progress.refills = []
        is_blocked = False
        for chain, end in self._wanted(progress.row):
            there = heads.get(chain.device, 0)
            if chain.device == self._me or there >= end or not chain.was_ever_read:
                continue
            gap = absent.first_gap(self._db, chain.id, there)  # which others must fill first
            is_blocked |= gap is not None and gap <= end
            upto = end if gap is None else min(end, gap - 1)
            if there < upto:
                progress.refills.append((chain.id, there, upto))
        if not progress.refills and not is_blocked:
            self.set_owed(progress, False)
        elif progress.refills == progress.refilled:  # it takes no more now, or has not yet
            progress.refills, progress.refilled = [], []
            progress.refill_at_ms = now_ms + progress.refill_again_ms
            progress.refill_again_ms = min(progress.refill_again_ms * 2, REFILL_AGAIN_MS_MAX)
        else:
            progress.refilled = list(progress.refills)
            self._plan(progress, now_ms)  # and look whether all has arrived

    def push(self, progress: Progress) -> None:
        """Push the next part of a chain that the relay lacks."""
        chain, after, upto = progress.refills[-1]
        if self.push_ahead(progress, chain, after):
            return
        progress.refills.pop()
        found = chains.envelopes_after(
            self._db, chain, after, limit=ENVELOPES_PER_PUSH_MAX, bytes_max=PUSH_BYTES_MAX
        )
        if not found:
            return
        self._session.push(progress.room, [raw for _, raw in found])
        if found[-1][0] < upto:
            progress.refills.append((chain, found[-1][0], upto))

    def push_ahead(self, progress: Progress, chain: int, after: int) -> bool:
        """Push the next snapshots of a chain of which the relay has nothing behind a seq, where
        something is gone for which they stand; tell whether there were any."""
        last = progress.ahead.get(chain, after)
        if not snapshots.has_hole(self._db, chain, after):
            return False
        found = snapshots.after(
            self._db, chain, last, limit=ENVELOPES_PER_PUSH_MAX, bytes_max=PUSH_BYTES_MAX
        )
        if not found:
            return False
        self._session.push(progress.room, [raw for _, raw in found])
        progress.ahead[chain] = found[-1][0]
        return True

    def _wanted(self, room: int) -> Iterator[tuple[chains.ChainRow, int]]:
        """Yield the chains of a room, and how far a relay takes them."""
        group = self._groups.of(room)
        for chain in chains.all_chains(self._db, room):
            pin = None if group is None else group.pins.get(chain.key[:8])
            yield chain, chain.seq if pin is None else min(chain.seq, pin.seq)

    def _plan(self, progress: Progress, now_ms: int) -> None:
        if progress.refill_at_ms is None:
            low, high = REFILL_AFTER_MS
            progress.refill_at_ms = now_ms + round(self._random.uniform(low, high))

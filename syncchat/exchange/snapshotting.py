"""Snapshots of own volumes: one envelope in place of many, when the relay has all of those.

A device snapshots what it wrote itself. A volume is due when something was deleted from it, which
must leave the relay's disk, but not again within ten minutes; when nothing is added to it any more;
and while it is written whenever a third of it is loose, as in a log-structured store: so each entry
is written two or three times in all, however long the room lives. And it is due when a third of it
is older than the room keeps messages, which is let go of (``storage.keeping``).

The snapshot takes the place of the envelopes here in the transaction that writes it, and at the
relay and elsewhere as it arrives; a crash leaves either all of that or nothing. It is sealed with
the room's present key. Where newcomers get no key from before they came, it is sealed with the key
that the volume was written with, and a volume with more than one is left as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..core import keeping as terms
from ..core.clock import ZERO
from ..core.reader import Change
from ..core.snapshots import (
    Content,
    LettingGo,
    content_of,
    decode_snapshot,
    encode_snapshot,
    export_of,
    is_same,
    without,
)
from ..errors import UpdateRefused
from ..ids import Stamp
from ..ports import Clock, Random
from ..storage import chains, keeping, lease, outbox, rooms, snapshots
from ..storage.chains import ChainRow
from ..storage.database import Database
from ..storage.rooms import RoomRow
from ..storage.view import ViewBatch
from ..trust.keys import DeviceKeys
from ..wire.coverage import RANGES_MAX
from ..wire.limits import ENVELOPE_BYTES_MAX
from .volumes import Texts, Volumes, read_volume
from .writing import Writer, Written

log = logging.getLogger("syncchat.exchange")


class Snapshotter:
    """Makes snapshots of what this device wrote."""

    def __init__(
        self,
        db: Database,
        volumes: Volumes,
        keys: DeviceKeys,
        clock: Clock,
        random: Random,
        holder: str,
    ) -> None:
        self._db = db
        self._volumes = volumes
        self._keys = keys
        self._clock = clock
        self._holder = holder
        self._writer = Writer(db, volumes, keys, random)

    def snapshot(self, room: RoomRow) -> bool:
        """Make a snapshot that is due in a room; tell whether there was one.

        The relay must have acknowledged all of the own chain, and let this device write. Raises
        ``LeaseLost`` or the ``StorageError`` family; then nothing was written.
        """
        try:
            with self._db.atomic():
                lease.check(self._db, self._holder)
                own = chains.find_chain(self._db, room.id, self._keys.device)
                group = self._volumes.groups.of(room.id)
                if group is None or own is None or own.frozen or own.acked < own.seq:
                    return False
                due = [*snapshots.due(self._db, own, self._clock.now_ms())]
                if self._may_let_go(room):
                    stuck = snapshots.stuck(self._db, own.id)
                    due += sorted(
                        {*keeping.volumes_to_shed(self._db, own, room.id)} - {*due, *stuck}
                    )
                for volume in due:
                    if self._write(room, own, volume, is_from_join=bool(group.earliest)):
                        return True
        except BaseException:
            self._volumes.forget()
            raise
        return False

    def _write(self, room: RoomRow, own: ChainRow, volume: int, *, is_from_join: bool) -> bool:
        texts = read_volume(self._db, self._volumes, room, own, volume)
        epoch = _epoch_of(texts) if is_from_join else room.epoch
        if epoch is None or not 0 < len(texts.ranges) <= RANGES_MAX:
            snapshots.note_made(self._db, own.id, volume, is_stuck=True)
            return False
        whole = content_of(volume, texts.base, texts.rest)
        content = self._let_go(room, whole)
        text = encode_snapshot(content.stamp, export_of(content), content.letting_go)
        if not self._is_right(text, content):
            log.error("the snapshot of volume %d would not say what its updates say", volume)
            snapshots.note_made(self._db, own.id, volume, is_stuck=True)
            return False
        written = self._writer.write(
            room, own, text, volume=volume, epoch=epoch, covers=texts.ranges
        )
        if len(written.raw) > ENVELOPE_BYTES_MAX:
            snapshots.note_made(self._db, own.id, volume, is_stuck=True)
            return False
        newest = Stamp(max(own.last_stamp, content.newest))
        self._writer.store(room, own, written, last_stamp=newest, number=own.volume)
        seq = written.head.seq
        snapshots.note(
            self._db,
            own.id,
            volume,
            seq,
            texts.ranges,
            content.stamp,
            made_ms=self._clock.now_ms(),
        )
        snapshots.drop_covered(self._db, own.id, volume, seq)
        snapshots.note_made(self._db, own.id, volume)
        chains.reset_volume(self._db, own.id, content.state, len(text))
        self._volumes.replace_state(own.id, content.state)
        self._volumes.forget_documents(own.id)
        self._show(room, own, written, [whole.entries[at] for at in sorted(whole.entries)], content)
        return True

    def _may_let_go(self, room: RoomRow) -> bool:
        """Tell whether a snapshot may have a stamp now: what waits to be sealed has older ones."""
        is_kept = keeping.cutoff_of(self._db, room.id) == ZERO
        return not is_kept and not outbox.is_any_open(self._db, room.id)

    def _let_go(self, room: RoomRow, content: Content) -> Content:
        """Return a volume without what is older than the room keeps messages."""
        if not self._may_let_go(room):
            return content
        gone = keeping.shed(self._db, room.id, content.entries)
        if not gone:
            return content
        made = rooms.next_stamp(self._db, self._clock.now_ms())
        cutoff = keeping.cutoff_of(self._db, room.id)
        if not terms.is_early_enough(cutoff, made):
            return content  # the clock was set back, and what is over is looked at anew soon
        return without(content, gone, LettingGo(made, cutoff))

    def _show(
        self,
        room: RoomRow,
        own: ChainRow,
        written: Written,
        before: Sequence[Change],
        content: Content,
    ) -> None:
        """Show a volume without what its snapshot let go of."""
        gone = [entry for entry in before if entry.clock not in content.entries]
        view = ViewBatch(self._db, room.id, me=self._keys.device)
        view.add(
            chain=own.id,
            device=own.device,
            volume=written.volume,
            seq=written.head.seq,
            changes=terms.erasures(gone),
        )
        view.flush()

    @staticmethod
    def _is_right(text: bytes, content: Content) -> bool:
        try:
            return is_same(decode_snapshot(text, content.state.number), content)
        except UpdateRefused:
            return False


def _epoch_of(texts: Texts) -> int | None:
    """Return the epoch in which all entries of a volume were sealed, None where there are more."""
    epochs = {
        header.epoch
        for header, text in zip(texts.headers, texts.updates, strict=True)
        if text[:1] != b"\0"  # it only erases
    }
    return epochs.pop() if len(epochs) == 1 else None

"""Sealing: from the outbox to envelopes on the own chain, when a relay is there to take them.

Ops wait unsealed until then, so what was corrected or taken back meanwhile never leaves, nor does
what has disappeared, and a thousand messages written offline become a few envelopes. One
transaction writes the envelope, moves the chain on, and removes the ops: a crash leaves either all
of it or nothing. An op that cannot go is parked alone before that.
"""

from __future__ import annotations

from ..core.journal import Entry, room_left
from ..core.refusals import Refusal
from ..errors import UpdateRefused
from ..ids import DeviceKey
from ..ports import Clock, Random
from ..storage import chains, history, lease, outbox, rooms, snapshots
from ..storage.chains import ChainRow
from ..storage.database import Database
from ..storage.erasing import fade, has_disappeared
from ..storage.outbox import Op
from ..storage.rooms import RoomRow
from ..storage.view import ViewBatch
from ..trust import chain as links
from ..trust.keys import DeviceKeys
from ..wire.envelope import decode_envelope
from .foreseeing import foreseen
from .reading import ChainReading
from .volumes import Volumes
from .writing import Writer

SEAL_BYTES_MAX = 128 * 1024
"""Bytes of entries in one envelope: half a frame, before compression."""

SEAL_OPS_MAX = 1_000


class Sealer:
    """Seals what the outbox of a database holds."""

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

    def seal(self, room: RoomRow) -> bool:
        """Seal the oldest ops of a room; tell whether there were any.

        Raises ``LeaseLost`` or the ``StorageError`` family; then nothing was written.
        """
        if not outbox.pending(self._db, room.id, limit=1):
            return False
        try:
            return self._seal(room, SEAL_OPS_MAX)
        except UpdateRefused:
            pass  # one of them is at fault: each goes alone until it is found
        try:
            return self._seal(room, 1)
        except UpdateRefused as exc:
            with self._db.atomic():
                lease.check(self._db, self._holder)
                (op,) = outbox.pending(self._db, room.id, limit=1)
                self._park(room, op, Refusal.INVALID, f"others would not take it: {exc}")
            return True

    def _seal(self, room: RoomRow, ops_max: int) -> bool:
        try:
            with self._db.atomic():
                lease.check(self._db, self._holder)
                fade(self._db, me=self._keys.device, now_ms=self._clock.now_ms())
                return self._write_ops(room, ops_max)
        except BaseException:
            self._volumes.forget()
            raise

    def _write_ops(self, room: RoomRow, ops_max: int) -> bool:
        if not self.may_write(room):
            return False
        own = chains.add_chain(self._db, room.id, self._keys.device, self._keys.public)
        ops = outbox.pending(self._db, room.id, limit=ops_max)
        if not ops or own.frozen is not None:
            return False
        if any([self._is_refused(room, op) for op in ops]):
            return True  # the next call seals what is left
        number = own.volume
        left = room_left(
            self._volumes.state(own.id, number).clock,
            chains.volume_bytes(self._db, own.id, number),
        )
        if left == 0 or self._is_new_key(room, own):
            number, left = number + 1, room_left(0, 0)
        entries: list[Entry] = []
        size = 0
        for op in ops:
            size += len(op.key) + len((op.raw or "").encode())
            if entries and (size > SEAL_BYTES_MAX or len(entries) >= left):
                break
            entries.append(Entry(op.root, op.key, op.raw))
        view = ViewBatch(self._db, room.id, me=self._keys.device)
        reading = ChainReading(self._db, self._volumes, view, room, own)
        for volume, part in self._by_volume(own, number, entries).items():
            own = self._write(room, own, reading, volume, part)
        reading.save()
        outbox.drop_sealed(self._db, room.id, entries)
        view.flush()
        return True

    def _is_refused(self, room: RoomRow, op: Op) -> bool:
        """Park an op that no other peer would take or that has become pointless; tell whether."""
        found = foreseen(self._db, room.id, op)
        if found is not None:
            self._park(room, op, *found)
        return found is not None

    def _park(self, room: RoomRow, op: Op, refusal: Refusal, why: str) -> None:
        outbox.park(self._db, room.id, op, refusal, why)
        target = outbox.target_of(op.root, op.key, self._keys.device)
        history.touch(self._db, room.id, [target], change=rooms.next_change(self._db))

    def _is_new_key(self, room: RoomRow, own: ChainRow) -> bool:
        """Tell whether a volume must end because newcomers get no key from before this one."""
        group = self._volumes.groups.of(room.id)
        if group is None or not group.earliest:
            return False
        stored = chains.volume_envelopes(self._db, own.id, own.volume, before=own.seq + 1)
        if not stored:
            return False
        seq, _, raw = stored[-1]
        envelope, header = decode_envelope(raw)
        if header.epoch < group.earliest:
            return True
        if all(header.epoch != number for number, _ in group.lost):
            return False
        context = links.context(
            room.room_id, snapshots.link_before(self._db, own.id, seq), envelope.header
        )
        # It may have been sealed with a key that lost a fork of the log.
        key = DeviceKey(self._keys.public)
        return not self._volumes.opens_now(room, envelope, header, key, context)

    def may_write(self, room: RoomRow) -> bool:
        """Tell whether what is sealed now would be read by all members and by nobody else."""
        group = self._volumes.groups.of(room.id)
        return (
            group is not None
            and group.may_write(self._keys.public)
            and not group.is_rotation_due
            and rooms.room_key(self._db, room.id, room.epoch) is not None
        )

    def _by_volume(
        self, own: ChainRow, number: int, entries: list[Entry]
    ) -> dict[int, list[Entry]]:
        """Sort entries into the volumes they go to: new ones into ``number``, erasures wherever
        the entry stands that they erase."""
        parts: dict[int, list[Entry]] = {}
        written = [entry for entry in entries if entry.raw is not None]
        if written:
            parts[number] = written
        for entry in entries:
            if entry.raw is None:
                places = chains.volumes_holding(self._db, own.id, own.device, entry.root, entry.key)
                for volume in places:
                    parts.setdefault(volume, []).append(entry)
        return parts

    def _is_taken_back(self, room: RoomRow, entry: Entry) -> bool:
        """Tell whether an entry erases something that was deleted: what has only disappeared goes
        with the next snapshot that is due anyway."""
        if entry.raw is not None:
            return False
        message = outbox.target_of(entry.root, entry.key, self._keys.device)
        return not has_disappeared(self._db, room.id, message)

    def _write(
        self, room: RoomRow, own: ChainRow, reading: ChainReading, volume: int, part: list[Entry]
    ) -> ChainRow:
        """Write one update of one volume as the next envelope of the own chain."""
        update = self._volumes.document(room, own, volume).write(part)
        reading.take(update, volume, own.seq + 1)
        written = self._writer.write(room, own, update, volume=volume, epoch=room.epoch)
        if any(self._is_taken_back(room, entry) for entry in part):
            snapshots.note_erasure(self._db, own.id, volume)
        return self._writer.store(
            room, own, written, last_stamp=reading.last_stamp, number=reading.volume
        )

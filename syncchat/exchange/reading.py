"""Reading one chain: bodies are opened, read strictly, and handed to the view, in chain order."""

from __future__ import annotations

from collections.abc import Sequence, Set

from ..core.reader import Change, VolumeState, read_update
from ..errors import DecodeError, KeyMissing, UpdateRefused
from ..ids import Stamp
from ..storage import chains
from ..storage.chains import ChainRow
from ..storage.database import Database
from ..storage.rooms import RoomRow
from ..storage.view import ViewBatch
from ..trust import chain as links
from ..wire.envelope import Envelope, EnvelopeKind, Header
from .volumes import Volumes


class BeforeMe(Exception):
    """An envelope was written before this peer was let in, where newcomers get no earlier key."""


class ChainReading:
    """Reads what follows on a chain; the state moves on only with what could be read.

    ``first_epoch`` is the first room key that this peer may have, ``lost_epochs`` those that lost a
    fork of the log and that nobody hands on. What was sealed with other keys is passed over, with
    the rest of the volumes that it stands in: there writers begin a new volume with each new key.
    Who was here before, and came back, has read volumes before those.
    """

    def __init__(
        self,
        db: Database,
        volumes: Volumes,
        view: ViewBatch,
        room: RoomRow,
        chain: ChainRow,
    ) -> None:
        self._db = db
        self._volumes = volumes
        self._view = view
        self._room = room
        self._chain = chain
        self._grown: dict[int, tuple[VolumeState, int]] = {}
        self.last_stamp = chain.last_stamp
        self.volume = max(chain.volume, chain.passed)
        self.passed = chain.passed
        self._passed_now: set[int] = set()
        self.first_epoch = 0
        self.lost_epochs: Set[int] = frozenset()

    def read(self, envelope: Envelope, header: Header, *, previous: bytes) -> Sequence[Change]:
        """Read the next envelope, which follows the link ``previous``; return its changes.

        Raises ``DecodeError`` or ``TrustError``, then nothing has changed; and ``BeforeMe``.
        """
        if header.kind != EnvelopeKind.UPDATE:
            raise DecodeError(f"kind {header.kind} is of a later version; update syncchat")
        if self._is_passed(header):
            raise BeforeMe
        context = links.context(self._room.room_id, previous, envelope.header)
        try:
            update = self._volumes.open(self._room, envelope, header, self._chain.key, context)
        except KeyMissing:
            if header.epoch >= self.first_epoch and header.epoch not in self.lost_epochs:
                raise
            self.passed = max(self.passed, header.volume)
            self.volume = max(self.volume, header.volume)
            self._passed_now.add(header.volume)
            raise BeforeMe from None
        return self.take(update, header.volume, header.seq)

    def take(self, update: bytes, number: int, seq: int) -> Sequence[Change]:
        """Read an update of volume ``number`` that the envelope ``seq`` carries.

        Raises ``UpdateRefused``; then nothing has changed.
        """
        if number > self.volume + 1:
            raise UpdateRefused(f"volume {number} comes before volume {self.volume + 1}")
        state = self._volumes.state(self._chain.id, number)
        is_closed = number < self.volume
        changes = read_update(update, state, after=self.last_stamp, is_closed=is_closed)
        state.apply(changes)
        self.volume = max(self.volume, number)
        self.last_stamp = Stamp(max(self.last_stamp, *(change.at for change in changes)))
        self._grown[number] = state, self._grown.get(number, (state, 0))[1] + len(update)
        self._view.add(
            chain=self._chain.id,
            device=self._chain.device,
            volume=number,
            seq=seq,
            changes=changes,
        )
        return changes

    def _is_passed(self, header: Header) -> bool:
        """Tell whether something before an envelope in its volume was passed over."""
        if header.volume > self.passed:
            return False
        return header.volume in self._passed_now or chains.is_held_before(
            self._db, self._chain.id, header.volume, header.seq
        )

    def save(self) -> None:
        """Store how far the volumes have grown, and which were passed over."""
        if self.passed != self._chain.passed:
            chains.set_passed(self._db, self._chain.id, self.passed)
        for state, size in self._grown.values():
            chains.save_volume(self._db, self._chain.id, state, more_bytes=size)
        self._grown.clear()

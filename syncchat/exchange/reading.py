"""Reading one chain: bodies are opened, read strictly, and handed to the view, in chain order."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.reader import Change, VolumeState, read_update
from ..errors import DecodeError, UpdateRefused
from ..ids import Stamp
from ..storage import chains
from ..storage.chains import ChainRow
from ..storage.database import Database
from ..storage.rooms import RoomRow
from ..storage.view import ViewBatch
from ..trust import chain as links
from ..trust.seal import open_sealed
from ..wire.envelope import Envelope, EnvelopeKind, Header
from .volumes import Volumes


class ChainReading:
    """Reads what follows on a chain; the state moves on only with what could be read."""

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
        self.volume = chain.volume

    def read(self, envelope: Envelope, header: Header, *, previous: bytes) -> Sequence[Change]:
        """Read the next envelope, which follows the link ``previous``; return its changes.

        Raises ``DecodeError`` or ``TrustError``; then nothing has changed.
        """
        if header.kind != EnvelopeKind.UPDATE:
            raise DecodeError(f"kind {header.kind} is of a later version; update syncchat")
        context = links.context(self._room.room_id, previous, envelope.header)
        key = self._volumes.key(self._room, header.epoch, self._chain.key)
        update = open_sealed(key, header.nonce, context, envelope.body)
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

    def save(self) -> None:
        """Store how far the volumes have grown."""
        for state, size in self._grown.values():
            chains.save_volume(self._db, self._chain.id, state, more_bytes=size)
        self._grown.clear()

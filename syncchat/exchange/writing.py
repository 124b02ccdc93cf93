"""Writing the own chain: texts become sealed, linked, signed envelopes, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..ids import DEVICE_BYTES, DeviceKey, Stamp
from ..ports import Random
from ..storage import chains
from ..storage.chains import ChainRow, StoredEnvelope
from ..storage.database import Database
from ..storage.rooms import RoomRow
from ..trust import chain as links
from ..trust.keys import DeviceKeys
from ..trust.seal import seal
from ..wire.coverage import Range, encode_coverage
from ..wire.envelope import (
    NONCE_BYTES,
    Envelope,
    EnvelopeKind,
    Header,
    encode_envelope,
    encode_header,
)
from ..wire.limits import VERSION
from .volumes import Volumes


class Written(NamedTuple):
    """Is an envelope of the own chain that is not stored yet."""

    volume: int
    head: links.ChainHead
    raw: bytes


class Writer:
    """Writes what this device seals."""

    def __init__(self, db: Database, volumes: Volumes, keys: DeviceKeys, random: Random) -> None:
        self._db = db
        self._volumes = volumes
        self._keys = keys
        self._random = random

    def write(
        self,
        room: RoomRow,
        own: ChainRow,
        text: bytes,
        *,
        volume: int,
        epoch: int,
        covers: Sequence[Range] = (),
    ) -> Written:
        """Return the next envelope of the own chain; with ``covers`` it is a snapshot."""
        seq = own.seq + 1
        header = Header(
            VERSION,
            EnvelopeKind.SNAPSHOT if covers else EnvelopeKind.UPDATE,
            self._keys.public[:DEVICE_BYTES],
            seq,
            volume,
            epoch,
            b"",
            self._random.bytes(NONCE_BYTES),
            self._keys.public if covers or seq == 1 else None,
        )
        header_bytes = encode_header(header)
        context = links.context(room.room_id, own.link, header_bytes)
        clear = encode_coverage(own.link, covers) if covers else b""
        key = self._volumes.key(room, epoch, DeviceKey(self._keys.public))
        body = clear + seal(key, header.nonce, context + clear, text)
        link = links.link_hash(context, body, clear=len(clear))
        signature = self._keys.sign(links.signed_text(link))
        raw = encode_envelope(Envelope(header_bytes, body, signature))
        return Written(volume, links.ChainHead(self._keys.public, seq, link), raw)

    def store(
        self, room: RoomRow, own: ChainRow, written: Written, *, last_stamp: Stamp, number: int
    ) -> ChainRow:
        """Store an envelope at the end of the own chain, whose last volume is ``number`` then."""
        head = written.head
        stored = StoredEnvelope(head.seq, written.volume, head.link, None, False, written.raw)
        chains.add_envelopes(self._db, own.id, [stored])
        chains.advance(self._db, own.id, head, last_stamp=last_stamp, volume=number)
        found = chains.find_chain(self._db, room.id, own.device)
        assert found is not None
        return found

"""Refolding one chain: every envelope of it that can be read is read again, in its order."""

from __future__ import annotations

from ..storage import chains
from ..storage.chains import ChainRow
from ..storage.database import Database
from ..storage.view import ViewBatch
from ..trust import chain as links
from ..wire.envelope import EnvelopeKind, decode_envelope
from . import skipping
from .reading import ChainReading

_REFOLD_BATCH = 512


def refold_chain(db: Database, row: ChainRow, reading: ChainReading, view: ViewBatch) -> None:
    """Read a chain again with a ``reading`` that begins at its beginning."""
    link, after = links.GENESIS, 0
    while part := chains.readable_after(db, row.id, after, limit=_REFOLD_BATCH):
        for seq, stored_link, raw in part:
            envelope, header = decode_envelope(raw)
            if seq != after + 1 or header.kind == EnvelopeKind.SNAPSHOT:  # some are missing
                link = skipping.link_before(db, row.id, envelope, header)
                reading.volume = max(reading.volume, min(row.passed, header.volume - 1))
                reading.pass_over(skipping.covered(db, row, after, seq))
            reading.read(envelope, header, previous=link)
            link, after = stored_link, seq
        view.flush()
        reading.save()
    reading.pass_over(skipping.covered(db, row, after, row.seq + 1))
    chains.set_reading(db, row.id, last_stamp=reading.last_stamp, volume=reading.volume)

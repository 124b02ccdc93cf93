"""Skipping: how a chain goes on over envelopes that are gone, because snapshots stand for them."""

from __future__ import annotations

from msgspec.structs import replace

from ..core.clock import ZERO
from ..ids import Stamp
from ..storage import snapshots
from ..storage.chains import ChainRow
from ..storage.database import Database
from ..storage.snapshots import Covered
from ..trust import chain as links
from ..wire.envelope import Envelope, EnvelopeKind, Header
from .reading import ChainReading


def skipped(db: Database, row: ChainRow) -> ChainRow:
    """Return a chain where it goes on over what snapshots cover."""
    while (part := snapshots.covering(db, row.id, row.seq + 1)) is not None:
        row = replace(
            row,
            seq=part.last,
            link=part.link,
            last_stamp=Stamp(max(row.last_stamp, part.stamp)),
            volume=max(row.volume, part.volume),
        )
    return row


def covered(db: Database, row: ChainRow, after: int, before: int) -> list[Covered]:
    """Return what is covered between two places of a chain, as far as the chain has come."""
    return snapshots.covered_between(db, row.id, after, min(before, row.seq + 1))


def go_to(db: Database, reading: ChainReading, row: ChainRow, header: Header) -> None:
    """Have a reading go on at a place that the chain itself may have left behind: what came ahead
    of its turn, or out of it, does not count there."""
    before = snapshots.volume_before(db, row.id, header.seq)
    reading.volume = max(reading.volume, before, min(row.passed, header.volume - 1))
    stamp = snapshots.stamp_before(db, row.id, header.seq, header.volume)
    reading.last_stamp = Stamp(max(reading.last_stamp, stamp))


def link_before(db: Database, chain: int, envelope: Envelope, header: Header) -> bytes:
    """Return the link that a stored envelope follows; a snapshot says it itself."""
    if header.kind == EnvelopeKind.SNAPSHOT:
        return links.coverage_of(envelope, header).previous
    return snapshots.link_before(db, chain, header.seq)


def settle(
    db: Database,
    chain: int,
    envelope: Envelope,
    header: Header,
    reading: ChainReading,
    *,
    is_over: bool,
) -> None:
    """Store what a snapshot covers; that goes once it is read, or passed over for good."""
    ranges = links.coverage_of(envelope, header).ranges
    stamp = reading.stamps.get(header.seq, ZERO)
    snapshots.note(db, chain, header.volume, header.seq, ranges, stamp)
    if is_over:
        snapshots.drop_covered(db, chain, header.volume, header.seq)

"""Judging: which pushed envelopes may stand in a log.

A relay cannot read bodies, but it can tell junk: an envelope must decode, follow its device's
stored chain and carry that device's signature. Anyone may push anyone's envelopes, because a
refill does just that; the signature says whose they are. Whether the device may write there is
asked last (``accepts``), and only of what is not stored yet. A snapshot may come before what it
follows: it can be verified alone, and lets the chain go on over what it covers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from syncchat.errors import DecodeError, TrustError
from syncchat.trust.chain import ChainHead, coverage_of, extend, stand_alone
from syncchat.wire.codes import ItemStatus
from syncchat.wire.coverage import Coverage
from syncchat.wire.envelope import EnvelopeKind, decode_envelope

from . import Outcome

StoredAt = Callable[[bytes, int], tuple[int, bytes | None] | None]
"""Takes a device and a chain seq, returns (seq, envelope) where it is stored, else None.

Of an envelope that a snapshot covers it returns the snapshot's seq, and no bytes."""


Accepts = Callable[[bytes, int], bool]
"""Takes a device and a chain seq, tells whether the room takes an envelope of it there."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """Is an envelope to store, with its chain's head after it.

    ``coverage`` is what a snapshot of ``volume`` stands for, None for another envelope; one that
    ``is_ahead`` of its chain does not move the chain on by itself.
    """

    raw: bytes
    device: bytes
    head: ChainHead
    volume: int = 0
    coverage: Coverage | None = None
    is_ahead: bool = False


def judge(
    room: bytes,
    raw: bytes,
    *,
    chain_of: Callable[[bytes], ChainHead | None],
    stored_at: StoredAt,
    accepts: Accepts,
) -> Fresh | Outcome:
    """Return what to store, or why not.

    ``chain_of`` gives the stored head of a device's chain, with what was judged ``Fresh`` earlier
    in the same transaction. After a bad envelope the rest of its chain is a gap by itself,
    because the head has not moved.
    """
    try:
        envelope, header = decode_envelope(raw)
    except DecodeError:
        return Outcome(ItemStatus.BAD_ENVELOPE, 0)
    head = chain_of(header.device)
    stored = head.seq if head is not None else 0
    is_snapshot = header.kind == EnvelopeKind.SNAPSHOT
    found = None
    if head is not None and (header.seq <= stored or is_snapshot):
        found = stored_at(header.device, header.seq)
    if found is not None:
        seq, first = found
        return Outcome(ItemStatus.KNOWN if first in (None, raw) else ItemStatus.CONFLICT, seq)
    if not accepts(header.device, header.seq):
        return Outcome(ItemStatus.FORBIDDEN, 0)
    is_ahead = header.seq > stored + 1
    if is_ahead and not is_snapshot:
        return Outcome(ItemStatus.GAP, stored)
    try:
        if is_ahead:
            after = stand_alone(room, envelope, header)
        else:
            (after,) = extend(room, head, [(envelope, header)])
    except TrustError:
        return Outcome(ItemStatus.BAD_ENVELOPE, 0)
    if head is not None and after.key != head.key:
        return Outcome(ItemStatus.BAD_ENVELOPE, 0)
    coverage = coverage_of(envelope, header) if is_snapshot else None
    return Fresh(raw, header.device, after, header.volume, coverage, is_ahead)

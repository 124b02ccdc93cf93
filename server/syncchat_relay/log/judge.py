"""Judging: which pushed envelopes may stand in a log.

A relay cannot read bodies, but it can tell junk: an envelope must decode, follow its device's
stored chain and carry that device's signature. Anyone may push anyone's envelopes, because a
refill does just that; the signature says whose they are. Whether the device may write there is
asked last (``accepts``), and only of what is not stored yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from syncchat.errors import DecodeError, TrustError
from syncchat.trust.chain import ChainHead, extend
from syncchat.wire.codes import ItemStatus
from syncchat.wire.envelope import decode_envelope

from . import Outcome

StoredAt = Callable[[bytes, int], tuple[int, bytes]]
"""Takes a device and a chain seq within its stored chain, returns (seq, envelope)."""


Accepts = Callable[[bytes, int], bool]
"""Takes a device and a chain seq, tells whether the room takes an envelope of it there."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """Is an envelope to store, with its chain's head after it."""

    raw: bytes
    device: bytes
    head: ChainHead


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
    if header.seq <= stored:
        seq, first = stored_at(header.device, header.seq)
        return Outcome(ItemStatus.KNOWN if first == raw else ItemStatus.CONFLICT, seq)
    if not accepts(header.device, header.seq):
        return Outcome(ItemStatus.FORBIDDEN, 0)
    if header.seq > stored + 1:
        return Outcome(ItemStatus.GAP, stored)
    try:
        (after,) = extend(room, head, [(envelope, header)])
    except TrustError:
        return Outcome(ItemStatus.BAD_ENVELOPE, 0)
    return Fresh(raw, header.device, after)

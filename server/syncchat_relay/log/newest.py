"""The newest of a room's log, put together so that it can be read ahead of what stands before it.

An envelope is opened with the link that it follows, which it does not say itself; so that has to be
told with it. The logs keep some links, and the others follow from the envelopes behind those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from syncchat.errors import DecodeError
from syncchat.trust.chain import context, link_after
from syncchat.trust.records import is_record
from syncchat.wire.envelope import Envelope, EnvelopeKind, Header, decode_envelope

from . import Newest, Placed

LINK_EVERY = 32
"""How many envelopes of a chain one kept link serves: a byte and a half for each."""

STEPS_MAX = 64
"""Envelopes that are read to find the link of one; a chain from before links were kept may need
more, and what cannot be placed cheaply is not shown ahead."""

PreviousOf = Callable[[bytes, int], bytes | None]
"""Takes a device and a chain seq, returns the link before that place, None for one not known."""

FirstOf = Callable[[bytes], tuple[int, bytes] | None]
"""Takes a device, returns (seq, envelope) of what stands first in its chain: an envelope, or the
snapshot that stands for it."""


class _Item(NamedTuple):
    seq: int
    raw: bytes
    envelope: Envelope
    header: Header


def newest(
    room: bytes,
    rows: Iterable[tuple[int, bytes]],
    *,
    head: int,
    after: int,
    envelopes_max: int,
    bytes_max: int,
    previous_of: PreviousOf,
    first_of: FirstOf,
) -> Newest:
    """Return the newest of a room from ``rows``: (seq, envelope) behind ``after``, newest first."""
    taken: list[_Item] = []
    size, since = 0, after + 1
    for seq, raw in rows:
        if is_record(raw):
            continue
        size += len(raw)
        if taken and (size > bytes_max or len(taken) == envelopes_max):
            since = seq + 1
            break
        item = _item(seq, raw)
        if item is not None:
            taken.append(item)
    chains: dict[bytes, list[_Item]] = {}
    for item in sorted(taken, key=lambda item: item.header.seq):
        chains.setdefault(item.header.device, []).append(item)
    placed: list[Placed] = []
    firsts: list[Placed] = []
    left = bytes_max
    for device, items in chains.items():
        placed += _placed(room, items, previous_of)
        first = first_of(device)
        if first is not None and after < first[0] < since and len(first[1]) <= left:
            item = _item(*first)
            found = [] if item is None else _placed(room, [item], previous_of)
            left -= sum(len(each.raw) for each in found)
            firsts += found
    return Newest(min(since, head + 1), tuple(firsts), tuple(placed))


def link_behind(room: bytes, known: bytes, raws: Sequence[bytes]) -> bytes | None:
    """Return the link after envelopes that follow a known link."""
    for raw in raws:
        item = _item(0, raw)
        if item is None:
            return None
        known = link_after(context(room, known, item.envelope.header), item.envelope, item.header)
    return known


def _item(seq: int, raw: bytes) -> _Item | None:
    try:
        return _Item(seq, raw, *decode_envelope(raw))
    except DecodeError:
        return None


def _placed(room: bytes, items: Sequence[_Item], previous_of: PreviousOf) -> list[Placed]:
    """Return envelopes of one chain, in its order, with the links that they follow."""
    placed: list[Placed] = []
    at, link = 0, None
    for seq, raw, envelope, header in items:
        if header.kind == EnvelopeKind.SNAPSHOT:
            placed.append(Placed(seq, raw))
            link = None
            continue
        if link is None or header.seq != at + 1:
            link = previous_of(header.device, header.seq)
        if link is None:
            continue
        placed.append(Placed(seq, raw, link))
        link = link_after(context(room, link, envelope.header), envelope, header)
        at = header.seq
    return placed

"""Coverage: which envelopes of its chain a snapshot stands for.

It is the clear beginning of a snapshot's body, because a relay must know what to delete and whether
a chain has a hole. The sealed rest follows it::

    count (2 bytes)  previous link (32)  count x [first seq (8)  last seq (8)  link at last (32)]

``previous`` is the link that the snapshot itself follows, so that it can be verified before its
predecessors are here, or where they are no more. The ranges are maximal runs of the chain, in
order, all before the snapshot; the link at the end of each lets the chain go on behind it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import DecodeError

LINK_BYTES = 32
RANGES_MAX = 1_000
"""Ranges of one snapshot: 48 KB; a volume that is scattered over more is left as it is."""

_SEALED_MIN = 16
_HEAD = struct.Struct(">H32s")
_RANGE = struct.Struct(">QQ32s")


class Range(NamedTuple):
    """Is a run of a chain, both ends included, with the link at its end."""

    first: int
    last: int
    link: bytes


class Coverage(NamedTuple):
    """Is what a snapshot says in the clear; ``raw`` are its bytes, which are authenticated."""

    previous: bytes
    ranges: tuple[Range, ...]
    raw: bytes


def encode_coverage(previous: bytes, ranges: Sequence[Range]) -> bytes:
    """Return the bytes of a coverage; raises ``ValueError`` for none or too many ranges."""
    if not 0 < len(ranges) <= RANGES_MAX:
        raise ValueError(f"a coverage of {len(ranges)} ranges")
    return _HEAD.pack(len(ranges), previous) + b"".join(_RANGE.pack(*each) for each in ranges)


def split_body(body: bytes, seq: int) -> tuple[Coverage, bytes]:
    """Return the coverage of the snapshot at a chain seq, and the sealed rest of its body.

    Raises ``DecodeError`` for what no writer makes.
    """
    if len(body) < _HEAD.size:
        raise DecodeError("the snapshot's coverage is cut off")
    count, previous = _HEAD.unpack_from(body)
    end = _HEAD.size + count * _RANGE.size
    if not 0 < count <= RANGES_MAX or len(body) < end + _SEALED_MIN:
        raise DecodeError(f"a snapshot that covers {count} ranges in {len(body)} bytes")
    ranges = tuple(Range(*each) for each in _RANGE.iter_unpack(body[_HEAD.size : end]))
    least = 1
    for first, last, _ in ranges:
        if first < least or last < first:
            raise DecodeError("a snapshot's ranges are out of order")
        least = last + 2  # or they would be one
    if ranges[-1].last >= seq:
        raise DecodeError("a snapshot covers what comes after it")
    return Coverage(previous, ranges, body[:end]), body[end:]


def ranges_of(links: Sequence[tuple[int, bytes]]) -> list[Range]:
    """Return the ranges that (seq, link) pairs in order make up."""
    found: list[Range] = []
    for seq, link in links:
        if found and found[-1].last == seq - 1:
            found[-1] = Range(found[-1].first, seq, link)
        else:
            found.append(Range(seq, seq, link))
    return found


def joined(ranges: Sequence[Range], links: Sequence[tuple[int, bytes]]) -> list[Range]:
    """Return ranges with (seq, link) pairs added, all of which come after them."""
    found = list(ranges)
    for each in ranges_of(links):
        if found and found[-1].last == each.first - 1:
            found[-1] = Range(found[-1].first, each.last, each.link)
        else:
            found.append(each)
    return found

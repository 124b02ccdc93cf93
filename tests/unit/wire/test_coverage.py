"""Coverage: the clear part of a snapshot, to the byte, and what is refused of it."""

from __future__ import annotations

import pytest

from syncchat.core.snapshots import (
    LettingGo,
    decode_snapshot,
    encode_snapshot,
    export_of,
    without,
)
from syncchat.errors import DecodeError
from syncchat.ids import Stamp
from syncchat.trust import chain
from syncchat.trust.seal import open_sealed
from syncchat.wire.coverage import Range, encode_coverage, joined, ranges_of, split_body
from syncchat.wire.envelope import decode_envelope
from tests import vectors

LINK = bytes(32)
SEALED = bytes(16)


def test_snapshot_is_the_golden_bytes() -> None:
    row = {
        name: bytes.fromhex(value) if name not in ("stamp", "ranges") else value
        for name, value in vectors.load("snapshots").items()
        if name != "letting_go"
    }
    envelope, header = decode_envelope(row["envelope"])
    assert envelope.header == row["header"]
    covered, sealed = split_body(envelope.body, header.seq)
    assert covered.raw == row["coverage"]
    assert covered.previous == row["previous_link"]
    assert [[*each[:2], each.link.hex()] for each in covered.ranges] == row["ranges"]
    assert encode_coverage(covered.previous, covered.ranges) == row["coverage"]
    context = chain.context(row["room"], covered.previous, envelope.header)
    text = open_sealed(row["body_key"], header.nonce, context + covered.raw, sealed)
    assert text == row["text"] == encode_snapshot(Stamp(str(row["stamp"])), row["export"])
    content = decode_snapshot(text, header.volume)
    assert [change.key for change in content.entries.values()] == ["032YFWNN8M000"]
    assert content.stamp == row["stamp"]
    assert chain.stand_alone(row["room"], envelope, header).link == row["link"]


def test_snapshot_that_lets_go_is_the_golden_bytes() -> None:
    rows = vectors.load("snapshots")
    row, newest = rows["letting_go"], Stamp(rows["stamp"])
    letting = LettingGo(Stamp(row["made"]), Stamp(row["cutoff"]))
    text, export = bytes.fromhex(row["text"]), bytes.fromhex(row["export"])
    assert text == encode_snapshot(newest, export, letting)
    content = decode_snapshot(text, 0)
    assert (content.entries, content.state.clock, content.letting_go) == ({}, 2, letting)
    whole = decode_snapshot(bytes.fromhex(rows["text"]), 0)
    assert export_of(whole).hex() == row["export_of_all"]
    assert export_of(without(whole, whole.entries, letting)) == export


def test_ranges_are_joined_where_they_meet() -> None:
    one, two, three = (bytes([n]) * 32 for n in range(3))
    ranges = ranges_of([(3, one), (4, two), (7, three)])
    assert ranges == [Range(3, 4, two), Range(7, 7, three)]
    assert joined(ranges, [(8, one), (10, two)]) == [
        Range(3, 4, two),
        Range(7, 8, one),
        Range(10, 10, two),
    ]
    assert joined([], [(1, one)]) == [Range(1, 1, one)]


@pytest.mark.parametrize(
    "ranges",
    [
        [Range(0, 1, LINK)],
        [Range(2, 1, LINK)],
        [Range(1, 2, LINK), Range(2, 3, LINK)],
        [Range(1, 2, LINK), Range(3, 3, LINK)],
        [Range(5, 6, LINK), Range(1, 1, LINK)],
        [Range(1, 9, LINK)],
        [Range(1, 2**63, LINK)],
    ],
    ids=["from 0", "backwards", "overlapping", "not joined", "out of order", "itself", "far"],
)
def test_ranges_that_no_writer_makes_are_refused(ranges: list[Range]) -> None:
    with pytest.raises(DecodeError):
        split_body(encode_coverage(LINK, ranges) + SEALED, 9)


def test_bytes_that_are_no_coverage_are_refused() -> None:
    whole = encode_coverage(LINK, [Range(1, 2, LINK)])
    for raw in (b"", whole[:33], whole, whole[:-1] + SEALED, bytes(2) + LINK + SEALED):
        with pytest.raises(DecodeError):
            split_body(raw, 9)
    many = (
        (1001).to_bytes(2)
        + LINK
        + b"".join(
            encode_coverage(LINK, [Range(2 * n + 1, 2 * n + 1, LINK)])[34:] for n in range(1001)
        )
    )
    with pytest.raises(DecodeError):
        split_body(many + SEALED, 9_999)
    with pytest.raises(ValueError, match="0 ranges"):
        encode_coverage(LINK, [])

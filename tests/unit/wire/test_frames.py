"""Tests of frames at their edges: sizes, unknown kinds, hostile bytes."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from syncchat.errors import DecodeError
from syncchat.wire import frames, limits
from syncchat.wire.envelope import Envelope, encode_envelope
from tests import vectors

pack = msgspec.msgpack.encode
FRAMES = list(vectors.frames())
FIRST_FIELDS: dict[type, int] = {frames.Auth: 5, frames.Deliver: 4, frames.Open: 3}
"""Elements, tag included, of frames that grew; the later ones may be missing."""
LARGEST = 2**53 - 1
UNKNOWN_TAGS = [0, 35, 36, 2**16 - 1]


def test_known_tags_are_those_of_the_frame_types() -> None:
    tags = {kind.__struct_config__.tag for kind in get_args(frames.AnyFrame)}
    assert frames.KNOWN_TAGS == tags == set(range(1, 35))


@pytest.mark.parametrize("tag", UNKNOWN_TAGS)
def test_frame_of_an_unknown_tag_is_skipped(tag: int) -> None:
    assert frames.decode(pack([tag])) is None
    assert frames.decode(pack([tag, "text", b"bytes", {"a": [1, None, 2.5]}, -1])) is None
    assert frames.decode(pack([tag, msgspec.msgpack.Ext(5, b"extension")])) is None


@pytest.mark.parametrize("tag", [-1, 2**16, 2**64 - 1, 1.0, True, None, "Hello", b"1", [1]])
def test_frame_whose_tag_is_no_small_number_is_refused(tag: object) -> None:
    with pytest.raises(DecodeError):
        frames.decode(pack([tag, 1, 2]))


@pytest.mark.parametrize("vector", FRAMES, ids=lambda vector: vector.name)
def test_appended_fields_are_ignored(vector: vectors.FrameVector) -> None:
    fields = msgspec.msgpack.decode(vector.raw)
    longer = pack([*fields, "new", {"in": 2}, b"\xff"])
    assert frames.decode(longer) == vector.frame


@pytest.mark.parametrize("vector", FRAMES, ids=lambda vector: vector.name)
def test_frame_that_lacks_its_last_field_is_refused(vector: vectors.FrameVector) -> None:
    fields = msgspec.msgpack.decode(vector.raw)[: FIRST_FIELDS.get(type(vector.frame))]
    if len(fields) > 1:
        with pytest.raises(DecodeError):
            frames.decode(pack(fields[:-1]))


def test_auth_without_the_fields_that_were_appended_has_neither_token_nor_proof() -> None:
    (auth,) = (v for v in FRAMES if v.name == "auth_with_token_and_proof")
    bare = frames.decode(pack(msgspec.msgpack.decode(auth.raw)[: FIRST_FIELDS[frames.Auth]]))
    assert isinstance(bare, frames.Auth)
    assert (bare.token, bare.operator) == ("", b"")


@pytest.mark.parametrize("vector", FRAMES, ids=lambda vector: vector.name)
def test_cut_frames_and_trailing_bytes_are_refused(vector: vectors.FrameVector) -> None:
    for size in range(len(vector.raw)):
        with pytest.raises(DecodeError):
            frames.decode(vector.raw[:size])
    with pytest.raises(DecodeError, match="trailing"):
        frames.decode(vector.raw + b"\0")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xc1",
        pack(5),
        pack([]),
        pack({"tag": 13}),
        pack("frame"),
        b"\x91" * limits.FRAME_BYTES_MAX,
        b"\x91" * 100_000 + b"\x01",
        b"\x92\x63" + b"\x91" * 100_000 + b"\x01",
        b"\x93\x0d\x01" + b"\x91" * 100_000 + b"\x01",
        b"\xdd\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff\x63",
        b"\x92\x63\xdf\xff\xff\xff\xff",
        b"\x92\x63\xc6\xff\xff\xff\xff",
        b"\x94\x05\x01\x01\xdd\xff\xff\xff\xff",
        b"\x94\x0f\x01\x01\xa2\xff\xfe",
    ],
    ids=lambda raw: f"{raw[:8].hex() or 'nothing'}-{len(raw)}",
)
def test_hostile_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        frames.decode(raw)


def test_frame_over_the_limit_is_refused_and_one_at_it_is_not() -> None:
    surrounding = len(frames.encode(frames.Push(4, 1, [b"x" * 100_000]))) - 100_000
    fits = frames.Push(4, 1, [b"x" * (limits.FRAME_BYTES_MAX - surrounding)])
    raw = frames.encode(fits)
    assert len(raw) == limits.FRAME_BYTES_MAX
    assert frames.decode(raw) == fits
    with pytest.raises(DecodeError, match="over the limit"):
        frames.decode(frames.encode(frames.Push(4, 1, [*fits.envelopes, b""])))


@pytest.mark.parametrize(
    "frame",
    [
        frames.Open(
            bytes(8),
            [frames.RoomCursor(bytes(16), LARGEST, bytes(8), LARGEST)] * limits.ROOMS_PER_OPEN_MAX,
        ),
        frames.Opened(
            [LARGEST] * limits.ROOMS_PER_OPEN_MAX,
            [frames.RoomState(3_999, LARGEST, LARGEST, LARGEST)] * limits.ROOMS_PER_OPEN_MAX,
        ),
        frames.Ack(LARGEST, LARGEST, [frames.AckItem(6, LARGEST)] * limits.ENVELOPES_PER_PUSH_MAX),
        frames.Cursors(
            LARGEST, [frames.DeviceCursor(bytes(8), LARGEST)] * limits.CHAINS_PER_FRAME_MAX
        ),
        frames.Chains(
            LARGEST, [frames.ChainHead(bytes(8), LARGEST)] * limits.CHAINS_PER_FRAME_MAX, True
        ),
        frames.Error(1, LARGEST, "\U0001f44d" * 1_000),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_fullest_frame_of_each_kind_keeps_within_the_limit(frame: frames.Frame) -> None:
    raw = frames.encode(frame)
    assert len(raw) <= limits.FRAME_BYTES_MAX
    assert frames.decode(raw) == frame


@pytest.mark.parametrize("kind", [frames.Push, frames.Deliver])
def test_largest_envelope_fits_in_a_frame(
    kind: type[frames.Push] | type[frames.Deliver],
) -> None:
    empty = len(encode_envelope(Envelope(bytes(512), bytes(100_000), bytes(64)))) - 100_000
    body = bytes(limits.ENVELOPE_BYTES_MAX - empty)
    envelope = encode_envelope(Envelope(bytes(512), body, bytes(64)))
    assert len(envelope) == limits.ENVELOPE_BYTES_MAX
    frame = kind(LARGEST, LARGEST, [envelope])
    assert frames.decode(frames.encode(frame)) == frame


@pytest.mark.parametrize(
    "frame",
    [
        frames.Ping(-1),
        frames.Ping(2**53),
        frames.Hello(1, 1, bytes(7), bytes(32)),
        frames.Hello(1, 1, bytes(8), bytes(33)),
        frames.Auth(1, bytes(31), "host", bytes(64)),
        frames.Auth(1, bytes(32), "h" * 256, bytes(64)),
        frames.Auth(1, bytes(32), "host", bytes(65)),
        frames.Auth(1, bytes(32), "host", bytes(64), "t" * 4_097),
        frames.Auth(1, bytes(32), "host", bytes(64), "", bytes(33)),
        frames.Renew("t" * 4_097),
        frames.Revoke(bytes(9), "", False),
        frames.Revoke(b"", "s" * 256, False),
        frames.Open(bytes(8), [frames.RoomCursor(bytes(15), 0, bytes(8), 0)]),
        frames.Open(bytes(8), [frames.RoomCursor(bytes(16), 0, bytes(9), 0)]),
        frames.Open(
            bytes(8),
            [frames.RoomCursor(bytes(16), 0, bytes(8), 0)] * (limits.ROOMS_PER_OPEN_MAX + 1),
        ),
        frames.Push(1, 1, []),
        frames.Push(1, 1, [b""] * (limits.ENVELOPES_PER_PUSH_MAX + 1)),
        frames.Deliver(1, 1, [b""] * 4_097),
        frames.Ack(1, 1, [frames.AckItem(0, 0)] * (limits.ENVELOPES_PER_PUSH_MAX + 1)),
        frames.Cursors(1, [frames.DeviceCursor(bytes(7), 0)]),
        frames.Chains(1, [], 1),  # type: ignore[arg-type]  # a number is no bool
        frames.Error(1, 0, "x" * 1_001),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_frame_out_of_its_bounds_is_refused(frame: frames.Frame) -> None:
    with pytest.raises(DecodeError):
        frames.decode(frames.encode(frame))

"""Laws of the wire format: whatever comes in, decoding gives a value or a DecodeError."""

from __future__ import annotations

import contextlib
from typing import Any, get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from syncchat.errors import DecodeError, InviteError
from syncchat.ids import RoomId
from syncchat.wire import frames
from syncchat.wire.envelope import (
    Envelope,
    Header,
    decode_envelope,
    encode_envelope,
    encode_header,
)
from syncchat.wire.invite import InviteKind, InviteLink, decode_invite, encode_invite
from tests import vectors

pack = msgspec.msgpack.encode

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.binary(max_size=70)
    | st.text(max_size=70)
    | st.builds(msgspec.msgpack.Ext, st.integers(-128, 127), st.binary(max_size=20)),
    lambda inner: (
        st.lists(inner, max_size=10) | st.dictionaries(st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=30,
)
FRAME_BYTES = [vector.raw for vector in vectors.frames()]
ENVELOPE_BYTES = [bytes.fromhex(row["envelope"]) for row in vectors.load("envelopes")["log"]]
LINKS = [row["link"] for row in vectors.load("invites")]


def _of_type(kind: msgspec.inspect.Type) -> st.SearchStrategy[Any]:
    """Return values of a field's type, within its bounds and with the bounds themselves."""
    match kind:
        case msgspec.inspect.StructType():
            return st.builds(kind.cls, *(_of_type(field.type) for field in kind.fields))
        case msgspec.inspect.ListType():
            return st.lists(_of_type(kind.item_type), min_size=kind.min_length or 0, max_size=5)
        case msgspec.inspect.BytesType():
            low = kind.min_length or 0
            return st.binary(min_size=low, max_size=kind.max_length or low + 300)
        case msgspec.inspect.StrType():
            return st.text(max_size=kind.max_length)
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.IntType():
            assert kind.ge is not None
            assert kind.lt is not None
            return st.integers(kind.ge, kind.lt - 1) | st.sampled_from([kind.ge, kind.lt - 1])
        case msgspec.inspect.NoneType():
            return st.none()
        case msgspec.inspect.UnionType():
            return st.one_of(*(_of_type(each) for each in kind.types))
        case _:
            raise AssertionError(f"no strategy for {kind}")


FRAMES = st.one_of(*(_of_type(msgspec.inspect.type_info(k)) for k in get_args(frames.AnyFrame)))


@st.composite
def mutated(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """Draw bytes that were valid until a few of them were changed, cut, doubled or put in."""
    raw = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(raw) - 1, 0)))
        match draw(st.integers(0, 4)):
            case 0 if raw:
                raw[at] = draw(st.integers(0, 255))
            case 1 if raw:
                raw[at] ^= 1 << draw(st.integers(0, 7))
            case 2:
                raw[at:at] = draw(st.binary(min_size=1, max_size=9))
            case 3:
                del raw[at : at + draw(st.integers(1, 20))]
            case _:
                raw[at:at] = raw[at : at + draw(st.integers(1, 40))]
    return bytes(raw)


@given(FRAMES)
def test_every_frame_within_its_bounds_comes_back(frame: frames.Frame) -> None:
    assert frames.decode(frames.encode(frame)) == frame


@given(FRAMES, st.lists(VALUES, max_size=4))
def test_fields_appended_to_any_frame_are_ignored(frame: frames.Frame, more: list[Any]) -> None:
    raw = pack([*msgspec.msgpack.decode(frames.encode(frame)), *more])
    assert frames.decode(raw) == frame


@given(st.integers(0, 2**16 - 1).filter(lambda tag: tag not in frames.KNOWN_TAGS), st.lists(VALUES))
def test_any_frame_of_an_unknown_tag_is_skipped(tag: int, fields: list[Any]) -> None:
    assert frames.decode(pack([tag, *fields])) is None


@given(st.binary(max_size=200) | mutated(FRAME_BYTES) | st.builds(pack, VALUES))
def test_any_bytes_are_a_frame_or_raise_decode_error_alone(raw: bytes) -> None:
    with contextlib.suppress(DecodeError):
        frame = frames.decode(raw)
        if frame is not None:
            assert frames.decode(frames.encode(frame)) == frame


@given(st.integers(1, 17), st.lists(VALUES, max_size=6))
def test_known_tag_with_any_fields_is_a_frame_or_raises_decode_error_alone(
    tag: int, fields: list[Any]
) -> None:
    with contextlib.suppress(DecodeError):
        frame = frames.decode(pack([tag, *fields]))
        assert frame is not None
        assert type(frame).__struct_config__.tag == tag


@given(st.binary(max_size=300) | mutated(ENVELOPE_BYTES) | st.builds(pack, VALUES))
def test_any_bytes_are_an_envelope_or_raise_decode_error_alone(raw: bytes) -> None:
    with contextlib.suppress(DecodeError):
        envelope, header = decode_envelope(raw)
        assert encode_envelope(envelope) == raw
        assert header.version == 1


@given(mutated([bytes.fromhex(row["header"]) for row in vectors.load("envelopes")["log"]]))
def test_any_header_is_read_or_raises_decode_error_alone(raw: bytes) -> None:
    with contextlib.suppress(DecodeError):
        envelope, header = decode_envelope(encode_envelope(Envelope(raw, bytes(16), bytes(64))))
        assert envelope.header == raw
        assert (header.seq == 1) == (header.key is not None)


@given(_of_type(msgspec.inspect.type_info(Header)), st.binary(min_size=16), st.binary())
def test_every_header_within_its_bounds_comes_back(
    header: Header, body: bytes, key_rest: bytes
) -> None:
    first = msgspec.structs.replace(
        header, version=1, seq=1, key=(header.device + key_rest + bytes(24))[:32]
    )
    later = msgspec.structs.replace(header, version=1, seq=max(2, header.seq), key=None)
    for each in (first, later):
        envelope = Envelope(encode_header(each), body, bytes(64))
        assert decode_envelope(encode_envelope(envelope)) == (envelope, each)


@given(
    st.builds(
        InviteLink,
        st.binary(min_size=16, max_size=16).map(RoomId),
        st.text(max_size=100),
        st.sampled_from(InviteKind),
        st.binary(min_size=16, max_size=16),
        st.text(max_size=60),
    )
)
def test_every_invite_comes_back_from_its_link(invite: InviteLink) -> None:
    link = encode_invite(invite)
    assert link.isascii()
    assert link.isprintable()
    assert " " not in link
    assert decode_invite(link) == invite


@given(
    st.text(max_size=100)
    | st.text(max_size=100).map(lambda text: "syncchat:" + text)
    | st.builds("syncchat:{}#{}".format, st.text("AZaz09-_"), st.text("AZaz09-_"))
    | mutated([link.encode() for link in LINKS]).map(lambda raw: raw.decode("latin-1"))
)
def test_any_text_is_an_invite_or_raises_invite_error_alone(text: str) -> None:
    with contextlib.suppress(InviteError):
        assert decode_invite(text) in [decode_invite(link) for link in LINKS]

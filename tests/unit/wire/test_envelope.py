"""Tests of the form of envelopes; what they prove is tested with the chain and the seal."""

from __future__ import annotations

import msgspec
import pytest

from syncchat.errors import DecodeError
from syncchat.wire.envelope import (
    HEADER_BYTES_MAX,
    Envelope,
    Header,
    decode_envelope,
    encode_envelope,
    encode_header,
)
from syncchat.wire.limits import ENVELOPE_BYTES_MAX
from tests import vectors

pack = msgspec.msgpack.encode
KEY = bytes(range(32))
FIRST = Header(1, 1, KEY[:8], 1, 0, 0, b"", bytes(24), KEY)
SECOND = Header(1, 1, KEY[:8], 2, 0, 0, b"", bytes(24))
DEEP = b"\x91" * 100_000 + b"\x01"
RAW = [bytes.fromhex(row["envelope"]) for row in vectors.load("envelopes")["log"]]


def _raw(header: bytes, *, body: bytes = bytes(16), signature: bytes = bytes(64)) -> bytes:
    return encode_envelope(Envelope(header, body, signature))


def _altered(header: Header, **changes: object) -> bytes:
    return _raw(encode_header(msgspec.structs.replace(header, **changes)))


@pytest.mark.parametrize("header", [FIRST, SECOND], ids=["first", "second"])
def test_envelope_comes_back_with_the_header_bytes_as_sent(header: Header) -> None:
    envelope, decoded = decode_envelope(_raw(encode_header(header), body=b"b" * 50))
    assert decoded == header
    assert envelope == Envelope(encode_header(header), b"b" * 50, bytes(64))


def test_header_bytes_stay_as_sent_where_another_encoding_says_the_same() -> None:
    long_form = bytearray(encode_header(SECOND))
    at = long_form.index(b"\x02", 9)  # seq, after version, kind and device
    long_form[at : at + 1] = b"\xcd\x00\x02"
    envelope, header = decode_envelope(_raw(bytes(long_form)))
    assert header == SECOND
    assert envelope.header == bytes(long_form) != encode_header(SECOND)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0},
        {"version": 2},
        {"version": -1},
        {"kind": -1},
        {"kind": 2**31},
        {"device": KEY[1:9]},
        {"device": KEY[:7]},
        {"seq": 0},
        {"seq": 2},
        {"seq": 2**53},
        {"volume": 2**31},
        {"epoch": -1},
        {"heads": bytes(65)},
        {"nonce": bytes(23)},
        {"nonce": "n" * 24},
        {"key": None},
        {"key": KEY + b"\0"},
    ],
    ids=str,
)
def test_header_out_of_its_bounds_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(DecodeError):
        decode_envelope(_altered(FIRST, **changes))


def test_key_stands_in_the_first_envelope_of_a_chain_only() -> None:
    with pytest.raises(DecodeError, match="only there"):
        decode_envelope(_altered(SECOND, key=KEY))
    with pytest.raises(DecodeError, match="only there"):
        decode_envelope(_altered(FIRST, key=None))
    with pytest.raises(DecodeError, match="does not begin"):
        decode_envelope(_altered(FIRST, key=KEY[::-1]))


def test_envelope_of_a_later_version_says_to_update() -> None:
    with pytest.raises(DecodeError, match="update syncchat"):
        decode_envelope(_altered(SECOND, version=2))


def test_deepest_header_is_read_from_any_height_of_the_stack() -> None:
    start = encode_header(SECOND)
    deepest = b"\x9a" + start[1:] + DEEP[-(HEADER_BYTES_MAX - len(start)) :]
    assert len(deepest) == HEADER_BYTES_MAX

    def read_from(height: int) -> Header:
        return read_from(height - 1) if height else decode_envelope(_raw(deepest))[1]

    assert read_from(0) == read_from(300) == SECOND


def test_unknown_kinds_and_appended_header_fields_are_kept() -> None:
    assert decode_envelope(_altered(SECOND, kind=77))[1].kind == 77
    longer = pack([*msgspec.msgpack.decode(encode_header(SECOND)), "new"])
    envelope, header = decode_envelope(_raw(longer))
    assert header == SECOND
    assert envelope.header == longer


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        pack([]),
        pack([b"", bytes(16), bytes(64)]),
        pack([encode_header(SECOND), bytes(15), bytes(64)]),
        pack([encode_header(SECOND), bytes(16), bytes(63)]),
        pack([encode_header(SECOND), bytes(16), bytes(65)]),
        pack([encode_header(SECOND), bytes(16)]),
        pack([encode_header(SECOND) + b"\0", bytes(16), bytes(64)]),
        pack([encode_header(SECOND)[:-1], bytes(16), bytes(64)]),
        pack([pack([*[0] * 9, "x" * 512]), bytes(16), bytes(64)]),
        pack(["header", bytes(16), bytes(64)]),
        b"\x93" + b"\xc6\xff\xff\xff\xff",
        b"\x91" * 100_000 + b"\x01",
        b"\x94" + pack([encode_header(SECOND), bytes(16), bytes(64)])[1:] + DEEP,
        pack([DEEP[-HEADER_BYTES_MAX:], bytes(16), bytes(64)]),
        pack([b"\x9a" + encode_header(SECOND)[1:] + DEEP[-500:], bytes(16), bytes(64)]),
        pack([b"\x91" * HEADER_BYTES_MAX, bytes(16), bytes(64)]),
    ],
    ids=lambda raw: f"{raw[:8].hex() or 'nothing'}-{len(raw)}",
)
def test_bytes_that_are_no_envelope_are_refused(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_envelope(raw)


@pytest.mark.parametrize("raw", RAW, ids=len)
def test_cut_envelopes_and_trailing_bytes_are_refused(raw: bytes) -> None:
    for size in range(len(raw)):
        with pytest.raises(DecodeError):
            decode_envelope(raw[:size])
    with pytest.raises(DecodeError):
        decode_envelope(raw + b"\0")


@pytest.mark.parametrize("raw", RAW, ids=len)
def test_each_envelope_has_one_form_so_that_nobody_makes_two_of_it(raw: bytes) -> None:
    parts = msgspec.msgpack.decode(raw)
    assert decode_envelope(pack(parts))[0] == Envelope(*parts)
    with pytest.raises(DecodeError, match="one form"):
        decode_envelope(pack([*parts, b"more"]))
    with pytest.raises(DecodeError, match="one form"):
        decode_envelope(b"\xdc\x00\x03" + raw[1:])
    with pytest.raises(DecodeError, match="one form"):
        decode_envelope(raw[:1] + b"\xc5\x00" + raw[2:])


def test_envelope_over_the_limit_is_refused_and_one_at_it_is_not() -> None:
    header = encode_header(SECOND)
    size = ENVELOPE_BYTES_MAX - (len(_raw(header, body=bytes(100_000))) - 100_000)
    raw = _raw(header, body=bytes(size))
    assert len(raw) == ENVELOPE_BYTES_MAX
    assert decode_envelope(raw)[1] == SECOND
    with pytest.raises(DecodeError, match="over the limit"):
        decode_envelope(_raw(header, body=bytes(size + 1)))

"""Envelopes: one sealed update with its clear header, as stored and forwarded.

An envelope is ``[header, body, signature]``, three msgpack byte strings. The header is itself a
msgpack array and stays bytes wherever it is hashed, signed or authenticated: nobody encodes it
again to verify. What the receiver knows already is not in it: the room comes with the
connection, the hash of the previous envelope from the chain, the body's hash from the body.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ..errors import DecodeError
from .coverage import split_body
from .limits import ENVELOPE_BYTES_MAX, VERSION

NONCE_BYTES = 24
SIGNATURE_BYTES = 64

HEADER_BYTES_MAX = 512
"""Three times the largest header of this version. Small enough that no nesting in fields which a
later version appends reaches Python's recursion limit: or else one peer, whose stack happens to be
higher, would refuse what another accepts."""


class EnvelopeKind(IntEnum):
    """Says what an envelope's body is."""

    UPDATE = 1
    """One update of the journal volume that the header names."""
    SNAPSHOT = 2
    """All of a volume, in place of the envelopes of the chain that ``coverage`` names."""


class Header(Struct, frozen=True, array_like=True):
    """Is the clear part of an envelope; all of it is authenticated with the body.

    ``device`` is the first 8 bytes of the writer's key; ``key`` the whole key, in the first
    envelope of a chain and in snapshots, which may be the first that is left, and nil elsewhere.
    ``heads`` is the head of the room's member log that the writer knew, empty where a room has
    none.
    """

    version: Annotated[int, Meta(ge=0, lt=2**31)]
    kind: Annotated[int, Meta(ge=0, lt=2**31)]
    device: Annotated[bytes, Meta(min_length=8, max_length=8)]
    seq: Annotated[int, Meta(ge=1, lt=2**53)]
    volume: Annotated[int, Meta(ge=0, lt=2**31)]
    epoch: Annotated[int, Meta(ge=0, lt=2**31)]
    heads: Annotated[bytes, Meta(max_length=64)]
    nonce: Annotated[bytes, Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
    key: Annotated[bytes, Meta(min_length=32, max_length=32)] | None = None


class Envelope(Struct, frozen=True, array_like=True):
    """Is one envelope taken apart; ``header`` stays the bytes that were sent."""

    header: Annotated[bytes, Meta(min_length=1, max_length=HEADER_BYTES_MAX)]
    body: Annotated[bytes, Meta(min_length=16, max_length=ENVELOPE_BYTES_MAX)]
    signature: Annotated[bytes, Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]


_encoder = msgspec.msgpack.Encoder()
_envelopes = msgspec.msgpack.Decoder(Envelope)
_headers = msgspec.msgpack.Decoder(Header)


def encode_header(header: Header) -> bytes:
    """Return the bytes of a header."""
    return _encoder.encode(header)


def encode_envelope(envelope: Envelope) -> bytes:
    """Return the bytes of an envelope."""
    return _encoder.encode(envelope)


def decode_envelope(raw: bytes) -> tuple[Envelope, Header]:
    """Return an envelope and its header.

    Checks the form only, not chain, signature or seal. Raises ``DecodeError`` for bytes that are
    no envelope, are over the size limit or come from a later version.
    """
    if len(raw) > ENVELOPE_BYTES_MAX:
        raise DecodeError(f"envelope of {len(raw)} bytes is over the limit of {ENVELOPE_BYTES_MAX}")
    try:
        envelope = _envelopes.decode(raw)
        header = _headers.decode(envelope.header)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as exc:
        raise DecodeError(f"not an envelope: {exc}") from exc
    if encode_envelope(envelope) != raw:  # or a relay could make two envelopes out of one
        raise DecodeError("not an envelope: it is not in its one form, or has more than its parts")
    if header.version != VERSION:
        raise DecodeError(f"envelope version {header.version}: update syncchat to read it")
    is_snapshot = header.kind == EnvelopeKind.SNAPSHOT
    if (header.seq == 1 or is_snapshot) != (header.key is not None):
        raise DecodeError(
            "the writer's key stands in the first envelope of a chain and in snapshots, only there"
        )
    if header.key is not None and header.key[:8] != header.device:
        raise DecodeError("the writer's key does not begin with its device id")
    if is_snapshot:
        split_body(envelope.body, header.seq)
    return envelope, header

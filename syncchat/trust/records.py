"""Records: what signed, hash-linked logs are made of; one module for people's and rooms' logs.

A record names the log it belongs to, the records it stands on, its signer, a kind and a content.
Its hash is over its bytes as they were sent, signature included, and the signature over the text
as it was sent; nothing is ever encoded anew to be verified. A log is what hangs together by
``prevs``: a chain as long as everybody saw the same, a graph where two wrote at once (``graph``).

The first record of a log has no ``prevs``. A room's id is the beginning of its first record's
hash, and a person's that of the root key's, so neither can be given to another.

A record's kind may be unknown to an older program: it is kept, passed on, and has no effect.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Annotated, Any, NewType

import msgspec
from msgspec import Meta, Struct

from ..errors import DecodeError
from .keys import DeviceKeys, verify

RECORD_BYTES_MAX = 131_072
"""A key epoch for about 1,200 members; more would not fit beside anything else in a frame."""

PREVS_MAX = 16
RECORD_VERSION = 1
HASH_BYTES = 32
LOG_BYTES = 16
NO_LOG = bytes(LOG_BYTES)
"""Stands in a log's first record where the log's id follows from that record."""

RecordHash = NewType("RecordHash", bytes)

_SIGNATURE_BYTES = 64
_TAIL_BYTES = 2 + _SIGNATURE_BYTES
"""The signature with the head that says how long it is."""

_HASH_DOMAIN = b"syncchat record 1\0"
_SIGN_DOMAIN = b"syncchat sign record 1\0"

Hash = Annotated[bytes, Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
Key = Annotated[bytes, Meta(min_length=32, max_length=32)]
LogBytes = Annotated[bytes, Meta(min_length=LOG_BYTES, max_length=LOG_BYTES)]
Millis = Annotated[int, Meta(ge=0, lt=2**53)]


class _Text(Struct, frozen=True, array_like=True):
    version: Annotated[int, Meta(ge=0, lt=2**31)]
    log: LogBytes
    prevs: Annotated[list[Hash], Meta(max_length=PREVS_MAX)]
    signer: Key
    at_ms: Millis
    kind: Annotated[int, Meta(ge=0, lt=2**31)]
    content: bytes


class _Signed(Struct, frozen=True, array_like=True):
    text: bytes
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


_encoder = msgspec.msgpack.Encoder()
_signed = msgspec.msgpack.Decoder(_Signed)
_texts = msgspec.msgpack.Decoder(_Text)


@dataclass(frozen=True, slots=True)
class Record:
    """Is one record taken apart; ``raw`` stays the bytes that were sent.

    Its longest parts are not kept a second time, for a room has thousands of records: in the one
    form that is taken each is the end of what holds it.
    """

    raw: bytes
    hash: RecordHash
    log: bytes
    prevs: tuple[RecordHash, ...]
    signer: bytes
    at_ms: int
    kind: int
    text_size: int
    content_size: int
    memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """Keeps what was decoded of the content, which never changes."""

    @property
    def content(self) -> bytes:
        """Return what the record says, the last part of ``text``."""
        return self.raw[-_TAIL_BYTES - self.content_size : -_TAIL_BYTES]

    @property
    def text(self) -> bytes:
        """Return what is signed."""
        return self.raw[-_TAIL_BYTES - self.text_size : -_TAIL_BYTES]

    @property
    def signature(self) -> bytes:
        """Return the signature, the last part of ``raw``."""
        return self.raw[-_SIGNATURE_BYTES:]


def is_record(raw: bytes) -> bool:
    """Tell records from envelopes, with which they share a room's log: two parts, not three."""
    return raw[:1] == b"\x92"


def record_hash(raw: bytes) -> RecordHash:
    """Return the hash by which others stand on a record."""
    return RecordHash(hashlib.blake2b(_HASH_DOMAIN + raw, digest_size=HASH_BYTES).digest())


def make_record(
    keys: DeviceKeys,
    *,
    log: bytes,
    prevs: tuple[RecordHash, ...],
    at_ms: int,
    kind: int,
    content: Struct,
) -> Record:
    """Return a signed record; raises ``DecodeError`` where it would be over the limit."""
    text = _encoder.encode(
        _Text(
            RECORD_VERSION,
            log,
            sorted(prevs),
            keys.public,
            at_ms,
            kind,
            _encoder.encode(content),
        )
    )
    return decode_record(_encoder.encode(_Signed(text, keys.sign(_SIGN_DOMAIN + text))))


def decode_record(raw: bytes) -> Record:
    """Return the record in ``raw``.

    Checks the form only, not the signature or what the signer may do. Raises ``DecodeError``.
    """
    if len(raw) > RECORD_BYTES_MAX:
        raise DecodeError(f"record of {len(raw)} bytes is over the limit of {RECORD_BYTES_MAX}")
    try:
        signed = _signed.decode(raw)
        text = _texts.decode(signed.text)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as exc:
        raise DecodeError(f"not a record: {exc}") from exc
    if text.version != RECORD_VERSION:
        raise DecodeError(f"record version {text.version}: update syncchat to read it")
    if _encoder.encode(signed) != raw or _encoder.encode(text) != signed.text:
        raise DecodeError("not a record: it is not in its one form, or has more than its parts")
    if any(a >= b for a, b in zip(text.prevs, text.prevs[1:], strict=False)):
        raise DecodeError("not a record: what it stands on is not in order, or named twice")
    return Record(
        raw,
        record_hash(raw),
        text.log,
        tuple(RecordHash(prev) for prev in text.prevs),
        text.signer,
        text.at_ms,
        text.kind,
        len(signed.text),
        len(text.content),
    )


def verify_record(record: Record) -> None:
    """Raise ``SignatureInvalid`` unless the signer signed the record."""
    verify(record.signer, _SIGN_DOMAIN + record.text, record.signature)

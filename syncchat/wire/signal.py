"""Signals: what is said in passing, who is here and who is typing. Nobody stores them.

A signal is ``[header, body, signature]``, as an envelope is, but outside any chain: the header
names the device, the key epoch, and a number that only grows for each device, its clock in ms. The
sealed body is one of the contents below. Unknown contents are skipped.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ..errors import DecodeError
from .envelope import NONCE_BYTES, SIGNATURE_BYTES
from .limits import SIGNAL_BYTES_MAX, VERSION

STATUS_CHARS_MAX = 100
THREAD_CHARS = 26


class SignalHeader(Struct, frozen=True, array_like=True):
    """Is the clear part of a signal; all of it is authenticated with the body."""

    version: Annotated[int, Meta(ge=0, lt=2**31)]
    device: Annotated[bytes, Meta(min_length=8, max_length=8)]
    epoch: Annotated[int, Meta(ge=0, lt=2**31)]
    number: Annotated[int, Meta(ge=0, lt=2**53)]
    nonce: Annotated[bytes, Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]


class SealedSignal(Struct, frozen=True, array_like=True):
    """Is a signal taken apart; ``header`` stays the bytes that were sent."""

    header: Annotated[bytes, Meta(min_length=1, max_length=128)]
    body: Annotated[bytes, Meta(min_length=16, max_length=SIGNAL_BYTES_MAX)]
    signature: Annotated[bytes, Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]


class Here(Struct, frozen=True, array_like=True, tag=1):
    """Says that somebody is here, or goes; ``asks`` wants to hear who else is."""

    is_here: bool
    asks: bool = False
    status: Annotated[str, Meta(max_length=STATUS_CHARS_MAX)] = ""


class Typing(Struct, frozen=True, array_like=True, tag=2):
    """Says that somebody types, or stopped; ``thread`` is a message id, empty for the room."""

    is_typing: bool
    thread: Annotated[str, Meta(max_length=THREAD_CHARS)] = ""


Content = Here | Typing

_encoder = msgspec.msgpack.Encoder()
_signals = msgspec.msgpack.Decoder(SealedSignal)
_headers = msgspec.msgpack.Decoder(SignalHeader)
_contents: msgspec.msgpack.Decoder[Content] = msgspec.msgpack.Decoder(Content)


def encode_header(header: SignalHeader) -> bytes:
    """Return the bytes of a header."""
    return _encoder.encode(header)


def encode_signal(signal: SealedSignal) -> bytes:
    """Return the bytes of a signal."""
    return _encoder.encode(signal)


def encode_content(content: Content) -> bytes:
    """Return the bytes of what a signal says."""
    return _encoder.encode(content)


def decode_signal(raw: bytes) -> tuple[SealedSignal, SignalHeader]:
    """Return a signal and its header; checks the form only. Raises ``DecodeError``."""
    if len(raw) > SIGNAL_BYTES_MAX:
        raise DecodeError(f"signal of {len(raw)} bytes is over the limit of {SIGNAL_BYTES_MAX}")
    try:
        signal = _signals.decode(raw)
        header = _headers.decode(signal.header)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as exc:
        raise DecodeError(f"not a signal: {exc}") from exc
    if header.version != VERSION:
        raise DecodeError(f"signal version {header.version}: update syncchat to read it")
    return signal, header


def decode_content(raw: bytes) -> Content:
    """Return what a signal says. Raises ``DecodeError``."""
    try:
        return _contents.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as exc:
        raise DecodeError(f"not the content of a signal: {exc}") from exc

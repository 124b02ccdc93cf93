"""Signals, sealed under the room's key and signed by the device that says it."""

from __future__ import annotations

import hashlib

from ..wire.limits import VERSION
from ..wire.signal import (
    Content,
    SealedSignal,
    SignalHeader,
    decode_content,
    encode_content,
    encode_header,
    encode_signal,
)
from .keys import DeviceKeys, verify
from .seal import ROOM_KEY_BYTES, open_sealed, seal

_DOMAIN = b"syncchat signal 1\0"


def seal_signal(
    keys: DeviceKeys,
    content: Content,
    *,
    room: bytes,
    room_key: bytes,
    epoch: int,
    number: int,
    nonce: bytes,
) -> bytes:
    """Return the bytes of a signal of this device in a room."""
    device = keys.public[:8]
    header = encode_header(SignalHeader(VERSION, device, epoch, number, nonce))
    context = _DOMAIN + room + header
    body = seal(_key(room_key, room, device), nonce, context, encode_content(content))
    return encode_signal(SealedSignal(header, body, keys.sign(context + body)))


def open_signal(
    signal: SealedSignal, header: SignalHeader, *, room: bytes, room_key: bytes, device_key: bytes
) -> Content:
    """Return what a signal says.

    Raises ``SignatureInvalid``, ``SealBroken`` or ``DecodeError``.
    """
    context = _DOMAIN + room + signal.header
    verify(device_key, context + signal.body, signal.signature)
    key = _key(room_key, room, header.device)
    return decode_content(open_sealed(key, header.nonce, context, signal.body))


def _key(room_key: bytes, room: bytes, device: bytes) -> bytes:
    text = room + device
    return hashlib.blake2b(
        text, key=room_key, digest_size=ROOM_KEY_BYTES, person=b"syncchat signl 1"
    ).digest()

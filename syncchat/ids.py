"""Identifiers: what names a room, a device, a message, and how each is written.

Text forms use Crockford's base32 alphabet, whose characters sort like the numbers that they
stand for; so a message id in text sorts in display order, by (HLC, device).

=============  =====================================  ==============================
id             bytes                                  text
=============  =====================================  ==============================
device key     32, an Ed25519 public key              52 characters
device         the first 8 of the device key          13 characters
HLC            8: 48 bits of ms, 16 of counter        13 characters
message        HLC + device                           26 characters
room           16, random                             26 characters
=============  =====================================  ==============================
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NewType

from .errors import DecodeError

DeviceKey = NewType("DeviceKey", bytes)
"""The 32 bytes of a device's Ed25519 public key."""

DeviceId = NewType("DeviceId", str)
"""The text of the first 8 bytes of a device key, 13 characters."""

MemberId = NewType("MemberId", str)
"""A person admitted to a room; until trust logs exist, the person's one device."""

MessageId = NewType("MessageId", str)
"""HLC text followed by device text, 26 characters."""

RoomId = NewType("RoomId", bytes)
"""The 16 random bytes that name a room."""

Stamp = NewType("Stamp", str)
"""The text of a hybrid logical clock reading, 13 characters."""

DEVICE_KEY_BYTES = 32
DEVICE_BYTES = 8
ROOM_BYTES = 16
STAMP_CHARS = 13
DEVICE_CHARS = 13
MESSAGE_CHARS = STAMP_CHARS + DEVICE_CHARS
ROOM_CHARS = 26

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_DIGITS = {char: value for value, char in enumerate(_ALPHABET)}
_HALF = re.compile("[0-9A-F][0-9A-HJKMNP-TV-Z]{12}")  # 64 bits: the first digit has four
_MESSAGE = re.compile(_HALF.pattern * 2)
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]


def base32_from_int(number: int, *, chars: int) -> str:
    """Return ``number`` in ``chars`` characters of Crockford's base32, high digits first."""
    pairs = [_PAIRS[number >> bits & 1023] for bits in range(10 * ((chars - 1) // 2), -1, -10)]
    return "".join(pairs)[-chars:]


def int_from_base32(text: str, *, bits: int) -> int:
    """Return the number written in ``text``.

    Raises ``DecodeError`` for a foreign character or a number of more than ``bits`` bits.
    """
    number = 0
    try:
        for char in text:
            number = number << 5 | _DIGITS[char]
    except KeyError:
        raise DecodeError(
            f"{text[:40]!r} is not an id: use 0-9 and A-Z without I, L, O, U"
        ) from None
    if number >> bits:
        raise DecodeError(f"{text[:40]!r} is not an id: it is too large")
    return number


def is_stamp(text: str) -> bool:
    """Tell whether ``text`` is an HLC reading."""
    return _HALF.fullmatch(text) is not None


def is_device_id(text: str) -> bool:
    """Tell whether ``text`` is a device id."""
    return _HALF.fullmatch(text) is not None


def is_message_id(text: str) -> bool:
    """Tell whether ``text`` is a message id."""
    return _MESSAGE.fullmatch(text) is not None


@lru_cache(maxsize=1_024)
def device_text(device: bytes) -> DeviceId:
    """Return the text of a device: its 8 bytes, or the 32 of its key."""
    return DeviceId(base32_from_int(int.from_bytes(device[:DEVICE_BYTES]), chars=DEVICE_CHARS))


def device_bytes(device: DeviceId) -> bytes:
    """Return the 8 bytes of a device's text form; raises ``DecodeError``."""
    _require_length(device, DEVICE_CHARS, "device id")
    return int_from_base32(device, bits=64).to_bytes(DEVICE_BYTES)


@lru_cache(maxsize=1_024)
def room_text(room_id: bytes) -> str:
    """Return the text of a room id."""
    return base32_from_int(int.from_bytes(room_id), chars=ROOM_CHARS)


def room_bytes(text: str) -> RoomId:
    """Return the room id written in ``text``; raises ``DecodeError``."""
    _require_length(text, ROOM_CHARS, "room id")
    return RoomId(int_from_base32(text, bits=128).to_bytes(ROOM_BYTES))


def member_bytes(member: MemberId) -> bytes | None:
    """Return the 16 bytes of a person's id, None for a device that stands for itself."""
    if len(member) != ROOM_CHARS:
        return None
    try:
        return int_from_base32(member, bits=128).to_bytes(ROOM_BYTES)
    except DecodeError:
        return None


def message_id(stamp: Stamp, device: DeviceId) -> MessageId:
    """Return the id of the message that ``device`` wrote at ``stamp``."""
    return MessageId(stamp + device)


def message_bytes(message: MessageId) -> bytes:
    """Return the 16 bytes of a message id: its stamp, then its device."""
    stamp, device = message[:STAMP_CHARS], message[STAMP_CHARS:]
    return int_from_base32(stamp, bits=64).to_bytes(8) + device_bytes(DeviceId(device))


def message_text(raw: bytes) -> MessageId:
    """Return the message id in 16 bytes, as ``message_bytes`` gave them."""
    stamp = Stamp(base32_from_int(int.from_bytes(raw[:8]), chars=STAMP_CHARS))
    return message_id(stamp, device_text(raw[8:]))


def stamp_of(message: MessageId) -> Stamp:
    """Return when a message was written."""
    return Stamp(message[:STAMP_CHARS])


def author_device(message: MessageId) -> DeviceId:
    """Return the device that wrote a message."""
    return DeviceId(message[STAMP_CHARS:])


def _require_length(text: str, chars: int, what: str) -> None:
    if len(text) != chars:
        raise DecodeError(f"{text[:40]!r} is not a {what}: it must have {chars} characters")

"""The people, the room and the fixed bytes that vectors are made with."""

from __future__ import annotations

import hashlib

from syncchat.ids import RoomId
from syncchat.trust.keys import DeviceKeys

ALICE = DeviceKeys(bytes(range(32)))
BOB = DeviceKeys(bytes(range(32, 64)))
ROOM = RoomId(bytes(range(0x60, 0x70)))
ROOM_KEY = bytes(range(0x80, 0xA0))
INVITE_SECRET = bytes(range(0xB0, 0xC0))
INCARNATION = bytes(range(0x70, 0x78))
CHALLENGE = bytes(range(0xA0, 0xC0))
OPERATOR_SECRET = bytes(range(0xC0, 0xE0))
LONG_UPDATE = b"the same words again, " * 50
LINKS = [hashlib.blake2b(bytes((n,)), digest_size=32).digest() for n in range(3)]

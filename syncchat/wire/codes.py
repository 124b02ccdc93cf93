"""What a relay can answer: states of items and blobs, and errors that end or limit a connection."""

from __future__ import annotations

from enum import IntEnum


class ItemStatus(IntEnum):
    """What became of one envelope of a Push."""

    STORED = 0
    """Durable, at the seq that the Ack names."""
    KNOWN = 1
    """The same envelope was stored before; the seq is its first one."""
    GAP = 2
    """The relay lacks an earlier envelope of the chain; seq is the chain seq that it has."""
    CONFLICT = 3
    """Another envelope is stored at this chain seq; seq is the relay's position of that one."""
    BAD_ENVELOPE = 4
    """Header, chain or signature do not hold. Permanent."""
    FORBIDDEN = 5
    """This device may not write this room. Permanent until membership changes."""
    FULL = 6
    """A quota or a queue is full; try again later."""
    STALE = 7
    """A record does not stand on the head of the room's log, or its pins are behind the chains
    that the relay has: read on, and make it anew."""


class BlobState(IntEnum):
    """What a relay says of one blob that it was given, asked about or told to drop."""

    HERE = 0
    """Durable at the relay."""
    ABSENT = 1
    """Not here, for who asks; in a room that is closed to them nothing is."""
    BAD = 2
    """The bytes are not those of this name; send it again."""
    REFUSED = 3
    """This device may send no files to this room."""
    ROOM_FULL = 4
    """The files of this room take as much as the relay gives to one room."""
    RELAY_FULL = 5
    """The relay has no space for files any more."""
    BUSY = 6
    """Too much waits; send it again a little later."""
    TAKEN = 7
    """It has come and is being stored; another answer to the same frame says what became of it."""


class ErrorCode(IntEnum):
    """Why a relay refuses a connection or a frame."""

    BAD_FRAME = 1
    """The bytes are no frame, or not one that may come now. The connection ends."""
    BAD_VERSION = 2
    """No common protocol version. The connection ends; update the older side."""
    BAD_AUTH = 3
    """The challenge was not answered with the device's signature for this host. It ends."""
    BUSY = 4
    """The relay is at a limit; try again after ``retry_after_ms``."""
    TOO_MANY_ROOMS = 5
    """The connection has too many rooms open."""
    FORBIDDEN = 6
    """This device may not read this room, or the room does not exist here."""
    SHUTTING_DOWN = 7
    """The relay is stopping; reconnect after ``retry_after_ms``."""
    INTERNAL = 8
    """The relay failed, for example its disk is full; nothing was acknowledged."""
    BAD_TOKEN = 9
    """No token, or not one that admits this device here; why is in the relay's log alone."""
    TOKEN_EXPIRING = 10
    """The connection's token ends in ``retry_after_ms``; send a fresh one with Renew."""
    TOKEN_EXPIRED = 11
    """The connection's token ended and no fresh one came. It ends; reconnect with a fresh one."""
    NOT_OPERATOR = 12
    """The operator's proof does not hold here, or an operator's frame came without one."""


PERMANENT_ITEMS = frozenset({ItemStatus.BAD_ENVELOPE, ItemStatus.FORBIDDEN})
"""Item states that trying again does not change: the item is parked, with its reason."""

NOT_RETRIED = frozenset(
    {ErrorCode.BAD_FRAME, ErrorCode.BAD_VERSION, ErrorCode.BAD_AUTH, ErrorCode.BAD_TOKEN}
)
"""Errors after which a peer does not reconnect by itself at once, but at the slowest pace."""

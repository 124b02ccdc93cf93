"""The digest: one number for all that a room shows, equal on every converged peer.

Each shown thing (a message with its reactions and votes, a field, a read marker) hashes to a
number; the digest is their sum modulo 2^256. Of a message that is to disappear only its id counts,
or the digests of peers whose clocks differ would differ. A sum does not depend on the order of
arrival and is kept up to date by subtracting the old number of what changed and adding the new
one. It detects divergence; it is no proof against someone who crafts collisions.
"""

from __future__ import annotations

import hashlib

import msgspec

from ..ids import MemberId, Stamp
from .fold import Shown
from .values import Root

DIGEST_BYTES = 32
_MODULUS = 1 << 8 * DIGEST_BYTES
_encoder = msgspec.msgpack.Encoder(order="deterministic")


def of_message(shown: Shown | None) -> int:
    """Return the number of what is shown of a message; 0 for nothing."""
    if shown is None:
        return 0
    if shown.deleted:
        return _number(("deleted", shown.id, *([shown.thread] if shown.thread else [])))
    if shown.value.expires is not None:  # when it goes each peer's own clock says
        return _number(("expires", shown.id))
    other_mentions = [shown.mentions] if shown.mentions != shown.value.mentions else []
    is_more = shown.votes or shown.closed_at is not None or shown.hidden
    return _number(
        (
            "message",
            shown.id,
            shown.value,
            shown.text,
            shown.edited_at,
            shown.reactions,
            *other_mentions,
            *([(shown.votes, shown.closed_at, shown.hidden)] if is_more else []),
        )
    )


def of_field(root: Root, member: MemberId | None, key: str, value: object) -> int:
    """Return the number of a profile's (then ``member`` is given) or the room's field."""
    return _number(("field", int(root), member, key, value))


def of_read(member: MemberId, place: str, upto: Stamp) -> int:
    """Return the number of a read marker; ``place`` is its key."""
    return _number(("read", member, place, upto))


def add(digest: bytes, change: int) -> bytes:
    """Return a digest moved on by the sum of new numbers less the old ones."""
    return ((int.from_bytes(digest) + change) % _MODULUS).to_bytes(DIGEST_BYTES)


def _number(thing: object) -> int:
    raw = hashlib.blake2b(_encoder.encode(thing), digest_size=DIGEST_BYTES).digest()
    return int.from_bytes(raw)

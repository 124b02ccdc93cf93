"""What cannot go out is found before it is sealed, while it can still be parked alone.

An envelope is bound to the one before it, so one that is refused holds up the chain. An op is
bound to nothing yet.
"""

from __future__ import annotations

from ..core.refusals import Refusal
from ..core.values import VALUE_BYTES_MAX, Root, decode_value
from ..errors import DecodeError
from ..storage import history
from ..storage.database import Database
from ..storage.outbox import Op


def foreseen(db: Database, room: int, op: Op) -> tuple[Refusal, str] | None:
    """Return why an op cannot go out, as a kind and in words; None where it can."""
    if op.raw is None:
        return None
    size = len(op.raw.encode())
    if size > VALUE_BYTES_MAX:
        words = f"it has {size:,} bytes, and others take {VALUE_BYTES_MAX:,}; send less, or a file"
        return Refusal.TOO_LARGE, words
    try:
        decode_value(op.root, op.raw)
    except DecodeError as exc:
        return Refusal.INVALID, f"others would not take it: {exc}"
    if op.root is Root.EDITS and history.is_deleted(db, room, op.key):
        return Refusal.TARGET_GONE, "the message that it changes was deleted meanwhile"
    return None

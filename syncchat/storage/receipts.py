"""Receipts: read markers as they are written, in a room or, unseen, in the personal one."""

from __future__ import annotations

from collections.abc import Mapping

from ..core.values import ReadValue, Root, encode_value
from ..ids import DeviceId, Stamp
from . import outbox, rooms, view
from .database import Database
from .outbox import Op


def put_receipts(
    db: Database, room: int, uptos: Mapping[str, Stamp], *, me: DeviceId, now_ms: int
) -> None:
    """Write read markers by their keys; inside a transaction.

    A device's markers never go back: each stamp is later than any it has written for its key.
    """
    batch = view.ViewBatch(db, room, me=me)
    for place, upto in sorted(uptos.items()):
        stamp = rooms.next_stamp(db, now_ms)
        read = ReadValue(stamp, upto)
        outbox.put(db, room, Op(Root.READS, place, stamp, encode_value(read)), device=me)
        batch.note(Root.READS, place, read)
    batch.flush()

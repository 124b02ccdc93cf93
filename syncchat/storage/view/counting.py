"""Counts and digests made anew from the rows, for checks; and an empty view to fold into."""

from __future__ import annotations

import msgspec

from ...core import digest
from ...core.values import Root
from ...ids import DeviceId, author_device, stamp_of
from .. import rooms
from ..database import Database
from ..members import Owners
from .messages import ROW, StoredRow, shown_of
from .reads import Uptos


def recount_digest(db: Database, room: int) -> bytes:
    """Return the digest of what the room's rows show, summed anew; for checks."""
    total = 0
    for row in db.execute(f"select {ROW} from message where room = ?", (room,)):
        total += digest.of_message(shown_of(StoredRow(*row)))
    for root, member, key, value in db.execute(
        "select root, member, key, value from field where room = ?", (room,)
    ):
        total += digest.of_field(Root(root), member, key, msgspec.json.decode(value))
    for member, writer, upto in db.execute(
        "select member, writer, upto from read_to where room = ?", (room,)
    ):
        total += digest.of_read(member, writer, upto)
    return digest.add(bytes(digest.DIGEST_BYTES), total)


def recount_unread(db: Database, room: int, *, me: DeviceId) -> int:
    """Return how many messages are unread, counted anew; for checks."""
    owners = Owners(db, room)
    uptos = Uptos(db, room, owners[me])
    return sum(
        stamp_of(message) > uptos[author_device(message)]
        for (message,) in db.rows(
            "select message from message where room = ? and deleted = 0", (room,)
        )
        if owners[author_device(message)] != owners[me]
    )


def clear(db: Database, room: int) -> None:
    """Empty a room's view, to fold it anew from its envelopes and its outbox."""
    for table in ("message", "mark", "field", "read_to"):
        db.execute(f"delete from {table} where room = ?", (room,))
    db.execute("delete from volume where chain in (select id from chain where room = ?)", (room,))
    rooms.set_digest(db, room, bytes(digest.DIGEST_BYTES))

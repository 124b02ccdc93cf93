"""What a person does not want to see: messages deleted for themselves, and people they blocked.

Both are fields of the personal room. Such messages stay in the room, in its digest and in the
database; they are left out of pages, counts of what is unread, and events.
"""

from __future__ import annotations

from ..core.values import Root
from ..ids import MemberId, MessageId, room_text
from . import identity, rooms
from .database import Database

GONE_FIELD = "gone/"
"""Begins the key of a message deleted for oneself; behind it stand room, ``/`` and message."""

BLOCK_FIELD = "block/"
"""Begins the key of a blocked member."""


_HAS_ANY = f"""
select home, exists (select 1 from field where room = home and root = {int(Root.ROOM)}
    and member = '' and value <> 'null'
    and ((key >= 'gone/' and key < 'gone0') or (key >= 'block/' and key < 'block0')))
from identity
"""


def shown_condition(db: Database, room: int) -> str:
    """Return an SQL condition that holds for the rows of ``message`` that are to be shown.

    It is made of row numbers and of an id's text, none of which anybody else can choose.
    """
    row = db.row(_HAS_ANY)
    if row is None or not row[1]:
        return "1"
    where = f"f.room = {row[0]} and f.root = {int(Root.ROOM)} and f.member = '' "
    where += "and f.value <> 'null' and f.key = "
    gone = f"'{GONE_FIELD}{room_text(rooms.load_room(db, room).room_id)}/' || message.message"
    return (
        f"not exists (select 1 from field f where {where}{gone}) and not exists ("
        f"select 1 from device d join field f on {where}'{BLOCK_FIELD}' || d.member "
        f"where d.room = {room} and d.device = substr(message.message, 14))"
    )


def is_aside(db: Database, condition: str, message: MessageId) -> bool:
    """Tell whether a message is left out by a room's ``shown_condition``, be it here or not."""
    if condition == "1":
        return False
    (shown,) = db.execute(
        f"select {condition} from (select ? as message) as message", (message,)
    ).fetchone()
    return not shown


def blocked(db: Database) -> frozenset[MemberId]:
    """Return whom the person has blocked."""
    who = identity.load_identity(db)
    if who is None or who.home is None:
        return frozenset()
    return frozenset(
        MemberId(key[len(BLOCK_FIELD) :])
        for (key,) in db.rows(
            "select key from field where room = ? and root = ? and member = '' "
            "and key >= 'block/' and key < 'block0' and value <> 'null'",
            (who.home, int(Root.ROOM)),
        )
    )

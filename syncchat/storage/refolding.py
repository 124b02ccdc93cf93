"""Folding a room anew without telling anybody: what shows as before has not changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..core.values import Root
from . import rooms
from .aside import BLOCK_FIELD, GONE_FIELD
from .database import Database
from .view.unread import MARK_FIELD

_SHOWN = "value, edited, edited_at, deleted, reactions, mentions, votes, gone, hidden"


@contextmanager
def unmoved(db: Database, room: int) -> Iterator[None]:
    """Have what the block clears and folds anew keep the numbers of its changes.

    Inside a transaction. A message keeps the number under which it was added; the number of its
    last change too, unless it shows otherwise now. What was shown in vain is told as a change of
    the room. What the personal room says of messages elsewhere has not moved them either.
    """
    (title, changed) = db.execute("select title, change from room where id = ?", (room,)).fetchone()
    for name, rows in _KEPT.items():
        # Made once for a connection: each change of a schema has all statements prepared anew.
        db.execute(f"create temp table if not exists before_{name} as {rows} limit 0", (room,))
        db.execute(f"insert into temp.before_{name} {rows}", (room,))
    try:
        yield
        for statement in _RESTORED:
            db.execute(statement, (room,))
        db.execute("update room set change = ? where id = ? and title = ?", (changed, room, title))
        gone = db.row(
            "select 1 from before_message where message not in "
            "(select message from message where room = ?) limit 1",
            (room,),
        )
        if gone is not None:
            change = rooms.next_change(db)
            db.execute("update room set change = ? where id = ?", (change, room))
    finally:
        for (name,) in db.rows("select name from temp.sqlite_schema where name glob 'before_*'"):
            db.execute(f"delete from temp.{name}")


_KEPT = {
    "message": f"select message, added, mention_at, change, {_SHOWN} from message where room = ?",
    "field": "select root, member, key, value, change from field where room = ?",
    "read_to": "select place, member, upto, change from read_to where room = ?",
    "marked": (
        "select message.id, message.unread, message.change from field cross join room join message "
        f"on message.room = room.id and message.message = substr(field.key, {len(MARK_FIELD) + 1}) "
        f"where field.room = ? and field.root = {int(Root.ROOM)} "
        f"and field.key glob '{MARK_FIELD}*'"
    ),
    "elsewhere": "select id, change from room where ? in (select home from identity)",
}

_ASIDE = f"(key glob '{BLOCK_FIELD}*' or key glob '{GONE_FIELD}*')"

_SAME = " and ".join(f"message.{each} is before.{each}" for each in _SHOWN.split(", "))

_RESTORED = (
    "update message set added = before.added, "
    "mention_at = coalesce(before.mention_at, message.mention_at), "
    f"change = case when {_SAME} then before.change else message.change end "
    "from temp.before_message as before "
    "where message.room = ? and before.message = message.message",
    "update field set change = before.change from temp.before_field as before "
    "where field.room = ? and before.root = field.root and before.member = field.member "
    "and before.key = field.key and before.value = field.value",
    "update read_to set change = before.change from temp.before_read_to as before "
    "where read_to.room = ? and before.place = read_to.place "
    "and before.member = read_to.member and before.upto = read_to.upto",
    "update message set change = before.change from temp.before_marked as before "
    "where ? and before.id = message.id and before.unread = message.unread",
    "update room set change = before.change from temp.before_elsewhere as before "
    "where room.id = before.id and room.id <> ?1 and not exists ("
    f"select key, value from field where room = ?1 and {_ASIDE} "
    f"except select key, value from temp.before_field where {_ASIDE})",
)

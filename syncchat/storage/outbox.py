"""The outbox: entries written here that are not yet sealed into an envelope.

An op is one journal entry to be. There is at most one for each key, so what was edited, reacted
to or deleted before it was sealed leaves here in its final form only. An op that cannot be sealed
is parked with its reason and stays; those behind it go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core import clock
from ..core.refusals import Refusal
from ..core.values import ABOUT_MESSAGES, Root
from ..ids import MESSAGE_CHARS, STAMP_CHARS, DeviceId, Stamp, message_id
from .database import Database

if TYPE_CHECKING:
    from ..core.journal import Entry  # which loads the CRDT library


_COLUMNS = "id, root, key, at, raw, refusal, why"

_ABOUT = ", ".join(
    str(int(root)) for root in sorted({Root.MESSAGES, *ABOUT_MESSAGES} - {Root.DELETES})
)

_PARKED_MESSAGES = (
    f"select target from op where room = ? and refusal is not null and +root = {int(Root.MESSAGES)}"
)
"""The plus keeps SQLite from looking by the root, which all that waits has in common: by it, one
more message cost as many steps as messages were waiting."""


_FREE = f"room = :room and refusal is null and target not in ({_PARKED_MESSAGES})".replace(
    "room = ?", "room = :room"
)
_OPS = "select id, root, key, at, raw from op"
_PENDING = f"""
select root, key, at, raw from (
    select * from (
        {_OPS} where root = 1 and raw is not null and at = key and {_FREE} order by key limit :limit
    )
    union all select * from (
        {_OPS} indexed by op_erased where root = 1 and (raw is null or at <> key) and {_FREE}
        order by at, id limit :limit
    )
    union all select * from ({_OPS} where root <> 1 and {_FREE} order by at, id limit :limit)
) order by at, id limit :limit
"""
"""Messages have their stamps as keys, by which they are found in order, however many wait; what is
erased of the journal has the key of what was there, and an index of its own."""


@dataclass(frozen=True, slots=True)
class Op:
    """Is one entry to be; ``raw`` is None for an erasure."""

    root: Root
    key: str
    at: Stamp
    raw: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Is an op in the outbox, with its row, and why it is parked, None while it is not."""

    id: int
    op: Op
    refusal: Refusal | None
    why: str


def target_of(root: Root, key: str, device: DeviceId) -> str:
    """Return what an entry is about: a message id, or the field or device that is its key."""
    if root is Root.MESSAGES:
        return message_id(Stamp(key), device)
    return key[:MESSAGE_CHARS] if root in ABOUT_MESSAGES else key


def put(db: Database, room: int, op: Op, *, device: DeviceId) -> None:
    """Queue an op, in place of an earlier one for the same key."""
    db.execute(
        "insert into op (room, root, key, target, at, raw) values (?, ?, ?, ?, ?, ?) "
        "on conflict (room, root, key) do update set at = excluded.at, raw = excluded.raw, "
        "refusal = null, why = ''",
        (room, op.root, op.key, target_of(op.root, op.key, device), op.at, op.raw),
    )


def drop(db: Database, room: int, root: Root, key: str) -> None:
    """Take an op back."""
    db.execute("delete from op where room = ? and root = ? and key = ?", (room, root, key))


def drop_about(db: Database, room: int, target: str) -> None:
    """Take back every op about a message."""
    db.execute("delete from op where room = ? and target = ? and root <> 1", (room, target))
    db.execute(
        "delete from op where room = ? and root = ? and key = ? and target = ?",
        (room, Root.MESSAGES, target[:STAMP_CHARS], target),
    )


def drop_sealed(db: Database, room: int, entries: list[Entry]) -> None:
    """Remove ops that an envelope now carries."""
    db.executemany(
        "delete from op where room = ? and root = ? and key = ?",
        [(room, entry.root, entry.key) for entry in entries],
    )


def find(db: Database, room: int, root: Root, key: str) -> Op | None:
    """Return the op for a key, or None."""
    row = db.row(
        "select root, key, at, raw from op where room = ? and root = ? and key = ?",
        (room, root, key),
    )
    return None if row is None else Op(Root(row[0]), row[1], row[2], row[3])


def pending(db: Database, room: int, *, limit: int) -> list[Op]:
    """Return the first ops of a room that can go, in the order of their stamps.

    What is about a parked message waits with it.
    """
    return [
        Op(Root(root), key, at, raw)
        for root, key, at, raw in db.rows(_PENDING, {"room": room, "limit": limit})
    ]


def waiting(db: Database, room: int, *, after: int = 0, limit: int) -> list[Waiting]:
    """Return ops of a room, parked ones too, in that order: the first, or those after a row."""
    where, values = "", (room,)
    if after:
        row = db.row("select at, id from op where room = ? and id = ?", (room, after))
        where, values = "and (at, id) > (?, ?) ", (room, *(row or ("~", 0)))
    return [
        _waiting(row)
        for row in db.rows(
            f"select {_COLUMNS} from op where room = ? {where}order by at, id limit ?",
            (*values, limit),
        )
    ]


def find_waiting(db: Database, room: int, id_: int) -> Waiting | None:
    """Return the op of a row, or None."""
    row = db.row(f"select {_COLUMNS} from op where room = ? and id = ?", (room, id_))
    return None if row is None else _waiting(row)


def park(db: Database, room: int, op: Op, refusal: Refusal, why: str) -> None:
    """Leave an op where it is, for this reason, until somebody retries, changes or discards it."""
    db.execute(
        "update op set refusal = ?, why = ? where room = ? and root = ? and key = ?",
        (refusal, why, room, op.root, op.key),
    )


def parked(db: Database, room: int) -> list[Waiting]:
    """Return the ops of a room that are parked, in the order of their stamps."""
    return [
        _waiting(row)
        for row in db.rows(
            f"select {_COLUMNS} from op where room = ? and refusal is not null order by at, id",
            (room,),
        )
    ]


def unpark(db: Database, room: int, id_: int) -> None:
    """Let a parked op go, as it is."""
    db.execute("update op set refusal = null, why = '' where room = ? and id = ?", (room, id_))


def about(db: Database, room: int, target: str) -> list[Op]:
    """Return the ops about a message that are not the message itself."""
    return [
        Op(Root(root), key, at, raw)
        for root, key, at, raw in db.rows(
            "select root, key, at, raw from op where room = ? and target = ? and root <> 1",
            (room, target),
        )
    ]


def naming(db: Database, room: int, message: str) -> list[Op]:
    """Return the messages in the outbox that name another one: answers to it, or in its thread."""
    return [
        Op(Root.MESSAGES, key, at, raw)
        for key, at, raw in db.rows(
            "select key, at, raw from op where room = ? and root = ? and target <> ? "
            "and refusal is not ? and instr(raw, ?)",
            (room, int(Root.MESSAGES), message, str(Refusal.INVALID), message),
        )
    ]


def about_older(db: Database, room: int, cutoff: str) -> list[tuple[Root, str, str]]:
    """Return (root, key, message) of what is, or is about, messages before an id; deletions and
    erasures are not among it."""
    return [
        (Root(root), key, target)
        for root, key, target in db.rows(
            f"select root, key, target from op where room = ? and root in ({_ABOUT}) "
            "and raw is not null and target < ? order by at, id",
            (room, cutoff),
        )
    ]


def give_stamp(db: Database, room: int, id_: int, stamp: Stamp, *, device: DeviceId) -> None:
    """Give one op another stamp, and where it is a message another id, everywhere in the outbox."""
    row = db.row("select root, key, at, raw is null from op where id = ?", (id_,))
    assert row is not None
    root, key, at, is_erasure = row
    db.execute("update op set at = ? where id = ?", (stamp, id_))
    if is_erasure:
        return  # its key is that of an entry which stands in the journal
    if root == Root.MESSAGES:
        old, new = message_id(key, device), message_id(stamp, device)
        db.execute("update op set key = ?, target = ? where id = ?", (stamp, new, id_))
        db.execute(
            "update sent_once set message = ? where room = ? and message = ?", (new, room, old)
        )
        db.execute(
            "update op set target = replace(target, ?, ?), key = replace(key, ?, ?), "
            "raw = replace(raw, ?, ?) where room = ? and (instr(target, ?) or instr(raw, ?))",
            (old, new, old, new, old, new, room, old, old),
        )
    else:
        db.execute("update op set raw = replace(raw, ?, ?) where id = ?", (at, stamp, id_))


def parked_messages(db: Database, room: int) -> set[str]:
    """Return the messages that are parked."""
    return {target for (target,) in db.rows(_PARKED_MESSAGES, (room,))}


def is_any_open(db: Database, room: int) -> bool:
    """Tell whether a room has ops that are not parked."""
    row = db.row("select 1 from op where room = ? and refusal is null limit 1", (room,))
    return row is not None


def count(db: Database, room: int) -> int:
    """Return how many ops a room has, those that are parked included."""
    (found,) = db.execute("select count(*) from op where room = ?", (room,)).fetchone()
    return int(found)


def rooms_with_ops(db: Database) -> set[int]:
    """Return the rooms that have something to seal."""
    return {
        room
        for (room,) in db.rows(
            "select id from room where exists "
            "(select 1 from op where op.room = room.id and refusal is null)"
        )
    }


def restamp(db: Database, room: int, *, device: DeviceId, after: Stamp, now_ms: int) -> None:
    """Give all ops stamps later than ``after``, in their order, and their messages new ids.

    Needed only where an old copy of the database was restored: what it still holds unsent must
    follow what this device had already sent in the life that was restored away. The new stamps
    are later than any that this database has given, so none meets that of another op.
    """
    (last,) = db.execute("select max(last_stamp, ?) from local", (after,)).fetchone()
    ops = db.rows("select id from op where room = ? order by at, id", (room,))
    for (op,) in ops:
        last = clock.tick(last, now_ms)
        give_stamp(db, room, op, last, device=device)
    db.execute("update local set last_stamp = max(last_stamp, ?)", (last,))


def _waiting(row: tuple[Any, ...]) -> Waiting:
    id_, root, key, at, raw, refusal, why = row
    return Waiting(id_, Op(Root(root), key, at, raw), refusal and Refusal(refusal), why)

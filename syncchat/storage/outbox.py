"""The outbox: entries written here that are not yet sealed into an envelope.

An op is one journal entry to be. There is at most one for each key, so what was edited, reacted
to or deleted before it was sealed leaves here in its final form only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core import clock
from ..core.values import ABOUT_MESSAGES, Root
from ..ids import MESSAGE_CHARS, DeviceId, Stamp, message_id
from .database import Database

if TYPE_CHECKING:
    from ..core.journal import Entry  # which loads the CRDT library


@dataclass(frozen=True, slots=True)
class Op:
    """Is one entry to be; ``raw`` is None for an erasure."""

    root: Root
    key: str
    at: Stamp
    raw: str | None


def target_of(root: Root, key: str, device: DeviceId) -> str:
    """Return what an entry is about: a message id, or the field or device that is its key."""
    if root is Root.MESSAGES:
        return message_id(Stamp(key), device)
    return key[:MESSAGE_CHARS] if root in ABOUT_MESSAGES else key


def put(db: Database, room: int, op: Op, *, device: DeviceId) -> None:
    """Queue an op, in place of an earlier one for the same key."""
    db.execute(
        "insert into op (room, root, key, target, at, raw) values (?, ?, ?, ?, ?, ?) "
        "on conflict (room, root, key) do update set at = excluded.at, raw = excluded.raw",
        (room, op.root, op.key, target_of(op.root, op.key, device), op.at, op.raw),
    )


def drop(db: Database, room: int, root: Root, key: str) -> None:
    """Take an op back."""
    db.execute("delete from op where room = ? and root = ? and key = ?", (room, root, key))


def drop_about(db: Database, room: int, target: str) -> None:
    """Take back every op about a message."""
    db.execute("delete from op where room = ? and target = ?", (room, target))


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
    """Return the first ops of a room in the order of their stamps."""
    return [
        Op(Root(root), key, at, raw)
        for root, key, at, raw in db.rows(
            "select root, key, at, raw from op where room = ? order by at, id limit ?",
            (room, limit),
        )
    ]


def count(db: Database, room: int) -> int:
    """Return how many ops a room has pending."""
    (found,) = db.execute("select count(*) from op where room = ?", (room,)).fetchone()
    return int(found)


def rooms_with_ops(db: Database) -> set[int]:
    """Return the rooms that have something to seal."""
    return {room for (room,) in db.rows("select distinct room from op")}


def restamp(db: Database, room: int, *, device: DeviceId, after: Stamp, now_ms: int) -> None:
    """Give all ops stamps later than ``after``, in their order, and their messages new ids.

    Needed only where an old copy of the database was restored: what it still holds unsent must
    follow what this device had already sent in the life that was restored away. The new stamps
    are later than any that this database has given, so none meets that of another op.
    """
    (last,) = db.execute("select max(last_stamp, ?) from local", (after,)).fetchone()
    ops = db.rows(
        "select id, root, key, at, raw is null from op where room = ? order by at, id", (room,)
    )
    for op, root, key, at, is_erasure in ops:
        last = clock.tick(last, now_ms)
        db.execute("update op set at = ? where id = ?", (last, op))
        if is_erasure:
            continue  # its key is that of an entry which stands in the journal
        if root == Root.MESSAGES:
            old, new = message_id(key, device), message_id(last, device)
            db.execute("update op set key = ?, target = ? where id = ?", (last, new, op))
            db.execute(
                "update op set target = ?, key = replace(key, ?, ?), raw = replace(raw, ?, ?) "
                "where room = ? and (target = ? or instr(raw, ?))",
                (new, old, new, old, new, room, old, old),
            )
        else:
            db.execute("update op set raw = replace(raw, ?, ?) where id = ?", (at, last, op))
    db.execute("update local set last_stamp = max(last_stamp, ?)", (last,))

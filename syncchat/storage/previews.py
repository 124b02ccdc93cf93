"""Previews: entries that are shown before the chain that they stand in has come to them.

Each is remembered with its place in its journal until the chain brings the same entry there. What
is left when a room has caught up was none of its chain's, and is taken back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..core.values import Root
from ..ids import MessageId
from .database import Database

PREVIEWS = """
create table preview (
    room integer not null references room (id),
    chain integer not null references chain (id),
    volume integer not null,
    clock integer not null,
    root integer not null,
    key text not null,
    primary key (room, chain, volume, clock)
) strict, without rowid
"""


IS_AHEAD = (
    "exists (select 1 from preview where preview.room = message.room "
    "and preview.chain = message.chain and preview.volume = message.volume "
    "and preview.clock = message.clock)"
)
"""Is true of a message that is shown ahead."""


class Preview(NamedTuple):
    """Is one entry that was shown ahead: its place in a journal, and what it is about."""

    chain: int
    volume: int
    clock: int
    root: Root
    key: str


def all_previews(db: Database, room: int) -> set[Preview]:
    """Return every entry of a room that was shown ahead and is not confirmed."""
    rows = db.rows("select chain, volume, clock, root, key from preview where room = ?", (room,))
    return {
        Preview(chain, volume, clock, Root(root), key)
        for *[chain, volume, clock], root, key in rows
    }


def add(db: Database, room: int, previews: Iterable[Preview]) -> None:
    """Remember entries that are shown ahead."""
    db.executemany(
        "insert or ignore into preview values (?, ?, ?, ?, ?, ?)",
        [(room, *each) for each in previews],
    )


def drop(db: Database, room: int, previews: Iterable[Preview]) -> None:
    """Forget entries: their chain has brought them, or they were taken back."""
    db.executemany(
        "delete from preview where room = ? and chain = ? and volume = ? and clock = ?",
        [(room, each.chain, each.volume, each.clock) for each in previews],
    )


def first_ahead(db: Database, room: int) -> MessageId | None:
    """Return the first message of a room that is shown ahead, None where none is."""
    row = db.row(
        "select min(message) from preview join message using (chain, volume, clock) "
        "where preview.room = ?",
        (room,),
    )
    return None if row is None or row[0] is None else MessageId(row[0])


def messages_ahead(db: Database, room: int) -> frozenset[MessageId]:
    """Return the messages of a room that are shown ahead."""
    rows = db.rows(
        "select message from preview join message using (chain, volume, clock) "
        "where preview.room = ?",
        (room,),
    )
    return frozenset(message for (message,) in rows)

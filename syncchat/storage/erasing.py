"""Erasing: what is deleted, or was to disappear, leaves the database and the own journal.

A message that is deleted or gone keeps its row, without its text. What its author's devices have
written of it goes from their journals, each from its own: that is what makes it vanish from the
snapshots that others store. Who deletes on one device makes the others do so when they hear of it.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..core.values import DeleteValue, Root, encode_value
from ..ids import DeviceId, MessageId, Stamp, author_device, stamp_of
from . import chains, keeping, outbox, rooms, view
from .database import Database
from .members import Owners
from .outbox import Op
from .rooms import Standing

FADE_MAX = 1_000
"""Messages that disappear in one transaction."""

_OUT = (Standing.REMOVED, Standing.LEFT, Standing.REFUSED, Standing.OLD)


def delete_own(
    db: Database,
    room: int,
    message: MessageId,
    batch: view.ViewBatch,
    *,
    at: Stamp,
    me: DeviceId,
    is_gone: bool = False,
) -> None:
    """Queue the deletion of an own message for everyone; one that was never sent just goes.

    ``is_gone`` lets not even a tombstone show. Inside a transaction.
    """
    is_of_here = author_device(message) == me  # or one of the same stamp waits here
    if is_of_here and outbox.find(db, room, Root.MESSAGES, stamp_of(message)) is not None:
        outbox.drop_about(db, room, message)
        batch.withdraw(message)
        return
    _bury(db, room, message, batch, at=at, me=me, is_gone=is_gone)


def follow_deletions(
    db: Database, room: int, messages: Iterable[MessageId], *, me: DeviceId, now_ms: int
) -> None:
    """Erase from the own journal what this device wrote of messages that another one deleted.

    Inside a transaction; again is harmless.
    """
    owners = Owners(db, room)
    chain = chains.find_chain(db, room, me)
    if chain is None:
        return
    batch = view.ViewBatch(db, room, me=me)
    cutoff = keeping.cutoff_of(db, room)
    for message in messages:
        if owners[author_device(message)] != owners[me] or message < cutoff:
            continue  # of what the room does not keep, the journal lets go by itself
        key = stamp_of(message)
        has_text = author_device(message) == me and chains.volumes_holding(
            db, chain.id, me, Root.MESSAGES, key
        )
        has_edits = chains.volumes_holding(db, chain.id, me, Root.EDITS, message)
        if has_edits and not _has_tombstone(db, room, chain.id, message):
            at = rooms.next_stamp(db, now_ms)
            _bury(db, room, message, batch, at=at, me=me)
        elif has_text or has_edits:
            _erase(db, room, message, at=rooms.next_stamp(db, now_ms), me=me)
    batch.flush()


def fade(db: Database, *, me: DeviceId, now_ms: int) -> bool:
    """Let messages disappear whose time is over; tell whether there were any.

    Also those that are older than their rooms keep messages (``keeping``). Of the others, their
    authors' devices erase them for everyone, the others do so for themselves. Opens a
    transaction, or works inside one.
    """
    is_swept = keeping.sweep(db, me=me, now_ms=now_ms)
    if not _is_due(db, now_ms):
        return is_swept
    with db.atomic():
        while due := _due(db, now_ms):
            for room in dict.fromkeys(room for room, _ in due):
                _fade_in(db, room, [m for r, m in due if r == room], me=me, now_ms=now_ms)
    return True


def has_disappeared(db: Database, room: int, message: str) -> bool:
    """Tell whether a message's time was over before anybody deleted it."""
    row = db.row("select gone from message where room = ? and message = ?", (room, message))
    return row is not None and bool(row[0])


def gone_in(db: Database, room: int) -> list[MessageId]:
    """Return the messages of a room that have disappeared."""
    rows = db.rows("select message from message where room = ? and gone = 1", (room,))
    return [MessageId(message) for (message,) in rows]


def stay_gone(db: Database, room: int, messages: Iterable[MessageId], *, me: DeviceId) -> None:
    """Let messages that had disappeared not come back in a view folded anew.

    Their time may not be over any more, where a clock was set back. Inside a transaction.
    """
    batch = view.ViewBatch(db, room, me=me)
    for message in messages:
        batch.end(message)
    batch.flush()


def next_due_ms(db: Database) -> int | None:
    """Return when the next message disappears, in ms since 1970, None where none will."""
    row = db.row("select min(expires_ms) from message where gone = 0 and expires_ms is not null")
    return None if row is None or row[0] is None else int(row[0])


def _is_due(db: Database, now_ms: int) -> bool:
    due_ms = next_due_ms(db)
    return due_ms is not None and due_ms <= now_ms


def _due(db: Database, now_ms: int) -> list[tuple[int, MessageId]]:
    return [
        (room, MessageId(message))
        for room, message in db.rows(
            "select room, message from message where gone = 0 and expires_ms <= ? "
            "order by expires_ms limit ?",
            (now_ms, FADE_MAX),
        )
    ]


def _fade_in(
    db: Database, room: int, messages: list[MessageId], *, me: DeviceId, now_ms: int
) -> None:
    batch = view.ViewBatch(db, room, me=me)
    may_write = rooms.load_room(db, room).standing not in _OUT
    for message in messages:
        if author_device(message) == me and may_write:
            at = rooms.next_stamp(db, now_ms)
            delete_own(db, room, message, batch, at=at, me=me, is_gone=True)
        else:
            batch.end(message)
    batch.flush()


def _bury(
    db: Database,
    room: int,
    message: MessageId,
    batch: view.ViewBatch,
    *,
    at: Stamp,
    me: DeviceId,
    is_gone: bool = False,
) -> None:
    """Queue a tombstone, and behind it the erasure of what this device wrote.

    What of it was not sent yet, the view takes out of the outbox.
    """
    row = db.row("select thread from message where room = ? and message = ?", (room, message))
    tombstone = DeleteValue(at, None if row is None else row[0], is_gone)
    outbox.put(db, room, Op(Root.DELETES, message, at, encode_value(tombstone)), device=me)
    _erase(db, room, message, at=at, me=me)
    batch.note(Root.DELETES, message, tombstone)


def _erase(db: Database, room: int, message: MessageId, *, at: Stamp, me: DeviceId) -> None:
    if author_device(message) == me:
        outbox.put(db, room, Op(Root.MESSAGES, stamp_of(message), at, None), device=me)
    chain = chains.find_chain(db, room, me)
    if chain is not None and chains.volumes_holding(db, chain.id, me, Root.EDITS, message):
        # An edit that waits would keep its place, before the tombstone.
        outbox.drop(db, room, Root.EDITS, message)
        outbox.put(db, room, Op(Root.EDITS, message, at, None), device=me)


def _has_tombstone(db: Database, room: int, chain: int, message: MessageId) -> bool:
    sealed = db.row(
        "select 1 from mark where chain = ? and root = ? and key = ?",
        (chain, int(Root.DELETES), message),
    )
    return sealed is not None or outbox.find(db, room, Root.DELETES, message) is not None

"""Counts that are kept: how much is in a timeline, how much of it is unread.

The table ``tally`` has a row for each timeline of a room, that of thread '' for the messages which
are in none. So no count depends on how many messages there are. New messages are counted by who
inserts them, with ``move_on``; whatever happens to them later triggers in the schema count. The row
of thread '' holds the room's digest, too, because both move with every message.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ..core import digest
from ..core.markers import marker_key
from ..ids import MessageId, RoomId, Stamp, author_device, stamp_of
from . import rooms
from .database import Database
from .previews import IS_AHEAD


class UnreadCounts(NamedTuple):
    """Is what a room has unread; the mentions are among the messages."""

    messages: int = 0
    mentions: int = 0
    in_threads: int = 0
    mentions_in_threads: int = 0


class ThreadRow(NamedTuple):
    """Counts one thread; ``last`` is its last message, a deleted one too."""

    thread: MessageId
    messages: int
    unread: int
    mentions: int
    last: MessageId


class Added(NamedTuple):
    """Is what of a new message counts."""

    message: MessageId
    thread: str | None
    is_away: bool
    is_unread: bool
    is_mention: bool


def move_on(db: Database, room: int, added: Iterable[Added], delta: int) -> None:
    """Count messages that were just inserted, and move the room's digest by a number."""
    counts: dict[str, list[Any]] = {}
    for each in added:
        count = counts.setdefault(each.thread or "", [0, 0, 0, "", None])
        count[0] += not each.is_away
        count[1] += each.is_unread
        count[2] += each.is_unread and each.is_mention
        count[3] = max(count[3], each.message)
    if delta:
        count = counts.setdefault("", [0, 0, 0, "", None])
        count[4] = digest.add(digest_of(db, room), delta)
    db.executemany(
        "insert into tally (room, thread, messages, unread, mentions, last, digest) "
        "values (?, ?, ?, ?, ?, ?, ?) on conflict do update set "
        "messages = messages + excluded.messages, unread = unread + excluded.unread, "
        "mentions = mentions + excluded.mentions, last = max(last, excluded.last), "
        "digest = coalesce(excluded.digest, digest)",
        [(room, thread, *count) for thread, count in counts.items()],
    )


def digest_of(db: Database, room: int) -> bytes:
    """Return the room's digest as kept."""
    row = db.row("select digest from tally where room = ? and thread = ''", (room,))
    return bytes(digest.DIGEST_BYTES) if row is None or row[0] is None else bytes(row[0])


THERE = "gone = 0 and (expires_ms is null or expires_ms > ?)"
"""Which messages are there at a moment; those whose time is over may still wait to be erased."""

_COUNTS = (
    "coalesce(sum(case thread when '' then unread end), 0), "
    "coalesce(sum(case thread when '' then mentions end), 0), "
    "coalesce(sum(case thread when '' then 0 else unread end), 0), "
    "coalesce(sum(case thread when '' then 0 else mentions end), 0)"
)


_COUNTED = (
    "select room, message, thread, unread, mention from message "
    "where gone = 0 and deleted = 0 and hidden = 0"
)


def message_count(db: Database, room: int, thread: str | None = None) -> int:
    """Return how many messages a room or a thread shows, but deleted or hidden ones."""
    where, values = ("", (room,)) if thread is None else (" and thread = ?", (room, thread))
    (found,) = db.execute(
        f"select coalesce(sum(messages), 0) from tally where room = ?{where}", values
    ).fetchone()
    return int(found)


def unread_of(db: Database, room: int, *, now_ms: int) -> UnreadCounts:
    """Return how much of a room is unread."""
    row = db.row(f"select {_COUNTS} from tally where room = ? and unread > 0", (room,))
    assert row is not None
    return without(UnreadCounts(*row), overdue(db, now_ms, room).get(room, ()))


def all_unread(db: Database, *, now_ms: int) -> dict[RoomId, UnreadCounts]:
    """Return how much is unread of every room but the personal one."""
    over = overdue(db, now_ms)
    found = {
        room: without(UnreadCounts(*counts), over.get(room, ()))
        for room, *counts in db.rows(
            f"select room, {_COUNTS} from tally where unread > 0 group by room"
        )
    }
    rows = db.rows("select id, room_id from room where is_personal = 0 order by id")
    return {RoomId(room_id): found.get(row, UnreadCounts()) for row, room_id in rows}


def thread_row(db: Database, room: int, thread: str) -> ThreadRow:
    """Return what is counted of a thread, zeros for one without replies."""
    row = db.row(
        "select thread, messages, unread, mentions, last from tally where room = ? and thread = ?",
        (room, thread),
    )
    return ThreadRow(MessageId(thread), 0, 0, 0, MessageId("")) if row is None else ThreadRow(*row)


def thread_rows(db: Database, room: int, *, before: str | None, limit: int) -> list[ThreadRow]:
    """Return the threads of a room, the one whose last message is newest first.

    ``before`` is the last message of a thread: only those come that stand behind it.
    """
    rows = db.rows(
        "select thread, messages, unread, mentions, last from tally indexed by tally_last "
        "where room = ? and thread <> '' and last < ? and messages > 0 order by last desc limit ?",
        (room, before or "~", limit),
    )
    return [ThreadRow(*row) for row in rows]


def reply_counts(db: Database, room: int, messages: list[MessageId]) -> dict[str, int]:
    """Return how many replies there are in the threads of some messages; none is left out."""
    places = ",".join("?" * len(messages))
    found = db.rows(
        f"select thread, messages from tally where room = ? and thread in ({places}) "
        "and messages > 0",
        (room, *messages),
    )
    return dict(found)


def overdue(db: Database, now_ms: int, room: int | None = None) -> dict[int, list[Added]]:
    """Return by room what is counted although its time is over: it waits to be erased."""
    where, values = ("", (now_ms,)) if room is None else (" and room = ?", (now_ms, room))
    found: dict[int, list[Added]] = {}
    rows = db.rows(f"{_COUNTED} and expires_ms <= ?{where}", values)
    for row in rooms.keeping_rooms(db):
        if room in (None, row.room) and (cutoff := row.keep.cutoff(now_ms)) > row.cutoff:
            there = "and (expires_ms is null or expires_ms > ?)"
            old = f"{_COUNTED} {there} and room = ? and message < ?"
            rows += db.rows(old, (now_ms, row.room, cutoff))
    for place, message, thread, unread, mention in rows:
        is_mention = bool(mention and unread)
        found.setdefault(place, []).append(
            Added(MessageId(message), thread, False, bool(unread), is_mention)
        )
    return found


def without(counts: UnreadCounts, gone: Iterable[Added]) -> UnreadCounts:
    """Return counts less what is over."""
    for each in gone:
        if each.thread is None:
            less = UnreadCounts(each.is_unread, each.is_mention)
        else:
            less = UnreadCounts(0, 0, each.is_unread, each.is_mention)
        counts = UnreadCounts(*(have - take for have, take in zip(counts, less, strict=True)))
    return counts


def first_unread(db: Database, room: int, thread: str | None, *, now_ms: int) -> MessageId | None:
    """Return the unread message of a timeline that is shown first, None for none."""
    (found,) = db.execute(
        "select min(message) from message where room = ? and thread is ? and unread = 1 "
        f"and {THERE} and message >= ?",
        (room, thread, now_ms, rooms.cutoff_now(db, room, now_ms)),
    ).fetchone()
    return None if found is None else MessageId(found)


def last_theirs(db: Database, room: int, me: str, *, now_ms: int) -> MessageId | None:
    """Return the last message of others outside of threads that is not deleted, None for none."""
    row = db.row(
        "select message from message where room = ? and thread is null and deleted = 0 and "
        f"hidden = 0 and {THERE} and message >= ? and "
        "substr(message, 14) not in (select device from device where room = ? and member = ?) "
        "order by message desc limit 1",
        (room, now_ms, rooms.cutoff_now(db, room, now_ms), room, me),
    )
    return None if row is None else MessageId(row[0])


def unread_upto(
    db: Database, room: int, *, upto: MessageId | None, timeline: tuple[str | None] | None
) -> tuple[dict[str, Stamp], list[MessageId]]:
    """Return what to mark as read, and the messages themselves.

    By the key of a read marker, the stamp of the last unread message that is shown at ``upto`` or
    before; ``timeline`` holds the thread, or None for what is in none; without it, all timelines.
    What is shown ahead stays unread: a marker behind it would cover what is still to come before.
    """
    where, values = ("", []) if timeline is None else (" and thread is ?", [*timeline])
    rows = db.rows(
        f"select message, thread from message where room = ?{where} and unread = 1 "
        f"and message <= ? and not {IS_AHEAD} order by message",
        (room, *values, upto or "~"),
    )
    latest = {
        marker_key(author_device(message), thread): stamp_of(message) for message, thread in rows
    }
    return latest, [MessageId(message) for message, _ in rows]

"""Counts and digests made anew from the rows, for checks; and an empty view to fold into."""

from __future__ import annotations

import msgspec

from ...core import digest
from ...core.keeping import KEEP_ALL
from ...core.values import Root
from ...ids import DeviceId
from .. import rooms
from ..database import Database
from ..members import Owners
from . import removed
from .index import Index
from .messages import ROW, StoredRow, shown_of
from .unread import Unread


def recount_digest(db: Database, room: int) -> bytes:
    """Return the digest of what the room's rows show, summed anew; for checks."""
    total = 0
    for row in db.execute(f"select {ROW} from message where room = ?", (room,)):
        total += digest.of_message(shown_of(StoredRow(*row)))
    for root, member, key, value in db.execute(
        "select root, member, key, value from field where room = ?", (room,)
    ):
        total += digest.of_field(Root(root), member, key, msgspec.json.decode(value))
    for member, place, upto in db.execute(
        "select member, place, upto from read_to where room = ?", (room,)
    ):
        total += digest.of_read(member, place, upto)
    return digest.add(bytes(digest.DIGEST_BYTES), total)


def unread_faults(db: Database, room: int, *, me: DeviceId) -> list[str]:
    """Return where what is kept of unread messages is not what a recount gives; for checks."""
    unread = Unread(db, room, Owners(db, room), me=me)
    kept = counted = flags = mentions = 0
    tally: dict[str, tuple[int, int, int, str]] = {}
    for *row, flag in db.execute(
        f"select {ROW}, unread from message where room = ? order by message", (room,)
    ):
        stored = StoredRow(*row)
        shown = shown_of(stored)
        mention = unread.is_mention(shown)
        is_unread = shown.is_there and unread.is_unread(shown.id, shown.thread)
        kept, counted = kept + flag, counted + is_unread
        flags += flag != is_unread
        mentions += stored.mention != mention
        before = tally.get(shown.thread or "", (0, 0, 0, ""))
        tally[shown.thread or ""] = (
            before[0] + shown.is_there,
            before[1] + is_unread,
            before[2] + (is_unread and mention),
            shown.id,
        )
    found = []
    if flags:
        found.append(f"{kept} messages are marked unread, {counted} are; rebuild")
    if mentions:
        found.append(f"{mentions} messages are flagged wrongly as mentioning you; rebuild")
    stored_tally = {
        thread: tuple(counts)
        for thread, *counts in db.rows(
            "select thread, messages, unread, mentions, last from tally where room = ?", (room,)
        )
    }
    if {t: c for t, c in stored_tally.items() if c[3]} != tally:
        found.append("the counts of messages are not those of the rows; rebuild")
    return found


def clear(db: Database, room: int) -> None:
    """Empty a room's view, to fold it anew from its envelopes and its outbox.

    Files lose their messages, and find them again: ``loose.sweep`` comes after that.
    """
    index = Index(db)
    index.forget(room)
    db.execute(
        "insert or ignore into loose_file select file from attachment where room = ?", (room,)
    )
    removed.note_previews(db, room)
    # The tally first: its triggers need not count down, message by message, what goes as a whole.
    for table in ("tally", "message", "mark", "field", "read_to", "attachment", "preview"):
        db.execute(f"delete from {table} where room = ?", (room,))
    index.trim()
    index.settle(0)
    db.execute("delete from volume where chain in (select id from chain where room = ?)", (room,))
    rooms.set_keep(db, room, KEEP_ALL)

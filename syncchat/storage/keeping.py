"""Keeping: what a room no longer keeps leaves the view, and then the own journal.

By this peer's clock, hour by hour, messages that are too old are marked as over (``gone`` is 2):
they are shown and counted nowhere, and their files go. Their rows stay, for the digest counts what
the journals hold, which is the same for everybody while clocks are not. Whoever wrote something
about them lets go of it in the next snapshot (``exchange.snapshotting``), and with it go the rows
and envelopes of all peers.
"""

from __future__ import annotations

from ..core.clock import ZERO, ms_of
from ..core.keeping import is_before
from ..core.reader import Change
from ..core.values import ABOUT_MESSAGES, Root
from ..ids import STAMP_CHARS, DeviceId, MessageId, Stamp
from . import outbox, rooms, view
from .chains import ChainRow
from .database import Database
from .rooms import KeepRow
from .view.messages import OVER

SWEEP_MAX = 256
"""Messages that are looked at at once, so that nobody waits for long: about 25 ms."""

_ABOUT = ", ".join(str(int(root)) for root in sorted(ABOUT_MESSAGES - {Root.DELETES}))
_MAY_BE_LEFT = (
    "exists (select 1 from absent join chain as writer on writer.id = absent.chain "
    f"where writer.room = {{0}} and writer.device = substr({{1}}, {STAMP_CHARS + 1}))"
)
"""Is true of a message that may stand in what this device has left at the relay."""

_HAS_MESSAGE = (
    "(exists (select 1 from message as said where said.room = mark.room "
    "and said.message = mark.target and said.clock is not null) "
    f"or {_MAY_BE_LEFT.format('mark.room', 'mark.target')})"
)
_OWN_ENTRIES = (
    "select volume, message as target, message < ?2 as is_over from message "
    "where chain = ?1 and clock is not null union all "
    "select volume, target, target < ?2 and "
    f"(root in ({_ABOUT}) or (root = {int(Root.DELETES)} and not {_HAS_MESSAGE})) "
    "from mark where chain = ?1"
)


def sweep(db: Database, *, me: DeviceId, now_ms: int) -> bool:
    """Let messages go that are older than their rooms keep them; tell whether there may be any.

    Each time that is one step of at most ``SWEEP_MAX`` messages of each room; what is left is not
    shown meanwhile. Those that wait to be sent are never sent. Opens a transaction, or works inside
    one.
    """
    due = _due(db, now_ms)
    if not due:
        return False
    with db.atomic():
        for row in due:
            _sweep_in(db, rooms.keep_row(db, row.room), me=me, now_ms=now_ms)
    return True


def cutoff_of(db: Database, room: int) -> Stamp:
    """Return the stamp before which messages of a room are over, as far as that was swept."""
    return Stamp(rooms.keep_row(db, room).cutoff[: len(ZERO)])


def volumes_to_shed(db: Database, own: ChainRow, room: int) -> list[int]:
    """Return the own volumes of which enough is over that a snapshot is to let go of it.

    That is a third, so that each entry is written two or three times in all, or what has been over
    for a third of the time that the room keeps messages.
    """
    row = rooms.keep_row(db, room)
    cutoff = row.cutoff[: len(ZERO)]
    if cutoff == ZERO:
        return []
    late_ms = ms_of(Stamp(cutoff)) - row.keep.for_ms // 3
    return [
        volume
        for volume, all_, over, oldest in db.rows(
            "select volume, count(*), sum(is_over), min(iif(is_over, target, null)) "
            f"from ({_OWN_ENTRIES}) group by volume having sum(is_over) > 0 order by volume",
            (own.id, cutoff),
        )
        if over * 3 >= all_ or ms_of(Stamp(oldest[: len(ZERO)])) <= late_ms
    ]


def shed(db: Database, room: int, entries: dict[int, Change]) -> set[int]:
    """Return the clocks of own entries that a snapshot is to let go of now.

    A tombstone stays while the message's own entry is still in a journal: it would come back.
    """
    cutoff = cutoff_of(db, room)
    return {
        clock
        for clock, entry in entries.items()
        if is_before(entry, cutoff)
        and (entry.root is not Root.DELETES or not _is_in_journal(db, room, entry.key))
    }


def _due(db: Database, now_ms: int) -> list[KeepRow]:
    return [row for row in rooms.keeping_rooms(db) if row.keep.cutoff(now_ms) != row.cutoff]


def _sweep_in(db: Database, row: KeepRow, *, me: DeviceId, now_ms: int) -> None:
    cutoff: str = row.keep.cutoff(now_ms)
    room = row.room
    if cutoff < row.cutoff:  # it is kept for longer now, or a clock was set back
        found = db.rows(
            "select message from message where room = ? and gone = ? and message >= ? "
            "order by message",
            (room, OVER, cutoff),
        )
    else:
        found = db.rows(
            "select message from message where room = ? and gone = 0 and message < ? "
            "order by message limit ?",
            (room, cutoff, SWEEP_MAX + 1),
        )
        if len(found) > SWEEP_MAX:
            ((cutoff,),) = found[SWEEP_MAX:]
            found = found[:SWEEP_MAX]
    rooms.set_cutoff(db, room, cutoff)
    batch = view.ViewBatch(db, room, me=me)
    _unsend(db, room, row.keep.cutoff(now_ms), batch, me=me)
    batch.review(MessageId(message) for (message,) in found)
    batch.flush()
    db.execute("delete from removed_message where room = ? and message < ?", (room, cutoff))


def _unsend(db: Database, room: int, cutoff: str, batch: view.ViewBatch, *, me: DeviceId) -> None:
    """Take out of the outbox what is about messages that are over, but for deletions."""
    for root, key, target in outbox.about_older(db, room, cutoff):
        outbox.drop(db, room, root, key)
        if root is Root.MESSAGES:
            batch.withdraw(MessageId(target))
        else:
            batch.note(root, key, None)


def _is_in_journal(db: Database, room: int, message: str) -> bool:
    row = db.row(
        "select 1 from message where room = ?1 and message = ?2 and clock is not null "
        f"union all select 1 where {_MAY_BE_LEFT.format('?1', '?2')} limit 1",
        (room, message),
    )
    return row is not None

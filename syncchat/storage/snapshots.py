"""Rows about snapshots: the newest of each volume, and which parts of a chain it stands for.

A snapshot is an envelope as any other, in ``envelope``; one that came ahead of its chain has a seq
beyond the chain's. ``covered`` are the parts of a chain that are gone, or may go: each with the
volume it was of, the link at its end, and the stamp of the newest entry of that volume.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..core.clock import ZERO
from ..ids import STAMP_CHARS, Stamp
from ..wire.coverage import Range
from . import chains
from .chains import ChainRow, StoredEnvelope
from .database import Database

LOOSE_MIN = 64
"""Envelopes of the volume being written that a snapshot is worth; then half as many again, so that
what is written twice stays in proportion."""

LOOSE_CLOSED_MIN = 8
"""The same for a volume that nothing is added to any more."""


@dataclass(frozen=True, slots=True)
class Covered:
    """Is a part of a chain that a snapshot stands for."""

    first: int
    last: int
    link: bytes
    volume: int
    stamp: Stamp


ERASED_EVERY_MS = 10 * 60_000
"""How often a volume is written anew at most because something was deleted from it: at once for
the first, and who deletes a lot does not send it each time."""


def note(
    db: Database,
    chain: int,
    volume: int,
    seq: int,
    ranges: Sequence[Range],
    stamp: Stamp,
    *,
    made_ms: int = 0,
) -> None:
    """Store what the snapshot at a seq covers, unless a newer one of its volume is here.

    ``made_ms`` is the wall time at which this device made it.
    """
    if newest(db, chain, volume) > seq:
        return
    db.executemany(  # what it leaves out stays: chains must go on over that until it is refused
        "delete from covered where chain = ? and volume = ? and first >= ? and last <= ?",
        [(chain, volume, first, last) for first, last, _ in ranges],
    )
    db.executemany(
        "insert or replace into covered (chain, first, last, link, volume, stamp) "
        "values (?, ?, ?, ?, ?, ?)",
        [(chain, first, last, link, volume, stamp) for first, last, link in ranges],
    )
    db.execute("insert or replace into snapshot values (?, ?, ?, ?)", (chain, volume, seq, made_ms))


def drop_covered(db: Database, chain: int, volume: int, seq: int) -> None:
    """Delete the envelopes for which the snapshot of a volume at a seq stands."""
    db.execute(
        "delete from envelope where chain = ? and volume = ? and seq < ?", (chain, volume, seq)
    )


def newest(db: Database, chain: int, volume: int) -> int:
    """Return the seq of the newest snapshot of a volume, 0 for none."""
    row = db.row("select seq from snapshot where chain = ? and volume = ?", (chain, volume))
    return 0 if row is None else int(row[0])


def has_any(db: Database, chain: int) -> bool:
    """Tell whether a chain has snapshots."""
    return db.row("select 1 from snapshot where chain = ? limit 1", (chain,)) is not None


def covering(db: Database, chain: int, seq: int) -> Covered | None:
    """Return the covered part in which a place of a chain is."""
    row = db.row(
        "select first, last, link, volume, stamp from covered "
        "where chain = ? and first <= ? order by first desc limit 1",
        (chain, seq),
    )
    return None if row is None or row[1] < seq else _covered(row)


def covered_between(db: Database, chain: int, after: int, before: int) -> list[Covered]:
    """Return the covered parts that begin between two places of a chain."""
    rows = db.rows(
        "select first, last, link, volume, stamp from covered "
        "where chain = ? and first > ? and first < ? order by first",
        (chain, after, before),
    )
    return [_covered(row) for row in rows]


def is_elsewhere(db: Database, chain: int, volume: int, ranges: Sequence[Range]) -> bool:
    """Tell whether something in parts of a chain is known to be of another volume."""
    return any(
        db.row(
            "select 1 from envelope where chain = ?1 and seq between ?2 and ?3 and volume <> ?4 "
            "union all select 1 from covered where chain = ?1 and first <= ?3 and last >= ?2 "
            "and volume <> ?4 limit 1",
            (chain, first, last, volume),
        )
        for first, last, _ in ranges
    )


def has_hole(db: Database, chain: int, after: int) -> bool:
    """Tell whether something behind a place of a chain is covered, so that snapshots go first."""
    row = db.row("select 1 from covered where chain = ? and last > ? limit 1", (chain, after))
    return row is not None


def after(
    db: Database, chain: int, seq: int, *, limit: int, bytes_max: int
) -> list[tuple[int, bytes]]:
    """Return (seq, snapshot) that follow ``seq``, at least one if there is one."""
    cursor = db.execute(
        "select envelope.seq, raw from snapshot join envelope using (chain, seq) "
        "where chain = ? and envelope.seq > ? order by envelope.seq limit ?",
        (chain, seq, limit),
    )
    return chains.within(cursor, bytes_max)


def note_erasure(db: Database, chain: int, volume: int) -> None:
    """Keep in mind that something was erased from an own volume, which a snapshot makes good."""
    db.execute("insert into erased_volume values (?, ?, 0) on conflict do nothing", (chain, volume))


def note_made(db: Database, chain: int, volume: int, *, is_stuck: bool = False) -> None:
    """Take note that a snapshot of an own volume was made, or never can be."""
    if is_stuck:
        db.execute("insert or replace into erased_volume values (?, ?, 1)", (chain, volume))
    else:
        db.execute("delete from erased_volume where chain = ? and volume = ?", (chain, volume))


def stuck(db: Database, chain: int) -> list[int]:
    """Return the own volumes of which no snapshot can be made."""
    rows = db.rows("select volume from erased_volume where chain = ? and is_stuck = 1", (chain,))
    return [volume for (volume,) in rows]


def erasure_due_in_ms(db: Database, chain: int, now_ms: int) -> int | None:
    """Return when a volume is to be written anew because something was deleted from it, 0 for
    now; None where there is none. ``now_ms`` is the wall time."""
    row = db.row(
        "select min(coalesce(made_ms, 0)) from erased_volume "
        "left join snapshot using (chain, volume) where chain = ? and is_stuck = 0",
        (chain,),
    )
    return None if row is None or row[0] is None else _wait_ms(int(row[0]), now_ms)


def _wait_ms(made_ms: int, now_ms: int) -> int:
    since = abs(now_ms - made_ms)  # a clock that was set back makes it due, too
    return max(0, ERASED_EVERY_MS - since)


def due(db: Database, own: ChainRow, now_ms: int) -> Iterator[int]:
    """Yield the volumes of the own chain of which a snapshot is to be made now.

    These are the ones from which something was deleted, and those of which enough is loose.
    """
    for volume, loose, clock, made_ms, stuck in db.rows(
        "select envelope.volume, count(*), coalesce(max(volume.clock), 0), max(made_ms), "
        "max(is_stuck) "
        "from envelope left join snapshot on snapshot.chain = envelope.chain "
        "and snapshot.volume = envelope.volume "
        "left join volume on volume.chain = envelope.chain and volume.number = envelope.volume "
        "left join erased_volume on erased_volume.chain = envelope.chain "
        "and erased_volume.volume = envelope.volume "
        "where envelope.chain = ? and envelope.seq > coalesce(snapshot.seq, 0) "
        "group by envelope.volume order by envelope.volume",
        (own.id,),
    ):
        if stuck:
            continue
        if stuck is not None and not _wait_ms(made_ms or 0, now_ms):
            is_due = True
        elif volume < own.volume and made_ms is None:
            is_due = loose >= LOOSE_CLOSED_MIN
        elif volume < own.volume:
            is_due = loose >= LOOSE_CLOSED_MIN and loose * 3 >= _messages(db, own.id, volume)
        else:
            is_due = loose >= LOOSE_MIN and loose * 3 >= clock
        if is_due:
            yield volume


def _messages(db: Database, chain: int, volume: int) -> int:
    """Return how many messages a volume still has."""
    (count,) = db.execute(
        "select count(*) from message where chain = ? and volume = ? and clock is not null",
        (chain, volume),
    ).fetchone()
    return int(count)


def kept_seqs(db: Database, own: ChainRow) -> list[tuple[int, str]]:
    """Return (seq, message) of own messages that others are not known to have from a snapshot.

    A room that is folded anew would count them as sent with it.
    """
    return db.rows(
        "select message.seq, message.message from message join snapshot "
        "on snapshot.chain = message.chain and snapshot.volume = message.volume "
        "where message.chain = ? and snapshot.seq > ? and message.seq < snapshot.seq",
        (own.id, min(own.acked, own.delivered)),
    )


def keep_seqs(db: Database, room: int, seqs: Sequence[tuple[int, str]]) -> None:
    """Give own messages back their places in the chain, after a room was folded anew."""
    db.executemany(
        "update message set seq = ? where room = ? and message = ? and chain is not null",
        [(seq, room, message) for seq, message in seqs],
    )


def at(db: Database, chain: int, seq: int) -> StoredEnvelope | None:
    """Return the snapshot that is stored at a place of a chain, also ahead of it."""
    row = db.row(
        "select envelope.seq, volume, link, relay_seq, held, raw from envelope "
        "join snapshot using (chain, seq, volume) where chain = ? and seq = ?",
        (chain, seq),
    )
    return None if row is None else StoredEnvelope(*row)


def link_before(db: Database, chain: int, seq: int) -> bytes:
    """Return the link that the envelope at ``seq`` follows, also where its predecessor is gone."""
    if seq > 1 and chains.envelope_at(db, chain, seq - 1) is None:
        found = covering(db, chain, seq - 1)
        assert found is not None
        return found.link
    return chains.link_before(db, chain, seq)


def volume_before(db: Database, chain: int, seq: int) -> int:
    """Return the newest volume of what was read of a chain before a place, or is covered there."""
    (found,) = db.execute(
        "select max(coalesce((select max(volume) from envelope where chain = ?1 and seq < ?2 "
        "and held = 0), 0), coalesce((select max(volume) from covered where chain = ?1 "
        "and first < ?2), 0))",
        (chain, seq),
    ).fetchone()
    return int(found)


def stamp_before(db: Database, chain: int, seq: int, volume: int) -> Stamp:
    """Return the newest stamp that is known of a chain before a place in one of its volumes.

    What was read of later volumes may have come out of its order, and does not count.
    """
    is_read = (
        "exists (select 1 from volume where volume.chain = entry.chain "
        "and number = entry.volume and entry.clock < volume.clock)"
    )
    (found,) = db.execute(
        "select max(found) from ("
        f"select max(substr(message, 1, {STAMP_CHARS})) as found from message as entry "
        f"where chain = ?1 and volume <= ?3 and {is_read} "
        f"union all select max(at) from mark as entry where chain = ?1 and volume <= ?3 "
        f"and {is_read} "
        "union all select max(stamp) from covered where chain = ?1 and first < ?2)",
        (chain, seq, volume),
    ).fetchone()
    return Stamp(found or ZERO)


def _covered(row: Sequence[object]) -> Covered:
    first, last, link, volume, stamp = row
    assert isinstance(first, int) and isinstance(last, int) and isinstance(volume, int)
    assert isinstance(link, bytes) and isinstance(stamp, str)
    return Covered(first, last, link, volume, Stamp(stamp))

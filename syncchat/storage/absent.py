"""Absent contents: snapshots of which a peer that keeps little has the stub, and not what they say.

Chains go on over them. What they say is asked for by their places in the relay's log: when somebody
wants to see it, or when something that is here cannot be read without it (``needed``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..core.clock import ZERO
from ..core.values import Root
from ..wire.coverage import Range
from .chains import StoredEnvelope, add_envelopes
from .database import Database

ABSENT = """
create table absent (
    chain integer not null references chain (id),
    volume integer not null,
    seq integer not null,
    place integer not null,
    link blob not null,
    raw blob not null,
    is_wanted integer not null default 0,
    is_doubted integer not null default 0,
    primary key (chain, volume)
) strict, without rowid;

alter table room add column is_light integer not null default 0
"""


@dataclass(frozen=True, slots=True)
class Absent:
    """Is a snapshot of which the stub is here: ``raw``, in its chain at ``seq`` with ``link``.

    ``place`` is where the relay's log has the whole one, 0 where that is not known.
    """

    chain: int
    volume: int
    seq: int
    place: int
    link: bytes
    raw: bytes
    is_doubted: int = 0


_COLUMNS = "absent.chain, absent.volume, absent.seq, place, absent.link, absent.raw, is_doubted"

_OF_ROOM = "absent join chain on chain.id = absent.chain where chain.room = ?1"


def is_light(db: Database, room: int) -> bool:
    """Tell whether old history of a room is left at its relay."""
    (found,) = db.execute("select is_light from room where id = ?", (room,)).fetchone()
    return bool(found)


def set_light(db: Database, room: int, light: bool) -> None:
    """Store whether old history of a room is left at its relay."""
    db.execute("update room set is_light = ? where id = ?", (light, room))


def note(db: Database, stub: Absent) -> None:
    """Store the stub of a snapshot, in the place of an older one of its volume."""
    db.execute(
        "insert or replace into absent (chain, volume, seq, place, link, raw) "
        "values (?, ?, ?, ?, ?, ?)",
        (stub.chain, stub.volume, stub.seq, stub.place, stub.link, stub.raw),
    )


def remove(db: Database, stub: Absent) -> None:
    """Forget a stub: what it stands for is here, or a newer snapshot."""
    db.execute("delete from absent where chain = ? and volume = ?", (stub.chain, stub.volume))


def fill(db: Database, stub: Absent, raw: bytes) -> None:
    """Store the whole snapshot in the place of its stub, still to be read."""
    remove(db, stub)
    own_place = (stub.chain, stub.seq, stub.seq)
    db.execute("delete from covered where chain = ? and first = ? and last = ?", own_place)
    add_envelopes(
        db, stub.chain, [StoredEnvelope(stub.seq, stub.volume, stub.link, None, True, raw)]
    )


def cover(db: Database, stub: Absent) -> None:
    """Let the chain go on over the place of a stub."""
    db.execute(
        "insert or replace into covered (chain, first, last, link, volume, stamp) "
        "values (?, ?, ?, ?, ?, ?)",
        (stub.chain, stub.seq, stub.seq, stub.link, stub.volume, ZERO),
    )


def of_volume(db: Database, chain: int, volume: int) -> Absent | None:
    """Return the stub of a volume whose contents are absent."""
    row = db.row(
        f"select {_COLUMNS} from absent where chain = ? and volume = ?",
        (chain, volume),
    )
    return _absent(row)


def at_seq(db: Database, chain: int, seq: int) -> Absent | None:
    """Return the stub at a place of a chain, also ahead of it."""
    row = db.row(f"select {_COLUMNS} from absent where chain = ? and seq = ?", (chain, seq))
    return _absent(row)


def at_place(db: Database, room: int, place: int) -> Absent | None:
    """Return the stub whose whole snapshot stands at a place of a room's log."""
    return _absent(db.row(f"select {_COLUMNS} from {_OF_ROOM} and place = ?2", (room, place)))


def of_chain(db: Database, chain: int) -> list[Absent]:
    """Return every stub of a chain."""
    rows = db.rows(f"select {_COLUMNS} from absent where chain = ? order by volume", (chain,))
    return [Absent(*row) for row in rows]


def count(db: Database, room: int) -> int:
    """Return of how many volumes of a room the contents are absent."""
    (found,) = db.execute(f"select count(*) from {_OF_ROOM}", (room,)).fetchone()
    return int(found)


def horizon(db: Database, room: int) -> str:
    """Return the message before which contents of a room may be absent, "" where none tells.

    Stamps of a chain grow, so absent contents are older than what is here of the volume behind
    them. A chain of which nothing is here behind them tells nothing.
    """
    row = db.row(
        "select max((select min(message) from message where message.chain = last.chain "
        "and volume = (select min(volume) from message where message.chain = last.chain "
        "and volume > last.volume))) "
        f"from (select absent.chain, max(absent.volume) as volume from {_OF_ROOM} "
        "group by absent.chain) as last",
        (room,),
    )
    return "" if row is None or row[0] is None else str(row[0])


def around(db: Database, chain: int, message: str) -> list[Absent]:
    """Return the stubs of a chain in which a message of it may be, in their order."""
    row = db.row(
        "select (select max(volume) from message where chain = ?1 and message < ?2), "
        "(select min(volume) from message where chain = ?1 and message > ?2)",
        (chain, message),
    )
    low, high = (None, None) if row is None else row
    return [
        stub
        for stub in of_chain(db, chain)
        if stub.place > 0
        and (low is None or stub.volume >= low)
        and (high is None or stub.volume <= high)
    ]


def volumes(db: Database, room: int) -> set[tuple[int, int]]:
    """Return the (chain, volume) whose contents are absent."""
    return {(row[0], row[1]) for row in db.rows(f"select {_COLUMNS} from {_OF_ROOM}", (room,))}


def needed(
    db: Database, room: int, *, limit: int, but: Sequence[int], is_live: bool = True
) -> list[int]:
    """Return the places of snapshots to ask for now, the newest first.

    These are: what somebody wants; all of a room that is not light; a volume of which something is
    here, or shown ahead; and, when a room is caught up (``is_live``), the volume that a device
    writes in, where something of that is here, and for a device that says something here, but not
    what its person is called, the volume in which that must stand.
    """
    places = ",".join(str(int(place)) for place in but)
    rows = db.rows(
        f"select place from {_OF_ROOM} and place > 0 and place not in ({places}) and ("
        "is_wanted or (select is_light from room where room.id = ?1) = 0 "
        "or exists (select 1 from volume where volume.chain = absent.chain "
        "and volume.number = absent.volume) "
        "or exists (select 1 from preview where preview.room = ?1 "
        "and preview.chain = absent.chain and preview.volume = absent.volume "
        f"and preview.root = {int(Root.MESSAGES)}) "
        "or ?3 and absent.volume >= chain.volume and chain.seq > absent.seq "
        f"or ?3 and absent.volume = 0 and chain.last_stamp <> '{ZERO}' and not exists ("
        f"select 1 from mark where mark.chain = absent.chain and root = {int(Root.PROFILE)})"
        ") order by place desc limit ?2",
        (room, limit, is_live),
    )
    return [place for (place,) in rows]


def want_newest(db: Database, room: int, *, but: Sequence[int] = ()) -> Absent | None:
    """Note that somebody wants to see the newest contents that are absent; return which."""
    seqs = ",".join(str(int(place)) for place in but)
    found = _absent(
        db.row(
            f"select {_COLUMNS} from {_OF_ROOM} and place > 0 and place not in ({seqs}) "
            "order by place desc limit 1",
            (room,),
        )
    )
    if found is not None:
        set_wanted(db, found, True)
    return found


def is_wanted(db: Database, stub: Absent) -> bool:
    """Tell whether contents are still absent and wanted."""
    row = db.row(
        "select is_wanted from absent where chain = ? and volume = ? and seq = ?",
        (stub.chain, stub.volume, stub.seq),
    )
    return row is not None and bool(row[0])


def set_wanted(db: Database, stub: Absent, wanted: bool) -> None:
    """Store whether somebody wants to see contents."""
    db.execute(
        "update absent set is_wanted = ? where chain = ? and volume = ?",
        (wanted, stub.chain, stub.volume),
    )


def set_doubted(db: Database, stub: Absent) -> None:
    """Store that the relay gave something else for contents once."""
    db.execute(
        "update absent set is_doubted = 1 where chain = ? and volume = ?",
        (stub.chain, stub.volume),
    )


def set_place(db: Database, stub: Absent, place: int) -> None:
    """Store where the relay's log has the whole snapshot."""
    db.execute(
        "update absent set place = ? where chain = ? and volume = ?",
        (place, stub.chain, stub.volume),
    )


def forget_places(db: Database, room: int) -> None:
    """Forget where the relay had snapshots, because its log is another one now."""
    db.execute(
        "update absent set place = 0 where chain in (select id from chain where room = ?)",
        (room,),
    )


def drop_unreadable(db: Database, stub: Absent, ranges: Sequence[Range]) -> None:
    """Delete what follows absent contents and was not read, where a newer snapshot covers it."""
    db.executemany(
        "delete from envelope where chain = ? and volume = ? and seq > ? and held = 1 "
        "and seq between ? and ?",
        [(stub.chain, stub.volume, stub.seq, first, last) for first, last, _ in ranges],
    )


def newest_held(db: Database, stub: Absent) -> tuple[int, bytes] | None:
    """Return (seq, snapshot) of the newest of a volume that is here whole and not read, where it
    is newer than a stub."""
    row = db.row(
        "select envelope.seq, raw from snapshot join envelope using (chain, seq) "
        "where chain = ? and snapshot.volume = ? and envelope.seq > ? and held = 1",
        (stub.chain, stub.volume, stub.seq),
    )
    return None if row is None else (int(row[0]), bytes(row[1]))


def first_gap(db: Database, chain: int, after: int) -> int | None:
    """Return the first place of a chain behind one that is missing here with its contents."""
    row = db.row(
        "select min(max(first, ?2 + 1)) from covered join absent using (chain, volume) "
        "where chain = ?1 and last > ?2",
        (chain, after),
    )
    return None if row is None or row[0] is None else int(row[0])


def _absent(row: tuple[Any, ...] | None) -> Absent | None:
    return None if row is None else Absent(*row)

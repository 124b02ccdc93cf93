"""Rows about devices' chains: envelopes, heads, volumes, and what was quarantined."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from ..core import clock
from ..core.reader import VolumeState
from ..core.refusals import Refusal
from ..core.values import Root
from ..ids import STAMP_CHARS, DeviceId, DeviceKey, MemberId, Stamp
from ..trust.chain import GENESIS, ChainHead
from .database import Database

QUARANTINE_ROWS_MAX = 1_000
"""Rows kept as evidence for each room; a hostile relay could fill the disk otherwise."""


class ChainRow(Struct, frozen=True):
    """Is one device's chain in one room.

    ``acked`` and ``delivered`` are chain seqs and mean something for the own chain only;
    ``frozen`` is why the chain is read, or written, no further.
    """

    id: int
    device: DeviceId
    key: DeviceKey
    seq: int
    link: bytes
    last_stamp: Stamp
    volume: int
    acked: int
    delivered: int
    frozen: str | None
    waiting: str | None
    passed: int

    @property
    def head(self) -> ChainHead | None:
        """Return the chain's head, or None while nothing of it is here."""
        return None if self.seq == 0 else ChainHead(self.key, self.seq, self.link)

    @property
    def was_ever_read(self) -> bool:
        """Tell whether something on the chain could be read: it is no outsider's invention."""
        return self.last_stamp != clock.ZERO


@dataclass(frozen=True, slots=True)
class StoredEnvelope:
    """Is one envelope to store; ``held`` ones are verified but not readable."""

    seq: int
    volume: int
    link: bytes
    relay_seq: int | None
    held: bool
    raw: bytes


_WHOLE = (
    "(not exists (select 1 from snapshot where snapshot.chain = envelope.chain "
    "and snapshot.seq = envelope.seq) or not exists (select 1 from envelope as before "
    "where before.chain = envelope.chain and before.seq < envelope.seq "
    "and (before.relay_seq is null or before.relay_seq > ?)))"
)
"""Is true of an envelope that a relay had up to a place with all before it: snapshots go ahead."""

_COLUMNS = (
    "id, device, key, seq, link, last_stamp, volume, acked, delivered, frozen, waiting, passed"
)


def last_stamps(db: Database, room: int) -> dict[MemberId, Stamp]:
    """Return, per member, the newest stamp of their devices' chains."""
    rows = db.rows(
        "select device.member, max(chain.last_stamp) from chain "
        "join device on device.room = chain.room and device.device = chain.device "
        "where chain.room = ? group by device.member",
        (room,),
    )
    return {member: stamp for member, stamp in rows if stamp != clock.ZERO}


def rooms_last_written(db: Database, device: DeviceId, *, limit: int) -> list[int]:
    """Return the rooms that a device wrote in, the one it wrote in last first."""
    rows = db.rows(
        "select room from chain where device = ? order by last_stamp desc limit ?", (device, limit)
    )
    return [room for (room,) in rows]


def find_chain(db: Database, room: int, device: DeviceId) -> ChainRow | None:
    """Return a device's chain, or None."""
    row = db.row(f"select {_COLUMNS} from chain where room = ? and device = ?", (room, device))
    return None if row is None else _chain(row)


def all_chains(db: Database, room: int) -> list[ChainRow]:
    """Return every chain of a room."""
    return chains_of(db, room)


def chains_of(
    db: Database, room: int, *, waiting_or: Iterable[DeviceId] | None = None
) -> list[ChainRow]:
    """Return every chain of a room, or only those that wait and those of some devices."""
    which = ""
    values: list[int | str] = [room]
    if waiting_or is not None:
        which = "and (waiting is not null or device in (select value from json_each(?)))"
        values.append(json.dumps(list(waiting_or)))
    rows = db.rows(f"select {_COLUMNS} from chain where room = ? {which} order by id", values)
    return [_chain(row) for row in rows]


def add_chain(db: Database, room: int, device: DeviceId, key: DeviceKey) -> ChainRow:
    """Store an empty chain for a device, or return the one that is here."""
    db.execute(
        "insert into chain (room, device, key, seq, link, last_stamp, volume, acked, delivered) "
        "values (?, ?, ?, 0, ?, ?, 0, 0, 0) on conflict do nothing",
        (room, device, key, GENESIS, clock.ZERO),
    )
    found = find_chain(db, room, device)
    assert found is not None
    return found


def advance(db: Database, chain: int, head: ChainHead, *, last_stamp: Stamp, volume: int) -> None:
    """Store a chain's new head."""
    db.execute(
        "update chain set seq = ?, link = ?, last_stamp = max(last_stamp, ?), "
        "volume = max(volume, ?) where id = ?",
        (head.seq, head.link, last_stamp, volume, chain),
    )


def freeze(db: Database, chain: int, reason: str | None, *, refusal: Refusal | None = None) -> None:
    """Read or write a chain no further, for this reason; None goes on with it."""
    db.execute("update chain set frozen = ?, refusal = ? where id = ?", (reason, refusal, chain))


def refusal_of(db: Database, chain: int) -> Refusal | None:
    """Return the kind of reason why the own chain is parked, None where it is not."""
    row = db.row("select refusal from chain where id = ? and frozen is not null", (chain,))
    return None if row is None else Refusal(row[0] or Refusal.FORBIDDEN)


def own_seq_at(db: Database, own: ChainRow, *, relay_cursor: int, after: int) -> int:
    """Return the last seq of the own chain, after one, that stands in the relay's log up to there;
    that one where there is none."""
    row = db.row(
        f"select seq from envelope where chain = ? and seq > ? and relay_seq <= ? and {_WHOLE} "
        "order by seq desc limit 1",
        (own.id, after, relay_cursor, relay_cursor),
    )
    return after if row is None else int(row[0])


def wait(db: Database, chain: int, reason: str | None) -> None:
    """Read a chain no further until what it waits for is here; None goes on with it."""
    db.execute("update chain set waiting = ? where id = ?", (reason, chain))


def set_passed(db: Database, chain: int, volume: int) -> None:
    """Store up to which volume a chain was passed over, written before this peer was let in."""
    db.execute("update chain set passed = ? where id = ?", (volume, chain))


def held_after(db: Database, chain: int, seq: int, *, upto: int) -> list[tuple[int, bytes, bytes]]:
    """Return (seq, link, envelope) of what is stored and not read up to a seq, in order."""
    return [
        (each, bytes(link), bytes(raw))
        for each, link, raw in db.rows(
            "select seq, link, raw from envelope where chain = ? and seq > ? and seq <= ? "
            "and held = 1 order by seq",
            (chain, seq, upto),
        )
    ]


def is_held_before(db: Database, chain: int, volume: int, seq: int) -> bool:
    """Tell whether an envelope of a volume before ``seq`` is stored and not read."""
    found = db.row(
        "select 1 from envelope where chain = ? and volume = ? and seq < ? and held = 1 limit 1",
        (chain, volume, seq),
    )
    return found is not None


def set_held(db: Database, chain: int, after: int, upto: int, *, held: bool) -> bool:
    """Mark envelopes after one place up to another as read or not; tell whether any changed."""
    moved = db.execute(
        "update envelope set held = ? where chain = ? and seq > ? and seq <= ? and held <> ?",
        (held, chain, after, upto, held),
    )
    return moved.rowcount > 0


def set_reading(db: Database, chain: int, *, last_stamp: Stamp, volume: int) -> None:
    """Store how far a chain was read when its room was folded anew."""
    db.execute(
        "update chain set last_stamp = ?, volume = ? where id = ?", (last_stamp, volume, chain)
    )


def add_envelopes(db: Database, chain: int, envelopes: Iterable[StoredEnvelope]) -> None:
    """Store envelopes of a chain."""
    db.executemany(
        "insert into envelope (chain, seq, volume, link, relay_seq, held, raw) "
        "values (?, ?, ?, ?, ?, ?, ?)",
        [(chain, e.seq, e.volume, e.link, e.relay_seq, e.held, e.raw) for e in envelopes],
    )


def remove_envelope(db: Database, chain: int, seq: int) -> None:
    """Remove one stored envelope, to be stored anew."""
    db.execute("delete from envelope where chain = ? and seq = ?", (chain, seq))


def envelope_at(db: Database, chain: int, seq: int) -> tuple[bytes, bytes] | None:
    """Return the link and the bytes of one stored envelope, or None."""
    row = db.row("select link, raw from envelope where chain = ? and seq = ?", (chain, seq))
    return None if row is None else (bytes(row[0]), bytes(row[1]))


def mend_envelope(db: Database, chain: int, seq: int, raw: bytes) -> None:
    """Put the same envelope with a signature that holds in the place of a damaged copy."""
    db.execute("update envelope set raw = ? where chain = ? and seq = ?", (raw, chain, seq))


def envelopes_after(
    db: Database, chain: int, seq: int, *, limit: int, bytes_max: int
) -> list[tuple[int, bytes]]:
    """Return (seq, envelope) that follow ``seq``, at least one if there is one."""
    cursor = db.execute(
        "select seq, raw from envelope where chain = ? and seq > ? order by seq limit ?",
        (chain, seq, limit),
    )
    return within(cursor, bytes_max)


def within(cursor: sqlite3.Cursor, bytes_max: int) -> list[tuple[int, bytes]]:
    """Return the first (seq, envelope) rows of a cursor that fit, at least one, and close it."""
    found: list[tuple[int, bytes]] = []
    size = 0
    for each, raw in cursor:
        size += len(raw)
        if found and size > bytes_max:
            break
        found.append((each, bytes(raw)))
    cursor.close()
    return found


def volume_envelopes(
    db: Database, chain: int, volume: int, *, before: int
) -> list[tuple[int, bytes, bytes]]:
    """Return (seq, link, envelope) of all readable envelopes of one volume before a seq."""
    return [
        (seq, bytes(link), bytes(raw))
        for seq, link, raw in db.rows(
            "select seq, link, raw from envelope where chain = ? and volume = ? and held = 0 "
            "and seq < ? order by seq",
            (chain, volume, before),
        )
    ]


def readable_after(
    db: Database, chain: int, seq: int, *, limit: int
) -> list[tuple[int, bytes, bytes]]:
    """Return (seq, link, envelope) of readable envelopes that follow ``seq``."""
    return [
        (each, bytes(link), bytes(raw))
        for each, link, raw in db.rows(
            "select seq, link, raw from envelope where chain = ? and seq > ? and held = 0 "
            "order by seq limit ?",
            (chain, seq, limit),
        )
    ]


def link_before(db: Database, chain: int, seq: int) -> bytes:
    """Return the link that the envelope at ``seq`` follows."""
    if seq == 1:
        return GENESIS
    (link,) = db.execute(
        "select link from envelope where chain = ? and seq = ?", (chain, seq - 1)
    ).fetchone()
    return bytes(link)


def set_relay_seqs(db: Database, chain: int, seqs: Sequence[tuple[int, int]]) -> None:
    """Store at which (chain seq, relay seq) the relay has envelopes."""
    db.executemany(
        "update envelope set relay_seq = ? where chain = ? and seq = ?",
        [(relay_seq, chain, seq) for seq, relay_seq in seqs],
    )


def forget_relay_seqs(db: Database, room: int) -> None:
    """Forget where the relay had envelopes, because its log is another one now."""
    db.execute(
        "update envelope set relay_seq = null where relay_seq is not null "
        "and chain in (select id from chain where room = ?)",
        (room,),
    )


def last_at_relay(db: Database, chain: int) -> int:
    """Return the last seq of the own chain that the relay's log is known to have, 0 for none.

    Snapshots do not count, which may be there before what they follow.
    """
    row = db.row(
        "select seq from envelope where chain = ? and relay_seq is not null "
        "and seq not in (select seq from snapshot where snapshot.chain = envelope.chain) "
        "order by seq desc limit 1",
        (chain,),
    )
    return 0 if row is None else int(row[0])


def set_acked(db: Database, chain: int, seq: int) -> None:
    """Store up to where the own chain is acknowledged; goes back by ``set_back_acked`` only."""
    db.execute("update chain set acked = max(acked, ?) where id = ?", (seq, chain))


def set_back_acked(db: Database, chain: int, seq: int) -> None:
    """Count nothing after ``seq`` as acknowledged, though it was: the relay lost it for good."""
    db.execute("update chain set acked = min(acked, ?) where id = ?", (seq, chain))


def set_delivered(db: Database, chain: int, relay_cursor: int) -> bool:
    """Store that another member's device has applied up to ``relay_cursor``; tell what moved."""
    (seq,) = db.execute(
        f"select coalesce(max(seq), 0) from envelope where chain = ? and relay_seq <= ? "
        f"and {_WHOLE}",
        (chain, relay_cursor, relay_cursor),
    ).fetchone()
    moved = db.execute(
        "update chain set delivered = ? where id = ? and delivered < ?", (seq, chain, seq)
    )
    return moved.rowcount > 0


def load_volume(db: Database, chain: int, number: int) -> VolumeState:
    """Return what must be known of a volume to read or write its next update."""
    row = db.row("select clock from volume where chain = ? and number = ?", (chain, number))
    state = VolumeState(number, clock=0 if row is None else row[0])
    cursor = db.execute(
        "select clock, 1, message from message where chain = ?1 and volume = ?2 "
        "and clock < ?3 union all "
        "select clock, root, key from mark where chain = ?1 and volume = ?2 and clock < ?3",
        (chain, number, state.clock),  # what is behind that is a preview
    )
    for at, root_number, key in cursor:
        root = Root(root_number)
        place = (root, key[:STAMP_CHARS] if root is Root.MESSAGES else key)
        state.entries[at] = place
        state.clocks[place] = at
    return state


def volumes_holding(db: Database, chain: int, device: DeviceId, root: Root, key: str) -> list[int]:
    """Return the volumes of the own chain in which an entry stands."""
    if root is Root.MESSAGES:
        rows = db.rows(
            "select volume from message where chain = ? and message = ? and clock is not null "
            "and room = (select room from chain where id = ?)",
            (chain, key + device, chain),
        )
    else:
        rows = db.rows(
            "select volume from mark where chain = ? and root = ? and key = ? order by volume",
            (chain, root, key),
        )
    return [volume for (volume,) in rows]


def save_volume(db: Database, chain: int, state: VolumeState, *, more_bytes: int) -> None:
    """Store a volume's next clock, and that its updates grew."""
    db.execute(
        "insert into volume (chain, number, clock, bytes) values (?, ?, ?, ?) "
        "on conflict (chain, number) do update set clock = excluded.clock, "
        "bytes = bytes + excluded.bytes",
        (chain, state.number, state.clock, more_bytes),
    )


def reset_volume(db: Database, chain: int, state: VolumeState, size: int) -> None:
    """Store a volume as its snapshot says it is."""
    db.execute(
        "insert or replace into volume (chain, number, clock, bytes) values (?, ?, ?, ?)",
        (chain, state.number, state.clock, size),
    )


def volume_bytes(db: Database, chain: int, number: int) -> int:
    """Return the size of a volume's updates so far."""
    row = db.row("select bytes from volume where chain = ? and number = ?", (chain, number))
    return 0 if row is None else int(row[0])


def volume_numbers(db: Database, chain: int) -> list[int]:
    """Return the volumes of a chain."""
    rows = db.rows("select number from volume where chain = ? order by number", (chain,))
    return [number for (number,) in rows]


def quarantine(
    db: Database,
    room: int,
    device: str,
    seq: int,
    *,
    reason: str,
    raw: bytes,
    evidence: bool,
    log_seq: int,
    now_ms: int,
) -> bool:
    """Keep an envelope that was refused, with the reason, within bounds; tell whether it is new.

    ``evidence`` is for what its device surely signed; it stays. The rest may have been damaged on
    its way, and goes when its place in the chain, or in the relay's log, is filled.
    """
    (kept,) = db.execute("select count(*) from quarantine where room = ?", (room,)).fetchone()
    if kept >= QUARANTINE_ROWS_MAX:
        return False
    added = db.execute(
        "insert into quarantine (room, device, seq, reason, evidence, log_seq, raw, at_ms) "
        "values (?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
        (room, device, seq, reason, evidence, log_seq, raw, now_ms),
    )
    return added.rowcount > 0


def quarantined(db: Database, room: int) -> list[tuple[str, int, str]]:
    """Return (device, chain seq, reason) of what was refused."""
    return [
        (device, seq, reason)
        for device, seq, reason in db.rows(
            "select device, seq, reason from quarantine where room = ? order by id", (room,)
        )
    ]


def waiting_after(db: Database, room: int, device: str, seq: int) -> list[bytes]:
    """Return quarantined envelopes that may follow a chain head at ``seq``, in order."""
    return [
        bytes(raw)
        for (raw,) in db.rows(
            "select raw from quarantine where room = ? and device = ? and seq > ? "
            "and evidence = 0 order by seq",
            (room, device, seq),
        )
    ]


def release(db: Database, room: int, device: str, first: int, last: int) -> None:
    """Drop what was quarantined at places of a chain that are filled now."""
    db.execute(
        "delete from quarantine where room = ? and device = ? and seq between ? and ? "
        "and evidence = 0",
        (room, device, first, last),
    )


def release_log(db: Database, room: int, first: int, last: int, *, but: Set[int]) -> None:
    """Drop what was quarantined at places of the relay's log that are filled now."""
    for row, log_seq in db.rows(
        "select id, log_seq from quarantine where room = ? and evidence = 0 "
        "and log_seq between ? and ?",
        (room, first, last),
    ):
        if log_seq not in but:
            db.execute("delete from quarantine where id = ?", (row,))


def is_missing_before(db: Database, room: int, log_seq: int) -> bool:
    """Tell whether the relay's log has a damaged envelope before a place, of a chain still read."""
    found = "select 1 from quarantine left join chain using (room, device) where room = ?"
    found += " and evidence = 0 and log_seq > 0 and log_seq < ? and frozen is null limit 1"
    return db.row(found, (room, log_seq)) is not None


def _chain(row: tuple[Any, ...]) -> ChainRow:
    return ChainRow(*row)

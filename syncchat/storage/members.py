"""Rows about who is in a room: the room's log, whose devices are whose, and what is to change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..ids import DeviceId, MemberId
from ..trust.records import Record, RecordHash
from .database import Database


class Owners(dict[DeviceId, MemberId]):
    """Tells whose device it is, in one room; looked up at first use.

    A device that nobody has let in stands for itself: only what a room shows of its own writer
    before it is a member can be of such.
    """

    def __init__(self, db: Database, room: int) -> None:
        super().__init__()
        self._db = db
        self._room = room

    def __missing__(self, device: DeviceId) -> MemberId:
        row = self._db.row(
            "select member from device where room = ? and device = ?", (self._room, device)
        )
        found = MemberId(device if row is None else row[0])
        self[device] = found
        return found


def devices_in(db: Database, room: int) -> dict[DeviceId, MemberId]:
    """Return whose devices are whose in a room."""
    rows = db.rows("select device, member from device where room = ?", (room,))
    return {DeviceId(device): MemberId(member) for device, member in rows}


def set_owners(db: Database, room: int, owners: Iterable[tuple[DeviceId, MemberId]]) -> None:
    """Store whose devices are whose; who is stored first stays."""
    db.executemany(
        "insert into device (room, device, member) values (?, ?, ?) on conflict do nothing",
        [(room, device, member) for device, member in owners],
    )


# The room's log


def add_record(db: Database, room: int, record: Record, *, relay_seq: int | None) -> bool:
    """Store a record, and where the relay has it; tell whether it is new."""
    added = db.execute(
        "insert into record (room, hash, raw, relay_seq) values (?, ?, ?, ?) "
        "on conflict do nothing",
        (room, record.hash, record.raw, relay_seq),
    )
    if not added.rowcount and relay_seq is not None:
        db.execute(
            "update record set relay_seq = ? where room = ? and hash = ?",
            (relay_seq, room, record.hash),
        )
    return added.rowcount > 0


def records_of(db: Database, room: int) -> list[bytes]:
    """Return a room's log, in the order in which it came."""
    rows = db.rows("select raw from record where room = ? order by id", (room,))
    return [bytes(raw) for (raw,) in rows]


def last_record(db: Database, room: int) -> int:
    """Return the row of the record that came last, 0 for none."""
    (last,) = db.execute(
        "select coalesce(max(id), 0) from record where room = ?", (room,)
    ).fetchone()
    return int(last)


def unsent_records(db: Database, room: int) -> list[bytes]:
    """Return the records that the relay is not known to have, in the order in which they came."""
    rows = db.rows(
        "select raw from record where room = ? and relay_seq is null order by id", (room,)
    )
    return [bytes(raw) for (raw,) in rows]


def records_at_relay(db: Database, room: int) -> list[bytes]:
    """Return the records that the relay is known to have, in the order in which they came."""
    rows = db.rows(
        "select raw from record where room = ? and relay_seq is not null order by id", (room,)
    )
    return [bytes(raw) for (raw,) in rows]


def is_uploaded(db: Database, room: int) -> bool:
    """Tell whether the relay was ever known to have the room's log."""
    return db.row("select 1 from record where room = ? and relay_seq >= 0", (room,)) is not None


def has_record(db: Database, room: int, hash_: RecordHash) -> bool:
    """Tell whether a record is here."""
    row = db.row("select 1 from record where room = ? and hash = ?", (room, hash_))
    return row is not None


def record_raw(db: Database, room: int, hash_: RecordHash) -> bytes | None:
    """Return a record that is here, None for one that is not."""
    row = db.row("select raw from record where room = ? and hash = ?", (room, hash_))
    return None if row is None else bytes(row[0])


def forget_record_seqs(db: Database, room: int) -> None:
    """Forget where the relay had records, because its log is another one now."""
    db.execute("update record set relay_seq = null where room = ?", (room,))


def has_records_behind(db: Database, room: int, seq: int) -> bool:
    """Tell whether a relay is known to have records behind a seq of the room's log."""
    where = "where room = ? and relay_seq > ?"
    return db.row(f"select 1 from record {where} limit 1", (room, seq)) is not None


def forget_record_seqs_behind(db: Database, room: int, seq: int) -> None:
    """Forget which records a relay had behind a seq: what was told ahead may be gone since."""
    db.execute("update record set relay_seq = null where room = ? and relay_seq > ?", (room, seq))


# What is to change


@dataclass(frozen=True, slots=True)
class Intent:
    """Is a change that a person asked for and that the room's log does not have yet.

    ``refusal`` is why it cannot be, empty while it waits.
    """

    id: int
    raw: bytes
    refusal: str


RELAY_FORBIDS = "the relay does not allow it"
"""Why a change cannot be that the room's log would take."""


def add_intent(db: Database, room: int, raw: bytes, *, now_ms: int) -> None:
    """Store a change that is to be made when the relay is there."""
    db.execute("insert into intent (room, raw, made_ms) values (?, ?, ?)", (room, raw, now_ms))


def intents(db: Database, room: int, *, is_open: bool = False) -> list[Intent]:
    """Return what is to change, first asked for first; with ``is_open`` what is not refused."""
    rows = db.rows("select id, raw, refusal from intent where room = ? order by id", (room,))
    found = [Intent(id_, bytes(raw), refusal) for id_, raw, refusal in rows]
    return [intent for intent in found if not (is_open and intent.refusal)]


def rooms_with_changes(db: Database) -> set[int]:
    """Return the rooms in which something is to change, or whose log the relay lacks a part of."""
    rows = db.rows(
        "select room from intent where refusal = '' union "
        "select room from record where relay_seq is null"
    )
    return {room for (room,) in rows}


def drop_intent(db: Database, intent: int) -> None:
    """Take note that a change is made, or is not wanted any more."""
    db.execute("delete from intent where id = ?", (intent,))


def refuse_intent(db: Database, intent: int, reason: str) -> None:
    """Keep why a change cannot be."""
    db.execute("update intent set refusal = ? where id = ?", (reason, intent))


def reopen_intents(db: Database, room: int) -> None:
    """Have the changes wait again that nothing but a relay was against."""
    db.execute(
        "update intent set refusal = '' where room = ? and refusal = ?", (room, RELAY_FORBIDS)
    )

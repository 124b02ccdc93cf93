"""How far each device of others has this device's writing: who has what."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.clock import ms_of
from ..core.values import Root
from ..ids import DeviceId, MemberId, Stamp
from . import chains
from .chains import ChainRow
from .database import Database
from .members import Owners


def note(
    db: Database,
    room: int,
    own: ChainRow,
    cursors: Iterable[tuple[DeviceId, int]],
    *,
    now_ms: int,
) -> None:
    """Store how far devices are in the relay's log, as places of the own chain; never back.

    What follows the place from before was heard to have arrived at ``now_ms``; when the rest did
    is not kept.
    """
    for device, relay_cursor in cursors:
        row = db.row("select seq from arrival where room = ? and device = ?", (room, device))
        before = 0 if row is None else int(row[0])
        seq = chains.own_seq_at(db, own, relay_cursor=relay_cursor, after=before)
        if seq > before:
            db.execute(
                "insert into arrival (room, device, seq, before, at_ms) values (?, ?, ?, ?, ?) "
                "on conflict do update set seq = excluded.seq, before = excluded.before, "
                "at_ms = excluded.at_ms",
                (room, device, seq, before, now_ms),
            )


def arrivals_at(db: Database, room: int, owners: Owners, seq: int) -> dict[MemberId, int | None]:
    """Return the members of whom a device has the own chain up to ``seq``, with the time at which
    that was first heard, None where it is not known any more."""
    found: dict[MemberId, int | None] = {}
    times: dict[MemberId, list[int]] = {}
    for device, before, at_ms in db.rows(
        "select device, before, at_ms from arrival where room = ? and seq >= ?", (room, seq)
    ):
        member = owners[device]
        found[member] = None
        times.setdefault(member, []).append(at_ms if seq > before else -1)
    return {member: None if min(times[member]) < 0 else min(times[member]) for member in found}


def is_somebody_behind(db: Database, room: int, own: ChainRow) -> bool:
    """Tell whether a device of another member is not known to have all of the own chain."""
    row = db.row(
        "select 1 from device left join arrival on arrival.room = device.room "
        "and arrival.device = device.device where device.room = ? and member <> "
        "(select member from device where room = ? and device = ?) "
        "and coalesce(arrival.seq, 0) < ? limit 1",
        (room, room, own.device, own.acked),
    )
    return row is not None


def read_at(db: Database, room: int, place: str, upto: Stamp) -> dict[DeviceId, int]:
    """Return the devices that have marked as read just up to a stamp of a timeline, and when."""
    return {
        device: ms_of(at)
        for device, at, value in db.rows(
            "select device, at, value from mark where room = ? and root = ? and target = ?",
            (room, Root.READS, place),
        )
        if f'"{upto}"' in value
    }

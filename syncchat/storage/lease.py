"""The sync lease: of all processes on one database, exactly one seals and talks to relays.

The lease is a row with its holder and the time of its last renewal. Whoever writes to a chain
checks in the same transaction that it still holds the lease, so a process that was stopped for a
while and wakes up cannot write beside its successor.
"""

from __future__ import annotations

import os
import socket
import sys

import msgspec

from ..errors import LeaseLost
from . import rooms
from .database import Database

LEASE_MS = 10_000
"""A lease lapses this long after its last renewal."""

RENEW_MS = 3_000
"""How often the holder renews."""


def process_name() -> str:
    """Return a name of this process that tells others whether it still runs."""
    return f"{socket.gethostname()}:{os.getpid()}"


def take(db: Database, holder: str, *, now_ms: int, process: str | None = None) -> bool:
    """Take the lease if it is free, lapsed, or of a process that has ended; tell whether.

    ``process`` stands for this process's name, where that must not depend on the machine.
    """
    with db.atomic(durable=False):
        row = db.row("select holder, process, renewed_ms from lease")
        if row is not None and row[0] != holder:
            lapsed = abs(now_ms - row[2]) > LEASE_MS
            if not lapsed and not _has_ended(row[1]):
                return False
        db.execute(
            "insert into lease (id, holder, process, renewed_ms, states) values (1, ?, ?, ?, '{}') "
            "on conflict do update set holder = excluded.holder, process = excluded.process, "
            "renewed_ms = excluded.renewed_ms, states = excluded.states",
            (holder, process or process_name(), now_ms),
        )
        if row is None or row[0] != holder:
            rooms.skip_changes(db, now_ms)
    return True


def renew(db: Database, holder: str, *, now_ms: int) -> None:
    """Renew the lease; raises ``LeaseLost`` when it is another's by now."""
    with db.atomic(durable=False):
        check(db, holder)
        db.execute("update lease set renewed_ms = ?", (now_ms,))


def check(db: Database, holder: str) -> None:
    """Raise ``LeaseLost`` unless ``holder`` has the lease; inside a transaction."""
    row = db.row("select holder from lease")
    if row is None or row[0] != holder:
        raise LeaseLost("another process of this machine took over syncing this database")


def give_up(db: Database, holder: str) -> None:
    """Release the lease, if it is still the holder's."""
    with db.atomic(durable=False):
        db.execute("delete from lease where holder = ?", (holder,))


def publish_states(db: Database, holder: str, states: dict[str, str]) -> None:
    """Let other processes see the connection state of each relay."""
    with db.atomic(durable=False):
        db.execute(
            "update lease set states = ? where holder = ?",
            (msgspec.json.encode(states).decode(), holder),
        )


def states(db: Database, *, now_ms: int) -> dict[str, str]:
    """Return the connection states that the present holder published; empty without one."""
    row = db.row("select process, renewed_ms, states from lease")
    if row is None or abs(now_ms - row[1]) > LEASE_MS or _has_ended(row[0]):
        return {}
    return msgspec.json.decode(row[2], type=dict[str, str])


def _has_ended(process: str) -> bool:
    """Tell whether a process of this machine is gone for sure."""
    host, _, pid = process.rpartition(":")
    if host != socket.gethostname() or sys.platform == "win32" or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False

"""Rows about relays of which this device is an operator."""

from __future__ import annotations

from .database import Database


def keep_secret(db: Database, relay: str, secret: bytes) -> None:
    """Store a relay's operator secret, in place of one stored before."""
    db.execute(
        "insert into operator (relay, secret) values (?, ?) "
        "on conflict do update set secret = excluded.secret",
        (relay, secret),
    )


def find_secret(db: Database, relay: str) -> bytes:
    """Return a relay's operator secret, empty where this device is no operator."""
    row = db.row("select secret from operator where relay = ?", (relay,))
    return b"" if row is None else bytes(row[0])


def forget_secret(db: Database, relay: str) -> bool:
    """Remove a relay's operator secret; tell whether there was one."""
    return db.execute("delete from operator where relay = ?", (relay,)).rowcount > 0


def all_relays(db: Database) -> list[str]:
    """Return the relays of which this device is an operator, sorted."""
    return [relay for (relay,) in db.rows("select relay from operator order by relay")]

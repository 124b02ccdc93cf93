"""Rows about the person: root key, user secrets, and the person's own log."""

from __future__ import annotations

from msgspec import Struct

from ..trust.person import Person, fold_person
from ..trust.records import Record, decode_record
from .database import Database


class Identity(Struct, frozen=True):
    """Is the person of this database: the root's public key, and the entropy behind it.

    ``entropy`` is what the recovery phrase says; it is here only until the phrase is confirmed to
    be written down. ``home`` is the row of the personal room, None where there is none.
    """

    root: bytes
    entropy: bytes | None
    home: int | None


def load_identity(db: Database) -> Identity | None:
    """Return the person of this database, None in a new one."""
    row = db.row("select root, entropy, home from identity")
    return None if row is None else Identity(bytes(row[0]), row[1], row[2])


def create_identity(db: Database, identity: Identity, records: list[Record]) -> None:
    """Store the person of a new database, with their log."""
    db.execute(
        "insert into identity (id, root, entropy, home) values (1, ?, ?, ?) on conflict do nothing",
        (identity.root, identity.entropy, identity.home),
    )
    add_person_records(db, records)


def replace_identity(db: Database, identity: Identity) -> None:
    """Become the device of another person: of the one whose phrase or link was given."""
    db.execute("delete from person_record")
    db.execute("delete from user_secret")
    db.execute(
        "update identity set root = ?, entropy = ?, home = ?",
        (identity.root, identity.entropy, identity.home),
    )


def forget_entropy(db: Database) -> None:
    """Forget what the recovery phrase says; only the person has it from now on."""
    db.execute("update identity set entropy = null")


def set_home(db: Database, room: int) -> None:
    """Store which room is the personal one."""
    db.execute("update identity set home = ?", (room,))


def add_person_records(db: Database, records: list[Record]) -> None:
    """Store records of the person's log; those that are here stay."""
    db.executemany(
        "insert into person_record (hash, raw) values (?, ?) on conflict do nothing",
        [(record.hash, record.raw) for record in records],
    )


def person_records(db: Database) -> int:
    """Return how many records the person's log has here."""
    (count,) = db.execute("select count(*) from person_record").fetchone()
    return int(count)


def own_person(db: Database, root: bytes) -> Person:
    """Return the person of this database as the own log says."""
    raws = db.rows("select raw from person_record order by hash")
    return fold_person([decode_record(bytes(raw)) for (raw,) in raws], root=root)


def own_records(db: Database, person: Person) -> list[bytes]:
    """Return the person's log as it goes into rooms, each record after what it stands on."""
    order: list[Record] = []
    left = dict(person.records)
    while left:
        ready = sorted(h for h, r in left.items() if not any(prev in left for prev in r.prevs))
        if not ready:
            break
        order += [left.pop(hash_) for hash_ in ready]
    return [record.raw for record in order]


def user_secrets(db: Database) -> list[bytes]:
    """Return the person's user secrets, newest first."""
    rows = db.rows("select secret from user_secret order by generation desc")
    return [bytes(secret) for (secret,) in rows]


def user_secret(db: Database, generation: int) -> bytes | None:
    """Return the user secret of a generation, None while it is not here."""
    row = db.row("select secret from user_secret where generation = ?", (generation,))
    return None if row is None else bytes(row[0])


def add_user_secret(db: Database, generation: int, secret: bytes) -> None:
    """Store a user secret."""
    db.execute(
        "insert or replace into user_secret (generation, secret) values (?, ?)",
        (generation, secret),
    )

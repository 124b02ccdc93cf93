"""Rows about people who were verified."""

from __future__ import annotations

from dataclasses import dataclass

from ..ids import DeviceId, MemberId
from .database import Database


@dataclass(frozen=True, slots=True)
class ContactRow:
    """Is a verified person: root key, when, and the devices that they had then."""

    member: MemberId
    root: bytes
    verified_ms: int
    devices: tuple[DeviceId, ...]


def put_contact(db: Database, row: ContactRow) -> None:
    """Store a verified person, in place of what was stored before."""
    db.execute(
        "insert or replace into contact (member, root, verified_ms, devices) values (?, ?, ?, ?)",
        (row.member, row.root, row.verified_ms, " ".join(row.devices)),
    )


def forget_contact(db: Database, member: MemberId) -> bool:
    """Forget that a person was verified; tell whether they were."""
    return db.execute("delete from contact where member = ?", (member,)).rowcount > 0


def all_contacts(db: Database) -> list[ContactRow]:
    """Return everyone who was verified, in order of id."""
    return [
        ContactRow(
            MemberId(member),
            bytes(root),
            verified_ms,
            tuple(DeviceId(device) for device in devices.split()),
        )
        for member, root, verified_ms, devices in db.rows(
            "select member, root, verified_ms, devices from contact order by member"
        )
    ]

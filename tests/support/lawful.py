"""What a closed room's log may hold and who may see it, told from the log alone.

Nothing here asks the relay's gate: every entry is held against the fold of the records before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from syncchat.trust.chain import ChainHead, extend
from syncchat.trust.changes import Kind, Role
from syncchat.trust.group import Group
from syncchat.trust.membership import fold_group, room_of, verify_change
from syncchat.trust.records import Record, decode_record, is_record
from syncchat.wire.envelope import decode_envelope


def records_in(stored: Sequence[bytes]) -> list[Record]:
    """Return the records of a log in order."""
    return [decode_record(raw) for raw in stored if is_record(raw)]


def assert_lawful(room: bytes, stored: Sequence[bytes]) -> None:
    """Assert that a room was made by its own record, and changed and written by members alone."""
    records: list[Record] = []
    chains: dict[bytes, ChainHead] = {}
    group: Group | None = None
    for raw in stored:
        if is_record(raw):
            record = decode_record(raw)
            _check_record(room, record, records)
            records.append(record)
            group = fold_group(records)
            continue
        assert group is not None, "something was written before there was a room"
        envelope, header = decode_envelope(raw)
        head = chains.get(header.device)
        (chains[header.device],) = extend(room, head, [(envelope, header)])
        _check_writer(group, header.device, header.seq)
    if group is not None and not any(record.kind == Kind.MERGE for record in records):
        assert group.refused == [], "a record is stored that has no effect"


def _check_record(room: bytes, record: Record, before: Sequence[Record]) -> None:
    verify_change(record)
    if not before:
        assert room_of(record) == room, "the room was made by another's record"
        return
    hashes = {each.hash for each in before}
    assert record.hash not in hashes, "a record is stored twice"
    assert record.prevs, "a room was made twice"
    assert set(record.prevs) <= hashes, "a record stands on what is not there"


def _check_writer(group: Group, device: bytes, seq: int) -> None:
    user = group.owners.get(device)
    assert user is not None, "somebody wrote who was never in the room"
    member, pin = group.members.get(user), group.pins.get(device)
    if pin is not None:
        assert seq <= pin.seq, "a device wrote after its end"
    else:
        assert member is not None, "somebody wrote who is not in the room"
        assert member.role is not Role.READER, "a reader wrote"


def may_read(stored: Sequence[bytes], keys: Sequence[bytes], *, now_ms: int) -> bool:
    """Tell whether who holds ``keys``, the device's own first, may read at the end of a log."""
    records = records_in(stored)
    if not records:
        return False
    group = fold_group(records)
    for number, key in enumerate(keys):
        invite = group.invites.get(key) if number else None
        if group.may_read(key) or (invite is not None and not invite.refusal(now_ms)):
            return True
    return False


def readable_to(stored: Sequence[bytes], keys: Sequence[bytes], *, now_ms: int) -> int:
    """Return up to where who holds ``keys`` may be shown a log: all of it, or up to the record
    that closed it to them last, 0 for nothing."""
    if may_read(stored, keys, now_ms=now_ms):
        return len(stored)
    for seq in range(len(stored), 0, -1):
        before = stored[: seq - 1]
        if is_record(stored[seq - 1]) and may_read(before, keys, now_ms=now_ms):
            return seq
    return 0

"""The newest of a room is shown before everybody in it is verified, and by nobody who is not."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from hashlib import blake2b

import msgspec
import pytest

from syncchat.exchange import ahead as ahead_module
from syncchat.exchange import roster
from syncchat.exchange.ahead import Early, Part
from syncchat.exchange.logpart import delivered
from syncchat.storage import members, previews
from syncchat.trust.chain import EMPTY_FINGERPRINT, next_fingerprint
from syncchat.trust.changes import Devices as DeviceRecords
from syncchat.trust.changes import Join, Kind, Merge, change_of
from syncchat.trust.membership import verify_change
from syncchat.trust.person import certify, fold_person, read_person, request_of
from syncchat.trust.records import Record, make_record
from tests.support.devices import Device
from tests.support.ports import chance
from tests.support.room import RECORDS, ROOM, join
from tests.support.told import Told, entries, forged, raws


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Record]:
    """Return the records that are verified, in order."""
    found: list[Record] = []

    def verified(record: Record) -> None:
        found.append(record)
        verify_change(record)

    for module in (ahead_module, roster):
        monkeypatch.setattr(module, "verify_change", verified)
    return found


def test_newest_show_before_those_are_verified_who_did_not_write_it(counted: list[Record]) -> None:
    devices = [Device(number) for number in range(1, 30)]
    log = entries(*devices)
    told = Told()
    told.hear(raws(log[:20]), is_last=False)
    assert told.receiver.may_wait(told.row)
    told.hear([*raws(log[20:]), devices[4].send("four"), devices[28].send("last")])
    assert sorted(told.texts()) == ["four", "last"]
    assert [r.hash for r in counted] == [log[n].hash for n in (0, 1, 6, 30)]
    assert told.records() == []
    assert told.peer.check() == []


def test_what_was_told_is_taken_as_if_nothing_had_been_shown(counted: list[Record]) -> None:
    devices = [Device(number) for number in range(1, 10)]
    log = [*raws(entries(*devices)), devices[0].send("first"), devices[8].send("last")]
    told, other = Told(), Told()
    told.hear(log)
    told.take()
    assert sorted(record.raw for record in counted) == sorted(log[:-2])  # each of them once
    other.receiver.hear_ahead(other.row, Part(1, [*enumerate(log[:-2], 1)], {}), is_last=False)
    other.take()
    other.hear(log)
    other.take()
    for each in (told, other):
        assert each.records() == log[:-2]
        assert sorted(each.texts()) == ["first", "last"]
        assert each.peer.check() == []
        assert not each.receiver.has_told(each.row)
    assert told.room.digest() == other.room.digest()


def test_message_of_who_came_in_by_a_forged_record_is_not_shown() -> None:
    ann, eve, bob = Device(1), Device(2), Device(3)
    log = entries(ann)
    log.append(forged(join(eve.keys, prev=log[-1].hash)))
    log.append(join(bob.keys, prev=log[-1].hash))
    told = Told()
    told.hear([*raws(log), eve.send("forged")])
    assert told.texts() == []
    assert eve.id not in members.devices_in(told.db, told.row)
    told.take()
    assert told.receiver.is_doubtful
    assert told.texts() == []
    assert log[3].raw not in told.records()


def test_forged_record_of_who_wrote_nothing_keeps_nobody_from_being_shown() -> None:
    ann, eve, bob = Device(1), Device(2), Device(3)
    log = entries(ann)
    log.append(forged(join(eve.keys, prev=log[-1].hash), by=bob.keys))
    told = Told()
    told.hear([*raws(log), ann.send("true")])
    assert told.texts() == ["true"]
    told.take()
    assert told.receiver.is_doubtful
    assert log[3].raw not in told.records()


def test_join_that_no_relay_would_take_is_not_waited_for() -> None:
    ann = Device(1)
    log = entries(ann)
    first = ann.send("before")
    told = Told()
    told.hear([*raws(log), first])
    told.take()
    again = forged(join(ann.keys, prev=log[-1].hash))
    told.hear([again.raw])  # they are in, so that it may not be there at all
    assert not told.receiver.may_wait(told.row)
    told.take()
    assert told.receiver.is_doubtful


def test_person_with_a_certificate_that_does_not_hold_is_not_shown() -> None:
    ann, tablet = Device(1), Device(2)
    log = list(RECORDS)
    entry = join(ann.keys, prev=log[-1].hash, others=[tablet.keys])
    change = change_of(entry)
    assert isinstance(change, Join)
    mine, other = read_person(change.person)
    with_forged = [mine.raw, forged(other).raw]
    assert len(fold_person(read_person(with_forged)).devices) == 2  # the fold looks at none
    log.append(
        make_record(
            ann.keys,
            log=ROOM,
            prevs=(log[-1].hash,),
            at_ms=entry.at_ms,
            kind=Kind.JOIN,
            content=msgspec.structs.replace(change, person=with_forged),
        )
    )
    told = Told()
    told.hear([*raws(log), tablet.send("stolen")])
    assert told.texts() == []


def test_what_is_done_by_who_came_in_by_a_forged_record_is_not_folded_ahead() -> None:
    ann, eve, tablet = Device(1), Device(2), Device(3)
    log = entries(ann)
    entry = join(eve.keys, prev=log[-1].hash)
    change = change_of(entry)
    assert isinstance(change, Join)
    person = fold_person(read_person(change.person))
    certificate = certify(
        eve.keys,
        request_of(tablet.keys, user=person.id),
        root=person.root,
        prevs=person.heads,
        generation=0,
        user_secret=blake2b(f"secret of {eve.id}".encode(), digest_size=32).digest(),
        at_ms=entry.at_ms,
        random=chance(1),
    )
    bad = forged(entry)
    for keys, kind, content in (
        (eve.keys, Kind.MERGE, Merge()),
        (tablet.keys, Kind.DEVICES, DeviceRecords(person.id, [certificate.raw], [], None)),
    ):
        for entered in (bad, entry):
            made = make_record(
                keys,
                log=ROOM,
                prevs=(entered.hash,),
                at_ms=entry.at_ms,
                kind=kind,
                content=content,
            )
            told = Told()
            told.hear(raws([*log, entered, made]), is_last=False)
            assert told.receiver.may_wait(told.row) is (entered is entry)


def test_log_that_does_not_hang_together_is_taken_at_once() -> None:
    ann, bob = Device(1), Device(2)
    log = entries(ann, bob)
    told = Told()
    told.hear([*raws(log[:3]), ann.send("one")], is_last=False)
    assert told.receiver.may_wait(told.row)
    beside = join(Device(3).keys, prev=log[2].hash)
    told.hear([log[3].raw, beside.raw], is_last=False)
    assert not told.receiver.may_wait(told.row)
    told.take()
    assert told.texts() == ["one"]
    assert told.records() == [*raws(log), beside.raw]


def test_crash_before_what_was_shown_is_taken_leaves_nothing_that_is_wrong() -> None:
    ann, bob = Device(1), Device(2)
    log = [*raws(entries(ann, bob)), ann.send("one")]
    told = Told()
    told.hear(log)
    told.start()
    assert told.peer.check() == []
    assert told.records() == []
    known = members.devices_in(told.db, told.row)
    assert known[ann.id] == told.room.messages()[0].sender
    assert bob.id not in known
    told.hear(log)
    told.take()
    assert told.texts() == ["one"]
    assert len(previews.all_previews(told.db, told.row)) == 1
    assert told.peer.check() == []
    told.peer.rebuild()
    assert told.texts() == []  # until it is told again, or its chain has come


def test_more_than_may_wait_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead_module, "WAITING_BYTES_MAX", 2_000)
    ann, bob, eve = Device(1), Device(2), Device(3)
    told = Told()
    told.hear(raws(entries(ann, bob, eve)), is_last=False)
    assert not told.receiver.may_wait(told.row)
    told.take()
    assert len(told.records()) == 5


def test_record_that_was_told_fills_its_gap_also_where_it_does_not_hold() -> None:
    ann, bob = Device(1), Device(2)
    log = entries(ann)
    bad = forged(join(bob.keys, prev=log[-1].hash))
    stored = {record.hash: record.raw for record in log}
    early = Early(stored.get)
    early.note([*enumerate(raws(log), 1), (5, bad.raw), (9, ann.send("no record"))])
    part = delivered(
        0,
        [b"four"],
        [(0, 3, bytes(8)), (1, 7, b"seventh!")],
        cursor=0,
        fingerprint=EMPTY_FINGERPRINT,
        early=early.between,
    )
    assert part.envelopes == (*enumerate(raws(log), 1), (4, b"four"), (5, bad.raw))
    assert (part.last, part.fingerprint) == (7, b"seventh!")  # 6 and 7 are gone: the relay's word
    expected = EMPTY_FINGERPRINT
    for raw in [*raws(log), b"four", bad.raw]:
        expected = next_fingerprint(expected, raw)
    part = delivered(
        2,
        [b"four"],
        [(0, 3, bytes(8)), (1, 5, bytes(8))],
        cursor=2,
        fingerprint=_after(raws(log[:2])),
        early=early.between,
    )
    assert part.fingerprint == expected


def _after(log: Iterable[bytes]) -> bytes:
    fingerprint = EMPTY_FINGERPRINT
    for raw in log:
        fingerprint = next_fingerprint(fingerprint, raw)
    return fingerprint


def test_early_records_are_bounded_and_told_again_count_as_told_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = raws(entries(Device(1)))
    early = Early(lambda _: None)
    early.note([(1, log[0])])
    early.note([(1, log[1])])
    assert early.between(0, 2**53) == [(1, log[1])]
    monkeypatch.setattr(ahead_module, "WAITING_BYTES_MAX", 0)
    early.note([(2, log[2])])
    assert early.between(1, 2**53) == []


def test_what_was_folded_in_a_transaction_that_was_undone_is_not_kept() -> None:
    ann, bob = Device(1), Device(2)
    told = Told()
    told.hear(raws(entries()))
    told.take()
    groups = told.peer._membership.groups
    assert groups.of(told.row) is not None
    with suppress(ZeroDivisionError), told.db.atomic():
        record = join(ann.keys, prev=RECORDS[-1].hash)
        members.add_record(told.db, told.row, record, relay_seq=None)
        group = groups.grow(told.row, [record])
        assert group is not None
        assert group.may_write(ann.keys.public) and 1 / 0
    with told.db.atomic():
        record = join(bob.keys, prev=RECORDS[-1].hash)
        members.add_record(told.db, told.row, record, relay_seq=None)
    group = groups.of(told.row)
    assert group is not None
    assert group.may_write(bob.keys.public)
    assert not group.may_write(ann.keys.public)

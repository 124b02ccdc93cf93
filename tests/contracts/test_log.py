"""The relay log's contract: one suite for the log in memory and the log in SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from syncchat_relay.log import Append, CursorEntry, Head, Log, Outcome
from syncchat_relay.log.memory import MemoryLog
from syncchat_relay.log.sqlite import SqliteLog

from syncchat.trust.chain import EMPTY_FINGERPRINT
from syncchat.wire.codes import ItemStatus
from tests.contracts.chains import (
    OTHER_ROOM,
    ROOM,
    FixedRandom,
    Writer,
    fingerprint_of,
    logged,
    with_broken_signature,
)

STORED, KNOWN, GAP = ItemStatus.STORED, ItemStatus.KNOWN, ItemStatus.GAP
CONFLICT, BAD = ItemStatus.CONFLICT, ItemStatus.BAD_ENVELOPE


@pytest.fixture(params=["memory", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    made: Log = (
        MemoryLog(random=FixedRandom())
        if request.param == "memory"
        else SqliteLog(tmp_path, random=FixedRandom())
    )
    yield made
    made.close()


def append(log: Log, *envelopes: bytes, room: bytes = ROOM) -> list[tuple[ItemStatus, int]]:
    (outcomes,) = log.append([Append(room, envelopes)])
    return [(outcome.status, outcome.seq) for outcome in outcomes]


def read(log: Log, after: int = 0, *, room: bytes = ROOM) -> list[bytes]:
    return logged(log, room, after)


def test_log_numbers_a_room_from_1_without_a_hole(log: Log) -> None:
    alice, bob = Writer(1), Writer(2)
    first, second, third = alice.write_many(2), bob.write_many(3), alice.write_many(1)
    assert append(log, *first) == [(STORED, 1), (STORED, 2)]
    assert append(log, *second) == [(STORED, 3), (STORED, 4), (STORED, 5)]
    assert append(log, *third) == [(STORED, 6)]
    assert read(log) == [*first, *second, *third]
    assert log.head(ROOM).seq == 6


def test_rooms_are_numbered_apart_in_one_batch(log: Log) -> None:
    here, there = Writer(1), Writer(1, room=OTHER_ROOM)
    a, b, c = here.write(), there.write(), here.write()
    outcomes = log.append([Append(ROOM, (a,)), Append(OTHER_ROOM, (b,)), Append(ROOM, (c,))])
    assert outcomes == [[Outcome(STORED, 1)], [Outcome(STORED, 1)], [Outcome(STORED, 2)]]
    assert read(log) == [a, c]
    assert read(log, room=OTHER_ROOM) == [b]


def test_an_envelope_for_one_room_does_not_hold_in_another(log: Log) -> None:
    assert append(log, Writer(1).write(), room=OTHER_ROOM) == [(BAD, 0)]
    assert log.head(OTHER_ROOM) == Head(0, EMPTY_FINGERPRINT)


def test_the_same_envelope_answers_with_its_first_seq_at_any_time(log: Log) -> None:
    alice, bob = Writer(1), Writer(2)
    old = alice.write_many(3)
    append(log, *old[:2])
    append(log, bob.write())
    append(log, old[2])
    append(log, *bob.write_many(5))
    assert append(log, *old) == [(KNOWN, 1), (KNOWN, 2), (KNOWN, 4)]
    assert log.head(ROOM).seq == 9


def test_two_pushes_of_one_batch_may_carry_the_same_envelope(log: Log) -> None:
    raw = Writer(1).write()
    outcomes = log.append([Append(ROOM, (raw,)), Append(ROOM, (raw, raw))])
    assert outcomes == [[Outcome(STORED, 1)], [Outcome(KNOWN, 1), Outcome(KNOWN, 1)]]
    assert read(log) == [raw]


def test_the_first_envelope_at_a_chain_seq_stays_and_the_other_is_a_conflict(log: Log) -> None:
    alice, bob = Writer(1), Writer(2)
    append(log, alice.write())
    backup = alice.fork()
    append(log, bob.write())
    first = alice.write(b"first")
    append(log, first)
    assert append(log, backup.write(b"other")) == [(CONFLICT, 3)]
    assert read(log, 2) == [first]


def test_an_envelope_after_a_missing_one_is_a_gap_that_names_what_is_there(log: Log) -> None:
    run = Writer(1).write_many(5)
    assert append(log, run[1]) == [(GAP, 0)]
    append(log, *run[:2])
    assert append(log, run[3], run[4]) == [(GAP, 2), (GAP, 2)]
    assert append(log, *run[2:]) == [(STORED, 3), (STORED, 4), (STORED, 5)]


def test_a_bad_envelope_makes_the_rest_of_its_chain_a_gap_and_spares_other_chains(
    log: Log,
) -> None:
    alice, bob = Writer(1), Writer(2)
    good, altered, after = alice.write_many(3)
    other = bob.write()
    outcomes = append(log, good, with_broken_signature(altered), after, b"junk", other)
    assert outcomes == [(STORED, 1), (BAD, 0), (GAP, 1), (BAD, 0), (STORED, 2)]
    assert read(log) == [good, other]
    assert append(log, altered, after) == [(STORED, 3), (STORED, 4)]


def test_every_signature_of_a_push_is_checked_not_only_the_last(log: Log) -> None:
    first, second = Writer(1).write_many(2)
    assert append(log, with_broken_signature(first), second) == [(BAD, 0), (GAP, 0)]


def test_a_chain_cannot_be_continued_by_another_device(log: Log) -> None:
    alice, mallory = Writer(1), Writer(2)
    append(log, alice.write())
    mallory.seq, mallory.link, mallory.device = alice.seq, alice.link, alice.device
    assert append(log, mallory.write()) == [(BAD, 0)]


def test_a_refused_push_leaves_no_trace(log: Log) -> None:
    append(log, b"junk", with_broken_signature(Writer(1).write()))
    assert log.head(ROOM) == Head(0, EMPTY_FINGERPRINT)
    assert log.chains(ROOM) == []
    assert read(log) == []


def test_reading_goes_on_after_the_cursor_within_its_bounds(log: Log) -> None:
    run = Writer(1).write_many(10)
    append(log, *run)
    size = len(run[5])

    def parts(upto: int, envelopes_max: int, bytes_max: int) -> tuple[list[bytes], int]:
        found = log.read(ROOM, 4, upto=upto, envelopes_max=envelopes_max, bytes_max=bytes_max)
        return [raw for _, raw in found.envelopes], found.last

    assert parts(10, 3, 2**20) == (list(run[4:7]), 7)
    assert parts(10, 9, 2 * size) == (list(run[4:6]), 6)
    assert parts(10, 9, 1) == ([run[4]], 5)
    assert parts(6, 9, 2**20) == (list(run[4:6]), 6)
    assert parts(10, 6, 2**20) == (list(run[4:10]), 10)


def test_reading_stops_at_the_end_of_its_room(log: Log) -> None:
    rooms = [number.to_bytes(16) for number in range(1, 5)]
    for room in rooms:
        append(log, *Writer(1, room=room).write_many(3), room=room)
    for room in rooms:
        assert read(log, 1, room=room) == list(Writer(1, room=room).write_many(3))[1:]


def test_fingerprints_are_those_of_the_envelopes_in_order(log: Log) -> None:
    alice, bob = Writer(1), Writer(2)
    run = [alice.write(), bob.write(), bob.write(), alice.write()]
    append(log, run[0], run[1])
    append(log, run[2], run[3])
    for seq in range(5):
        assert log.fingerprint_at(ROOM, seq) == fingerprint_of(run[:seq])
    assert log.head(ROOM) == Head(4, fingerprint_of(run))
    for beyond in (5, 2**36, 2**36 + 1, 2**53 - 1):
        assert log.fingerprint_at(ROOM, beyond) is None


def test_an_unknown_room_is_an_empty_one(log: Log) -> None:
    assert log.head(ROOM) == Head(0, EMPTY_FINGERPRINT)
    assert log.fingerprint_at(ROOM, 0) == EMPTY_FINGERPRINT
    assert log.fingerprint_at(ROOM, 1) is None
    assert (read(log), log.chains(ROOM), log.cursors(ROOM)) == ([], [], [])
    assert log.chain_seq(ROOM, bytes(8)) == 0


def test_chains_tell_how_much_of_each_device_is_stored(log: Log) -> None:
    alice, bob, elsewhere = Writer(1), Writer(2), Writer(3, room=OTHER_ROOM)
    append(log, *alice.write_many(3))
    append(log, *bob.write_many(1))
    append(log, elsewhere.write(), room=OTHER_ROOM)
    assert log.chains(ROOM) == sorted([(alice.device, 3), (bob.device, 1)])
    assert log.chain_seq(ROOM, alice.device) == 3
    assert log.chain_seq(ROOM, elsewhere.device) == 0


def test_device_cursors_only_grow(log: Log) -> None:
    append(log, *Writer(1).write_many(9))
    one, two = bytes(8), bytes(7) + b"\1"
    log.set_cursors([CursorEntry(ROOM, two, 4), CursorEntry(ROOM, one, 7)])
    log.set_cursors([CursorEntry(ROOM, one, 5), CursorEntry(OTHER_ROOM, one, 1)])
    log.set_cursors([CursorEntry(ROOM, two, 9)])
    assert log.cursors(ROOM) == [(one, 7), (two, 9)]
    assert log.cursors(OTHER_ROOM) == []


def test_long_runs_and_single_envelopes_are_found_again(log: Log) -> None:
    writers = [Writer(seed) for seed in range(1, 4)]
    order: list[bytes] = []
    for turn in range(30):
        writer = writers[turn % 7 % 3]
        envelopes = writer.write_many(1 + turn % 4)
        append(log, *envelopes)
        order += envelopes
    assert append(log, *order) == [(KNOWN, seq) for seq in range(1, len(order) + 1)]
    assert read(log) == order


def test_incarnation_is_eight_bytes_and_stays(log: Log) -> None:
    before = log.incarnation
    append(log, Writer(1).write())
    assert len(before) == 8
    assert log.incarnation == before

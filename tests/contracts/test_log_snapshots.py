"""The relay log's contract on snapshots: what they cover goes, and chains go on behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from syncchat_relay.log import Append, CursorEntry, Log
from syncchat_relay.log.fading import BACK, SLACK
from syncchat_relay.log.sqlite import FILE_NAME, SqliteLog

from syncchat.trust.chain import EMPTY_FINGERPRINT, next_fingerprint
from syncchat.wire.codes import ItemStatus
from tests.contracts.chains import ROOM, FixedRandom, Writer

STORED, KNOWN, GAP = ItemStatus.STORED, ItemStatus.KNOWN, ItemStatus.GAP
CONFLICT, BAD = ItemStatus.CONFLICT, ItemStatus.BAD_ENVELOPE


@pytest.fixture
def log(make: Callable[..., Log]) -> Log:
    return make(is_open=True)


def append(log: Log, *envelopes: bytes) -> list[tuple[ItemStatus, int]]:
    (outcomes,) = log.append([Append(ROOM, envelopes)])
    return [(outcome.status, outcome.seq) for outcome in outcomes]


def seqs(log: Log, after: int = 0) -> list[int]:
    upto = log.head(ROOM).seq
    stretch = log.read(ROOM, after, upto=upto, envelopes_max=10_000, bytes_max=2**30)
    assert stretch.last == upto
    return [seq for seq, _ in stretch.envelopes]


def test_snapshot_takes_the_place_of_what_it_covers(log: Log) -> None:
    alice, bob = Writer(1), Writer(2)
    early, others = alice.write_many(3), bob.write_many(2)
    append(log, *early, *others)
    snapshot = alice.snapshot()
    assert append(log, snapshot) == [(STORED, 6)]
    assert seqs(log) == [4, 5, 6]
    assert log.head(ROOM).seq == 6
    assert log.snapshots(ROOM, 0, upto=6, bytes_max=2**30) == [(6, snapshot)]
    assert log.snapshots(ROOM, 6, upto=6, bytes_max=2**30) == []
    assert append(log, alice.write()) == [(STORED, 7)]


def known(log: Log, raws: Sequence[bytes]) -> list[int]:
    """Return the seqs at which the fingerprint is known; where it is, it is that of ``raws``."""
    found = [log.fingerprint_at(ROOM, seq) for seq in range(1, len(raws) + 1)]
    fingerprint, right = EMPTY_FINGERPRINT, []
    for raw in raws:
        fingerprint = next_fingerprint(fingerprint, raw)
        right.append(fingerprint)
    assert all(it in (None, there) for it, there in zip(found, right, strict=True))
    return [seq for seq, it in enumerate(found, 1) if it is not None]


def at(writer: Writer, cursor: int, *, sent: int = 0) -> CursorEntry:
    return CursorEntry(ROOM, writer.device, cursor, sent)


def test_fingerprints_are_known_at_the_end_of_each_run_that_is_gone(log: Log) -> None:
    alice, bob = Writer(1), Writer(2)
    raws = [*alice.write_many(300), bob.write(), *alice.write_many(300)]
    append(log, *raws)
    raws.append(alice.snapshot())
    append(log, raws[-1])
    assert seqs(log) == [301, 602]
    assert known(log, raws) == [300, 301, 601, 602]
    raws += [alice.write(), bob.snapshot()]
    append(log, *raws[-2:])
    assert seqs(log) == [602, 603, 604]
    assert known(log, raws) == [601, 602, 603, 604]


def test_run_that_goes_on_in_another_block_has_no_end_before_it(log: Log) -> None:
    alice, bob = Writer(1), Writer(2)
    raws = [*alice.write_many(255), bob.write(), *alice.write_many(2), alice.snapshot()]
    append(log, *raws)
    assert known(log, raws) == [255, 256, 258, 259]
    raws.append(bob.snapshot())
    append(log, raws[-1])
    assert known(log, raws) == [258, 259, 260]


def test_fingerprints_are_known_where_a_device_may_stand(log: Log) -> None:
    alice, near, far = Writer(1), Writer(2), Writer(3)
    raws = list(alice.write_many(3_000))
    append(log, *raws)
    log.set_cursors([at(near, 100), at(far, 1_000, sent=2_000)])
    raws.append(alice.snapshot())
    append(log, raws[-1])
    held = [*range(100 - BACK, 100 + SLACK + 1), *range(1_000 - BACK, 2_001)]
    assert known(log, raws) == [*held, 3_000, 3_001]


def test_what_a_device_has_left_behind_is_let_go_of_with_what_goes_next(log: Log) -> None:
    alice, bob, carol = Writer(1), Writer(2), Writer(3)
    raws = list(alice.write_many(2_000))
    append(log, *raws)
    log.set_cursors([at(bob, 100), at(carol, 300)])
    raws.append(alice.snapshot())
    append(log, raws[-1])
    assert known(log, raws) == [*range(100 - BACK, 300 + SLACK + 1), 2_000, 2_001]
    log.set_cursors([at(bob, 2_001)])
    raws += [alice.write(), alice.snapshot()]
    append(log, *raws[-2:])
    assert known(log, raws) == [*range(300 - BACK, 300 + SLACK + 1), *range(2_000, 2_004)]
    log.set_cursors([at(carol, 2_003)])
    raws += [alice.write(), alice.snapshot()]
    append(log, *raws[-2:])
    assert known(log, raws) == [*range(2_000, 2_006)]


def test_neither_cursor_nor_what_was_sent_goes_back(log: Log) -> None:
    alice, bob = Writer(1), Writer(2)
    raws = list(alice.write_many(2_000))
    append(log, *raws)
    log.set_cursors([at(bob, 500, sent=1_500)])
    log.set_cursors([at(bob, 100, sent=200)])
    assert log.cursors(ROOM) == [(bob.device, 500)]
    raws.append(alice.snapshot())
    append(log, raws[-1])
    assert known(log, raws) == [*range(500 - BACK, 1_501), 2_000, 2_001]


def test_what_is_covered_is_known_when_it_comes_again(log: Log) -> None:
    alice = Writer(1)
    early = alice.write_many(3)
    snapshot = alice.snapshot()
    append(log, *early, snapshot)
    assert append(log, *early, snapshot) == [(KNOWN, 4)] * 4
    other = Writer(1)
    other.write(b"another history")
    assert append(log, other.write(b"of two")) == [(KNOWN, 4)]  # it cannot be told any more


def test_newer_snapshot_covers_the_older_one(log: Log) -> None:
    alice = Writer(1)
    append(log, *alice.write_many(2), alice.snapshot(), *alice.write_many(2))
    newer = alice.snapshot()
    assert append(log, newer) == [(STORED, 6)]
    assert seqs(log) == [6]
    assert log.snapshots(ROOM, 0, upto=6, bytes_max=1) == [(6, newer)]


def test_only_the_volume_that_a_snapshot_names_goes(log: Log) -> None:
    alice = Writer(1)
    append(log, *alice.write_many(3))
    alice.volume = 1
    append(log, *alice.write_many(2))
    alice.volume = 0
    append(log, alice.write(b"an erasure"))
    assert append(log, alice.snapshot()) == [(STORED, 7)]
    assert seqs(log) == [4, 5, 7]
    alice.volume = 1
    assert append(log, alice.snapshot(), alice.write()) == [(STORED, 8), (STORED, 9)]
    assert seqs(log) == [7, 8, 9]
    assert log.chain_seq(ROOM, alice.device) == 9


def test_empty_relay_takes_a_chain_whose_beginning_is_gone(log: Log) -> None:
    alice = Writer(1)
    alice.write_many(3)
    alice.volume = 1
    rest = alice.write_many(2)
    alice.volume = 0
    erasure_snapshot = (alice.write(), alice.snapshot())[1]
    last = alice.write()
    assert append(log, *rest) == [(GAP, 0), (GAP, 0)]
    assert append(log, erasure_snapshot) == [(STORED, 1)]
    assert log.chain_seq(ROOM, alice.device) == 3
    assert append(log, *rest, last) == [(STORED, 2), (STORED, 3), (STORED, 4)]
    assert log.chain_seq(ROOM, alice.device) == 8
    assert seqs(log) == [1, 2, 3, 4]
    assert append(log, erasure_snapshot, rest[1]) == [(KNOWN, 1), (KNOWN, 3)]


def test_relay_with_a_part_of_what_is_covered_lets_it_go(log: Log) -> None:
    alice, bob = Writer(1), Writer(2)
    early = alice.write_many(4)
    append(log, *early[:2], *bob.write_many(3))
    snapshot = alice.snapshot()
    assert append(log, snapshot) == [(STORED, 6)]
    assert seqs(log) == [3, 4, 5, 6]
    assert log.chain_seq(ROOM, alice.device) == 5
    assert append(log, alice.write(), bob.write()) == [(STORED, 7), (STORED, 8)]


def test_snapshot_that_comes_ahead_twice_or_altered(log: Log) -> None:
    alice = Writer(1)
    alice.write_many(3)
    snapshot = alice.snapshot()
    broken = bytearray(snapshot)
    broken[-1] ^= 1
    assert append(log, bytes(broken)) == [(BAD, 0)]
    assert append(log, snapshot, snapshot) == [(STORED, 1), (KNOWN, 1)]
    other = Writer(1)
    other.write_many(3)
    assert append(log, other.snapshot(text=b"another")) == [(CONFLICT, 1)]


def test_older_snapshot_after_the_newer_is_known(log: Log) -> None:
    alice = Writer(1)
    alice.write_many(2)
    older = alice.snapshot()
    alice.write_many(2)
    newer = alice.snapshot()
    assert append(log, newer, older) == [(STORED, 1), (KNOWN, 1)]
    assert log.chain_seq(ROOM, alice.device) == 6


def test_envelope_between_snapshots_is_not_taken_for_covered(log: Log) -> None:
    alice, bob = Writer(1), Writer(2)
    append(log, *alice.write_many(2), *bob.write_many(2), *alice.write_many(2))
    alice.volume = 1
    kept = alice.write_many(2)
    append(log, *kept, *bob.write_many(1))
    alice.volume = 0
    append(log, alice.snapshot())
    assert seqs(log) == [3, 4, 7, 8, 9, 10]
    assert append(log, *kept) == [(KNOWN, 7), (KNOWN, 8)]
    alice.volume = 1
    assert append(log, alice.snapshot()) == [(STORED, 11)]
    assert seqs(log) == [3, 4, 9, 10, 11]


def test_envelopes_leave_the_disk(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path, random=FixedRandom())
    alice, bob = Writer(1), Writer(2)
    secret = alice.write(b"a text that is deleted for everyone")
    append(log, secret, bob.write(b"a text that stays"))
    append(log, alice.snapshot())
    disk = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"a text that stays" in disk
    assert b"a text that is deleted for everyone" not in disk
    assert (tmp_path / FILE_NAME).exists()
    log.close()

"""The relay log's contract on snapshots: what they cover goes, and chains go on behind it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from syncchat_relay.log import Append, Log
from syncchat_relay.log.sqlite import FILE_NAME, SqliteLog

from syncchat.wire.codes import ItemStatus
from tests.contracts.chains import ROOM, FixedRandom, Writer, fingerprint_of

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


def test_fingerprints_outlive_what_they_were_of(log: Log) -> None:
    alice = Writer(1)
    raws = [*alice.write_many(300), alice.snapshot(), alice.write()]
    append(log, *raws)
    assert seqs(log) == [301, 302]
    for seq in (0, 1, 255, 256, 257, 300, 301, 302):
        assert log.fingerprint_at(ROOM, seq) == fingerprint_of(raws[:seq])
    assert log.fingerprint_at(ROOM, 303) is None


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

"""The relay log's contract on what is newest: which envelopes, and the links that they follow."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from syncchat_relay.log import Append, Log, Newest

from syncchat.trust.chain import GENESIS, context, link_after, signed_text
from syncchat.trust.keys import verify
from syncchat.wire.codes import ItemStatus
from syncchat.wire.envelope import decode_envelope
from tests.contracts.chains import OTHER_ROOM, ROOM, Writer

PLENTY = 10**6


@pytest.fixture
def log(make: Callable[..., Log]) -> Log:
    return make(is_open=True)


def append(log: Log, *envelopes: bytes, room: bytes = ROOM) -> None:
    (outcomes,) = log.append([Append(room, envelopes)])
    assert {outcome.status for outcome in outcomes} == {ItemStatus.STORED}


def newest(log: Log, after: int = 0, *, many: int = PLENTY, size: int = PLENTY) -> Newest:
    found = log.newest(ROOM, after, envelopes_max=many, bytes_max=size)
    for each in (*found.introductions, *found.envelopes):
        if each.previous is not None:  # the signature is over the link that it follows
            envelope, header = decode_envelope(each.raw)
            key = next(writer.keys.public for writer in WRITERS if writer.device == header.device)
            link = link_after(context(ROOM, each.previous, envelope.header), envelope, header)
            verify(key, signed_text(link), envelope.signature)
    return found


WRITERS = [Writer(1), Writer(2)]


def seqs(found: Newest) -> list[int]:
    return [each.seq for each in found.envelopes]


def test_newest_are_those_at_the_end_of_the_log_by_chain(log: Log) -> None:
    alice, bob = Writer(1), Writer(2)
    append(log, *alice.write_many(70), *bob.write_many(3), *alice.write_many(2))
    found = newest(log, many=6)
    assert found.since == 70
    assert sorted(seqs(found)) == [70, 71, 72, 73, 74, 75]
    by_chain = {seq: each.previous for seq, each in zip(seqs(found), found.envelopes, strict=True)}
    assert by_chain[71] == GENESIS
    assert None not in by_chain.values()
    alices = [seq for seq in seqs(found) if seq not in (71, 72, 73)]
    assert alices == [70, 74, 75]


@pytest.mark.parametrize("count", [1, 31, 32, 33, 63, 64, 65, 200])
def test_links_are_found_wherever_the_newest_begin(log: Log, count: int) -> None:
    alice = Writer(1)
    append(log, *alice.write_many(count))
    found = newest(log, many=1)
    assert seqs(found) == [count]
    assert found.envelopes[0].previous is not None


def test_at_least_one_comes_however_few_bytes_are_wanted(log: Log) -> None:
    append(log, *Writer(1).write_many(5))
    assert seqs(newest(log, size=1)) == [5]
    assert seqs(newest(log, after=5)) == []
    assert newest(log, after=5).since == 6


def test_nothing_behind_the_place_that_was_asked_for_comes(log: Log) -> None:
    alice = Writer(1)
    append(log, *alice.write_many(9))
    found = newest(log, after=6)
    assert (found.since, seqs(found), found.introductions) == (7, [7, 8, 9], ())


def test_writers_are_introduced_by_what_stands_first_in_their_chains(log: Log) -> None:
    alice, bob = Writer(1), Writer(2)
    append(log, *bob.write_many(4), *alice.write_many(4), bob.write())
    found = newest(log, many=2)
    assert sorted(seqs(found)) == [8, 9]
    assert sorted(each.seq for each in found.introductions) == [1, 5]
    assert newest(log, after=1, many=2).introductions != found.introductions  # one is known


def test_snapshots_and_what_follows_a_hole_are_among_the_newest(log: Log) -> None:
    alice = Writer(1)
    append(log, *alice.write_many(40))
    append(log, alice.snapshot(), *alice.write_many(3))
    found = newest(log)
    assert seqs(found) == [41, 42, 43, 44]
    assert [each.previous is None for each in found.envelopes] == [True, False, False, False]
    found = newest(log, many=2)
    assert seqs(found) == [43, 44]
    assert [each.seq for each in found.introductions] == [41]


def test_envelope_between_two_that_are_covered_can_be_placed(log: Log) -> None:
    alice = Writer(1)
    append(log, *alice.write_many(35))
    alice.volume = 1
    append(log, *alice.write_many(1))
    alice.volume = 0
    append(log, *alice.write_many(2), alice.snapshot())
    assert seqs(newest(log)) == [36, 39]


def test_other_rooms_and_rooms_without_a_log_have_newest_of_their_own(log: Log) -> None:
    append(log, *Writer(1, room=OTHER_ROOM).write_many(2), room=OTHER_ROOM)
    assert newest(log) == Newest(1, (), ())

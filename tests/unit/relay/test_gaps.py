"""What a receiver is given of a log of which something is gone: snapshots first, then the rest."""

from __future__ import annotations

import pytest
from syncchat_relay import Admit, Config
from syncchat_relay.performing import gap_ends

from syncchat.exchange.logpart import delivered
from syncchat.trust.chain import EMPTY_FINGERPRINT
from syncchat.wire.frames import AnyFrame, Deliver, Live, Opened, Snapshots
from tests.contracts.chains import Writer, fingerprint_of
from tests.unit.relay.world import World


def written(writer: Writer, other: Writer) -> tuple[list[bytes], bytes, bytes]:
    """Return a log's envelopes, of which the first snapshot and the second snapshot are two."""
    first = [*writer.write_many(3), *other.write_many(2)]
    writer.volume = 1
    first += writer.write_many(2)
    writer.volume = 0
    one = writer.snapshot()
    writer.volume = 1
    middle = [*writer.write_many(1), *other.write_many(1)]
    two = writer.snapshot()
    return [*first, one, *middle, two, *writer.write_many(1)], one, two


def caught_up(
    frames: list[AnyFrame], *, cursor: int, fingerprint: bytes
) -> tuple[list[int], bytes]:
    """Return the seqs that Delivers bring, and the log's fingerprint at their end."""
    seqs: list[int] = []
    for frame in frames:
        if isinstance(frame, Deliver):
            gaps = [(gap.index, gap.upto, gap.fingerprint) for gap in frame.gaps]
            part = delivered(
                frame.after, frame.envelopes, gaps, cursor=cursor, fingerprint=fingerprint
            )
            seqs += [seq for seq, _ in part.envelopes]
            cursor, fingerprint = part.last, part.fingerprint
    return seqs, fingerprint


@pytest.mark.parametrize("bytes_max", [10**6, 1], ids=["at once", "one by one"])
def test_newcomer_is_told_of_snapshots_before_what_stands_behind_gaps(bytes_max: int) -> None:
    world = World(Config(admission=Admit.OPEN, deliver_bytes_max=bytes_max))
    log, one, two = written(Writer(1), Writer(2))
    pusher, alias = world.join(Writer(1).keys)
    world.push(pusher, alias, 1, log)
    world.settle()
    reader, _ = world.join(Writer(9).keys)
    world.settle()
    kinds = [type(frame) for frame in reader.frames if isinstance(frame, Snapshots | Deliver)]
    assert kinds[0] is Snapshots
    assert Snapshots not in kinds[kinds.index(Deliver) :]
    told = [raw for frame in reader.of(Snapshots) for raw in frame.envelopes]
    assert told == [one, two]
    seqs, fingerprint = caught_up(reader.frames, cursor=0, fingerprint=EMPTY_FINGERPRINT)
    assert seqs == [4, 5, 10, 12]
    assert fingerprint == fingerprint_of(log) == reader.last(Live).fingerprint


def test_who_has_read_beyond_the_gaps_gets_the_rest_as_ever() -> None:
    world = World(Config(admission=Admit.OPEN))
    log, _, two = written(Writer(1), Writer(2))
    pusher, alias = world.join(Writer(1).keys)
    world.push(pusher, alias, 1, log)
    world.settle()
    reader = world.enter(Writer(9).keys)
    world.open(reader, cursor=10, fingerprint=fingerprint_of(log[:10]))
    world.settle()
    assert reader.of(Snapshots) == []
    assert reader.delivered() == [two, log[-1]]


def test_cursor_at_a_place_that_is_gone_counts() -> None:
    world = World(Config(admission=Admit.OPEN))
    log, one, two = written(Writer(1), Writer(2))
    pusher, alias = world.join(Writer(1).keys)
    world.push(pusher, alias, 1, log)
    world.settle()
    fingerprint = fingerprint_of(log[:2])
    reader = world.enter(Writer(9).keys)
    world.open(reader, cursor=2, fingerprint=fingerprint)
    world.settle()
    assert reader.last(Opened).states[0].after == 2
    assert [raw for frame in reader.of(Snapshots) for raw in frame.envelopes] == [one, two]
    seqs, end = caught_up(reader.frames, cursor=2, fingerprint=fingerprint)
    assert seqs == [4, 5, 10, 12]
    assert end == fingerprint_of(log)


def test_gaps_end_where_the_log_goes_on() -> None:
    assert gap_ends(0, [1, 2, 3], 3) == []
    assert gap_ends(0, [2, 5], 9) == [1, 4, 9]
    assert gap_ends(4, [], 9) == [9]
    assert gap_ends(4, [], 4) == []

"""The order in which the records of a log count, also where the log has forked.

A log is a chain as long as a relay takes records on top of the head only. It forks when a relay
lies, loses its newest records, or people work without one. Then everybody who has the same records
must come to the same end, whatever came first:

* *Strong* records (removals, revocations, demotions) count before others of the same moment.
* Whom a strong record strikes has no say beside it: what they signed without knowing of it is void.
* What came by a key that it closes (an invite's) is *late*; the log says what becomes of that.
* Where two strike each other, the senior's record counts and the other is void. Seniority and the
  right to strike are judged by what each record stands on, less what is void there, so neither can
  be had by forking.

This is the *strong removal, seniority decides* rule of the literature on decentralised groups
(Kleppmann et al., "Key Agreement for Decentralized Secure Group Messaging", CCS 2021, section 3.1).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from .records import Record, RecordHash


@dataclass(frozen=True, slots=True)
class Strike:
    """Is what a strong record does: ``seniority`` of its signer (smaller is senior), the keys that
    it strikes, and those that it only closes: what came by one of these is late."""

    seniority: tuple[int, ...]
    struck: frozenset[bytes]
    closed: frozenset[bytes] = frozenset()


StrikeOf = Callable[[Sequence[Record], Record], Strike | None]
"""Takes all that a record stands on and that counts, in order, and the record; tells what it
strikes, if it is strong and its signer had the right to it."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Is what became of a log's records: ``order`` has all but the void ones, and also the *late*
    ones, void only because a key by which they came was closed beside them."""

    order: list[Record]
    late: Set[RecordHash] = frozenset()


def heads_of(records: Mapping[RecordHash, Record]) -> tuple[RecordHash, ...]:
    """Return the hashes that no record stands on, sorted."""
    below = {prev for record in records.values() for prev in record.prevs}
    return tuple(sorted(hash_ for hash_ in records if hash_ not in below))


def in_order(
    records: Mapping[RecordHash, Record],
    *,
    is_strong: Callable[[Record], bool],
    strike_of: StrikeOf,
    came_by: Callable[[Record], bytes] = lambda _: b"",
) -> Settled:
    """Return the records that count, each after all that it stands on.

    ``came_by`` gives the key, besides its signer's, by which a record came about. Records that
    stand on something which is not here are left out. The result depends on the set of records
    only.
    """
    chain = _chain(records)
    if chain is not None:
        return Settled(chain)
    order = _topological(records, is_strong)
    void, late = _void(order, is_strong, strike_of, came_by)
    return Settled([record for record in order if record.hash not in void], late)


def connected(records: Mapping[RecordHash, Record]) -> dict[RecordHash, Record]:
    """Return the records that stand on nothing which is not here."""
    order = _topological(records, lambda _: False)
    return {record.hash: record for record in order}


def below(records: Mapping[RecordHash, Record], heads: Iterable[RecordHash]) -> list[Record]:
    """Return some records and all that they stand on."""
    found: dict[RecordHash, Record] = {}
    todo = list(heads)
    while todo:
        hash_ = todo.pop()
        if hash_ not in found and hash_ in records:
            found[hash_] = records[hash_]
            todo += records[hash_].prevs
    return list(found.values())


def _chain(records: Mapping[RecordHash, Record]) -> list[Record] | None:
    """Return the records of a log that has never forked, in order; None for any other."""
    above: dict[tuple[RecordHash, ...], Record] = {r.prevs: r for r in records.values()}
    order: list[Record] = []
    at: tuple[RecordHash, ...] = ()
    while (record := above.get(at)) is not None:
        order.append(record)
        at = (record.hash,)
    return order if len(order) == len(records) else None


def _topological(
    records: Mapping[RecordHash, Record], is_strong: Callable[[Record], bool]
) -> list[Record]:
    """Return records after what they stand on; strong ones first, then by depth and hash."""
    waits = {record.hash: len(record.prevs) for record in records.values()}
    above: dict[RecordHash, list[RecordHash]] = {}
    for record in records.values():
        for prev in record.prevs:
            above.setdefault(prev, []).append(record.hash)
    depth: dict[RecordHash, int] = {}
    ready: list[tuple[bool, int, RecordHash]] = []
    for record in records.values():
        if not record.prevs:
            depth[record.hash] = 0
            heapq.heappush(ready, (not is_strong(record), 0, record.hash))
    order: list[Record] = []
    while ready:
        _, at, hash_ = heapq.heappop(ready)
        order.append(records[hash_])
        for next_ in above.get(hash_, ()):
            waits[next_] -= 1
            depth[next_] = max(depth.get(next_, 0), at + 1)
            if not waits[next_]:
                heapq.heappush(ready, (not is_strong(records[next_]), depth[next_], next_))
    return order


def _void(
    order: Sequence[Record],
    is_strong: Callable[[Record], bool],
    strike_of: StrikeOf,
    came_by: Callable[[Record], bytes],
) -> tuple[set[RecordHash], set[RecordHash]]:
    """Return what does not count because its keys were struck beside it, and what is late.

    Strikes take effect from the most senior on. Each is judged anew when something that it stands
    on has become void: who had the right only by that has none.
    """
    base = _fork(order)
    settled, open_ = list(order[: base + 1]), list(order[base + 1 :])
    below, beside = _relations(open_)
    keys = [came_by(record) for record in open_]
    void = late = 0

    def judged(place: int) -> Strike | None:
        counting = below[place] & ~(void | late)
        stands_on = [record for at, record in enumerate(open_) if counting >> at & 1]
        return strike_of(settled + stands_on, open_[place])

    waiting: list[tuple[tuple[int, ...], RecordHash, int, Strike, int]] = []

    def wait(place: int) -> None:
        strike = judged(place)
        if strike is not None:
            known = (void | late) & below[place]
            entry = (strike.seniority, open_[place].hash, place, strike, known)
            heapq.heappush(waiting, entry)

    for place, record in enumerate(open_):
        if beside[place] and is_strong(record):
            wait(place)
    while waiting:
        _, _, place, strike, known = heapq.heappop(waiting)
        if (void | late) >> place & 1:
            continue
        if (void | late) & below[place] != known:
            wait(place)
            continue
        for at, other in enumerate(open_):
            if beside[place] >> at & 1:
                is_struck = other.signer in strike.struck or keys[at] in strike.struck
                void |= is_struck << at
                late |= (keys[at] in strike.closed) << at
    return _named(open_, void), _named(open_, late & ~void)


def _named(order: Sequence[Record], bits: int) -> set[RecordHash]:
    return {record.hash for at, record in enumerate(order) if bits >> at & 1}


def _fork(order: Sequence[Record]) -> int:
    """Return the place of the last record that all later ones stand on, -1 for none."""
    places = {record.hash: place for place, record in enumerate(order)}
    lowest = len(order) - 1
    for place, record in enumerate(order):
        if place and record.prevs != (order[place - 1].hash,):
            if not record.prevs:
                return -1
            lowest = min(lowest, *(places[prev] for prev in record.prevs))
    return lowest


def _relations(order: Sequence[Record]) -> tuple[list[int], list[int]]:
    """Return for each of some records, as bits by place, which others it stands on, and which
    neither it stands on nor they on it."""
    places = {record.hash: place for place, record in enumerate(order)}
    below = [0] * len(order)
    above = [0] * len(order)
    parents = [[places[prev] for prev in r.prevs if prev in places] for r in order]
    for place in range(len(order)):
        for prev in parents[place]:
            below[place] |= below[prev] | 1 << prev
    for place in reversed(range(len(order))):
        for prev in parents[place]:
            above[prev] |= above[place] | 1 << place
    everything = (1 << len(order)) - 1
    beside = [
        everything & ~(below[place] | above[place] | 1 << place) for place in range(len(order))
    ]
    return below, beside

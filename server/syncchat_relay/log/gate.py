"""The gate: which pushes a room takes, by what its own records say.

A room's log begins with the record that makes it, and each later record stands on all before it.
So the relay folds the records as peers do (``groups``) and takes a record only

* on top of the log's heads: one that stands on older ones is STALE, on unknown ones a GAP;
* signed, also inside, else BAD_ENVELOPE, and with an effect by the rules, else FORBIDDEN;
* if nothing that is stored would be cut off by its pins, else STALE: its maker lacked something;
* within the room's bounds, else FULL; the last part of them is for admins, so that nobody can fill
  a room to keep from being removed.

A lost branch of the log comes in as one: its records, then a Merge that stands on every head.

Unless the log is open, who may not read the room may push only what lets them in: the record that
makes a room of this name, or a Join, a Request or the Devices of their own. Everything else of
theirs is FORBIDDEN, whether there is such a room or not. Getting in is judged by the relay's clock;
what a member brings again (a relay that lost its log is refilled) was judged when it was new. Who
brings a lost room's first record may go on until the log says who they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from syncchat.errors import DecodeError, TrustError
from syncchat.trust.chain import ChainHead
from syncchat.trust.changes import Join, Kind, Request, Role, change_of
from syncchat.trust.group import Group, copied
from syncchat.trust.membership import fold_group, room_of, verify_change
from syncchat.trust.records import Record, RecordHash, decode_record, is_record
from syncchat.trust.rules import refusal_of
from syncchat.wire.codes import ItemStatus

from . import Append, Outcome
from .groups import changed, is_cut
from .judge import Fresh, judge

RECORDS_MAX = 10_000
"""Records of one room: an hour of reading at the worst, and a fold well under a second."""

RECORD_OCTETS_MAX = 64 * 1024 * 1024
"""The same in bytes."""

RECORDS_PER_MINUTE_MAX = 1_000
"""Records that one room takes in a minute; a lost room of any size is refilled in ten."""


_PINNED = frozenset((Kind.REMOVE, Kind.LEAVE, Kind.SET_ROLE, Kind.DEVICES))
_ENTRIES = frozenset((Kind.JOIN, Kind.REQUEST, Kind.DEVICES))

_FORBIDDEN = Outcome(ItemStatus.FORBIDDEN, 0)
_STALE = Outcome(ItemStatus.STALE, 0)
_GAP = Outcome(ItemStatus.GAP, 0)
_BAD = Outcome(ItemStatus.BAD_ENVELOPE, 0)
_FULL = Outcome(ItemStatus.FULL, 0)


class RoomWriter(Protocol):
    """Is one room within one transaction, as a log keeps it."""

    creator: bytes
    """Key of the device that pushed the room's first record."""

    @property
    def name(self) -> bytes:
        """Return the room's id."""

    @property
    def records(self) -> int:
        """Return how many records are stored."""

    @property
    def record_octets(self) -> int:
        """Return the bytes of all stored records."""

    def chain_of(self, device: bytes) -> ChainHead | None:
        """Return the stored head of a device's chain."""

    def stored_at(self, device: bytes, chain_seq: int) -> tuple[int, bytes | None] | None:
        """Return (seq, envelope) at a place of a stored chain, or what ``StoredAt`` says."""

    def record_seq(self, hash_: bytes) -> int:
        """Return where a record is stored, 0 for nowhere."""

    def read_records(self) -> list[bytes]:
        """Return every stored record in order."""

    def store_envelope(self, fresh: Fresh) -> int:
        """Store an envelope and return its seq."""

    def store_record(self, record: Record) -> int:
        """Store a record, count it, and return its seq."""


class Rate:
    """Counts records by room and minute."""

    def __init__(self) -> None:
        self._minute = 0
        self._counts: dict[bytes, int] = {}

    def takes(self, room: bytes, count: int, limit: int, now_ms: int) -> bool:
        """Count records that are to be stored, unless that would go over the limit."""
        if now_ms // 60_000 != self._minute:
            self._minute = now_ms // 60_000
            self._counts.clear()
        after = self._counts.get(room, 0) + count
        if after > limit:
            return False
        self._counts[room] = after
        return True


class Gate:
    """Judges and stores what is pushed to one room, within one transaction.

    ``group`` is the room's committed state and stays as it is; ``Gate.group`` is the state after
    what was stored.
    """

    def __init__(
        self, room: RoomWriter, group: Group | None, *, is_open: bool, rate: Rate, now_ms: int
    ) -> None:
        self._room = room
        self._is_open = is_open
        self._rate = rate
        self._now_ms = now_ms
        self._is_own = False
        self.group = group

    def push(self, item: Append) -> list[Outcome]:
        """Judge and store one Push; return an outcome for each of its items."""
        raws = item.envelopes
        outcomes: list[Outcome] = []
        while len(outcomes) < len(raws):
            rest = raws[len(outcomes) :]
            if self._is_inside(item.pusher):
                taken = self._take(rest)
                assert taken, "every item gets its outcome, or this would never end"
                outcomes += taken
            elif not outcomes:
                outcomes.append(self._enter(item, rest[0]))
            else:
                outcomes += [_FORBIDDEN] * len(rest)
        return outcomes

    def _is_inside(self, pusher: bytes) -> bool:
        if self._is_open:
            return True
        group = self.group
        if group is None:
            return False
        is_unknown = pusher[:8] not in group.owners
        return group.may_read(pusher) or (pusher == self._room.creator and is_unknown)

    def _enter(self, item: Append, raw: bytes) -> Outcome:
        """Judge the first item of somebody who may not read the room."""
        group = self.group
        record = _decoded(raw)
        if record is None:
            return _FORBIDDEN
        if group is None:
            found = self._begin(record, item.pusher) if item.may_create else _FORBIDDEN
            return found if found.status is ItemStatus.STORED else _FORBIDDEN
        if record.kind not in _ENTRIES or record.signer != item.pusher:
            return _FORBIDDEN
        if record.hash in group.requests:
            return Outcome(ItemStatus.KNOWN, self._room.record_seq(record.hash))
        if not _is_signed(record) or refusal_of(group, record) or not self._is_timely(record):
            return _FORBIDDEN
        if record.prevs != group.heads:
            is_known = all(self._room.record_seq(prev) for prev in record.prevs)
            return _STALE if is_known else _GAP
        return self._on_top(record, pusher=item.pusher)

    def _take(self, raws: Sequence[bytes]) -> list[Outcome]:
        """Judge the first of some items, or with a branch as many as belong together."""
        if not is_record(raws[0]):
            return [self._envelope(raws[0])]
        record = _decoded(raws[0])
        if record is None:
            return [_BAD]
        if seq := self._room.record_seq(record.hash):
            return [Outcome(ItemStatus.KNOWN, seq)]
        if not record.prevs:
            return [self._begin(record) if self.group is None else _FORBIDDEN]
        if self.group is None or not all(self._room.record_seq(prev) for prev in record.prevs):
            return [_GAP]
        if record.prevs != self.group.heads:
            return self._branch(raws)
        if not _is_signed(record):
            return [_BAD]
        return [self._on_top(record)]

    def _envelope(self, raw: bytes) -> Outcome:
        room = self._room

        def accepts(device: bytes, seq: int) -> bool:
            return self._is_open or (self.group is not None and self.group.accepts(device, seq))

        verdict = judge(
            room.name, raw, chain_of=room.chain_of, stored_at=room.stored_at, accepts=accepts
        )
        if not isinstance(verdict, Fresh):
            return verdict
        return Outcome(ItemStatus.STORED, room.store_envelope(verdict))

    def _begin(self, record: Record, pusher: bytes = b"") -> Outcome:
        """Make the room with its first record."""
        try:
            if room_of(record) != self._room.name:
                return _BAD
            verify_change(record)
            group = fold_group([record])
        except (DecodeError, TrustError):
            return _BAD
        if not self._has_room([record], group):
            return _FULL
        self._room.creator, self._is_own = pusher, True
        return self._store(record, group)

    def _on_top(self, record: Record, *, pusher: bytes = b"") -> Outcome:
        """Take a signed record that stands on the heads; ``pusher`` is to get in by it."""
        group = self.group
        assert group is not None  # a room without records has no heads to stand on
        if refusal_of(group, record):
            return _FORBIDDEN
        is_entry = bool(pusher) and record.kind != Kind.REQUEST
        if record.kind in _PINNED or is_entry or not self._is_own:
            after = fold_group([record], copied(group))
            if is_entry and not after.may_read(pusher):
                return _FORBIDDEN
            if record.kind in _PINNED and self._cuts(group, after):
                return _STALE
        else:
            after = group
        if not self._has_room([record], group):
            return _FULL
        if after is group:
            fold_group([record], group)
        self._is_own = True
        return self._store(record, after)

    def _branch(self, raws: Sequence[bytes]) -> list[Outcome]:
        """Take a branch that ends in a Merge, whole or not at all."""
        assert self.group is not None
        branch: dict[RecordHash, Record] = {}
        outcomes: list[Outcome] = []
        heads = set(self.group.heads)
        for raw in raws:
            record = _decoded(raw)
            if record is None or not record.prevs:
                break
            if seq := self._room.record_seq(record.hash):
                outcomes.append(Outcome(ItemStatus.KNOWN, seq))
                continue
            is_known = all(prev in branch or self._room.record_seq(prev) for prev in record.prevs)
            if record.hash in branch or not is_known or not _is_signed(record):
                break
            branch[record.hash] = record
            outcomes.append(_STALE)
            is_whole = record.kind == Kind.MERGE and set(record.prevs) == heads
            heads = heads.difference(record.prevs) | {record.hash}
            if is_whole:
                return self._merge(list(branch.values()), outcomes)
        return outcomes or [_BAD]  # the first of them is not signed

    def _merge(self, branch: list[Record], outcomes: list[Outcome]) -> list[Outcome]:
        """Store a branch whose last record stands on every head.

        It counts even where its pins are behind what is stored: unlike a record on top it cannot
        be made anew, and a removal that this relay lost must not stay out for good.
        """
        group, merge = self.group, branch[-1]
        assert group is not None
        stored = [decode_record(raw) for raw in self._room.read_records()]
        after = fold_group([*stored, *branch])
        if any(hash_ == merge.hash for hash_, _ in after.refused):
            return [*outcomes[:-1], _FORBIDDEN]
        if not self._has_room(branch, group):
            return [_FULL if found is _STALE else found for found in outcomes]
        self._is_own = True
        waiting = iter(branch)
        return [
            self._store(next(waiting), after) if found is _STALE else found for found in outcomes
        ]

    def _store(self, record: Record, after: Group) -> Outcome:
        self.group = after
        return Outcome(ItemStatus.STORED, self._room.store_record(record))

    def _cuts(self, before: Group, after: Group) -> bool:
        heads = {device: self._room.chain_of(device) for device in changed(before, after)}
        seqs = {device: head.seq for device, head in heads.items() if head is not None}
        return is_cut(before, after, seqs)

    def _is_timely(self, record: Record) -> bool:
        """Tell whether who gets in by an invite does so in time, by the relay's clock."""
        change = change_of(record)
        if not isinstance(change, Join | Request):
            return True
        assert self.group is not None
        opened = self.group.invites[change.invite]
        return not opened.refusal(self._now_ms)

    def _has_room(self, records: Sequence[Record], group: Group) -> bool:
        """Tell whether records fit into the room's bounds, and count them in its rate."""
        room = self._room
        role = group.role_of(records[-1].signer)
        parts = 4 if role is not None and role <= Role.ADMIN else 3
        octets = room.record_octets + sum(len(record.raw) for record in records)
        return (
            room.records + len(records) <= RECORDS_MAX * parts // 4
            and octets <= RECORD_OCTETS_MAX * parts // 4
            and self._rate.takes(
                room.name, len(records), RECORDS_PER_MINUTE_MAX * parts // 4, self._now_ms
            )
        )


def _decoded(raw: bytes) -> Record | None:
    if not is_record(raw):
        return None
    try:
        return decode_record(raw)
    except DecodeError:
        return None


def _is_signed(record: Record) -> bool:
    try:
        verify_change(record)
    except (DecodeError, TrustError):
        return False
    return True

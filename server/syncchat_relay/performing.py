"""Performing: what each piece of the hub's log work means, on any log."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import assert_never

from syncchat.trust.records import is_record

from . import log as relay_log
from .effects import (
    Append,
    Appended,
    Check,
    Checked,
    ContentsRead,
    DevicesRead,
    FindRoom,
    LogAnswer,
    LogWork,
    LookedUp,
    Lookup,
    NewestRead,
    Read,
    ReadChains,
    ReadContents,
    ReadCursors,
    ReadNewest,
    RoomFacts,
    RoomFound,
    SaveCursors,
    WasRead,
)
from .log import Log, Standing, Stretch

AHEAD_RECORD_BYTES_MAX = 8 * 1024 * 1024
"""Records of a room that are told ahead of its log: of thousands of members."""


def perform(log: Log, work: LogWork, *, now_ms: int) -> LogAnswer | None:
    """Return the log's answer to one piece of work; raises what the log raises.

    ``now_ms`` is the wall time.
    """
    match work:
        case Lookup():
            return LookedUp(
                work.ticket,
                [
                    _facts(log, room, cursor, work.device, log.standing(room, keys, now_ms=now_ms))
                    for room, cursor, keys in work.rooms
                ],
            )
        case Check():
            standings = [log.standing(work.room, keys, now_ms=now_ms) for keys in work.readers]
            return Checked(work.ticket, log.head(work.room).seq, standings)
        case Read():
            return _read(log, work, now_ms)
        case ReadNewest():
            return _read_newest(log, work, now_ms)
        case ReadContents():
            return ContentsRead(work.ticket, _contents(log, work, now_ms))
        case ReadChains():
            standing = log.standing(work.room, work.keys, now_ms=now_ms)
            return DevicesRead(work.ticket, log.chains(work.room) if standing else [])
        case ReadCursors():
            standing = log.standing(work.room, work.keys, now_ms=now_ms)
            is_member = standing is Standing.MEMBER
            return DevicesRead(work.ticket, log.cursors(work.room) if is_member else [])
        case FindRoom():
            return RoomFound(work.ticket, log.find(work.invite, now_ms=now_ms))
        case SaveCursors():
            log.set_cursors(work.entries)
            return None
        case _:
            assert_never(work)


def perform_appends(log: Log, appends: Sequence[Append], *, now_ms: int) -> list[Appended]:
    """Return the answers to appends that were written as one flush at a wall time."""
    batch = [
        relay_log.Append(work.room, work.envelopes, work.pusher, work.may_create)
        for work in appends
    ]
    outcomes = log.append(batch, now_ms=now_ms)
    return [Appended(work.ticket, found) for work, found in zip(appends, outcomes, strict=True)]


def _facts(log: Log, room: bytes, cursor: int, device: bytes, standing: Standing) -> RoomFacts:
    if standing is Standing.NOBODY:
        return RoomFacts(0, None, 0, standing)
    head = log.head(room)
    at_cursor = head.fingerprint if cursor == head.seq else log.fingerprint_at(room, cursor)
    return RoomFacts(head.seq, at_cursor, log.chain_seq(room, device), standing)


def _read(log: Log, work: Read, now_ms: int) -> WasRead:
    room, after = work.room, work.after
    standing = log.standing(room, work.keys, now_ms=now_ms)
    if standing is Standing.NOBODY:
        last = log.last_readable(room, work.keys, verified=work.verified, now_ms=now_ms)
    else:
        last = log.head(room).seq
    stretch = Stretch((), after)
    if last > after:
        stretch = log.read(
            room,
            after,
            upto=last,
            envelopes_max=work.envelopes_max,
            bytes_max=work.bytes_max,
        )
    is_whole = stretch.last - after == len(stretch.envelopes)
    if not is_whole or work.is_light:
        told = max(work.told, after)
        early = log.snapshots(room, told, upto=last, bytes_max=work.bytes_max)
        if early:
            return WasRead(work.ticket, (), after, {}, last, standing, early, early[-1][0])
    envelopes = stretch.envelopes
    if work.told > after:
        upto = min(work.told, stretch.last)
        known = {seq for seq, _ in log.snapshots(room, after, upto=upto, bytes_max=2**62)}
        envelopes = tuple(each for each in envelopes if each[0] not in known)
    if work.known > after:
        envelopes = tuple(
            (seq, raw) for seq, raw in envelopes if seq > work.known or not is_record(raw)
        )
    ends = gap_ends(after, [seq for seq, _ in envelopes], stretch.last)
    prints = {seq: log.fingerprint_at(room, seq) or b"" for seq in {*ends, stretch.last}}
    return WasRead(work.ticket, envelopes, stretch.last, prints, last, standing, told=work.told)


def _read_newest(log: Log, work: ReadNewest, now_ms: int) -> NewestRead:
    standing = log.standing(work.room, work.keys, now_ms=now_ms)
    if standing is Standing.NOBODY:
        return NewestRead(work.ticket, standing)
    records = log.records(work.room, work.after)
    if sum(len(raw) for _, raw in records) > AHEAD_RECORD_BYTES_MAX:
        return NewestRead(work.ticket, standing)
    found = log.newest(
        work.room, work.after, envelopes_max=work.envelopes_max, bytes_max=work.bytes_max
    )
    return NewestRead(work.ticket, standing, records, found)


def _contents(log: Log, work: ReadContents, now_ms: int) -> list[tuple[int, bytes]]:
    room = work.room
    head = log.head(room).seq if log.standing(room, work.keys, now_ms=now_ms) else 0
    found: list[tuple[int, bytes]] = []
    for place in work.places:
        stretch = Stretch((), place)
        if 0 < place <= head:
            stretch = log.read(room, place - 1, upto=place, envelopes_max=1, bytes_max=0)
        found.append((place, stretch.envelopes[0][1] if stretch.envelopes else b""))
    return found


def gap_ends(after: int, seqs: Sequence[int], last: int) -> list[int]:
    """Return the ends of the gaps in a stretch of a log."""
    ends = [seq - 1 for before, seq in pairwise((after, *seqs)) if seq > before + 1]
    return [*ends, last] if last > (seqs[-1] if seqs else after) else ends

"""Blob work: what each piece of it means, for the server and for a simulator alike.

It takes three steps, for they belong to three threads: the log says who may do what, as it does for
its own contents (``permitted``); what is to be stored is hashed (``hashed``); then the blobs are
stored, read or dropped (``perform``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from syncchat.trust.files import blob_name
from syncchat.wire.codes import BlobState

from ..effects import (
    BlobAnswer,
    BlobLoaded,
    BlobsTold,
    BlobWork,
    FindBlobs,
    LoadBlob,
    ReleaseBlobs,
    StoreBlob,
)
from ..log import Log
from . import Blobs, Put


@dataclass(frozen=True, slots=True)
class Permit:
    """Is a piece of work, whether it may be done, and for whom."""

    work: BlobWork
    is_allowed: bool
    holder: bytes = b""
    true_name: bytes = b""
    """The hash of what is to be stored; empty while nobody has looked."""


def permitted(log: Log, works: Sequence[BlobWork], *, now_ms: int) -> list[Permit]:
    """Return what of some work the log allows; raises what the log raises."""
    return [_permit(log, work, now_ms) for work in works]


def hashed(permits: Sequence[Permit]) -> list[Permit]:
    """Return permits that know the true names of what is to be stored."""
    return [
        replace(permit, true_name=blob_name(permit.work.data))
        if isinstance(permit.work, StoreBlob) and permit.is_allowed
        else permit
        for permit in permits
    ]


def perform(blobs: Blobs, permits: Sequence[Permit], *, now_ms: int) -> list[BlobAnswer]:
    """Return the answers to some work in its order; what is stored together shares a flush.

    Raises what the blobs raise; then no answer of it may be given.
    """
    answers: list[BlobAnswer] = []
    puts: list[tuple[int, Put]] = []

    def flush() -> None:
        states = blobs.put([put for _, put in puts], now_ms=now_ms) if puts else []
        answers.extend(
            BlobsTold(ticket, (state,)) for (ticket, _), state in zip(puts, states, strict=True)
        )
        puts.clear()

    for permit in permits:
        work = permit.work
        if isinstance(work, StoreBlob) and permit.is_allowed:
            put = Put(work.room, work.name, work.data, permit.holder, permit.true_name)
            puts.append((work.ticket, put))
            continue
        flush()
        answers.append(_done(blobs, permit))
    flush()
    return answers


def permitted_already(works: Sequence[BlobWork]) -> list[Permit] | None:
    """Return permits for work that the log need not be asked about; None if some is other."""
    if all(isinstance(work, LoadBlob) and work.is_allowed for work in works):
        return [Permit(work, True) for work in works]
    return None


def answer_to(log: Log, blobs: Blobs, work: BlobWork, *, now_ms: int) -> BlobAnswer:
    """Return the answer to one piece of work, all steps at once; for one thread."""
    (answer,) = perform(blobs, permitted(log, [work], now_ms=now_ms), now_ms=now_ms)
    return answer


def _permit(log: Log, work: BlobWork, now_ms: int) -> Permit:
    match work:
        case StoreBlob():
            found = log.holder(work.room, work.device_key)
            may = found is not None and found.may_write
            return Permit(work, may, found.id if found else b"")
        case ReleaseBlobs():
            found = log.holder(work.room, work.device_key)
            return Permit(work, found is not None, found.id if found else b"")
        case LoadBlob(is_allowed=True):
            return Permit(work, True)
        case FindBlobs() | LoadBlob():
            return Permit(work, bool(log.standing(work.room, work.keys, now_ms=now_ms)))
        case _:
            assert_never(work)


def _done(blobs: Blobs, permit: Permit) -> BlobAnswer:
    """Do one piece of work that is no store, or refuse one that is not allowed."""
    work = permit.work
    match work:
        case StoreBlob():
            return BlobsTold(work.ticket, (BlobState.REFUSED,))
        case LoadBlob():
            data = blobs.get(work.room, work.name) if permit.is_allowed else None
            return BlobLoaded(work.ticket, data)
        case FindBlobs() if permit.is_allowed:
            return _told(work.ticket, blobs.find(work.room, work.names))
        case ReleaseBlobs() if permit.is_allowed:
            return _told(work.ticket, blobs.drop(work.room, work.names, permit.holder))
        case FindBlobs() | ReleaseBlobs():
            return _told(work.ticket, [False] * len(work.names))
        case _:
            assert_never(work)


def _told(ticket: int, are_here: Sequence[bool]) -> BlobsTold:
    return BlobsTold(
        ticket, tuple(BlobState.HERE if here else BlobState.ABSENT for here in are_here)
    )

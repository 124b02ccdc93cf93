"""Opening rooms: what a peer says of a room, held against what the log has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncchat.trust.chain import EMPTY_FINGERPRINT
from syncchat.wire.frames import Open

from .connection import Connection, PendingOpen
from .effects import RoomFacts


@dataclass(frozen=True, slots=True)
class Told:
    """Is one room as it is to be opened: read from ``after`` on; ``is_same`` needs no word.

    ``fingerprint`` is that of the log up to ``after``.
    """

    name: bytes
    after: int
    fingerprint: bytes
    is_same: bool
    fact: RoomFacts


def pending_open(connection: Connection, frame: Open, incarnation: bytes) -> PendingOpen:
    """Return what is to be looked up; with another incarnation every cursor counts as 0."""
    is_other = frame.incarnation != incarnation
    return PendingOpen(
        connection,
        tuple(
            (room.room, 0 if is_other else room.cursor, room.cursor, room.own_seq)
            for room in frame.rooms
        ),
        tuple(EMPTY_FINGERPRINT if is_other else room.fingerprint for room in frame.rooms),
    )


def compare(pending: PendingOpen, facts: Sequence[RoomFacts]) -> list[Told]:
    """Return how each room is to be opened, in the order asked for.

    A cursor holds only if the log had the same fingerprint there; else the peer has read another
    log (this one was wiped or rolled back), and starts over.
    """
    told = []
    asked = zip(pending.rooms, pending.fingerprints, facts, strict=True)
    for (name, counted, said, own_seq), fingerprint, fact in asked:
        is_ours = fact.at_cursor == fingerprint
        after = counted if is_ours else 0
        is_same = after == said and fact.own_seq == own_seq and fact.head == after
        told.append(Told(name, after, fingerprint if is_ours else EMPTY_FINGERPRINT, is_same, fact))
    return told

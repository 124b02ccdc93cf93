"""Opening rooms: what a peer says of a room, held against what the log has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncchat.errors import SignatureInvalid
from syncchat.trust.chain import EMPTY_FINGERPRINT
from syncchat.trust.keys import proof_text, verify
from syncchat.wire.frames import Open, RoomCursor, RoomState

from .connection import Connection, Pace, PendingOpen, Room, Subscription
from .effects import RoomFacts
from .log import Standing


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
        tuple(_keys(connection, room, incarnation) for room in frame.rooms),
        frozenset(frame.light),
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
        after = counted if is_ours and fact.standing else 0
        is_same = (
            after == said
            and fact.own_seq == own_seq
            and fact.head == after
            and fact.standing is not Standing.NOBODY
        )
        told.append(Told(name, after, fingerprint if is_ours else EMPTY_FINGERPRINT, is_same, fact))
    return told


def subscription_of(
    connection: Connection, room: Room, told: Told, keys: tuple[bytes, ...]
) -> Subscription:
    """Return the subscription for a room as it is told; one that may not read it waits."""
    standing = told.fact.standing
    pace = Pace.LIVE if standing else Pace.CLOSED
    head = told.fact.head
    return Subscription(connection, room, told.after, pace, not told.is_same, keys, standing, head)


def state_of(position: int, told: Told, head: int) -> RoomState:
    """Return what Opened says of a room; one that is closed looks like one that is not there."""
    if told.fact.standing is Standing.NOBODY:
        return RoomState(position, 0, 0, 0, True)
    return RoomState(position, told.after, head, told.fact.own_seq)


def _keys(connection: Connection, room: RoomCursor, incarnation: bytes) -> tuple[bytes, ...]:
    """Return the device's key, and the one that is proved for a room; a false proof is none."""
    key, proof = connection.device_key, room.proof
    if proof is None:
        return (key,)
    text = proof_text(room=room.room, incarnation=incarnation, nonce=connection.nonce)
    try:
        verify(proof.key, text, proof.signature)
    except SignatureInvalid:
        return (key,)
    return (key, proof.key)

"""What the hub wants done, and what log work answers: the whole border between hub and world.

The hub returns effects and does nothing itself. Whoever drives it performs them in order: frames
to connections, work to the log, each log answer back through ``Hub.done``, and answers in the order
in which the log did the work: a look-up must not tell of a commit whose own answer is still to
come, or a pusher would read what its Ack stands for. ``perform`` is the one
reading of what each piece of log work means, for the server and for a simulator alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from . import log as relay_log
from .log import CursorEntry, Log, Outcome


@dataclass(frozen=True, slots=True)
class Send:
    """Send one frame's bytes to each of these connections; tell ``Hub.sent`` when they left."""

    conns: tuple[int, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close a connection after what was sent to it; the hub has forgotten it already."""

    conn: int
    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Take nothing from a connection for so long: it is over its rate."""

    conn: int
    ms: int


@dataclass(frozen=True, slots=True)
class Append:
    """Append to a room; all that waits may share one transaction."""

    ticket: int
    room: bytes
    envelopes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """Find what the log knows of rooms: (room, cursor) pairs, for one device."""

    ticket: int
    device: bytes
    rooms: tuple[tuple[bytes, int], ...]


@dataclass(frozen=True, slots=True)
class Read:
    """Read a part of a room's log."""

    ticket: int
    room: bytes
    after: int
    envelopes_max: int
    bytes_max: int


@dataclass(frozen=True, slots=True)
class ReadChains:
    """Read how much of each device's chain a room has."""

    ticket: int
    room: bytes


@dataclass(frozen=True, slots=True)
class ReadCursors:
    """Read a room's device cursors."""

    ticket: int
    room: bytes


@dataclass(frozen=True, slots=True)
class SaveCursors:
    """Keep device cursors; it has no answer, and may fail, for peers repeat them."""

    entries: tuple[CursorEntry, ...]


LogWork = Lookup | Read | ReadChains | ReadCursors | SaveCursors
Effect = Send | Close | Pause | Append | LogWork


@dataclass(frozen=True, slots=True)
class Appended:
    """Answers Append after the commit."""

    ticket: int
    outcomes: Sequence[Outcome]


@dataclass(frozen=True, slots=True)
class RoomFacts:
    """Is what a log knows of one room and one device in it.

    ``at_cursor`` is the fingerprint at the cursor that was asked for, None beyond the head.
    """

    head: int
    at_cursor: bytes | None
    own_seq: int


@dataclass(frozen=True, slots=True)
class LookedUp:
    """Answers Lookup, room by room."""

    ticket: int
    facts: Sequence[RoomFacts]


@dataclass(frozen=True, slots=True)
class WasRead:
    """Answers Read; ``fingerprint`` is that of the log up to the last of ``envelopes``."""

    ticket: int
    envelopes: Sequence[bytes]
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class DevicesRead:
    """Answers ReadChains and ReadCursors: (device, chain seq or cursor) pairs."""

    ticket: int
    devices: Sequence[tuple[bytes, int]]


@dataclass(frozen=True, slots=True)
class Failed:
    """Answers any of them when the log could not; an append's outcome is then unknown."""

    ticket: int


LogAnswer = Appended | LookedUp | WasRead | DevicesRead | Failed


def perform(log: Log, work: LogWork) -> LogAnswer | None:
    """Return the log's answer to one piece of work; raises what the log raises."""
    match work:
        case Lookup():
            return LookedUp(
                work.ticket,
                [_facts(log, room, cursor, work.device) for room, cursor in work.rooms],
            )
        case Read():
            envelopes = log.read(
                work.room,
                work.after,
                envelopes_max=work.envelopes_max,
                bytes_max=work.bytes_max,
            )
            last = log.fingerprint_at(work.room, work.after + len(envelopes))
            return WasRead(work.ticket, envelopes, last or b"")
        case ReadChains():
            return DevicesRead(work.ticket, log.chains(work.room))
        case ReadCursors():
            return DevicesRead(work.ticket, log.cursors(work.room))
        case SaveCursors():
            log.set_cursors(work.entries)
            return None
        case _:
            assert_never(work)


def perform_appends(log: Log, appends: Sequence[Append]) -> list[Appended]:
    """Return the answers to appends that were written as one flush."""
    batch = [relay_log.Append(work.room, work.envelopes) for work in appends]
    outcomes = log.append(batch)
    return [Appended(work.ticket, found) for work, found in zip(appends, outcomes, strict=True)]


def _facts(log: Log, room: bytes, cursor: int, device: bytes) -> RoomFacts:
    head = log.head(room)
    at_cursor = head.fingerprint if cursor == head.seq else log.fingerprint_at(room, cursor)
    return RoomFacts(head.seq, at_cursor, log.chain_seq(room, device))

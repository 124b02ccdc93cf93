"""How far one room is on one connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..storage.rooms import RoomRow
from .duties import Duty

_TIMES = ("resume_at_ms", "seal_at_ms", "records_due_ms", "rotate_due_ms", "snapshot_at_ms")
_MAYBE = ("applied_due_ms", "refill_at_ms")
_PLANNED = frozenset((*_TIMES, *_MAYBE))


def next_times(timed: dict[bytes, Progress]) -> list[int]:
    """Return the times at which there is something to do; forget rooms in which there is not."""
    times: list[int] = []
    for room, progress in list(timed.items()):
        found = progress.times
        times += found
        if not found:
            del timed[room]
    return times


@dataclass(slots=True)
class Progress:
    """Is how far one room is on this connection; ``row`` is its row, ``room`` its id, ``invite``
    the seed of the invite with which it was opened.

    ``pushed`` is the chain seq up to which the own chain is at the relay or on its way there,
    ``relay_own_seq`` how much of it the relay had when the room was opened, ``is_parked`` that no
    more of it is sent until somebody says retry. Times are monotonic ms. ``refills`` are (chain
    row, after, upto) of others' chains that the relay lost, ``refilled`` those of the round before,
    and ``refill_again_ms`` how long it is left alone where a round has changed nothing.
    ``is_closed`` says that the relay does not let this device read the room, or has none; ``duty``
    is what is under way to the room's log, ``records_due_ms`` when the next may follow and
    ``rotate_due_ms`` when a new key may, ``is_refused`` that the relay took none of it on this
    connection, ``is_reread`` that it is delivered from its beginning because it opened just now,
    ``is_offered`` that the first record was offered because the relay may have lost the room.
    ``is_abreast`` says that all records of the room are here although its log is still coming, so
    that it can be written to.
    ``has_absent`` says that there may be snapshots of which only the stub is here; ``asked`` are
    the places at which they were asked for, ``refused`` those at which the relay had none.
    ``ahead`` says of chains up to which seq their snapshots were pushed before the rest, and
    ``looked_at`` at which seq of the own chain it was looked in vain for a snapshot that is due,
    ``snapshot_at_ms`` when one will be because of a deletion.
    ``timed`` are those of all rooms of a connection for which something is planned, or was: a
    thousand need not be asked after every frame.
    """

    row: int
    room: bytes
    invite: bytes | None = None
    timed: dict[bytes, Progress] = field(default_factory=dict, repr=False, compare=False)
    is_open: bool = False
    is_live: bool = False
    is_abreast: bool = False
    head: int = 0
    cursor: int = 0
    relay_own_seq: int = 0
    is_behind_itself: bool = False
    is_parked: bool = False
    pushed: int = 0
    applied: int = 0
    applied_at_ms: int = 0
    applied_due_ms: int | None = None
    resume_at_ms: int = 0
    seal_at_ms: int = 0
    refill_at_ms: int | None = None
    refills: list[tuple[int, int, int]] = field(default_factory=list)
    refilled: list[tuple[int, int, int]] = field(default_factory=list)
    refill_again_ms: int = 60_000
    is_closed: bool = False
    duty: Duty | None = None
    records_due_ms: int = 0
    rotate_due_ms: int = 0
    is_refused: bool = False
    is_reread: bool = False
    is_offered: bool = False
    has_absent: bool = False
    asked: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    ahead: dict[int, int] = field(default_factory=dict)
    looked_at: int = 0
    cutoff: str = ""
    snapshot_at_ms: int = 0

    def may_open(self, room: RoomRow) -> bool:
        """Tell whether a room is closed that may open by an invite which came since."""
        return self.is_closed and room.invite != self.invite

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name in _PLANNED and value is not None and (value or name in _MAYBE):
            self.timed[self.room] = self

    @property
    def times(self) -> list[int]:
        """Return the times at which there is something to do."""
        planned = [at for name in _TIMES if (at := getattr(self, name))]
        return planned + [at for at in (self.applied_due_ms, self.refill_at_ms) if at is not None]

    def pass_times(self, now_ms: int) -> bool:
        """Let those times pass that have come; tell whether there were any."""
        due = [name for name in _TIMES if 0 < getattr(self, name) <= now_ms]
        for name in due:
            setattr(self, name, 0)
        return bool(due)

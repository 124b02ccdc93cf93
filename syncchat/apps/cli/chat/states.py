"""How far own messages got, told in few lines.

A message goes through several states within a second. What is printed is where it stands when
things have settled for a moment, several messages on one line.
"""

from __future__ import annotations

from ....core.message import Message, Status
from ....ids import MessageId

SETTLE_SECONDS = 1.0
"""Relays tell small rooms about *delivered* once a second: wait as long for what comes next."""

_UNSETTLED_MAX = 2_000
_ORDER = (Status.QUEUED, Status.REFUSED, Status.SENT, Status.DELIVERED, Status.READ)


class OwnStates:
    """Remembers what the screen says about own messages, and what is new since."""

    def __init__(self) -> None:
        self._told: dict[MessageId, Status] = {}
        self._now: dict[MessageId, Status] = {}
        self._due: float | None = None
        self._last: MessageId | None = None

    def shown(self, message: Message) -> None:
        """Note that a message was printed with its present state beside it."""
        if message.mine and not message.deleted:
            self._told[message.id] = self._now[message.id] = message.status
            self._last = message.id
            self._forget_old()

    def changed(self, message: Message, *, at: float) -> None:
        """Note a state that is not on the screen yet."""
        if message.id not in self._now:
            return
        if message.deleted:
            del self._now[message.id], self._told[message.id]
        elif message.status is not self._now[message.id]:
            self._now[message.id] = message.status
            if self._due is None:
                self._due = at + SETTLE_SECONDS

    def unread(self) -> list[MessageId]:
        """Return own messages that nobody else has read yet, as far as is known."""
        return [message for message, status in self._now.items() if status is not Status.READ]

    def queued(self) -> int:
        """Return how many own messages wait for the relay."""
        return sum(status is Status.QUEUED for status in self._now.values())

    def last(self) -> Status | None:
        """Return the state of the last own message on the screen."""
        return None if self._last is None else self._now.get(self._last)

    def settled(self, *, at: float, all_now: bool = False) -> dict[Status, list[MessageId]]:
        """Return what to tell, by state, once it has settled; it then counts as told."""
        if self._due is None or (at < self._due and not all_now):
            return {}
        self._due = None
        found: dict[Status, list[MessageId]] = {}
        for status in _ORDER:
            new = [m for m, now in self._now.items() if now is status and self._told[m] is not now]
            if new:
                found[status] = sorted(new)
                self._told.update(dict.fromkeys(new, status))
        return found

    def _forget_old(self) -> None:
        while len(self._now) > _UNSETTLED_MAX:
            oldest = next(iter(self._now))
            del self._now[oldest], self._told[oldest]


def ranges(numbers: list[int]) -> str:
    """Return numbers for a line: ``[3]``, ``[3]-[6] [9]``."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return " ".join("-".join(f"[{n}]" for n in part) for part in parts)

"""What this peer says in passing, and how often: a pure plan, with time as an argument."""

from __future__ import annotations

from collections.abc import Collection

from ..ports import Random
from ..wire.signal import Content, Here, Typing
from .nearby import HERE_EVERY_MS, TYPING_EVERY_MS

ROOMS_MAX = 12
"""Rooms in which presence is told, those last active; every other room sees no presence of ours."""

MEMBERS_MAX = 100
"""In a larger room presence would cost members times members frames, and help nobody."""

ANSWER_MEMBERS_MAX = 30
"""In rooms up to this size a newcomer is answered at once; else they wait for the next ping."""

ANSWER_MS_MAX = 1_500
"""Answers are spread over this time, so that they do not all come at once."""

PER_MINUTE_MAX = 120
"""Signals of one connection: thirty rooms' pings twice a minute, and typing."""


class Beacon:
    """Plans the signals of one connection."""

    def __init__(self, random: Random, *, now_ms: int) -> None:
        self._random = random
        self._here_at: dict[bytes, int] = {}
        self._typed_at: dict[tuple[bytes, str], int] = {}
        self._due: list[tuple[bytes, Content]] = []
        self._budget = float(PER_MINUTE_MAX)
        self._filled_ms = now_ms
        self._status = ""
        self.is_visible = False

    def show(self, *, is_visible: bool, status: str) -> None:
        """Be seen in the rooms that come, or in none; say what is said about this person."""
        if (is_visible, status) == (self.is_visible, self._status):
            return
        gone = self.is_visible and not is_visible
        self.is_visible, self._status = is_visible, status
        for room in self._here_at:
            if gone:
                self._due.append((room, Here(False)))
            else:
                self._here_at[room] = 0

    def enter(self, room: bytes, now_ms: int) -> None:
        """Begin to be seen in a room, and ask who else is there."""
        if room not in self._here_at:
            self._here_at[room] = now_ms + HERE_EVERY_MS - self._jitter(HERE_EVERY_MS // 5)
            if self.is_visible:
                self._due.append((room, Here(True, True, self._status)))

    def is_in(self, room: bytes) -> bool:
        """Tell whether this person is seen in a room, unless they are invisible."""
        return room in self._here_at

    def keep(self, rooms: Collection[bytes]) -> None:
        """Leave every room but these, without a word: they are closed or of no interest."""
        for room in [room for room in self._here_at if room not in rooms]:
            del self._here_at[room]

    def asked(self, room: bytes, members: int, now_ms: int) -> None:
        """Answer somebody who asks who is here."""
        if members <= ANSWER_MEMBERS_MAX and room in self._here_at:
            at = now_ms + self._jitter(ANSWER_MS_MAX)
            self._here_at[room] = min(self._here_at[room], at)

    def typing(self, room: bytes, thread: str, now_ms: int, *, is_typing: bool) -> None:
        """Say that this person types, as often as needed; or that they stopped."""
        place = (room, thread)
        last = self._typed_at.get(place)
        if not self.is_visible:
            return
        if is_typing and (last is None or now_ms - last >= TYPING_EVERY_MS):
            self._typed_at[place] = now_ms
            self._due.append((room, Typing(True, thread)))
        elif not is_typing and last is not None:
            del self._typed_at[place]
            self._due.append((room, Typing(False, thread)))

    def leave(self) -> list[tuple[bytes, Content]]:
        """Return what to say as the connection ends."""
        rooms, self._here_at = list(self._here_at), {}
        return [(room, Here(False)) for room in rooms] if self.is_visible else []

    def due(self, now_ms: int) -> list[tuple[bytes, Content]]:
        """Return what is to be said now; what is over the budget of a minute is left out."""
        if self.is_visible:
            for room, at in self._here_at.items():
                if at <= now_ms:
                    self._here_at[room] = now_ms + HERE_EVERY_MS - self._jitter(HERE_EVERY_MS // 5)
                    self._due.append((room, Here(True, False, self._status)))
        due, self._due = self._due, []
        passed = max(0, now_ms - self._filled_ms)
        self._filled_ms = now_ms
        self._budget = min(PER_MINUTE_MAX, self._budget + passed * PER_MINUTE_MAX / 60_000)
        kept = due[: int(self._budget)]
        self._budget -= len(kept)
        return kept

    def next_due_ms(self) -> int | None:
        """Return when ``due`` has something next, None while there is nothing."""
        if self._due:
            return 0
        return min(self._here_at.values(), default=None) if self.is_visible else None

    def _jitter(self, ms: int) -> int:
        return round(self._random.uniform(0, ms))

"""Blobs on one connection: what was asked, in what window, and how long to wait for an answer.

Files give way to messages. Their frames leave one at a time, when no other does; and only few are
under way, so that a message that is written meanwhile waits behind at most one window of them, in
this peer's socket and the network. The window opens while answers come fast and closes when they
come slowly: a chunk at a time on a slow line, many on a fast one. Both directions have one of their
own. A chunk that the relay has taken has left the window, also while it is not on its disk yet; so
a slow disk does not close the window, and more may wait for it than are under way.

A relay that does not answer, because it is older than files or does not want to, costs files and
nothing else: after a while what waits is forgotten, and the connection goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import DecodeError
from ..wire import frames
from ..wire.codes import BlobState
from ..wire.limits import BLOBS_IN_FLIGHT_MAX
from .events import BlobCame, BlobEvent, BlobsNews, BlobsSilent, BlobsTold

WINDOW_MAX = 32
"""Chunks under way in one direction: 8 MB, which only a fast line can bring within ``FAST_MS``."""

PUTS_WAITING_MAX = BLOBS_IN_FLIGHT_MAX - WINDOW_MAX - 16
"""Chunks that the relay has not said to be durable; the rest is for the other direction, and for
questions."""

FAST_MS, SLOW_MS = 250, 500
"""An answer within the first opens the window by one; one after the second halves it. So about so
long a message may wait behind chunks, or as long as a single one takes."""

ANSWER_MS_MAX = 60_000
"""How long nothing may be answered while something waits; a chunk takes 52 s at 5 KB/s."""


@dataclass(slots=True)
class _Asked:
    """Is a frame that waits for its answer; ``names`` is how many states answer it."""

    alias: int
    sent_ms: int
    names: int
    window: Window | None
    is_put: bool = False


class Window:
    """Is how many chunks may be under way in one direction.

    One that is full opens again when half of it is free: several that leave in a row cost both
    sides less than one for each answer, which would wake them in turns.
    """

    __slots__ = ("is_open", "size", "used")

    def __init__(self) -> None:
        self.size = 1
        self.used = 0
        self.is_open = True

    def asked(self) -> None:
        """Take note that one more has left."""
        self.used += 1
        self.is_open = self.used < self.size

    def answered(self, after_ms: int) -> None:
        """Take note of an answer, and how long it took."""
        self.used -= 1
        self.is_open = self.is_open or self.used <= self.size // 2
        if after_ms <= FAST_MS:
            self.size = min(WINDOW_MAX, self.size + 1)
        elif after_ms >= SLOW_MS:
            self.size = max(1, self.size // 2)


class Blobs:
    """Keeps what one connection has asked about blobs; ``next_frame`` of the owner makes more."""

    def __init__(self) -> None:
        self._asked: dict[int, _Asked] = {}
        self._number = 0
        self._puts = 0
        self._answered_ms = 0
        self.up = Window()
        self.down = Window()

    @property
    def is_waiting(self) -> bool:
        """Tell whether something waits for an answer."""
        return bool(self._asked)

    @property
    def next_tick_ms(self) -> int:
        """Return when what waits is forgotten, if nothing is answered until then."""
        return self._answered_ms + ANSWER_MS_MAX

    @property
    def may_put(self) -> bool:
        """Tell whether a chunk may be handed to the relay now."""
        return self.up.is_open and self._puts < PUTS_WAITING_MAX

    @property
    def may_get(self) -> bool:
        """Tell whether a chunk may be asked for now."""
        return self.down.is_open

    def put(self, alias: int, name: bytes, data: bytes, now_ms: int) -> tuple[int, bytes]:
        """Return the number and the bytes of a frame that hands a blob to the relay."""
        number = self._ask(alias, 1, self.up, now_ms)
        self._asked[number].is_put = True
        self._puts += 1
        return number, frames.encode(frames.PutBlob(alias, number, name, data))

    def get(self, alias: int, name: bytes, now_ms: int) -> tuple[int, bytes]:
        """Return the number and the bytes of a frame that asks for a blob."""
        number = self._ask(alias, 0, self.down, now_ms)
        return number, frames.encode(frames.GetBlob(alias, number, name))

    def find(self, alias: int, names: Sequence[bytes], now_ms: int) -> tuple[int, bytes]:
        """Return the number and the bytes of a frame that asks which blobs the relay has."""
        number = self._ask(alias, len(names), None, now_ms)
        return number, frames.encode(frames.AskBlobs(alias, number, list(names)))

    def drop(self, alias: int, names: Sequence[bytes], now_ms: int) -> tuple[int, bytes]:
        """Return the number and the bytes of a frame that drops blobs."""
        number = self._ask(alias, len(names), None, now_ms)
        return number, frames.encode(frames.DropBlobs(alias, number, list(names)))

    def receive(
        self, frame: frames.BlobStates | frames.BlobData, room: bytes, now_ms: int
    ) -> list[BlobEvent]:
        """Take an answer about the blobs of a room; raises ``DecodeError`` for what is none.

        What comes after it was forgotten means nothing.
        """
        if isinstance(frame, frames.BlobStates) and not frame.number:
            return [BlobsNews(room)]
        asked = self._asked.get(frame.number)
        if asked is None:
            if frame.number > self._number:
                raise DecodeError("an answer about blobs that was not asked for")
            return []
        if asked.alias != frame.alias:
            raise DecodeError("an answer about blobs of another room")
        self._answered_ms = now_ms
        if asked.window is not None:
            asked.window.answered(now_ms - asked.sent_ms)
            asked.window = None
        if asked.is_put and getattr(frame, "states", b"") == _TAKEN:
            return []
        del self._asked[frame.number]
        self._puts -= asked.is_put
        match frame:
            case frames.BlobData(data=data):
                if asked.names:
                    raise DecodeError("a blob where states were asked for")
                return [BlobCame(frame.number, data or None)]
            case frames.BlobStates(states=states):
                is_busy = states == _BUSY  # all that a get is answered with
                if len(states) != (asked.names or 1) or not (asked.names or is_busy):
                    raise DecodeError("states of blobs that do not fit what was asked")
                try:
                    told = tuple(BlobState(state) for state in states)
                except ValueError as exc:
                    raise DecodeError(f"an unknown state of a blob: {exc}") from exc
                return [BlobsTold(frame.number, told)]

    def tick(self, now_ms: int) -> list[BlobEvent]:
        """Let time pass: give up what the relay does not answer."""
        if not self._asked or now_ms < self.next_tick_ms:
            return []
        forgotten = tuple(self._asked)
        self._asked.clear()
        self._puts = 0
        self.up, self.down = Window(), Window()
        return [BlobsSilent(forgotten)]

    def _ask(self, alias: int, names: int, window: Window | None, now_ms: int) -> int:
        if not self._asked:
            self._answered_ms = now_ms
        if window is not None:
            window.asked()
        self._number += 1
        self._asked[self._number] = _Asked(alias, now_ms, names, window)
        return self._number


_TAKEN = bytes((BlobState.TAKEN,))
_BUSY = bytes((BlobState.BUSY,))

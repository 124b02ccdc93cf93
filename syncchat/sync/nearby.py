"""Who is here and who is typing, as far as this peer has heard. Kept in memory only.

Nothing is known for sure: a signal may be lost, so everything heard lapses by itself. Somebody
who stays says so every ``HERE_EVERY_MS``; somebody who is killed is gone after ``HERE_MS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ..ids import DeviceId, MemberId
from ..wire.signal import Content, Here, Typing

HERE_EVERY_MS = 30_000
HERE_MS = 75_000
"""Two pings may be lost."""

TYPING_EVERY_MS = 4_000
TYPING_MS = 8_000


@dataclass(frozen=True, slots=True)
class HereChanged:
    """Somebody came or went, or says something else about themselves."""

    room: bytes
    member: MemberId


@dataclass(frozen=True, slots=True)
class TypingChanged:
    """Somebody began or stopped to type, in the room or in a thread of it."""

    room: bytes
    member: MemberId
    thread: str
    is_typing: bool


NearbyChange = HereChanged | TypingChanged


@dataclass(slots=True)
class _Device:
    member: MemberId
    number: int = -1
    heard_ms: int = 0
    here_until: int = 0
    status: str = ""
    typing: dict[str, int] = field(default_factory=dict)


THREADS_MAX = 8
"""Threads in which one device can be typing at once."""


class Nearby:
    """Keeps what was heard; times are monotonic ms, of whoever asks.

    One thread may hear while others ask: they look at copies.
    """

    def __init__(self) -> None:
        self._rooms: dict[bytes, dict[DeviceId, _Device]] = {}
        self._listeners: list[Callable[[NearbyChange], None]] = []

    def listen(self, told: Callable[[NearbyChange], None]) -> Callable[[], None]:
        """Have changes told to somebody; call what this returns to end it."""
        self._listeners.append(told)
        return lambda: self._listeners.remove(told)

    def is_new(self, room: bytes, device: DeviceId, number: int) -> bool:
        """Tell whether a device's signal comes after all that was heard of it before."""
        known = self._rooms.get(room, {}).get(device)
        return known is None or number > known.number

    def heard(
        self,
        room: bytes,
        member: MemberId,
        device: DeviceId,
        number: int,
        content: Content,
        now_ms: int,
    ) -> None:
        """Take in what a member's device says."""
        known = self._rooms.setdefault(room, {}).setdefault(device, _Device(member))
        known.number, known.heard_ms = number, now_ms
        match content:
            case Here(is_here, _, status):
                before = self.status_of(room, member, now_ms)
                known.here_until = now_ms + HERE_MS if is_here else 0
                known.status = status if is_here else ""
                if not is_here:
                    self._stop(room, known)
                if self.status_of(room, member, now_ms) != before:
                    self._tell(HereChanged(room, member))
            case Typing(is_typing, thread):
                self._typing(room, known, thread, is_typing=is_typing, now_ms=now_ms)

    def lapse(self, now_ms: int) -> None:
        """Let go of what was not repeated in time."""
        for room, devices in list(self._rooms.items()):
            for known in list(devices.values()):
                for thread in [t for t, until in known.typing.items() if until <= now_ms]:
                    self._typing(room, known, thread, is_typing=False, now_ms=now_ms)
                if 0 < known.here_until <= now_ms:
                    known.here_until = 0
                    self._tell(HereChanged(room, known.member))

    def next_lapse_ms(self) -> int | None:
        """Return when ``lapse`` has something to do next, None for never."""
        times = [
            until
            for devices in list(self._rooms.values())
            for known in list(devices.values())
            for until in (known.here_until, *known.typing.values())
            if until
        ]
        return min(times, default=None)

    # Questions

    def status_of(self, room: bytes, member: MemberId, now_ms: int) -> str | None:
        """Return what a member who is here says about themselves, None for one who is not here."""
        here = [d for d in self._of(room, member) if d.here_until > now_ms]
        return max(here, key=lambda d: d.heard_ms).status if here else None

    def last_heard_ms(self, room: bytes, member: MemberId) -> int | None:
        """Return when a member was heard last, None for never."""
        return max((d.heard_ms for d in self._of(room, member)), default=None)

    def typing(self, room: bytes, thread: str, now_ms: int) -> list[MemberId]:
        """Return who is typing, in order of id."""
        devices = list(self._rooms.get(room, {}).values())
        return sorted({d.member for d in devices if d.typing.get(thread, 0) > now_ms})

    def _of(self, room: bytes, member: MemberId) -> Iterator[_Device]:
        return (d for d in list(self._rooms.get(room, {}).values()) if d.member == member)

    def _typing(
        self, room: bytes, known: _Device, thread: str, *, is_typing: bool, now_ms: int
    ) -> None:
        was = thread in known.typing
        if is_typing and (was or len(known.typing) < THREADS_MAX):
            known.typing[thread] = now_ms + TYPING_MS
        else:
            known.typing.pop(thread, None)
        if was != (thread in known.typing):
            self._tell(TypingChanged(room, known.member, thread, not was))

    def _stop(self, room: bytes, known: _Device) -> None:
        for thread in list(known.typing):
            self._typing(room, known, thread, is_typing=False, now_ms=0)

    def _tell(self, change: NearbyChange) -> None:
        for told in list(self._listeners):
            told(change)

"""Who is here and who types: live by nature, known only while this peer is online."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.clock import ms_of
from ..errors import ValidationError
from ..ids import MemberId, is_message_id
from ..storage import chains
from ..storage.aside import blocked
from .base import RoomPart


@dataclass(frozen=True, slots=True)
class Presence:
    """Is what is known of a member's whereabouts.

    ``last_seen`` is when they were last heard of, ms since 1970: by a sign that they are here, or
    by their newest entry; None for never. ``status`` is what they say about themselves, known
    only of who is here.
    """

    member: MemberId
    name: str
    is_here: bool
    last_seen: int | None
    status: str


class RoomPresence(RoomPart):
    """Is what a room's handle can tell of who is there; part of ``Room``."""

    __slots__ = ()

    def presence(self) -> list[Presence]:
        """Return every member's presence as it was last heard, in order of name.

        Only rooms of up to 100 members tell it, the 30 of them that one wrote in last.
        """
        peer, room = self._peer, self._load().room_id
        now = self._mono_ms()
        written = chains.last_stamps(peer._db, self._row)
        found = []
        for member in peer._membership.members(self._row, self._names()):
            status = peer._nearby.status_of(room, member.id, now)
            heard = peer._nearby.last_heard_ms(room, member.id)
            times = [] if heard is None else [peer.now_ms() - (now - heard)]
            if member.id in written:
                times.append(ms_of(written[member.id]))
            is_here = status is not None
            last = max(times, default=None)
            found.append(Presence(member.id, member.name, is_here, last, status or ""))
        return found

    def typing(self, *, is_typing: bool = True, thread: str | None = None) -> None:
        """Say that this person types here, or in a thread; call it at every key.

        It is said at most every 4 s, and lapses 8 s after the last call, or when a message is
        sent. Without a connection, or for who is invisible, it does nothing. Raises
        ``ValidationError``.
        """
        if thread is not None and not is_message_id(thread):
            raise ValidationError(f"{thread!r} is not a message id")
        if self._peer._say_typing is not None:
            self._peer._say_typing(self._load().room_id, thread or "", is_typing=is_typing)

    def typists(self, thread: str | None = None) -> list[MemberId]:
        """Return which others type here now, or in a thread."""
        found = self._peer._nearby.typing(self._load().room_id, thread or "", self._mono_ms())
        silent = {self._peer.id, *blocked(self._peer._db)}
        return [member for member in found if member not in silent]

    def _mono_ms(self) -> int:
        return round(self._peer._clock.monotonic() * 1000)

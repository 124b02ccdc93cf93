"""Blocking: people whom a person does not want to hear, in any room."""

from __future__ import annotations

from ..errors import ValidationError
from ..ids import MemberId
from ..storage.aside import BLOCK_FIELD, blocked
from .base import PeerPart

MEMBER_CHARS_MAX = 58
"""A field's key has at most 64 characters."""

BLOCKED_MAX = 1_000


class PeerBlocking(PeerPart):
    """Is what a peer can do about people; part of ``Peer``."""

    def block(self, member: str) -> None:
        """See and hear no more of a member, in every room and on every own device.

        They do not learn of it, and what they write stays in the rooms. Raises
        ``ValidationError``.
        """
        self._set_blocked(member, is_blocked=True)

    def unblock(self, member: str) -> None:
        """See and hear a member again, with what they have written meanwhile."""
        self._set_blocked(member, is_blocked=False)

    def blocked(self) -> list[MemberId]:
        """Return whom this person has blocked, in order of id."""
        return sorted(blocked(self._db))

    def _set_blocked(self, member: str, *, is_blocked: bool) -> None:
        if member == self.id:
            raise ValidationError("nobody can block themselves")
        if not member or len(member) > MEMBER_CHARS_MAX or "/" in member:
            raise ValidationError(f"{member[:40]!r} is no member's id; see room.members()")
        with self._db.atomic():
            known = blocked(self._db)
            if is_blocked and member not in known and len(known) >= BLOCKED_MAX:
                raise ValidationError(f"{BLOCKED_MAX:,} people are blocked; unblock some first")
            self._personal.put(BLOCK_FIELD + member, True if is_blocked else None)
        self._ring()

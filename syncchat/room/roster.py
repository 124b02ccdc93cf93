"""Who is in a room: the part of a room's handle that is about its members."""

from __future__ import annotations

from datetime import timedelta

from ..errors import ValidationError
from ..exchange.intents import (
    Admit,
    AnyIntent,
    ChangeHistory,
    ChangeKey,
    ChangeRole,
    CloseInvite,
    HideMessage,
    LeaveRoom,
    OpenInvite,
    RemovePeople,
)
from ..ids import message_bytes
from ..membership import (
    HISTORIES,
    ROLES,
    JoinRequest,
    Member,
    PendingChange,
    VoidChange,
    chosen,
    why_no_member,
)
from ..membership import OpenInvite as OpenedInvite
from ..storage import rooms
from ..wire.invite import INVITE_SECRET_BYTES, InviteKind, InviteLink, encode_invite
from .base import RoomPart, checked_limit


class RoomRoster(RoomPart):
    """Is what a room's handle can do about who is in; part of ``Room``."""

    __slots__ = ()

    def members(self) -> list[Member]:
        """Return the room's members in order of name; empty while its log is not here."""
        return self._peer._membership.members(self._row, self._names())

    @property
    def standing(self) -> str:
        """Return what this peer is in the room: "member", or why not, as one word."""
        return self._load().standing.value

    @property
    def obstacle(self) -> str:
        """Return why this peer is no member of the room, in words; empty when it is one."""
        row = self._load()
        is_in = row.standing is rooms.Standing.MEMBER
        return "" if is_in else why_no_member(self._peer._db, row)

    def invite(
        self,
        *,
        uses: int = 1,
        expires: timedelta | None = None,
        role: str = "member",
        approve: bool = False,
    ) -> str:
        """Return a link by which others join.

        ``uses`` is how many people it lets in, 0 any number: whoever has the link of one that is
        open can read the room. ``expires`` is how long it works, None for ever; ``role`` is
        "member" or "reader"; with ``approve`` an admin lets each one in. It works when no admin is
        online, once this peer has synced. Raises ``NotAllowedError`` and ``ValidationError``.
        """
        if not 0 <= uses < 2**31:
            raise ValidationError("uses must be 0, for no limit, or more")
        row = self._load()
        link = InviteLink(
            row.room_id,
            row.relay,
            InviteKind.APPROVAL if approve else InviteKind.ROOM,
            self._peer._random.bytes(INVITE_SECRET_BYTES),
            row.title,
        )
        expires_ms = 0
        if expires is not None:
            expires_ms = self._peer.now_ms() + round(expires.total_seconds() * 1000)
        text = encode_invite(link)
        self._change(OpenInvite(link.seed, chosen(ROLES, role, "role"), uses, expires_ms, approve))
        return text

    def invites(self) -> list[OpenedInvite]:
        """Return the invites by which people can still come in."""
        return self._peer._membership.invites(self._row)

    def revoke_invite(self, invite: str) -> None:
        """Close an invite, by its id; raises ``NotFoundError``, ``NotAllowedError``."""
        self._change(CloseInvite(self._peer._membership.invite_called(self._row, invite)))

    def requests(self) -> list[JoinRequest]:
        """Return who asks to be let in by an invite that needs approval."""
        return self._peer._membership.requests(self._row)

    def add(self, request: str, *, role: str = "member") -> None:
        """Let somebody in who asks to; raises ``NotFoundError``, ``NotAllowedError``."""
        found = self._peer._membership.request_called(self._row, request)
        self._change(Admit(found, chosen(ROLES, role, "role")))

    def remove(self, member: str) -> None:
        """Remove a member, and change the room's key, which they do not get.

        What they have read they keep. Raises ``NotFoundError``, ``NotAllowedError``.
        """
        self._change(RemovePeople((self._peer._membership.user_called(self._row, member),)))

    def set_role(self, member: str, role: str) -> None:
        """Give a member a role; "owner" hands the room over.

        Raises ``NotFoundError``, ``NotAllowedError``, ``ValidationError``.
        """
        user = self._peer._membership.user_called(self._row, member)
        self._change(ChangeRole(user, chosen(ROLES, role, "role")))

    def leave(self) -> None:
        """Leave the room; what is here stays readable. Raises ``NotAllowedError``."""
        self._change(LeaveRoom())

    def rotate_key(self) -> None:
        """Change the room's key; raises ``NotAllowedError``."""
        self._change(ChangeKey(self._load().epoch))

    def set_history(self, history: str) -> None:
        """Set what new members may read: "shared" for all, "from_join" for what comes after.

        The latter closes the invites that need no approval, whose links open what came before.
        Raises ``NotAllowedError``, ``ValidationError``.
        """
        self._change(ChangeHistory(chosen(HISTORIES, history, "history")))

    def hide(self, message: str, *, hidden: bool = True) -> None:
        """Hide a message from everyone, as an admin, or show it again; it is not changed.

        Raises ``NotFoundError``, ``NotAllowedError``.
        """
        found = self.message(message).id
        self._change(HideMessage(message_bytes(found), hidden))

    def pending_changes(self) -> list[PendingChange]:
        """Return changes to who is in that wait for the relay, or that it refused, with reasons."""
        return self._peer._membership.pending(self._row)

    @property
    def forks(self) -> int:
        """Return how often the room's log had branches, put together since or still to be.

        0 is as it should be: a relay that tells everybody the same, and loses nothing, lets none
        come up. What had no effect because of one is in ``void_changes``.
        """
        return self._peer._membership.forks(self._row)

    def void_changes(self, *, limit: int = 50) -> list[VoidChange]:
        """Return the changes to who is in that a fork of the room's log left without effect.

        The last ``limit`` of them, newest first. Raises ``ValidationError`` for a limit outside 1
        to 1,000.
        """
        return self._peer._membership.void_changes(self._row)[: checked_limit(limit)]

    def _change(self, intent: AnyIntent) -> None:
        with self._peer._db.atomic():
            self._peer._membership.change(self._row, intent)
        self._peer._ring()

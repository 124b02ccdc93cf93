"""Reports: telling the admins, and nobody else, of a message."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.values import LETTER_FIELD, is_label
from ..errors import NotAllowedError, NotFoundError, ValidationError
from ..ids import MemberId, MessageId, is_message_id, member_bytes
from ..storage import history, identity
from ..storage.fields import profile_fields
from ..trust.changes import Role
from ..trust.letters import Complaint, open_letter
from .base import RoomPart, checked_text

REASON_CHARS_MAX = 500


@dataclass(frozen=True, slots=True)
class Report:
    """Says that a member has reported a message; ``at_ms`` is when, since 1970."""

    message_id: MessageId
    member: MemberId
    name: str
    reason: str
    at_ms: int


class RoomReports(RoomPart):
    """Is what a room's handle can do about messages that should not be there; part of ``Room``."""

    __slots__ = ()

    def report(self, message: str, reason: str) -> None:
        """Tell those who are admins now of a message, and nobody else.

        ``reason`` is a line of 1 to 500 characters. Raises ``NotFoundError``,
        ``NotAllowedError``, ``ValidationError``.
        """
        said = checked_text(reason, "the reason").strip()
        if not is_label(said, REASON_CHARS_MAX):
            raise ValidationError(
                f"say why in 1 to {REASON_CHARS_MAX} printable characters, in one line"
            )
        found = self.message(message)
        if found.deleted:
            raise NotFoundError("the message was deleted")
        peer, row = self._peer, self._load()
        group = peer._membership.group(row.id)
        admins = [each.person for each in group.members.values() if each.role <= Role.ADMIN]
        with peer._db.atomic():
            if refusal := peer._membership.may_write(row.id):
                raise NotAllowedError(refusal)
            complaint = Complaint(found.id, said, peer.now_ms())
            peer._write_letter(row, complaint, readers=admins)
        peer._ring()

    def reports(self, *, limit: int = 50) -> list[Report]:
        """Return what was reported to this person as an admin, newest first.

        Who becomes an admin later does not see what was reported before. Raises
        ``ValidationError`` for a limit outside 1 to 1,000.
        """
        if not 0 < limit <= history.PAGE_MAX:
            raise ValidationError(f"limit must be 1 to {history.PAGE_MAX}")
        db, row = self._peer._db, self._load()
        secrets = identity.user_secrets(db)
        names = history.names_of(db, row.id)
        found = []
        for member, _, value in profile_fields(db, row.id, LETTER_FIELD):
            writer = member_bytes(member)
            if writer is None:
                continue
            letter = open_letter(value, room=row.room_id, writer=writer, secrets=secrets)
            if not isinstance(letter, Complaint) or not is_message_id(letter.message):
                continue
            reason = letter.reason if is_label(letter.reason, REASON_CHARS_MAX) else ""
            name = names.get(member) or member[:6]
            found.append(Report(MessageId(letter.message), member, name, reason, letter.at))
        return sorted(found, key=lambda each: (each.at_ms, each.member), reverse=True)[:limit]

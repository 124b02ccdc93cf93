"""What is unread in all rooms, and who may know what one reads."""

from __future__ import annotations

from ..errors import ValidationError
from ..ids import RoomId
from ..storage.tallies import UnreadCounts, all_unread
from .base import PeerPart

RECEIPTS_UP_TO = 20
"""Members of a room where receipts are public unless set otherwise: who writes to more people than
sit at a table seldom asks who has read it, and each receipt goes to all of them."""

_UP_TO_FIELD = "receipts/up-to"


class PeerReading(PeerPart):
    """Is what a peer knows of reading in all rooms; part of ``Peer``."""

    def unread(self) -> dict[RoomId, UnreadCounts]:
        """Return how much of each room is unread, in the order in which they were added."""
        return all_unread(self._db, now_ms=self.now_ms())

    @property
    def receipts_up_to(self) -> int:
        """Return how many members a room may have where others see what one reads.

        In larger ones receipts are private; ``Room.set_receipts`` says otherwise for one room.
        """
        found = self._personal.get(_UP_TO_FIELD)
        return found if isinstance(found, int) and found >= 0 else RECEIPTS_UP_TO

    def set_receipts_up_to(self, members: int) -> None:
        """Set how many members a room may have where others see what one reads; 0 for nowhere."""
        if isinstance(members, bool) or not isinstance(members, int) or not 0 <= members < 2**31:
            raise ValidationError("say up to how many members receipts are public: 0 or more")
        with self._db.atomic():
            self._personal.put(_UP_TO_FIELD, members)
        self._ring()

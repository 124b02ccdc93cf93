"""Rooms: a small handle on one room of a peer's database. All calls touch the local disk only."""

from __future__ import annotations

from ..ids import (
    MemberId,
    RoomId,
    room_text,
)
from .delivery import RoomDelivery
from .drafts import RoomDrafts
from .forwarding import RoomForwarding
from .looks import RoomLooks
from .older import RoomOlder
from .outgoing import RoomOutbox
from .pins import RoomPins
from .places import RoomPlaces
from .polls import RoomPolls
from .presence import RoomPresence
from .reading import RoomReading
from .reports import RoomReports
from .roster import RoomRoster
from .search import RoomSearch
from .stars import RoomStars
from .unread import RoomUnread


class Room(
    RoomDrafts,
    RoomStars,
    RoomPlaces,
    RoomForwarding,
    RoomReading,
    RoomOlder,
    RoomSearch,
    RoomUnread,
    RoomDelivery,
    RoomOutbox,
    RoomPresence,
    RoomRoster,
    RoomPolls,
    RoomPins,
    RoomLooks,
    RoomReports,
):
    """Is a handle on one room; it caches nothing. A peer's methods make it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<Room {self.title!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Room) and (self._peer, self._row) == (other._peer, other._row)

    def __hash__(self) -> int:
        return hash(self._row)

    @property
    def id(self) -> RoomId:
        """Return the room's id, 16 bytes; ``ids.room_text`` writes it out."""
        return self._load().room_id

    @property
    def direct(self) -> MemberId | None:
        """Return with whom this is a direct room, None for any other; see ``Peer.direct``."""
        return self._load().direct or None

    @property
    def title(self) -> str:
        """Return the room's title, or the start of its id while none is known.

        A direct room is called as who it is with.
        """
        row = self._load()
        return row.title or room_text(row.room_id)[:8]

    @property
    def relay(self) -> str:
        """Return the relay's address; empty for a room that has none."""
        return self._load().relay

"""Searching all rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ..core.hit import Hit
from ..room.search import checked_query, hits, rooms_in
from .base import PeerPart

if TYPE_CHECKING:
    from .peer import Peer


class PeerSearch(PeerPart):
    """Is what a peer can do to find messages; part of ``Peer``."""

    def search(
        self, text: str, *, limit: int = 20, newest: bool = False, before: str | None = None
    ) -> list[Hit]:
        """Return messages that a query finds in any room, as they are shown now; works offline.

        ``text`` has words and filters, see ``syncchat.core.query``. Of the newest 200 that fit, the
        best come first, or with ``newest`` all in order of time, the newest first; ``limit`` is
        1 to 1,000. ``before`` is a message id: only what was written before that is found, so the
        id of the last hit gives the next page of ``newest``. Raises ``ValidationError`` for a query
        that cannot be understood, and says what to write instead.
        """
        peer = cast("Peer", self)
        query = checked_query(peer, text)
        return hits(peer, rooms_in(peer, query), query, limit=limit, newest=newest, before=before)

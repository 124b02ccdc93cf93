"""Notifications: which of what happens wants a person's attention, each message once.

What follows from the database alone is told, so nothing is missed or told twice by whoever asks
from where they asked last. What was written a while ago, as after an absence, comes as one
notification for each room.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from ..core.message import Message
from ..events import NOTIFIED_SHOWN_MAX, Notification
from ..ids import room_text
from ..personal import SETTINGS_FIELD
from ..room import Room, Settings, settings_of
from ..storage import rooms
from ..storage.changes import Cursor, end_of
from ..storage.notices import News, news_since
from .base import PeerPart

AWAY_MS = 5 * 60_000
"""What was written longer ago is not told message by message."""


class PeerNotifying(PeerPart):
    """Is what a peer knows of what wants attention; part of ``Peer``."""

    def _notifications(self, after: int) -> tuple[list[Notification], int]:
        """Return what wants attention since a change number, and the number to ask from next."""
        found, upto = self._notices(Cursor(end_of(after), after))
        return [notification for notification, _ in found], upto

    def _notices(self, cursor: Cursor) -> tuple[list[tuple[Notification, Cursor]], int]:
        """Return what wants attention since a cursor, each with the cursor behind it, and up to
        which change that is all.

        First what is left of the changes that the cursor stands in the middle of.
        """
        with self._db.reading():
            found: list[tuple[Notification, Cursor]] = []
            last = rooms.last_change(self._db)
            while cursor.notified < last:
                upto = cursor.upto or last
                news = news_since(
                    self._db,
                    cursor.notified,
                    now_ms=self.now_ms(),
                    upto=upto,
                    room=cursor.room,
                    message=cursor.message,
                )
                for row, of_room in groupby(news, key=lambda each: each.room):
                    for told, message in self._of_room(row, list(of_room)):
                        found.append((told, cursor._replace(upto=upto, room=row, message=message)))
                cursor = Cursor(cursor.place, upto)
            if found:  # behind the last one is behind everything
                found[-1] = (found[-1][0], cursor)
            return found, cursor.notified

    def _of_room(self, row: int, news: list[News]) -> Iterator[tuple[Notification, str]]:
        room = rooms.load_room(self._db, row)
        if room.is_personal:
            return
        settings = settings_of(self._personal.get(SETTINGS_FIELD + room_text(room.room_id)))
        eligible = [each for each in news if _is_eligible(each, settings, self.now_ms())]
        handle = self._handle(row)
        # Display order is that of writing: what is old comes first.
        old = sum(each.message < self._away_since() for each in eligible)
        if old:
            yield _of(handle, eligible[:old]), eligible[old - 1].message
        for each in eligible[old:]:
            yield _of(handle, [each]), each.message

    def _away_since(self) -> str:
        from ..core.clock import stamp

        return stamp(max(0, self.now_ms() - AWAY_MS))


def _is_eligible(news: News, settings: Settings, now_ms: int) -> bool:
    if settings.muted_until_ms > now_ms:
        return False
    return settings.level == "all" or (settings.level == "mentions" and news.mentions_me)


def _of(room: Room, news: list[News]) -> Notification:
    shown: list[Message] = room._reading().many(
        [each.message for each in news[-NOTIFIED_SHOWN_MAX:]]
    )
    mentions = sum(each.mentions_me for each in news)
    return Notification(room.id, tuple(shown), len(news), mentions)

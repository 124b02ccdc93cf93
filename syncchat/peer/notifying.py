"""Notifications: which of what happens wants a person's attention, each message once.

What follows from the database alone is told, so nothing is missed or told twice by whoever asks
from where they asked last. What was written a while ago, as after an absence, comes as one
notification for each room. However long the absence was, only names of messages are kept at hand,
and of what comes together only the last; a notification is made when it is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from ..events import NOTIFIED_SHOWN_MAX, Notification
from ..ids import MessageId, room_text
from ..personal import SETTINGS_FIELD
from ..room import Settings, settings_of
from ..storage import rooms
from ..storage.changes import Cursor, end_of
from ..storage.notices import News, news_since
from .base import PeerPart

AWAY_MS = 5 * 60_000
"""What was written longer ago is not told message by message."""

ALONE_MAX = 1_000
"""So many are told one by one at a time; where there are more, the first of them come together."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Is a notification to be; ``behind`` is the cursor behind it."""

    room: int
    shown: tuple[MessageId, ...]
    count: int
    mentions: int
    behind: Cursor


class PeerNotifying(PeerPart):
    """Is what a peer knows of what wants attention; part of ``Peer``."""

    def _notifications(self, after: int) -> tuple[list[Notification], int]:
        """Return what wants attention since a change number, and the number to ask from next."""
        found, upto = self._notices(Cursor(end_of(after), after))
        made = [self._notification(notice) for notice in found]
        return [notification for notification in made if notification is not None], upto

    def _notices(self, cursor: Cursor) -> tuple[list[Notice], int]:
        """Return what wants attention since a cursor, and up to which change that is all.

        First what is left of the changes that the cursor stands in the middle of.
        """
        with self._db.reading():
            found: list[Notice] = []
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
                    alone_max = max(0, ALONE_MAX - len(found))
                    behind = cursor._replace(upto=upto, room=row)
                    found += self._of_room(row, of_room, behind, alone_max)
                cursor = Cursor(cursor.place, upto)
            if found:  # behind the last one is behind everything
                found[-1] = replace(found[-1], behind=cursor)
            return found, cursor.notified

    def _of_room(
        self, row: int, news: Iterable[News], behind: Cursor, alone_max: int
    ) -> Iterator[Notice]:
        room = rooms.load_room(self._db, row)
        if room.is_personal:
            return
        settings = settings_of(self._personal.get(SETTINGS_FIELD + room_text(room.room_id)))
        now_ms, away_since = self.now_ms(), self._away_since()
        alone: deque[News] = deque()
        shown: deque[MessageId] = deque(maxlen=NOTIFIED_SHOWN_MAX)
        count = mentions = 0
        for each in news:
            if not _is_eligible(each, settings, now_ms):
                continue
            alone.append(each)
            # Display order is that of writing: what is old comes first.
            if each.message < away_since or len(alone) > alone_max:
                first = alone.popleft()
                shown.append(first.message)
                count, mentions = count + 1, mentions + first.mentions_me
        if count:
            yield Notice(row, tuple(shown), count, mentions, behind._replace(message=shown[-1]))
        for each in alone:
            here = behind._replace(message=each.message)
            yield Notice(row, (each.message,), 1, int(each.mentions_me), here)

    def _notification(self, notice: Notice) -> Notification | None:
        """Return a notification with its messages as they are now, None where none is left."""
        room = self._handle(notice.room)
        with self._db.reading():
            shown = tuple(room._reading().many(notice.shown))
        return Notification(room.id, shown, notice.count, notice.mentions) if shown else None

    def _away_since(self) -> str:
        from ..core.clock import stamp

        return stamp(max(0, self.now_ms() - AWAY_MS))


def _is_eligible(news: News, settings: Settings, now_ms: int) -> bool:
    if settings.muted_until_ms > now_ms:
        return False
    return settings.level == "all" or (settings.level == "mentions" and news.mentions_me)

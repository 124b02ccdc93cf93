"""Which messages are news to the person: those that came since, and those that now mention them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..ids import MessageId
from .database import Database
from .tallies import THERE

_SHOWN = f"deleted = 0 and hidden = 0 and {THERE.replace('?', '?1')} and (room, message) > (?4, ?5)"


@dataclass(frozen=True, slots=True)
class News:
    """Is a message of somebody else that is news; ``new`` unless only its mention is."""

    room: int
    message: MessageId
    mentions_me: bool
    new: bool


def news_since(
    db: Database,
    after: int,
    *,
    now_ms: int,
    upto: int = 2**62,
    room: int = 0,
    message: str = "",
) -> Iterator[News]:
    """Yield what is news since a change number, in display order, room by room.

    Of what came up to the change ``upto``, and of that what is behind a message of a room. There
    may be very much of it, so it is read as it is asked for, which goes on inside of ``reading``.

    A message is news once when it comes, unless it has been read elsewhere by then, and once when
    it first mentions the person, if that is later.
    """
    rows = db.execute(
        "select room, message, mention, 1 from message indexed by message_added "
        f"where unread = 1 and added > ?2 and added <= ?3 and {_SHOWN} "
        "union all select room, message, mention, 0 from message indexed by message_change "
        "where change > ?2 and change > added and added <= ?2 and mention = 1 "
        f"and mention_at > added and mention_at > ?2 and mention_at <= ?3 and {_SHOWN} "
        "order by room, message",
        (now_ms, after, upto, room, message),
    )
    for row, each, mention, is_new in rows:
        yield News(row, MessageId(each), bool(mention), bool(is_new))

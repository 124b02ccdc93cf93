"""Which messages are news to the person: those that came since, and those that now mention them."""

from __future__ import annotations

from dataclasses import dataclass

from ..ids import MessageId
from .database import Database
from .tallies import THERE


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
) -> list[News]:
    """Return what is news since a change number, in display order, room by room.

    Of what came up to the change ``upto``, and of that what is behind a message of a room.

    A message is news once when it comes, unless it has been read elsewhere by then, and once when
    it first mentions the person, if that is later.
    """
    rows = db.rows(
        "select room, message, mention, added > ? from message where change > ? and deleted = 0 "
        f"and hidden = 0 and {THERE} "
        "and ((unread = 1 and added > ? and added <= ?) or (mention = 1 and mention_at > ? "
        "and mention_at <= ? and mention_at > added and added <= ?)) "
        "and (room, message) > (?, ?) order by room, message",
        (after, after, now_ms, after, upto, after, upto, after, room, message),
    )
    found = [News(room, MessageId(m), bool(mention), bool(new)) for room, m, mention, new in rows]
    return found

"""Which messages are news to the person: those that came since, and those that now mention them."""

from __future__ import annotations

from dataclasses import dataclass

from ..ids import MessageId
from .database import Database


@dataclass(frozen=True, slots=True)
class News:
    """Is a message of somebody else that is news; ``new`` unless only its mention is."""

    room: int
    message: MessageId
    mentions_me: bool
    new: bool


def news_since(db: Database, after: int) -> list[News]:
    """Return what is news since a change number, in display order, room by room.

    A message is news once when it comes, unless it has been read elsewhere by then, and once when
    it first mentions the person, if that is later.
    """
    rows = db.rows(
        "select room, message, mention, added > ? from message where change > ? and deleted = 0 "
        "and ((unread = 1 and added > ?) or (mention = 1 and mention_at > ? "
        "and mention_at > added and added <= ?)) order by room, message",
        (after, after, after, after, after),
    )
    found = [News(room, MessageId(m), bool(mention), bool(new)) for room, m, mention, new in rows]
    return found

"""Which messages are news to the person: those that came since, and those that now mention them."""

from __future__ import annotations

from collections.abc import Iterator
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
) -> Iterator[News]:
    """Yield what is news since a change number, in display order, room by room.

    Of what came up to the change ``upto``, and of that what is behind a message of a room. There
    may be very much of it, so it is read as it is asked for, which goes on inside of ``reading``.

    A message is news once when it comes, unless it has been read elsewhere by then, and once when
    it first mentions the person, if that is later.
    """
    rows = db.execute(
        "select room, message, mention, added > ? from message where change > ? and deleted = 0 "
        f"and hidden = 0 and {THERE} "
        "and ((unread = 1 and added > ? and added <= ?) or (mention = 1 and mention_at > ? "
        "and mention_at <= ? and mention_at > added and added <= ?)) "
        "and (room, message) > (?, ?) order by room, message",
        (after, after, now_ms, after, upto, after, upto, after, room, message),
    )
    for row, each, mention, is_new in rows:
        yield News(row, MessageId(each), bool(mention), bool(is_new))

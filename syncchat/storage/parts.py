"""Parts of a message as apps see it, from their stored form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..core.clock import ms_of
from ..core.emoji import emoji_form
from ..core.fold import Reaction
from ..core.message import Forwarded, Poll, PollOption
from ..core.polls import asked_in
from ..core.values import NAME_CHARS_MAX, PIN_FIELD, MessageValue, Root, is_label
from ..ids import MemberId, MessageId
from .database import Database
from .view import votes_of


def distinct(reactions: Iterable[Reaction]) -> list[Reaction]:
    """Return the reactions that are emoji, each member's once for each, in its one form.

    What another program wrote there may be anything, and the same emoji has several forms.
    """
    found: dict[tuple[MemberId, str], Reaction] = {}
    for reaction in reactions:
        form = emoji_form(reaction.emoji)
        if form is not None:
            found.setdefault((reaction.member, form), reaction._replace(emoji=form))
    return list(found.values())


def forwarded_of(said: MessageValue) -> Forwarded | None:
    """Return who wrote a forwarded message, None for one that was not forwarded."""
    origin = said.forwarded
    if origin is None:
        return None
    name = origin.name if is_label(origin.name, NAME_CHARS_MAX) else origin.sender[:6]
    return Forwarded(MemberId(origin.sender), name, origin.at)


def poll_of(said: MessageValue, stored: str | None, me: MemberId) -> Poll | None:
    """Return a poll as it stands, None for a message that is none."""
    asked = asked_in(said)
    if asked is None:
        return None
    votes, closed_at = votes_of(stored)
    return Poll(
        tuple(
            PollOption(text, tuple(v.member for v in votes if place in v.choices))
            for place, text in enumerate(asked.options)
        ),
        asked.multiple,
        None if closed_at is None else ms_of(closed_at),
        len(votes),
        next((vote.choices for vote in votes if vote.member == me), ()),
    )


def pinned_of(db: Database, room: int, ids: Sequence[str]) -> set[MessageId]:
    """Return those of the messages that are pinned."""
    if not ids:
        return set()
    pinned = {
        MessageId(key[len(PIN_FIELD) :])
        for (key,) in db.rows(
            "select key from field where room = ? and root = ? and member = '' "
            "and value = 'true' and key between ? and ?",
            (room, int(Root.ROOM), PIN_FIELD + min(ids), PIN_FIELD + max(ids)),
        )
    }
    return pinned.intersection(ids)

"""The fold: what a room shows, as a pure function of the entries of its journals.

Entries come from many journals, in any order and in any pieces; what is shown of one message
depends only on which entries about it are there. So the fold works message by message: give it
the message's own entry (or None while it is missing) and every mark about it.

* An edit or a deletion counts only from the devices of the message's author.
* The last edit wins, by (stamp, device), with its text and its mentions. A deletion always wins
  and is final.
* Reactions are per member and emoji; the last one of the member's devices wins.
* Of each member the last vote in a poll counts, of those cast before its author closed it.
* Marks may come before their message, and still count once it is there.

What the room's log says of a message (that an admin has hidden it) and what a clock says (that it
is over, and has disappeared) come in as arguments. That it is older than the room keeps messages
is set behind the fold (``Shown.over``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from ..ids import MESSAGE_CHARS, DeviceId, MemberId, MessageId, Stamp, author_device, stamp_of
from .polls import Cast, Vote, asked_in, count
from .values import MessageValue, Root

MemberOf = Callable[[DeviceId], MemberId]
"""Tells whose device it is."""


NOTHING = MessageValue()


class Mark(NamedTuple):
    """Is one entry about something: an edit, deletion, reaction, or a field."""

    root: Root
    key: str
    device: DeviceId
    at: Stamp
    value: Any


class Reaction(NamedTuple):
    """Is one member's reaction that is switched on."""

    member: MemberId
    emoji: str
    at: Stamp


class Shown(Struct, frozen=True):
    """Is what a room shows of one message.

    ``mentions`` are those of now, ``value`` is as it was sent. A deleted one keeps only its place
    in the order, and in which thread. Of one that is ``gone``, because it was to disappear, nothing
    is shown any more. One that is ``over``, older than the room keeps messages, is not shown
    either; it is all here until its author has let go of it, and counts in the digest until then.
    """

    id: MessageId
    deleted: bool = False
    value: MessageValue = NOTHING
    text: str = ""
    edited_at: Stamp | None = None
    reactions: tuple[Reaction, ...] = ()
    thread: str | None = None
    mentions: tuple[str, ...] = ()
    votes: tuple[Vote, ...] = ()
    closed_at: Stamp | None = None
    hidden: bool = False
    gone: bool = False
    over: bool = False

    @property
    def is_there(self) -> bool:
        """Tell whether the message counts among those of its timeline."""
        return not (self.deleted or self.hidden or self.is_away)

    @property
    def is_away(self) -> bool:
        """Tell whether not even that there is a message is shown any more."""
        return self.gone or self.over


class Version(NamedTuple):
    """Is one text that a message had; ``at`` is since when."""

    at: Stamp
    device: DeviceId
    text: str


def single_device_member(device: DeviceId) -> MemberId:
    """Return the member of a device while every member has just one."""
    return MemberId(device)


def fold_message(
    message: MessageId,
    value: MessageValue | None,
    marks: Sequence[Mark],
    *,
    member_of: MemberOf,
    is_hidden: bool = False,
    is_gone: bool = False,
) -> Shown | None:
    """Return what is shown of a message, or None while there is nothing to show."""
    if not marks:
        if value is None:
            return None
        if is_gone:
            return _gone(message, value)
        shown = as_sent(message, value)
        return replace(shown, hidden=True) if is_hidden else shown
    author = member_of(author_device(message))
    deletes = [m for m in marks if m.root is Root.DELETES and member_of(m.device) == author]
    final = last(deletes)
    if final is not None:
        is_gone = is_gone or any(m.value.is_gone for m in deletes)
        return Shown(message, deleted=True, thread=final.value.thread, gone=is_gone)
    if value is None:
        return None
    if is_gone:
        return _gone(message, value)
    shown = replace(
        as_sent(message, value),
        reactions=fold_reactions(marks, member_of=member_of),
        hidden=is_hidden,
    )
    if (asked := asked_in(value)) is not None:
        entries = [Cast(m.device, m.at, m.value) for m in marks if m.root is Root.VOTES]
        votes, closed_at = count(asked, author, entries, member_of=member_of)
        shown = replace(shown, votes=votes, closed_at=closed_at)
    edit = last(m for m in marks if m.root is Root.EDITS and member_of(m.device) == author)
    if edit is None:
        return shown
    mentions = value.mentions if edit.value.mentions is None else edit.value.mentions
    return replace(shown, text=edit.value.text, edited_at=edit.at, mentions=mentions)


def as_sent(message: MessageId, value: MessageValue) -> Shown:
    """Return what is shown of a message that nothing has been done about."""
    return Shown(
        message, value=value, text=value.text, thread=value.thread, mentions=value.mentions
    )


def fold_versions(
    message: MessageId, value: MessageValue, marks: Sequence[Mark], *, member_of: MemberOf
) -> tuple[Version, ...]:
    """Return every text that a message had, as far as its author's devices tell, oldest first."""
    author = member_of(author_device(message))
    found = {Version(stamp_of(message), author_device(message), value.text)}
    for mark in marks:
        if mark.root is Root.EDITS and member_of(mark.device) == author:
            found.add(Version(mark.at, mark.device, mark.value.text))
            found.update(Version(at, mark.device, text) for at, text in mark.value.earlier)
    return tuple(sorted(found))


def fold_reactions(marks: Sequence[Mark], *, member_of: MemberOf) -> tuple[Reaction, ...]:
    """Return the reactions that are on, in the order in which they were made."""
    latest: dict[tuple[MemberId, str], Mark] = {}
    for mark in marks:
        if mark.root is Root.REACTIONS:
            place = (member_of(mark.device), mark.key[MESSAGE_CHARS:])
            before = latest.get(place)
            if before is None or _rank(mark) > _rank(before):
                latest[place] = mark
    on = [
        Reaction(member, emoji, mark.at)
        for (member, emoji), mark in latest.items()
        if mark.value.on
    ]
    return tuple(sorted(on, key=lambda r: (r.at, r.member, r.emoji)))


def last(marks: Iterable[Mark]) -> Mark | None:
    """Return the mark that wins: the last by (stamp, device)."""
    return max(marks, key=_rank, default=None)


def _gone(message: MessageId, value: MessageValue) -> Shown:
    bare = MessageValue(expires=value.expires, thread=value.thread)
    return Shown(message, value=bare, thread=value.thread, gone=True)


def _rank(mark: Mark) -> tuple[str, str]:
    return mark.at, mark.device

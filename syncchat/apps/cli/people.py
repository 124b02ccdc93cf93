"""How commands name people and say where a room stands: members by name, changes that wait."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...core.safe import safe_line, safe_name
from ...errors import NotFoundError, ValidationError
from .options import say

if TYPE_CHECKING:
    from ...contacts import Caution
    from ...ids import MemberId
    from ...peer import Peer
    from ...room import Room

ID_CHARS_SHOWN = 8
"""Characters of a person's or device's id that are shown; 40 bits tell those in a room apart."""

_CHANGES = {
    "OpenInvite": "a new invite",
    "CloseInvite": "closing an invite",
    "Admit": "letting somebody in",
    "Answer": "answering a device that asks",
    "RemovePeople": "removing a member",
    "LeaveRoom": "leaving",
    "ChangeRole": "a new role",
    "ChangeHistory": "what new members may read",
    "HideMessage": "hiding a message, or showing it again",
    "ChangeKey": "a new key of the room",
}


def one_called(wanted: str, names: Iterable[tuple[str, str]], what: str) -> str:
    """Return the id of the one that a name, an id or its beginning stands for.

    ``names`` are ids with names. Names are compared as they look, so that a copy of a name makes
    it ambiguous. Raises ``NotFoundError``, and ``ValidationError`` when several fit.
    """
    look = _look(wanted)
    known = dict(names)
    begin = wanted.strip().upper()
    found = sorted(
        id_
        for id_, name in known.items()
        if _look(name) == look or (begin and id_.startswith(begin))
    )
    shown = safe_line(wanted, chars_max=40)
    if not found:
        raise NotFoundError(f"no {what} {shown!r}")
    if len(found) > 1:
        ids = ", ".join(id_[:ID_CHARS_SHOWN] for id_ in found[:5])
        raise ValidationError(f"several are called {shown!r}; take the id: {ids}")
    return found[0]


def member_called(room: Room, wanted: str) -> str:
    """Return the id of a member of a room by name, id, or beginning of the id."""
    return one_called(
        wanted, [(member.id, member.name) for member in room.members()], "member of this room"
    )


def person_called(peer: Peer, wanted: str) -> MemberId:
    """Return the id of another person in any room, or of one who was verified."""
    people = people_of(peer)
    found = one_called(wanted, people.items(), "other person in your rooms")
    return next(id_ for id_ in people if id_ == found)


def people_of(peer: Peer) -> dict[MemberId, str]:
    """Return the names of all others in one's rooms, and of who was verified, by id."""
    found = {id_: id_[:6] for id_ in peer.contacts.verified()}
    for room in peer.rooms():
        found |= {member.id: member.name for member in room.members() if not member.is_me}
    return found


def tell_standing(room: Room) -> None:
    """Say on standard error why one is no member of a room, if one is not."""
    if room.obstacle:
        say(f"{safe_name(room.title)}: {safe_line(room.obstacle)}")


def tell_pending(room: Room) -> None:
    """Say which changes to who is in a room wait for the relay, and which cannot be."""
    for line in pending_lines(room):
        say(line)


def pending_lines(room: Room) -> list[str]:
    """Return in words which changes wait for the relay, and which cannot be."""
    return [
        f"not done: {what_is(change.what)}: {safe_line(change.reason)}"
        if change.reason
        else f"waits for the relay: {what_is(change.what)}; 'syncchat sync' brings it there"
        for change in room.pending_changes()
    ]


def fork_lines(room: Room) -> list[str]:
    """Return in words that the room's log had branches, and which changes that left void."""
    if not room.forks:
        return []
    names = {member.id: member.name for member in room.members()}
    often = "once" if room.forks == 1 else f"{room.forks:,} times"
    found = [
        f"the log of who is in had branches, {often}: the relay lost records, or told different "
        "people different things"
    ]
    for void in room.void_changes():
        who = safe_name(names.get(void.member) or void.member[:ID_CHARS_SHOWN] or "a stranger")
        found.append(f"without effect: {void.what} by {who}: {safe_line(void.reason)}")
    return found


def what_is(change: str) -> str:
    """Return in words what a change to a room is."""
    return _CHANGES.get(change, change)


def caution_line(caution: Caution) -> str:
    """Return a warning about a contact, safe to print."""
    who = f"{safe_name(caution.name)} ({caution.member[:ID_CHARS_SHOWN]})"
    return f"{who} {safe_line(caution.what)}"


def table_lines(rows: list[tuple[str, ...]], *, right: tuple[int, ...] = ()) -> list[str]:
    """Return rows as lines with columns of one width; those of ``right`` stand to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _look(name: str) -> str:
    return unicodedata.normalize("NFKC", safe_name(name)).casefold()

"""How messages look to people, in every command alike."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from ...core.message import Message, Poll, Quote, Status
from ...core.safe import safe_line, safe_name, safe_text
from ..draw import draw
from .options import counted

if TYPE_CHECKING:
    from ...ids import MemberId
    from ...membership import Member

QUOTE_CHARS_MAX = 60
ID_CHARS_SHOWN = 13
"""Of a message's id: enough to tell apart what was written at different moments."""

MARKS = {
    Status.QUEUED: "…",
    Status.REFUSED: "!",
    Status.SENT: "✓",
    Status.DELIVERED: "✓✓",
    Status.READ: "✓✓ read",
}
"""What stands beside an own message."""


class Membered(Protocol):
    """Is what has members: a room."""

    def members(self) -> list[Member]:
        """Return its members."""


class Names:
    """Tells members apart: where two have the same name, each is shown with part of its id.

    Without that, anyone could take another's name and pass for them.
    """

    def __init__(self, room: Membered) -> None:
        self._room = room
        self._names: dict[MemberId, str] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the members anew."""
        shown = {member.id: safe_name(member.name) for member in self._room.members()}
        taken = Counter(_look(name) for name in shown.values())
        self._names = {
            member: name if taken[_look(name)] == 1 else f"{name} ({member[:4]})"
            for member, name in shown.items()
        }

    def everyone(self) -> dict[MemberId, str]:
        """Return the name of each member."""
        return self._names

    def of(self, member: MemberId, name: str = "") -> str:
        """Return the name to show for a member.

        ``name`` is what one who is out called themselves, shown with a part of the id.
        """
        found = self._names.get(member)
        if found is None:
            self.refresh()
            found = self._names.get(member)
        if found is None and name not in ("", member[:6]):
            return f"{safe_name(name)} ({member[:4]})"
        return found or member[:6]


def day(message: Message) -> str:
    """Return the local day on which a message was written."""
    return _moment(message.sent_at).strftime("%Y-%m-%d")


def clock(message: Message) -> str:
    """Return the local time of day at which a message was written."""
    return _moment(message.sent_at).strftime("%H:%M")


def moment(ms: int) -> str:
    """Return a local day and time, in minutes."""
    return _moment(ms).strftime("%Y-%m-%d %H:%M")


def body(message: Message, *, is_drawn: bool = False) -> str:
    """Return what a message says, safe to print; it may have several lines.

    ``is_drawn`` is for a terminal that shows weight and colour; elsewhere the text is as written.
    """
    if message.deleted:
        return "(deleted)"
    if message.hidden and not message.text:
        return "(hidden by an admin)"
    text = draw(message.markup) if is_drawn else safe_text(message.text)
    if message.forwarded is not None:
        text = f"[from {safe_name(message.forwarded.name)}] {text}"
    if message.poll is not None:
        return f"[poll] {text}\n{_standing(message.poll)}"
    if message.kind == "location" and (place := _place(message.metadata)):
        return f"{place}  {text}" if text else place
    if message.kind != "text":
        kind = safe_line(message.kind, chars_max=32)
        names = ", ".join(_file_name(each) for each in message.attachments)
        text = " ".join(part for part in (f"[{kind}]", names, text) if part)
    return text


def notes(message: Message, names: Names) -> str:
    """Return what stands behind the text: edited, in a thread, reactions, the own state."""
    parts = []
    if message.edited_at is not None and not message.deleted:
        parts.append("(edited)")
    if message.pinned:
        parts.append("(pinned)")
    if message.hidden and message.text:
        parts.append("(hidden)")
    if message.expires_at is not None and not message.deleted:
        parts.append(f"(until {moment(message.expires_at)})")
    if message.clock_ahead:
        parts.append("(its clock is ahead)")
    if message.thread is not None:
        parts.append(f"(beside {message.thread[:ID_CHARS_SHOWN]})")
    if message.replies:
        parts.append(f"({counted(message.replies, 'reply', 'replies')} beside it)")
    parts += reactions(message, names)
    if message.mine:
        parts.append(MARKS[message.status])
    return " ".join(parts)


def _standing(poll: Poll) -> str:
    """Return the options of a poll with how many chose them, those of this person marked."""
    lines = [
        f"{number}. {safe_line(option.text)}: {len(option.votes)}"
        + (" (you)" if number - 1 in poll.chosen else "")
        for number, option in enumerate(poll.options, 1)
    ]
    rule = "several" if poll.multiple else "one"
    state = "closed" if poll.closed_at is not None else f"open, choose {rule}"
    return "\n".join([*lines, state])


def reactions(message: Message, names: Names) -> list[str]:
    """Return each emoji with who reacted so."""
    by_emoji: dict[str, list[str]] = {}
    for reaction in message.reactions:
        by_emoji.setdefault(reaction.emoji, []).append(names.of(reaction.member, reaction.name))
    return [
        f"[{safe_line(emoji, chars_max=32)} {', '.join(who)}]" for emoji, who in by_emoji.items()
    ]


def quote(answered: Quote, names: Names) -> str:
    """Return the line that stands for a message that another answers."""
    if not answered.is_here:
        return "a message that is not here"
    text = "(deleted)" if answered.deleted else answered.text
    if answered.kind != "text" and not answered.deleted:
        text = f"[{answered.kind}] {text}"
    who = names.of(answered.sender, answered.sender_name)
    return f"{who}: {safe_line(text, chars_max=QUOTE_CHARS_MAX)}"


def indented(text: str, by: int) -> str:
    """Return ``text`` with its second and later lines moved right."""
    return text.replace("\n", "\n" + " " * by)


def draws(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal that shows weight and colour."""
    return stream.isatty() and "NO_COLOR" not in os.environ


def lines_of(
    messages: Iterable[Message], names: Names, *, ids: bool = False, is_drawn: bool = False
) -> Iterator[str]:
    """Yield each message as ``history`` prints it, below a line that quotes what it answers."""
    for message in messages:
        if message.quote is not None:
            yield f"  ↳ {quote(message.quote, names)}"
        head = f"{message.id}  " if ids else ""
        head += f"{day(message)} {clock(message)}  "
        who = names.of(message.sender, message.sender_name)
        text = f"{who}: {indented(body(message, is_drawn=is_drawn), 4)}"
        behind = notes(message, names)
        yield f"{head}{text}  {behind}" if behind else head + text


def _moment(ms: int) -> datetime:
    try:
        return datetime.fromtimestamp(ms / 1000)
    except (OverflowError, OSError, ValueError):
        return datetime.max  # a clock that claims a year after 9999


def _place(metadata: dict[str, Any] | None) -> str:
    """Return a place in words, empty for what is none: others may write anything."""
    found = [(metadata or {}).get(name) for name in ("latitude", "longitude", "accuracy")]
    latitude, longitude, accuracy = (
        float(each) if isinstance(each, int | float) and abs(each) < 1e9 else None for each in found
    )
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return ""
    within = "" if accuracy is None else f" ±{accuracy:.0f} m"
    return f"[location] {latitude:.5f}, {longitude:.5f}{within}"


def _file_name(attachment: dict[str, object]) -> str:
    name = attachment.get("name")
    return safe_line(name, chars_max=80) if isinstance(name, str) else "unnamed"


def _look(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()

"""What the chat prints: messages with numbers, what changes about them, notes.

A line cannot be changed once it is printed; so a change is a line of its own, that names the
message by its number::

    [1] 14:02 Alice: is the build green?  ✓✓
      ↳ Alice: is the build green?
    [2] 14:03 Bob: not yet
     *  [1] Bob reacted 👍
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from ....core.message import Message
from ....core.safe import safe_line, safe_name, safe_text
from ....errors import NotFoundError
from ....ids import MessageId
from ..show import Membered, Names, body, clock, day, indented, notes, quote

if TYPE_CHECKING:
    from ....ids import MemberId

NUMBERS_MAX = 2_000
"""Messages that keep their number; older ones are still reached by their id."""

RENAMED_SHOWN_MAX = 3
"""Members whose new name is told one by one; a newcomer learns those of a crowd at once."""

_COLOURS = ("36", "33", "35", "32", "34", "31")


class Style:
    """Adds colour and weight on terminals that want it, and nothing elsewhere."""

    def __init__(self, *, plain: bool) -> None:
        self.is_plain = plain
        """Whether nothing but the words is wanted."""

    def dim(self, text: str) -> str:
        """Return text that stands back."""
        return self._wrapped("2", text)

    def name(self, text: str, member: MemberId, *, mine: bool) -> str:
        """Return a member's name in a colour of its own."""
        colour = "1" if mine else _COLOURS[sum(member.encode()) % len(_COLOURS)]
        return self._wrapped(colour, text)

    def _wrapped(self, code: str, text: str) -> str:
        return text if self.is_plain else f"\x1b[{code}m{text}\x1b[0m"


class ChatRoom(Membered, Protocol):
    """Is what the screen asks of a room."""

    def message(self, message: str) -> Message:
        """Return a message by its id or the beginning of it."""


class Screen:
    """Prints one room's chat and remembers which number stands for which message."""

    def __init__(self, room: ChatRoom, write: Callable[[str], None], style: Style) -> None:
        self.names = Names(room)
        self._room = room
        self._write = write
        self._style = style
        self._shown: dict[MessageId, Message] = {}
        self._numbers: dict[MessageId, int] = {}
        self._ids: dict[int, MessageId] = {}
        self._last_number = 0
        self._day = ""
        self._seen: set[MessageId] = set()
        self.newest = MessageId("")
        """The last message in display order that was printed."""

    def add(self, message: Message, *, is_news: bool = True) -> None:
        """Print a message; one that is news, and not the last, is marked as written earlier."""
        number = self._number(message)
        if day(message) != self._day:
            self._day = day(message)
            self._write(self._style.dim(f"— {self._day} —"))
        if message.quote is not None:
            self._write(self._style.dim(f"  ↳ {quote(message.quote, self.names)}"))
        head = f"[{number}] {clock(message)} "
        name = self.names.of(message.sender, message.sender_name)
        is_late = is_news and not message.mine and message.id < self.newest
        self.newest = max(self.newest, message.id)
        behind = " ".join(part for part in (notes(message, self.names), _late(is_late)) if part)
        text = indented(body(message, is_drawn=not self._style.is_plain), len(head))
        self._write(
            self._style.dim(head)
            + self._style.name(name, message.sender, mine=message.mine)
            + f": {text}"
            + (self._style.dim(f"  {behind}") if behind else "")
        )

    def change(self, message: Message) -> None:
        """Print what is new about a message that is on the screen."""
        before = self._shown.get(message.id)
        if before is None:
            return
        self._shown[message.id] = message
        number, who = self._numbers[message.id], self.names.of(message.sender, message.sender_name)
        if message.deleted and not before.deleted:
            self.note(f"[{number}] {who} deleted this message")
            return
        if message.text != before.text or message.edited_at != before.edited_at:
            self.note(f"[{number}] {who} edited: {body(message)}")
        was = {(r.member, r.emoji) for r in before.reactions}
        now = {(r.member, r.emoji) for r in message.reactions}
        for member, emoji in sorted(now - was):
            shown = safe_line(emoji, chars_max=32)
            self.note(f"[{number}] {self.names.of(member)} reacted {shown}")
        for member, emoji in sorted(was - now):
            shown = safe_line(emoji, chars_max=32)
            self.note(f"[{number}] {self.names.of(member)} took back {shown}")

    def note(self, words: str) -> None:
        """Print words that are no message; safe whatever they hold."""
        self._write(self._style.dim(f" *  {indented(safe_text(words), 4)}"))

    def people_changed(self) -> None:
        """Say who is new and who has another name."""
        before = dict(self.names.everyone())
        self.names.refresh()
        after = self.names.everyone()
        new = [name for member, name in after.items() if member not in before]
        if new:
            self.note(f"{_some(new)} {'is' if len(new) == 1 else 'are'} in the room")
        renamed = [
            f"{before[member]} is now {name}"
            for member, name in after.items()
            if before.get(member, name) != name
        ]
        for words in renamed[:RENAMED_SHOWN_MAX]:
            self.note(words)
        if len(renamed) > RENAMED_SHOWN_MAX:
            self.note(f"and {len(renamed) - RENAMED_SHOWN_MAX:,} more have another name")

    def is_shown(self, message: MessageId) -> bool:
        """Tell whether a message has been printed."""
        return message in self._shown

    def has_seen(self, message: MessageId) -> bool:
        """Tell whether a message has ever been printed, also if its number is forgotten."""
        return message in self._seen

    @property
    def seen_count(self) -> int:
        """Return how many messages have been printed."""
        return len(self._seen)

    def number_of(self, message: MessageId) -> int | None:
        """Return the number of a message on the screen."""
        return self._numbers.get(message)

    def message(self, wanted: str) -> MessageId:
        """Return the message of a number, or of an id's beginning; raises ``NotFoundError``."""
        digits = wanted.strip("[]#")
        if digits.isdecimal() and len(digits) < 8:
            found = self._ids.get(int(digits))
            if found is None:
                raise NotFoundError(f"no message [{int(digits)}] on the screen")
            return found
        return self._room.message(wanted).id

    def _number(self, message: Message) -> int:
        self._seen.add(message.id)
        self._shown[message.id] = message
        if (number := self._numbers.get(message.id)) is not None:
            return number
        self._last_number += 1
        self._numbers[message.id] = self._last_number
        self._ids[self._last_number] = message.id
        if len(self._ids) > NUMBERS_MAX:
            oldest = self._ids.pop(next(iter(self._ids)))
            del self._numbers[oldest], self._shown[oldest]
        return self._last_number


def _late(is_late: bool) -> str:
    return "(written earlier)" if is_late else ""


def _some(names: Sequence[str]) -> str:
    shown = [safe_name(name) for name in names[:3]]
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(shown) + more

"""What a typed line does: send it, or run a slash command."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ....core.safe import safe_line, safe_name
from ....errors import ValidationError
from ....ids import MemberId
from ..members import member_lines
from ..online import connection
from ..options import counted
from ..people import member_called, pending_lines
from ..show import moment
from .older import Older, count_of
from .screen import Screen

if TYPE_CHECKING:
    from ....core.message import Message
    from ....peer import Peer
    from ....room import Room

HELP = (
    ("/reply N TEXT", "answer message [N]"),
    ("/thread N TEXT", "reply beside message [N], in a thread"),
    ("/edit N TEXT", "change an own message"),
    ("/delete N", "delete an own message for everyone"),
    ("/react N EMOJI", "react to a message"),
    ("/unreact N EMOJI", "take a reaction back"),
    ("/older [N]", "show earlier messages (page up does, too), also those at the relay"),
    ("/show N", "show what message [N] answers, or another message by its id"),
    ("/read", "mark everything as read, also what is not on the screen"),
    ("/who", "who is here, and when the others were last heard of"),
    ("/name NEW", "change your name, in every room"),
    ("/status", "connection, what waits to be sent, the room's digest"),
    ("/retry", "try again to send what the relay refused"),
    ("/members", "who is in the room, with roles, and whom you verified"),
    ("/invite", "print a new link, which lets one person in"),
    ("/remove MEMBER", "remove a member, by name or id"),
    ("/help", "this list"),
    ("/quit", "leave; what is not sent yet stays queued"),
    ("//TEXT", "send a message that begins with a slash"),
)
NOTES = (
    "N is the number before a message, or the beginning of its id",
    "own messages: … queued, ✓ sent, ✓✓ delivered, then read; ! refused by the relay",
)
NAMES = tuple(usage.split()[0] for usage, _ in HELP[:-1])


class Commands:
    """Runs lines in one room."""

    def __init__(
        self,
        peer: Peer,
        room: Room,
        screen: Screen,
        older: Older,
        sent: Callable[[Message], None],
    ) -> None:
        """``sent`` is told what was written: its event may stand behind those of much else."""
        self._sent = sent
        self._peer = peer
        self._room = room
        self._screen = screen
        self._run: dict[str, Callable[[str], None]] = {
            "/reply": self._reply,
            "/thread": self._thread,
            "/edit": self._edit,
            "/delete": lambda rest: room.delete(self._one(rest)),
            "/react": lambda rest: room.react(*self._two(rest, "an emoji")),
            "/unreact": lambda rest: room.unreact(*self._two(rest, "an emoji")),
            "/older": lambda rest: older.back(count_of(rest)),
            "/show": lambda rest: older.go_to(self._named(rest)),
            "/read": self._read,
            "/who": self._who,
            "/name": self._name,
            "/status": self._status,
            "/retry": lambda rest: room.retry(),
            "/members": lambda rest: screen.note("\n".join(member_lines(peer, room))),
            "/invite": lambda rest: screen.note(room.invite()),
            "/remove": self._remove,
            "/help": self._help,
        }

    def run(self, line: str) -> bool:
        """Do what a line says; return False for the one that leaves.

        Raises the ``SyncchatError`` family; then nothing was done.
        """
        if not line.strip():
            return True
        if not line.startswith("/") or line.startswith("//"):
            self._sent(self._room.send(line.removeprefix("/")))
            return True
        name, _, rest = line.partition(" ")
        if name in ("/quit", "/exit"):
            return False
        if name not in self._run:
            raise ValidationError(
                f"no command {safe_line(name, chars_max=40)}; /help lists them, "
                "//… sends text that begins with a slash"
            )
        self._run[name](rest.strip())
        return True

    def _reply(self, rest: str) -> None:
        message, text = self._two(rest, "a text")
        self._sent(self._room.send(text, reply_to=message))

    def _thread(self, rest: str) -> None:
        message, text = self._two(rest, "a text")
        self._sent(self._room.send(text, thread=message))

    def _edit(self, rest: str) -> None:
        message, text = self._two(rest, "the new text")
        self._room.edit(message, text)

    def _read(self, rest: str) -> None:
        self._room.mark_read()
        self._screen.note("everything is marked as read")

    def _name(self, rest: str) -> None:
        if not rest:
            raise ValidationError("say the new name: /name NEW")
        self._peer.rename(rest)

    def _who(self, rest: str) -> None:
        for found in self._room.presence():
            name = self._screen.names.of(found.member)
            if found.member == self._peer.id:
                self._screen.note(f"{name} (you)")
                continue
            seen = f"last heard of {moment(found.last_seen)}" if found.last_seen else "not here"
            said = f": {safe_line(found.status)}" if found.status else ""
            self._screen.note(f"{name}  {'here' if found.is_here else seen}{said}")

    def _remove(self, rest: str) -> None:
        if not rest:
            raise ValidationError("say whom: /remove MEMBER")
        member = member_called(self._room, rest)
        name = self._screen.names.of(MemberId(member))
        self._room.remove(member)
        self._screen.note(f"removed: {name}")

    def _status(self, rest: str) -> None:
        room, items = self._room, self._room.outbox()
        lines = [
            f"{safe_name(room.title)}: {connection(self._peer, room)}",
            f"relay: {room.relay or 'none'}",
            f"you: {safe_name(self._peer.name)}, in {self._peer.path}",
            f"{counted(room.count(), 'message')}, {room.unread():,} unread, "
            f"{counted(room.outbox_count(), 'change')} to send",
            *([f"you: {room.obstacle}"] if room.obstacle else []),
            *sorted({f"refused: {item.reason}" for item in items if item.reason}),
            *pending_lines(room),
            f"digest {room.digest()}",
        ]
        self._screen.note("\n".join(lines))

    def _help(self, rest: str) -> None:
        width = max(len(usage) for usage, _ in HELP)
        lines = [f"{usage.ljust(width)}  {words}" for usage, words in HELP]
        self._screen.note("\n".join([*lines, *NOTES]))

    def _one(self, rest: str) -> str:
        return self._screen.message(self._named(rest))

    def _named(self, rest: str) -> str:
        if not rest:
            raise ValidationError("say which message: the number before it")
        return rest.split()[0]

    def _two(self, rest: str, what: str) -> tuple[str, str]:
        number, _, text = rest.partition(" ")
        if not number or not text.strip():
            raise ValidationError(f"say which message, by its number, and {what}")
        return self._screen.message(number), text.strip()

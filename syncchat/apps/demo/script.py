"""The script: lines of a real chat, each given to one of four seats."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from importlib import resources

SEATS = 4

ATTRIBUTION = (
    "Chat: excerpt of #ubuntu from Kummerfeld et al., A Large-Scale Corpus for Conversation "
    "Disentanglement (ACL 2019), https://jkk.name/irc-disentanglement/, CC BY 4.0"
)


@dataclass(frozen=True, slots=True)
class Line:
    """Is one line of the chat.

    ``number`` is its place in the script, from 1; ``answers`` are the numbers of the earlier
    lines that it answers, the one that it follows most closely last.
    """

    number: int
    seat: int
    nick: str
    text: str
    is_action: bool
    answers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """Is what is played. ``names`` are the people who have a seat of their own."""

    names: tuple[str, ...]
    lines: tuple[Line, ...]

    @property
    def text_bytes(self) -> int:
        """Return the size of all texts."""
        return sum(len(line.text.encode()) for line in self.lines)


def load_script(lines_max: int | None = None) -> Script:
    """Return the first lines of the bundled chat, or all of them, cast to the seats."""
    corpus = resources.files("syncchat.apps") / "data" / "ubuntu-irc.jsonl"
    rows = [json.loads(row) for row in corpus.read_text(encoding="utf-8").splitlines()]
    return cast_rows(rows[:lines_max])


def cast_rows(rows: list[dict[str, object]]) -> Script:
    """Give the most active people a seat each, and everybody else a place at one of them."""
    said = Counter(str(row["nick"]) for row in rows)
    names = tuple(nick for nick, _ in said.most_common(SEATS))
    seats = {nick: seat for seat, nick in enumerate(names)}
    filled = [said[nick] for nick in names]
    for nick, count in said.most_common():
        if nick not in seats:
            seats[nick] = filled.index(min(filled))
            filled[seats[nick]] += count
    numbers = {(row["file"], row["line"]): number for number, row in enumerate(rows, 1)}
    lines = []
    for number, row in enumerate(rows, 1):
        answered = row.get("reply_to", [])
        assert isinstance(answered, list)
        lines.append(
            Line(
                number,
                seats[str(row["nick"])],
                str(row["nick"]),
                str(row["text"]),
                row["kind"] == "action",
                tuple(sorted(numbers[row["file"], line] for line in answered)),
            )
        )
    return Script(names, tuple(lines))

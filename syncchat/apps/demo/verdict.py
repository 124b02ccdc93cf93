"""The verdict: what the peers show, held against the script and not against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import syncchat

from .script import Line, Script

SEARCHED_BYTES_MIN = 10
"""Shorter texts may occur in encrypted bytes by chance, or in names of tables."""

FAULTS_SHOWN_MAX = 5


@dataclass(frozen=True, slots=True)
class Check:
    """Is one thing that was checked, and what was found wrong, in words."""

    what: str
    faults: tuple[str, ...]

    @property
    def is_passed(self) -> bool:
        """Tell whether nothing was found wrong."""
        return not self.faults


def check(what: str, faults: Iterable[str]) -> Check:
    """Return a check; of many faults the first and their number."""
    found = list(faults)
    more = len(found) - FAULTS_SHOWN_MAX
    if more > 0:
        found[FAULTS_SHOWN_MAX:] = [f"and {more:,} more"]
    return Check(what, tuple(found))


def every_message(room: syncchat.Room, *, page_size: int = 1_000) -> Iterator[syncchat.Message]:
    """Yield all messages of a room in display order."""
    pages: list[list[syncchat.Message]] = []
    while page := room.messages(before=pages[-1][0].id if pages else None, limit=page_size):
        pages.append(page)
    for page in reversed(pages):
        yield from page


def author(message: syncchat.Message) -> str:
    """Return who said it: the peer's own person, or who is named as sitting with them."""
    return str((message.metadata or {}).get("nick", message.sender_name))


def lines_missing_or_doubled(script: Script, shown: Sequence[syncchat.Message]) -> Iterator[str]:
    """Yield each line that is not shown exactly once, and what is shown beside the script."""
    numbers = Counter((message.metadata or {}).get("line", 0) for message in shown)
    for line in script.lines:
        count = numbers.pop(line.number, 0)
        if count != 1:
            yield f"line {line.number} is shown {count} times"
    for number, count in numbers.items():
        yield f"{count} messages of no line ({number})"


def lines_altered(
    script: Script, ids: Mapping[int, str], shown: Sequence[syncchat.Message]
) -> Iterator[str]:
    """Yield each line whose text, author, reply link or id is not that of the script.

    ``ids`` are the message ids by line, as they were acknowledged when the line was written.
    """
    by_line = {(message.metadata or {}).get("line"): message for message in shown}
    for line in script.lines:
        message = by_line.get(line.number)
        if message is None:
            continue
        answers = [ids[number] for number in line.answers]
        also = (message.metadata or {}).get("also_answers", [])
        told = [*also, message.reply_to] if message.reply_to is not None else also
        if message.text != line.text:
            yield f"line {line.number} has another text"
        if author(message) != line.nick:
            yield f"line {line.number} is by {author(message)}, not {line.nick}"
        if told != answers:
            yield f"line {line.number} answers {told}, not {answers}"
        if message.id != ids[line.number]:
            yield f"line {line.number} is {message.id}, not {ids[line.number]}"
        if (message.metadata or {}).get("action", False) != line.is_action:
            yield f"line {line.number} is not the kind of line that it was"


def lines_out_of_order(
    written: Sequence[Sequence[Line]], shown: Sequence[syncchat.Message]
) -> Iterator[str]:
    """Yield the first line of each seat that is not shown in the order of writing."""
    places = {(m.metadata or {}).get("line"): place for place, m in enumerate(shown)}
    for lines in written:
        known = [line.number for line in lines if line.number in places]
        for before, after in pairwise(known):
            if places[before] > places[after]:
                yield f"line {after} is shown before line {before}"
                break


def plaintext_found(texts: Iterable[str], files: Iterable[Path]) -> Iterator[str]:
    """Yield each text, as bytes, that stands readable in a file."""
    wanted = {text.encode() for text in texts if len(text.encode()) >= SEARCHED_BYTES_MIN}
    contents = b"\0".join(file.read_bytes() for file in files)
    for text in sorted(wanted):
        if text in contents:
            yield f"readable: {text.decode()[:40]!r}"

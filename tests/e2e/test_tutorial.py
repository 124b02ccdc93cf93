"""The tutorial about groups and devices, followed command by command as a reader would."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from syncchat.apps.cli.failures import Exit

from .programs import Program, RelayProgram, digest, json_lines, relay_in, syncchat

pytestmark = pytest.mark.timeout(240)  # some seventy processes, on a machine that may be busy

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "groups-and-devices.md"
RELAY = "ws://127.0.0.1:8765"
LINK = "syncchat:…#…"

BEFORE = ["hello from Alice", "hello from Carol"]
AFTER_REMOVAL = [*BEFORE, "Carol cannot read this"]
AFTER_REVOCATION = [*AFTER_REMOVAL, "the thief cannot read this"]

READ = [
    ("phone.db", BEFORE),
    ("laptop.db", BEFORE),
    ("phone.db", AFTER_REMOVAL),
    ("laptop.db", AFTER_REMOVAL),
    ("carol.db", BEFORE),
    ("new-phone.db", AFTER_REMOVAL),
    ("new-phone.db", AFTER_REVOCATION),
    ("laptop.db", AFTER_REVOCATION),
    ("phone.db", AFTER_REMOVAL),
]
"""What each ``history`` of the page shows, in order: the database, and the texts."""

OUT = {("carol.db", 4), ("phone.db", 8)}
"""Whose ``sync`` is refused, and how many histories were read before: who is out by then."""


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProgram]:
    with relay_in(tmp_path / "relay") as relay:
        yield relay


class Reader:
    """Does what the page says, in a folder of their own."""

    def __init__(self, folder: Path, relay: str) -> None:
        self._folder = folder
        self._relay = relay
        self._phrase = ""
        self._link = ""
        self._linking: Program | None = None
        self._programs: list[Program] = []
        self.read: list[tuple[str, list[str]]] = []
        self.told: list[str] = []

    def follow(self, words: Sequence[str]) -> None:
        """Run one command, and type what it asks for."""
        filled = [self._filled(word) for word in words]
        match words:
            case ["init", *_] if "--skip-recovery" not in words:
                self._keep_words(filled)
            case ["device", "link", *_]:
                self._linking = self._start(filled, terminal=True)
                shown = self._linking.wait_for(r"waiting for it")
                self._link = re.findall(r"syncchat:\S+", shown)[0]
            case ["device", "join", *_]:
                self._join(filled)
            case ["recovery", *_]:
                self.told.append(syncchat(*filled[:2], "-", *filled[2:], stdin=self._phrase))
            case _:
                is_out = words[0] == "sync" and (words[-1], len(self.read)) in OUT
                shown = syncchat(*filled, code=Exit.REFUSED if is_out else Exit.DONE)
                self.told.append(shown)
                if found := re.findall(r"^syncchat:\S+", shown, flags=re.MULTILINE):
                    (self._link,) = found
                if words[0] == "history":
                    lines = re.findall(r": (.*?)(?:  […✓].*)?$", shown, flags=re.MULTILINE)
                    self.read.append((words[words.index("--db") + 1], lines))

    def stop(self) -> None:
        """End what still runs."""
        for program in self._programs:
            program.stop()

    def path(self, name: str) -> Path:
        """Return where one of the page's databases is."""
        return self._folder / name

    def _start(self, words: Sequence[str], *, terminal: bool) -> Program:
        self._programs.append(Program(*words, terminal=terminal))
        return self._programs[-1]

    def _filled(self, word: str) -> str:
        if word.endswith(".db"):
            return str(self.path(word))
        if word == "ID":
            devices = json_lines(
                syncchat("device", "list", "--json", "--db", self.path("phone.db"))
            )
            return str(next(device["id"] for device in devices if device["isThis"]))
        return {LINK: self._link, RELAY: self._relay}.get(word, word)

    def _keep_words(self, words: Sequence[str]) -> None:
        """Write the recovery phrase down, and answer what is asked of it."""
        program = self._start(words, terminal=True)
        text = program.wait_for(r"word 3 ")
        told = {int(number): word for number, word in re.findall(r"(\d+) ([a-z]+)", text)}
        self._phrase = " ".join(told[number] for number in range(1, 13))
        for number in (3, 7, 11):
            program.wait_for(rf"word {number} ")
            program.write(told[number] + "\n")
        self.told.append(program.ends(code=0))

    def _join(self, words: Sequence[str]) -> None:
        """Compare the emoji of both devices, and say yes on the old one."""
        assert self._linking is not None
        joining = self._start(words, terminal=False)
        old = _emoji(self._linking.wait_for(r"are these the same"))
        new = _emoji(joining.wait_for(r"say yes there:\s+\S+.*\n"))
        assert old == new and len(old) == 7
        self._linking.write("y\n")
        self.told += [self._linking.ends(code=0), joining.ends(code=0)]


def test_reader_who_follows_the_page_sees_what_it_says(relay: RelayProgram, tmp_path: Path) -> None:
    reader = Reader(tmp_path, relay.url)
    try:
        for words in _commands():
            reader.follow(words)
    finally:
        reader.stop()
    assert reader.read == READ
    assert any(re.search(r" Carol \(\w{4}\): hello from Carol", told) for told in reader.told)
    kept = [reader.path(name) for name in ("new-phone.db", "laptop.db", "bob.db")]
    assert len({digest(path) for path in kept}) == 1
    names = ("phone.db", "carol.db", "new-phone.db")
    assert [_standing(reader.path(name)) for name in names] == ["removed", "removed", "member"]


def _emoji(shown: str) -> list[str]:
    """Return the seven emoji with their names that a device shows."""
    (line,) = re.findall(r"^  (\S.*   .*?)\s*$", shown, flags=re.MULTILINE)
    return str(line).split("   ")


def _commands() -> list[list[str]]:
    """Return the words of the page's commands, that of the relay left out."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [words[1:] for words in lines if words[:1] == ["syncchat"] and words[1] != "relay"]


def _standing(path: Path) -> str:
    (row,) = json_lines(syncchat("rooms", "--json", "--db", path))
    return str(row["standing"])

"""The how-to pages about messages, followed command by command as a reader would."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from .programs import RelayProgram, digest, environment, json_lines, relay_in, syncchat, two_people

pytestmark = pytest.mark.timeout(240)  # dozens of processes, on a machine that may be busy

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
POLLS, DIRECT = HOWTO / "polls-pins-and-edits.md", HOWTO / "direct-and-disappearing.md"
ID = "01K5Z3W8"
ABOUT_POLLS = ("vote", "close-poll")


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProgram]:
    with relay_in(tmp_path / "relay") as relay:
        yield relay


class Reader:
    """Does what a page says with one database; an id on the page is that of a message there."""

    def __init__(self, db: Path, folder: Path) -> None:
        self._db = db
        self._folder = folder
        self._poll = ""
        self.told: dict[str, str] = {}

    def follow(self, page: Path) -> None:
        """Run every command of a page."""
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.M | re.S):
            for line in block.splitlines():
                words = shlex.split(line, comments=True)[1:]
                filled = [self._filled(words[0], word) for word in words]
                shown = syncchat(*filled, "--db", self._db)
                self.told[" ".join(words)] = shown
                if words[0] == "poll":
                    self._poll = shown.strip()

    def _filled(self, command: str, word: str) -> str:
        if word == ID:
            return self._poll if command in ABOUT_POLLS else self._message()
        return str(self._folder / word) if word.endswith((".jpg", ".png")) else word

    def _message(self) -> str:
        """Return the id of a message that is there, a new one where it was deleted."""
        shown = json_lines(syncchat("history", "Team", "--json", "--db", self._db))
        mine = [each for each in shown if not each["deleted"] and each["type"] == "text"]
        mine = [each for each in mine if each["senderName"] == "Alice"]
        if not mine:
            return syncchat("send", "Team", "the build is red", "--db", self._db).strip()
        return str(mine[0]["id"])


def sync(*databases: Path) -> None:
    for db in databases:
        syncchat("sync", "--db", db)


def test_reader_who_edits_votes_pins_and_forwards_sees_what_the_page_says(
    relay: RelayProgram, tmp_path: Path
) -> None:
    alice, bob = two_people(tmp_path, relay.url)
    syncchat("create", "Book club", "--relay", "", "--db", alice)
    syncchat("send", "Team", "the build is red", "--db", alice)
    sync(alice, bob)
    reader = Reader(alice, tmp_path)
    reader.follow(POLLS)
    assert "the build is green again" in reader.told[f"edits Team {ID}"]
    assert "2. Tuesday: 1 (you)" in reader.told[f"vote Team {ID} 2"]
    assert reader.told[f"close-poll Team {ID}"].endswith("closed\n")
    assert "the build is red" in reader.told["pins Team"]
    assert "this is spam" in reader.told["reports Team"]
    assert "[from Alice]" in syncchat("history", "Book club", "--db", alice)
    sync(alice, bob, alice)
    assert digest(alice) == digest(bob)
    shown = syncchat("history", "Team", "--db", bob)
    assert "(hidden by an admin)" in shown and "1. Monday: 0" in shown
    assert syncchat("reports", "Team", "--db", bob) == ""


def test_reader_of_the_page_on_direct_rooms_meets_bob_and_keeps_notes(
    relay: RelayProgram, tmp_path: Path
) -> None:
    alice, bob = two_people(tmp_path, relay.url)
    for name in ("me.jpg", "team.png"):
        Image.effect_noise((600, 400), 90).save(tmp_path / name)
    sync(alice, bob, alice)
    reader = Reader(alice, tmp_path)
    reader.follow(DIRECT)
    assert "Alice: are you there?" in reader.told["history Bob"]
    assert "Alice: buy milk" in reader.told["notes"]
    assert (reader.told["timer Team"], reader.told["timer Team 7d"]) == ("off\n", "1w\n")
    assert reader.told["topic Team"] == "Ships and sealing wax\n"
    sync(alice, bob, alice, bob)
    rows = {row["title"]: row for row in json_lines(syncchat("rooms", "--json", "--db", bob))}
    assert set(rows) == {"Team", "Alice"}
    assert "Alice: are you there?" in syncchat("history", "Alice", "--db", bob)
    assert syncchat("avatar", "--room", "Team", "--db", bob) == "Team: image/jpeg\n"
    assert "milk" not in syncchat("history", "Team", "--db", bob)


@pytest.mark.parametrize(
    ("page", "says"),
    [
        (POLLS, ["[('Monday', 0), ('Tuesday', 1)]", "['When do we meet?']", "Alice"]),
        (DIRECT, ["604800000"]),
    ],
    ids=["polls", "direct"],
)
def test_program_on_the_page_runs_as_it_stands(page: Path, says: list[str], tmp_path: Path) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=environment(PYTHONPATH=os.environ.get("PYTHONPATH", "")),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == says

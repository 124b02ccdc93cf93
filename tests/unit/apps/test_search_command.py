"""``syncchat search``: what it prints, to people and to programs, and how it ends."""

from __future__ import annotations

import io
import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import syncchat
from syncchat.apps.cli import cli
from syncchat.apps.cli.search import _marked
from tests.support.peers import LINK, Net, make_peer, sync

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "search.md"
Run = Callable[..., Result]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Give the database of Alice, who has two rooms with messages."""
    path = tmp_path / "alice.db"
    with syncchat.open(path, name="Alice") as peer:
        team, other = peer.create_room("Team"), peer.create_room("Other")
        team.send("lunch tomorrow at the café?")
        team.send("\x1b[31mred lunch\u202e")
        other.send("lunch is cancelled")
        other.send("catalogue of cats, no cat")
    return path


@pytest.fixture
def run(db: Path) -> Run:
    def go(*arguments: str, code: int = 0) -> Result:
        done = CliRunner().invoke(cli, ["search", "--db", str(db), *arguments])
        assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
        return done

    return go


def texts(done: Result) -> list[str]:
    return [line.partition("Alice: ")[2] for line in done.stdout.splitlines()]


def test_hits_are_lines_with_day_room_and_writer(run: Run) -> None:
    (line,) = run("CAFE").stdout.splitlines()
    moment, room, rest = line.split("  ")
    assert len(moment) == len("2026-11-26 04:12")
    assert (room, rest) == ("Team", "Alice: lunch tomorrow at the café?")


def test_words_are_put_together_and_others_left_out_behind_dashes(run: Run) -> None:
    assert len(texts(run("lunch"))) == 3
    assert texts(run("tomorrow", "lun")) == ["lunch tomorrow at the café?"]
    assert texts(run('"lunch is"')) == ["lunch is cancelled"]
    assert texts(run("--newest", "--", "lunch", "-red", "-tomorrow")) == ["lunch is cancelled"]


def test_foreign_text_is_printed_harmlessly(run: Run) -> None:
    assert texts(run("red")) == ["␛[31mred lunch"]


def test_one_room_may_be_named_by_an_option_or_a_filter(run: Run) -> None:
    for arguments in (("--in", "Team", "lunch"), ("in:team", "lunch")):
        assert len(texts(run(*arguments))) == 2
    done = run("--in", "Team", "in:Other", "lunch", code=2)
    assert "this searches one room" in done.stderr
    assert "no room 'Nowhere' here" in run("--in", "Nowhere", "lunch", code=3).stderr


def test_newest_come_page_by_page(run: Run, db: Path) -> None:
    first = run("--newest", "--limit", "2", "--ids", "lunch").stdout.splitlines()
    last = first[-1].split("  ")[0]
    assert len(last) == 26
    assert texts(run("--newest", "--before", last, "lunch")) == ["lunch tomorrow at the café?"]
    assert len(texts(run("--in", "Team", "--before", last[:20], "lunch"))) == 1
    assert "not a message id" in run("--before", last[:20], "lunch", code=2).stderr


def test_notes_and_archived_rooms_are_searched(run: Run, db: Path) -> None:
    with syncchat.open(db) as peer:
        peer.notes().send("buy milk")
        peer.room("Other").archive()
    assert run("milk").stdout.split("  ")[1:] == ["Notes", "Alice: buy milk\n"]
    assert texts(run("catalogue")) == ["catalogue of cats, no cat"]


def test_json_has_message_snippet_marks_and_room(run: Run) -> None:
    (line,) = run("--json", "cancel").stdout.splitlines()
    shown = json.loads(line)
    assert shown["message"]["content"] == shown["snippet"] == "lunch is cancelled"
    assert shown["marks"] == [[9, 15]]
    assert shown["room"] == "Other"


def test_nothing_found_is_said_and_is_exit_code_3(run: Run) -> None:
    done = run("breakfast", code=3)
    assert done.stdout == ""
    assert done.stderr == "nothing found\n"


@pytest.mark.parametrize("query", ["is:big", "a", '"', "before:soon", "from:nobody", ""])
def test_query_that_cannot_be_understood_is_exit_code_2(run: Run, query: str) -> None:
    done = run(query, code=2)
    assert done.stdout == ""
    assert done.stderr.startswith("error: ") and len(done.stderr) > 30


@pytest.mark.parametrize(
    ("is_terminal", "no_color", "shown"),
    [
        (True, False, "\x1b[33m\x1b[1mcat\x1b[0malogue of \x1b[33m\x1b[1mcat\x1b[0ms"),
        (True, True, "catalogue of cats"),
        (False, False, "catalogue of cats"),
    ],
)
def test_what_was_found_is_set_off_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, db: Path, is_terminal: bool, no_color: bool, shown: str
) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return is_terminal

    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    with syncchat.open(db) as peer:
        (hit,) = peer.search("cat")
    monkeypatch.setattr(sys, "stdout", Screen())
    assert _marked(hit).startswith(shown)


def _blocks(language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_every_command_of_the_page_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "page.db"
    with (
        make_peer(1, path=path, name="Alice") as alice,
        make_peer(2, name="Bob") as bob,
    ):
        rooms = alice.join(LINK), bob.join(LINK)
        rooms[1].send("a report for Alice: lunch tomorrow at the port, https://example.org")
        sync(Net(), alice, bob)
        assert rooms[0].title == "Team"
    lines = [line for block in _blocks("sh") for line in block.splitlines()]
    assert len(lines) == 10
    found = 0
    for line in lines:
        words = shlex.split(line, comments=True)
        done = CliRunner().invoke(cli, [words[1], "--db", str(path), *words[2:]])
        assert done.exit_code in (0, 3), (line, done.stderr)
        found += done.exit_code == 0
    assert found >= 6


def test_program_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (program,) = _blocks("python")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(program, "search.md", "exec"), names)
    page, older = names["page"], names["older"]
    assert isinstance(page, list) and isinstance(older, list)
    assert [hit.snippet for hit in page] == ["Lunch tomorrow at the Café?"]
    assert older == []

"""Commands about messages of special kinds, on a database in a temporary folder, offline."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import syncchat
from syncchat.apps.cli.looks import span_words

from .test_commands import Run, _json_lines, run, team

__all__ = ["run", "team"]


class Told:
    """Runs commands on one database."""

    def __init__(self, run: Run, db: Path) -> None:
        self._run = run
        self.db = db

    def text(self, *arguments: str, code: int = 0) -> str:
        """Return what a command prints, or says where it fails."""
        done = self._run(*arguments, "--db", str(self.db), code=code)
        return str(done.stderr if code else done.stdout).strip()

    def json(self, *arguments: str) -> list[dict[str, object]]:
        """Return the objects that a command prints."""
        return _json_lines(self._run(*arguments, "--json", "--db", str(self.db)))


@pytest.fixture
def told(run: Run, team: Path) -> Told:
    return Told(run, team)


def send(told: Told, text: str = "hello") -> str:
    return told.text("send", "Team", text)


def test_edit_delete_and_the_history_of_edits(told: Told) -> None:
    message = send(told)
    assert told.text("edit", "Team", message[:12], "good", "bye") == message
    assert "Alice: good bye" in told.text("history", "Team")
    assert told.json("edit", "Team", message, "bye")[0]["content"] == "bye"
    assert [each["text"] for each in told.json("edits", "Team", message)] == ["bye"]
    assert told.text("edits", "Team", message).endswith("  bye")
    assert told.json("delete", "Team", message) == [{"id": message, "deleted": True}]
    assert told.text("history", "Team") == ""
    assert "no message" in told.text("delete", "Team", message, code=3)


def test_react_and_take_it_back(told: Told) -> None:
    message = send(told)
    assert told.text("react", "Team", message, "❤") == "reacted: ❤"
    assert "[❤️ Alice]" in told.text("history", "Team")
    assert told.json("unreact", "Team", message, "❤️")[0]["reactions"] == []
    assert "not an emoji" in told.text("react", "Team", message, "lol", code=2)


def test_poll_from_the_question_to_the_result(told: Told) -> None:
    poll = told.text("poll", "Team", "When do we meet?", "Monday", "Tuesday")
    shown = told.text("vote", "Team", poll, "2")
    assert shown.splitlines() == [
        "[poll] When do we meet?",
        "1. Monday: 0",
        "2. Tuesday: 1 (you)",
        "open, choose one",
    ]
    assert "2. Tuesday: 1 (you)" in told.text("history", "Team")
    (voted,) = told.json("vote", "Team", poll, "--none")
    assert voted["poll"] == {
        "options": [{"text": "Monday", "votes": []}, {"text": "Tuesday", "votes": []}],
        "multiple": False,
        "closedAt": None,
        "voters": 0,
        "chosen": [],
    }
    assert "by their numbers" in told.text("vote", "Team", poll, code=2)
    assert "one option" in told.text("vote", "Team", poll, "1", "2", code=2)
    assert "options 0 to 1" in told.text("vote", "Team", poll, "3", code=2)
    assert told.text("close-poll", "Team", poll).splitlines()[-1] == "closed"
    assert "closed" in told.text("vote", "Team", poll, "1", code=4)
    assert "2 to 20" in told.text("poll", "Team", "?", "one", code=2)
    (many,) = told.json("poll", "Team", "What?", "a", "b", "c", "--multiple")
    assert "choose several" in told.text("vote", "Team", str(many["id"]), "1", "3")


def test_pins_and_forwards(told: Told) -> None:
    message = send(told, "look")
    told.text("create", "Elsewhere")
    assert told.text("pin", "Team", message) == f"pinned: {message}"
    assert message in told.text("pins", "Team")
    assert "(pinned)" in told.text("history", "Team")
    assert [each["id"] for each in told.json("pins", "Team")] == [message]
    assert told.json("unpin", "Team", message) == [{"id": message, "pinned": False}]
    assert told.text("pins", "Team") == ""
    forwarded = told.text("forward", "Team", message, "--to", "Elsewhere")
    assert "[from Alice] look" in told.text("history", "Elsewhere")
    (again,) = told.json("forward", "Elsewhere", forwarded, "--to", "Team")
    assert again["forwarded"]["senderName"] == "Alice"  # type: ignore[index]


def test_topic_and_timer(told: Told) -> None:
    assert told.text("topic", "Team") == ""
    assert told.text("topic", "Team", "Ships", "and", "wax") == "Ships and wax"
    assert told.json("topic", "Team")[0]["topic"] == "Ships and wax"
    assert told.text("topic", "Team", "--remove") == ""
    assert "either" in told.text("topic", "Team", "x", "--remove", code=2)
    assert told.text("timer", "Team") == "off"
    assert told.text("timer", "Team", "36h") == "36h"
    assert "(until " in (send(told), told.text("history", "Team"))[1]
    assert told.json("timer", "Team", "off")[0]["seconds"] == 0
    for wrong in ("soon", "0s", "2y"):
        assert "after what time" in told.text("timer", "Team", wrong, code=2)
    assert "up to a year" in told.text("timer", "Team", "60w", code=2)


def test_how_long_a_room_keeps_messages(told: Told) -> None:
    assert told.text("keep", "Team") == "all"
    assert told.text("keep", "Team", "90d") == "90d"
    assert told.json("keep", "Team")[0]["seconds"] == 90 * 86_400
    assert told.json("keep", "Team", "all")[0]["seconds"] == 0
    assert "or all" in told.text("keep", "Team", "off", code=2)
    assert "a day to ten years" in told.text("keep", "Team", "2h", code=2)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1s"), (90, "90s"), (60, "1m"), (7_200, "2h"), (86_400, "1d"), (1_209_600, "2w")],
)
def test_times_are_told_in_the_largest_unit(seconds: int, words: str) -> None:
    assert span_words(seconds) == words


def test_avatar_is_made_small_and_can_be_saved(told: Told, tmp_path: Path) -> None:
    big, saved = tmp_path / "me.png", tmp_path / "saved"
    Image.effect_noise((1_000, 800), 80).save(big)
    assert told.text("avatar") == "Alice: no picture"
    assert told.text("avatar", str(big)) == "Alice: image/jpeg"
    (shown,) = told.json("avatar", "--save", str(saved))
    assert shown == {"of": "Alice", "type": "image/jpeg", "bytes": len(saved.read_bytes())}
    with Image.open(saved) as small:
        assert max(small.size) <= 320
    assert told.text("avatar", "--room", "Team", str(big)) == "Team: image/jpeg"
    assert told.text("avatar", "--room", "Team", "--remove") == "Team: no picture"
    assert "no picture to save" in told.text(
        "avatar", "--room", "Team", "--save", str(saved), code=3
    )
    assert "no file" in told.text("avatar", str(tmp_path / "none.png"), code=3)
    assert "one of" in told.text("avatar", str(big), "--remove", code=2)


def test_notes_are_written_read_and_changed_like_other_messages(told: Told) -> None:
    note = told.text("notes", "buy", "milk")
    assert "Alice: buy milk" in told.text("notes")
    assert told.json("notes")[0]["content"] == "buy milk"
    assert told.text("edit", "Notes", note, "buy two") == note
    assert "buy two" in told.text("notes", "--ids")
    assert [row["title"] for row in told.json("rooms")] == ["Team"]


def test_notes_that_have_no_relay_yet_keep_nothing_from_syncing(run: Run, tmp_path: Path) -> None:
    told = Told(run, tmp_path / "alone.db")
    told.text("init", "--name", "Alice")
    told.text("notes", "buy milk")
    assert told.text("sync") == ""


def test_report_and_what_was_reported(told: Told) -> None:
    message = send(told)
    assert told.text("report", "Team", message, "this", "is", "spam") == f"reported: {message}"
    (row,) = told.json("reports", "Team")
    assert (row["message"], row["name"], row["reason"]) == (message, "Alice", "this is spam")
    assert told.text("reports", "Team").endswith(f"Alice: {message}  this is spam")


def test_hidden_message_is_told_as_such(told: Told) -> None:
    message = send(told, "my own")
    told.text("hide", "Team", message)
    assert "(hidden)" in told.text("history", "Team")


def test_direct_needs_somebody_who_is_known(told: Told) -> None:
    assert "no other person" in told.text("direct", "Bob", code=3)
    with syncchat.open(told.db) as peer:
        assert [room.title for room in peer.rooms()] == ["Team"]

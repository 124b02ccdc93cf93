"""What one arranges for oneself, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .programs import json_lines, relay_in, syncchat

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def ann(tmp_path: Path) -> Path:
    db = tmp_path / "ann.db"
    syncchat("init", "--name", "Ann", "--skip-recovery", "--db", db)
    for title in ("Team", "Old"):
        syncchat("create", title, "--db", db)
    return db


def test_draft_is_kept_shown_and_sent(ann: Path) -> None:
    syncchat("draft", "Team", "--db", ann, code=3)
    syncchat("draft", "Team", "half a\x1b[31m thought", "--db", ann)
    assert syncchat("draft", "Team", "--db", ann) == "half a␛[31m thought\n"
    (row,) = json_lines(syncchat("draft", "Team", "--json", "--db", ann))
    assert row["text"] == "half a\x1b[31m thought" and row["thread"] is None
    syncchat("draft", "Team", "x", "--send", "--db", ann, code=2)
    sent = syncchat("draft", "Team", "--send", "--db", ann).strip()
    assert sent in syncchat("history", "Team", "--ids", "--db", ann)
    syncchat("draft", "Team", "--send", "--db", ann, code=3)


def test_stars_and_what_is_forgotten(ann: Path) -> None:
    first, second = (
        syncchat("send", "Team", text, "--db", ann).strip() for text in ("first", "second")
    )
    syncchat("star", "Team", second, "--db", ann)
    assert "second" in syncchat("stars", "Team", "--db", ann)
    assert [row["id"] for row in json_lines(syncchat("stars", "Team", "--json", "--db", ann))] == [
        second
    ]
    syncchat("star", "Team", second, "--undo", "--db", ann)
    assert syncchat("stars", "Team", "--db", ann) == ""
    syncchat("forget", "Team", first, "--db", ann)
    assert "first" not in syncchat("history", "Team", "--db", ann)
    syncchat("forget", "Team", first, "--db", ann, code=3)
    syncchat("doctor", "--db", ann)


def test_rooms_in_order(ann: Path) -> None:
    syncchat("archive", "Old", "--db", ann)
    syncchat("create", "Another", "--db", ann)
    syncchat("favourite", "Team", "--db", ann)
    titles = [row["title"] for row in json_lines(syncchat("rooms", "--json", "--db", ann))]
    assert titles == ["Team", "Another"]
    archived = json_lines(syncchat("rooms", "--archived", "--json", "--db", ann))
    assert [row["title"] for row in archived] == ["Old"]
    syncchat("archive", "Old", "--undo", "--db", ann)
    assert syncchat("rooms", "--archived", "--db", ann) == ""


def test_later(ann: Path) -> None:
    plan = syncchat("schedule", "Team", "+2h", "in time", "--db", ann).strip()
    syncchat("schedule", "Team", "2100-01-01T00:00", "much later", "--db", ann)
    assert [row["text"] for row in json_lines(syncchat("scheduled", "--json", "--db", ann))] == [
        "in time",
        "much later",
    ]
    syncchat("unschedule", plan[:8], "--db", ann)
    assert "in time" not in syncchat("scheduled", "--db", ann)
    for when in ("tomorrow", "+2y", "25:00", "2000-01-01T00:00"):
        syncchat("schedule", "Team", when, "never", "--db", ann, code=2)
    syncchat("unschedule", "nothing", "--db", ann, code=3)
    made = json.loads(syncchat("remind", "23:59", "call", "Bob", "--json", "--db", ann))
    assert made["note"] == "call Bob"
    assert "call Bob" in syncchat("reminders", "--db", ann)
    assert syncchat("reminders", "--due", "--db", ann) == ""
    syncchat("reminders", "--done", made["id"], "--db", ann)
    assert syncchat("reminders", "--db", ann) == ""
    syncchat("remind", "+1h", "--db", ann, code=2)


def test_blocked_member_is_not_shown(tmp_path: Path) -> None:
    ann, bob = tmp_path / "ann.db", tmp_path / "bob.db"
    with relay_in(tmp_path / "relay") as relay:
        for db in (ann, bob):
            syncchat("init", "--name", db.stem.title(), "--skip-recovery", "--db", db)
        link = syncchat("create", "Team", "--relay", relay.url, "--db", ann)
        syncchat("join", "-", "--db", bob, stdin=link)
        syncchat("send", "Team", "listen to me", "--db", bob)
        for db in (ann, bob, ann):
            syncchat("sync", "--db", db)
    assert "listen to me" in syncchat("history", "Team", "--db", ann)
    who = syncchat("block", "Team", "Bob", "--db", ann).strip()
    assert syncchat("history", "Team", "--db", ann) == ""
    (row,) = json_lines(syncchat("rooms", "--json", "--db", ann))
    assert row["unread"] == 0
    assert who in syncchat("blocked", "--db", ann) and "Bob" in syncchat("blocked", "--db", ann)
    syncchat("block", "Team", "Ann", "--db", ann, code=2)
    syncchat("block", "Team", "Bob", "--undo", "--db", ann)
    assert "listen to me" in syncchat("history", "Team", "--db", ann)

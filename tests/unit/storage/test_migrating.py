"""A database of an earlier syncchat is migrated when it is opened, and loses nothing."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import syncchat
from syncchat.errors import NotAllowedError
from syncchat.storage.database import SCHEMA_VERSION

VECTORS = Path(__file__).parents[2] / "vectors"

FORMAT_1 = VECTORS / "peer_format_1.sql"
"""Written by the last commit before people and groups, with its own code."""

FORMAT_3 = VECTORS / "peer_format_3.sql"
"""Written by the last commit before polls and pins, with its own code."""

FORMAT_13 = VECTORS / "peer_format_13.sql"
"""Written by the last commit in which digests stood in the table of rooms, with its own code."""


def database(path: Path, dump: Path) -> Path:
    """Make the database in a dump."""
    connection = sqlite3.connect(path)
    connection.executescript(dump.read_text(encoding="utf-8"))
    connection.close()
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return database(tmp_path / "peer.db", FORMAT_1)


def test_first_format_is_migrated_with_its_messages_and_device(path: Path) -> None:
    with syncchat.open(path) as peer:
        assert peer.name == "Alice"
        assert str(peer.device) == "53RYJBJX0G9ED"
        (room,) = peer.rooms()
        assert [each.text for each in room.messages()] == ["kept"]
        assert peer.check() == []
    connection = sqlite3.connect(path)
    assert connection.execute("pragma user_version").fetchone() == (SCHEMA_VERSION,)
    connection.close()


def test_room_of_the_first_format_can_be_read_and_says_why_no_more(path: Path) -> None:
    with syncchat.open(path) as peer:
        with pytest.raises(NotAllowedError, match="older syncchat and can only be read"):
            peer.room("Team").send("more")
        peer.create_room("Team of today").send("goes on")
    with syncchat.open(path) as peer:
        assert [each.text for each in peer.room("Team of today").messages()] == ["goes on"]


def test_what_is_unread_threads_and_mentions_are_counted_in_an_old_database(path: Path) -> None:
    """Before format 4 nothing was counted, and a mention was only a part of the message."""
    ids = [f"038GNSR52G{number:03}BBBBBBBBBBBBB" for number in range(10, 15)]
    me = "53RYJBJX0G9ED"
    values: list[dict[str, Any]] = [
        {"text": "read"},
        {"text": "to you", "mentions": [me]},
        {"text": "beside", "thread": ids[0], "mentions": ["C" * 13, me]},
        {"text": "answer", "reply_to": ids[1], "mentions": ["C" * 13]},
    ]
    connection = sqlite3.connect(path)
    for number, value in enumerate(values):
        connection.execute(
            "insert into message (room, message, value, thread, unread, added, change) "
            "values (1, ?, ?, ?, ?, 5, 5)",
            (ids[number], json.dumps(value), value.get("thread"), number > 0),
        )
    connection.execute(
        "insert into message (room, message, deleted, added, change) values (1, ?, 1, 5, 5)",
        (ids[4],),
    )
    upto = ids[0][:13]
    connection.execute("insert into read_to values (1, ?, ?, ?, 5)", ("B" * 13, me, upto))
    connection.commit()
    connection.close()
    with syncchat.open(path) as peer:
        (room,) = peer.rooms()
        assert room.unread_counts() == (2, 1, 1, 1)
        assert [(t.id, t.replies, t.unread) for t in room.threads()] == [(ids[0], 1, 1)]
        assert room.count() == 5
        first = room.first_unread()
        assert first is not None and first.text == "to you"
        assert [m.quote.text for m in room.messages() if m.quote] == ["to you"]
        assert all("digest" in fault for fault in peer.recount()), "which the rows were put beside"
        room.mark_read()
        assert room.unread_counts() == (0, 0, 0, 0)


def test_what_the_third_format_did_not_store_of_rooms_logs_is_learned(tmp_path: Path) -> None:
    path = database(tmp_path / "peer.db", FORMAT_3)
    for _ in range(2):
        with syncchat.open(path) as peer:
            (room,) = peer.rooms()
            shown = room.messages()
            assert [(each.text, each.hidden) for each in shown] == [
                ("kept and edited", False),
                ("rude", True),
            ]
            assert [r.emoji for r in shown[0].reactions] == ["👍"]
            assert peer.check() == []
            room.pin(shown[0].id)  # that this person is an admin is known
            digest = room.digest()
            peer.rebuild()
            assert room.digest() == digest


def test_digests_of_the_thirteenth_format_are_kept_also_of_an_empty_room(tmp_path: Path) -> None:
    path = database(tmp_path / "peer.db", FORMAT_13)
    for _ in range(2):
        with syncchat.open(path) as peer:
            team, empty = peer.room("Team of 13"), peer.room("Empty")
            assert team.digest()[:16] == "2b636275d863d75b"
            assert empty.digest()[:16] == "0ee58954144f9cda"
            assert [each.text for each in team.messages()] == ["kept and edited", "root"]
            assert (team.count(), empty.count()) == (3, 0)
            assert peer.check() == []
    with syncchat.open(path) as peer:
        team, before = peer.room("Team of 13"), peer.cursor
        first, _ = team.messages()
        team.react(first.id, "❤️")
        team.send("goes on")
        assert peer.check() == []
        what = [type(event).__name__ for event in peer.happened(before)]
        assert what == ["MessageChanged", "MessageAdded"]

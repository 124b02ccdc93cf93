"""A database of an earlier syncchat is migrated when it is opened, and loses nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

import syncchat
from syncchat.errors import NotAllowedError
from syncchat.storage.database import SCHEMA_VERSION

FORMAT_1 = Path(__file__).parents[2] / "vectors" / "peer_format_1.sql"
"""Written by the last commit before people and groups, with its own code."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "peer.db"
    connection = sqlite3.connect(path)
    connection.executescript(FORMAT_1.read_text(encoding="utf-8"))
    connection.close()
    return path


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

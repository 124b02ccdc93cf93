"""The commands about reading, threads, mentions and notifications, without a network."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import syncchat
from syncchat import Peer
from syncchat.apps.cli import cli
from syncchat.core.clock import stamp
from syncchat.core.reader import Change
from syncchat.core.values import MessageValue, Root, encode_value
from syncchat.ids import DeviceId, DeviceKey, message_id
from syncchat.storage import chains
from syncchat.storage.view import ViewBatch

WRITER = DeviceId("B" * 13)
Run = Callable[..., Result]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "alice.db"


@pytest.fixture
def run(db: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line for Alice."""
    monkeypatch.setenv("SYNCCHAT_DB", str(db))

    def go(*arguments: str, code: int = 0) -> Result:
        done = CliRunner().invoke(cli, arguments)
        assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
        return done

    return go


@pytest.fixture
def heard(db: Path) -> list[str]:
    """Give the ids of what somebody wrote in Team: a root, two replies beside it, a mention."""
    with syncchat.open(db, name="Alice") as peer:
        peer.create_room("Team")
        root = MessageValue(text="root")
        ids = [_written(peer, 0, root)]
        ids.append(_written(peer, 1, MessageValue(text="beside one", thread=ids[0])))
        ids.append(_written(peer, 2, MessageValue(text="beside two", thread=ids[0])))
        ids.append(_written(peer, 3, MessageValue(text="listen", mentions=(peer.id,))))
    return ids


def _written(peer: Peer, number: int, value: MessageValue) -> str:
    """Have a device of somebody else write in the first room."""
    room = peer.rooms()[0]
    at = stamp(1_700_000_000_000 + number * 60_000)
    with peer._db.atomic():
        found = chains.find_chain(peer._db, room._row, WRITER)
        if found is None:
            found = chains.add_chain(peer._db, room._row, WRITER, DeviceKey(bytes(32)))
        batch = ViewBatch(peer._db, room._row, me=peer.device)
        change = Change(Root.MESSAGES, at, number, at, encode_value(value), value)
        batch.add(chain=found.id, device=WRITER, volume=0, seq=1, changes=[change])
        batch.flush()
    return message_id(at, WRITER)


def rows(done: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_unread_is_printed_for_all_rooms_and_for_one(run: Run, heard: list[str]) -> None:
    (row,) = rows(run("unread", "--json"))
    assert (row["unread"], row["mentions"], row["unreadInThreads"]) == (2, 1, 2)
    assert (row["title"], row["first"]) == ("Team", heard[0])
    assert re.search(r"Team +2 +1 +2 +" + heard[0], run("unread").stdout)
    (listed,) = rows(run("rooms", "--json"))
    assert (listed["unread"], listed["mentions"], listed["unreadInThreads"]) == (2, 1, 2)
    run("read", "Team")
    assert run("unread").stdout == ""
    (row,) = rows(run("unread", "Team", "--json"))
    assert (row["unread"], row["first"]) == (0, None)


def test_read_marks_up_to_a_message_a_thread_or_all(run: Run, heard: list[str]) -> None:
    assert "read: 1 message, 3 left" in run("read", "Team", heard[0]).stdout
    (row,) = rows(run("read", "Team", "--thread", heard[2], "--json"))
    assert (row["read"], row["unread"]) == (2, 1)
    assert "read: 1 message, 0 left" in run("read", "Team").stdout
    run("read", "Team", heard[0], "--thread", heard[0], code=2)
    run("read", "Team", "0" * 26, code=3)


def test_message_is_marked_as_unread(run: Run, heard: list[str]) -> None:
    run("read", "Team")
    assert run("mark-unread", "Team").stdout.strip() == heard[3]
    (row,) = rows(run("mark-unread", "Team", heard[1], "--json"))
    assert row == {"id": heard[1], "unread": 1}
    (left,) = rows(run("unread", "--json"))
    assert (left["unread"], left["mentions"], left["unreadInThreads"]) == (1, 1, 1)
    mine = run("send", "Team", "mine").stdout.strip()
    run("mark-unread", "Team", mine, code=2)


def test_threads_are_listed_with_what_is_unread(run: Run, heard: list[str]) -> None:
    (thread,) = rows(run("threads", "Team", "--json"))
    assert (thread["id"], thread["replies"], thread["unread"]) == (heard[0], 2, 2)
    assert (thread["root"]["content"], thread["last"]["content"]) == ("root", "beside two")
    shown = run("threads", "Team").stdout
    assert heard[0] in shown and "2 replies, 2 unread" in shown and ": root" in shown
    run("read", "Team", "--thread", heard[0])
    assert run("threads", "Team", "--unread").stdout == ""
    assert run("threads", "Team", "--before", heard[2]).stdout == ""


def test_history_leaves_threads_out_unless_asked_for(run: Run, heard: list[str]) -> None:
    def texts(*options: str) -> list[str]:
        return [row["content"] for row in rows(run("history", "Team", "--json", *options))]

    assert texts() == ["root", "listen"] == texts("--all")
    assert texts("--threads") == ["root", "beside one", "beside two", "listen"]
    assert texts("--thread", heard[0]) == ["beside one", "beside two"]
    run("read", "Team", heard[0])
    assert texts("--unread") == ["listen"]
    assert texts("--unread", "--thread", heard[0]) == ["beside one", "beside two"]
    assert texts("--unread", "--thread", heard[0], "-n", "1") == ["beside one"]
    run("read", "Team")
    assert texts("--unread") == []
    assert "(2 replies beside it)" in run("history", "Team").stdout
    beside = run("history", "Team", "--threads").stdout
    assert f"beside one  (beside {heard[0][:13]})" in beside


def test_answer_is_sent_and_shown_below_what_it_answers(run: Run, heard: list[str]) -> None:
    (sent,) = rows(run("send", "Team", "indeed", "--reply-to", heard[1][:20], "--json"))
    assert (sent["replyTo"], sent["thread"]) == (heard[1], heard[0])
    assert sent["quote"]["content"] == "beside one"
    shown = run("history", "Team", "--thread", heard[0]).stdout.splitlines()
    assert re.fullmatch(r"  ↳ .*: beside one", shown[-2])
    absent = "0" * 25 + "1"
    run("send", "Team", "to what", "--reply-to", absent)
    assert "  ↳ a message that is not here" in run("history", "Team").stdout


def test_member_is_mentioned_by_name(run: Run, heard: list[str]) -> None:
    (sent,) = rows(run("send", "Team", "note to me", "--mention", "alice", "--json"))
    (me,) = rows(run("members", "Team", "--json"))
    assert sent["mentions"] == [me["id"]]
    run("send", "Team", "x", "--mention", "Nobody", code=3)


def test_level_and_muting_are_set_and_printed(run: Run, heard: list[str]) -> None:
    assert run("notify", "Team").stdout == "all\n"
    assert run("notify", "Team", "mentions").stdout == "mentions\n"
    assert run("notify", "Team", "--mute").stdout == "mentions, muted\n"
    (row,) = rows(run("notify", "Team", "--for", "8h", "--json"))
    assert (row["level"], row["muted"]) == ("mentions", True) and row["mutedUntil"] > 10**12
    assert re.match(r"mentions, muted until \d{4}-\d\d-\d\d", run("notify", "Team").stdout)
    (row,) = rows(run("notify", "Team", "all", "--unmute", "--json"))
    assert (row["level"], row["muted"], row["mutedUntil"]) == ("all", False, None)
    run("notify", "Team", "--mute", "--unmute", code=2)
    run("notify", "Team", "sometimes", code=2)
    run("notify", "Team", "--for", "soon", code=2)


def test_receipts_are_set_for_a_room_and_by_size(run: Run, heard: list[str]) -> None:
    assert run("receipts", "Team").stdout == "public, by the size of the room\n"
    assert run("receipts", "Team", "private").stdout == "private\n"
    (row,) = rows(run("receipts", "Team", "default", "--json"))
    assert (row["receipts"], row["set"]) == ("public", None)
    assert run("receipts", "--up-to", "0").stdout == "public in rooms of up to 0 members\n"
    assert run("receipts", "Team").stdout == "private, by the size of the room\n"
    assert rows(run("receipts", "--up-to", "20", "--json")) == [{"upTo": 20}]
    run("receipts", "Team", "perhaps", code=2)
    run("receipts", "--up-to", "-1", code=2)


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Have ``notifications`` hear given events, and end."""
    given: list[object] = []

    async def events(self: Peer) -> Any:
        for event in given:
            yield event

    @asynccontextmanager
    async def online(self: Peer) -> Any:
        yield self

    monkeypatch.setattr(Peer, "events", events)
    monkeypatch.setattr(Peer, "online", online)
    yield given


def test_notifications_are_printed_one_a_line(
    run: Run, heard: list[str], db: Path, listening: list[object]
) -> None:
    with syncchat.open(db) as peer:
        room = peer.rooms()[0]
        last = room.message(heard[3])
        listening.append(syncchat.Notification(room.id, (last,), 1, 1))
        listening.append(syncchat.MessageAdded(room.id, last))
        listening.append(syncchat.Notification(room.id, tuple(room.messages()), 300, 2))
    one, many = run("notifications").stdout.splitlines()
    assert re.fullmatch(r"Team: .*: listen \(mentions you\)", one)
    assert many == "Team: 300 messages, 2 mentions of you"
    first, second = rows(run("notifications", "--json"))
    assert (first["count"], [m["content"] for m in first["messages"]]) == (1, ["listen"])
    assert (second["title"], second["count"], second["mentions"]) == ("Team", 300, 2)

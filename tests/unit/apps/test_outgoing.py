"""The commands about what is to be sent and who has it, and ``tail`` that goes on from a cursor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import syncchat
from syncchat.apps.cli import cli
from syncchat.core.values import VALUE_BYTES_MAX
from syncchat.storage import outbox
from tests.support.peers import Net, make_peer, sync
from tests.support.room import LINK


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Give a database with a room, in which a message is parked and another waits."""
    path = tmp_path / "a.db"
    with make_peer(1, path=path) as peer:
        room = peer.join(LINK)
        room.send("sent")
        sync(Net(), peer)
        bad = room.send("far too long")
        raw = '{"text":"' + "x" * VALUE_BYTES_MAX + '"}'
        peer._db.execute("update op set raw = ? where target = ?", (raw, bad.id))
        sync(Net(), peer)
        room.send("waits")
    return path


def run(*arguments: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(cli, [str(each) for each in arguments])
    assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
    return done.stdout + (done.stderr if code else "")


def room_of(path: Path) -> str:
    with syncchat.open(path) as peer:
        return peer.rooms()[0].title


def test_outbox_lists_what_waits_and_what_is_parked_with_its_kind_of_reason(db: Path) -> None:
    room = room_of(db)
    lines = run("outbox", room, "--db", db).splitlines()
    assert any("far too long  [too-large: " in line for line in lines)
    assert any(line.endswith("messages  waits") for line in lines)
    items = [json.loads(line) for line in run("outbox", room, "--json", "--db", db).splitlines()]
    assert [(i["text"], i["refusal"]) for i in items if i["what"] == "messages"] == [
        ("far too long", "too-large"),
        ("waits", None),
    ]


def test_outbox_retries_and_discards_by_item_or_by_message(db: Path) -> None:
    room = room_of(db)
    items = [json.loads(line) for line in run("outbox", room, "--json", "--db", db).splitlines()]
    bad = next(i for i in items if i["refusal"])
    run("outbox", room, "--retry", bad["id"], "--db", db)
    items = [json.loads(line) for line in run("outbox", room, "--json", "--db", db).splitlines()]
    assert [i["refusal"] for i in items] == [None, None]
    left = json.loads(run("outbox", room, "--discard", bad["id"], "--json", "--db", db))
    assert left["outbox"] == 1
    waiting = json.loads(run("outbox", room, "--json", "--db", db))
    run("outbox", room, "--discard", waiting["message"][:20], "--db", db)
    assert run("outbox", room, "--json", "--db", db) == ""
    assert [m["content"] for m in messages(db, room)] == ["sent"]
    run("outbox", room, "--retry", "all", "--db", db)


def messages(db: Path, room: str) -> list[dict[str, object]]:
    done = run("history", room, "--json", "--db", db)
    return [json.loads(line) for line in done.splitlines()]


def test_outbox_says_what_it_cannot_do(db: Path) -> None:
    room = room_of(db)
    assert "no item" in run("outbox", room, "--discard", "4711", "--db", db, code=3)
    run("outbox", room, "--discard", "1", "--retry", "1", "--db", db, code=2)


def test_receipts_tell_of_each_other_member(db: Path) -> None:
    with syncchat.open(db) as peer:
        room, me = peer.rooms()[0], peer.id
        (sent,) = [m for m in room.messages() if m.text == "sent"]
        others = {m.name for m in room.members() if m.id != me}
    shown = run("delivery", room_of(db), sent.id, "--db", db).splitlines()
    assert {line.split("  ")[1] for line in shown} == {"sent"} and len(shown) == len(others) > 0
    found = json.loads(run("delivery", room_of(db), sent.id, "--json", "--db", db).splitlines()[0])
    assert found["status"] == "sent" and found["deliveredAt"] is found["readAt"] is None
    run("delivery", room_of(db), "ZZZZZZZZZZ", "--db", db, code=3)


def test_tail_goes_on_behind_a_cursor_that_it_printed(db: Path) -> None:
    room = room_of(db)
    with syncchat.open(db) as peer:
        start = peer.cursor
        peer.rooms()[0].send("one")
        first = peer.rooms()[0].send("two")
    arguments = ("tail", room, "--no-follow", "--json", "--db", db, "--after")
    lines = [json.loads(line) for line in run(*arguments, start).splitlines()]
    assert [line["content"] for line in lines] == ["one", "two"]
    rest = [json.loads(line) for line in run(*arguments, lines[0]["cursor"]).splitlines()]
    assert [line["content"] for line in rest] == ["two"]
    assert run(*arguments, lines[1]["cursor"]) == ""
    with syncchat.open(db) as peer:
        peer.rooms()[0].edit(first.id, "two, edited")
    assert run(*arguments, lines[1]["cursor"]) == ""
    changed = json.loads(run(*arguments, lines[1]["cursor"], "--changes"))
    assert changed["content"] == "two, edited"
    assert "cursor" in run(*arguments, "nonsense", code=2)


def test_shell_completes_own_messages_for_delivery(db: Path) -> None:
    from click.shell_completion import ShellComplete

    arguments = ["delivery", room_of(db), "--db", str(db)]
    found = ShellComplete(cli, {}, "syncchat", "_SYNCCHAT_COMPLETE").get_completions(arguments, "")
    with syncchat.open(db) as peer:
        mine = [m.id for m in peer.rooms()[0].messages() if m.mine]
        assert outbox.count(peer._db, 1) == 2
    assert [item.value for item in found] == mine

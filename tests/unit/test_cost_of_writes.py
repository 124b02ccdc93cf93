"""What a local write costs in statements and pages, so that it cannot grow unnoticed.

Times depend on the machine; how many statements run and how many pages of the file change do not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncchat.core.values import FieldValue, Root, encode_value
from syncchat.peer import Peer
from syncchat.room import Room
from syncchat.storage.outbox import Op
from syncchat.storage.view.marks import known_of
from tests.support.peers import make_peer
from tests.support.ports import FakeClock

FRAME_BYTES = 24 + 4_096
"""What a page takes in the write-ahead log."""

Deed = Callable[[Room, str], object]


def statements(peer: Peer, act: Callable[[], object]) -> list[str]:
    """Return the statements that run meanwhile, but for what triggers do."""
    seen: list[str] = []
    peer._db._conn.set_trace_callback(seen.append)
    try:
        act()
    finally:
        peer._db._conn.set_trace_callback(None)
    return [each for each in seen if not each.startswith("--")]


@pytest.mark.parametrize(
    ("deed", "most"),
    [
        (lambda room, _: room.send("one more"), 11),
        (lambda room, message: room.send("an answer", reply_to=message), 26),
        (lambda room, message: room.edit(message, "better"), 40),
        (lambda room, message: room.react(message, "👍"), 31),
        (lambda room, message: room.delete(message), 38),
        (lambda room, _: room.mark_read(), 6),
    ],
    ids=["send", "answer", "edit", "react", "delete", "mark_read"],
)
def test_write_runs_few_statements(deed: Deed, most: int) -> None:
    with make_peer(1) as peer:
        room = peer.create_room("Team")
        message = room.send("hello").id
        ran = statements(peer, lambda: deed(room, message))
        assert len(ran) <= most, "\n".join(ran)


def test_send_changes_few_pages(tmp_path: Path) -> None:
    """Each is a table or an index, and each is written whole to the log."""
    path = tmp_path / "peer.db"
    with make_peer(1, path=path) as peer:
        room = peer.create_room("Team")
        room.send("hello")
        log = path.with_name(path.name + "-wal")
        before = log.stat().st_size
        for number in range(10):
            room.send(f"message {number}")
        assert (log.stat().st_size - before) / FRAME_BYTES / 10 <= 8


def test_writing_does_not_ask_for_the_names_of_all_members() -> None:
    """A page in a room of 15,000 took 12 ms for them, and a message as long to send."""
    with make_peer(1) as peer:
        room = peer.create_room("Team")
        first = room.send("hello").id
        ran = statements(peer, lambda: room.react(room.send("yes", reply_to=first).id, "👍"))
        ran += statements(peer, room.messages)
        assert not [each for each in ran if "and root = 6 and key = 'name'" in each]


def _timed(room: Room) -> dict[str, Any]:
    room.set_timer(3_600)
    return {}


def _badly_named(room: Room) -> dict[str, Any]:
    with room._writing() as (stamp, batch, _):
        value = FieldValue(stamp, "no\nname")
        room._queue(Op(Root.PROFILE, "name", stamp, encode_value(value)))
        batch.note(Root.PROFILE, "name", value)
    return {}


@pytest.mark.parametrize(
    "given",
    [
        lambda room: {},
        lambda room: {"reply_to": room.send("asked").id},
        lambda room: {"reply_to": "0" * 26},
        lambda room: {"reply_to": room.send("in it", thread=room.send("root").id).id},
        lambda room: {"thread": room.send("root").id, "once": "key"},
        lambda room: {"mentions": [room.members()[0].id]},
        lambda room: {"metadata": {"set": {1}, "number": 1.5}},
        lambda room: {"kind": "location", "attachments": [{"what": ("ever", 1)}]},
        lambda room: {"kind": "poll", "metadata": {"options": ["yes", "no"]}},
        _timed,
        _badly_named,
    ],
)
def test_what_send_returns_is_what_is_read_then(given: Callable[[Room], dict[str, Any]]) -> None:
    """It is made of what was written, and not read again."""
    with make_peer(1, clock=FakeClock()) as peer:
        room = peer.create_room("Team")
        sent = room.send("hello", **given(room))
        read = room.message(sent.id)
        assert sent == read
        assert sent.to_json() == read.to_json()
        assert (sent.mine, sent.clock_ahead) == (read.mine, read.clock_ahead)


@pytest.mark.parametrize(
    "insert",
    [
        "insert into message (room, message, added, change) values (1, :id, 1, 1)",
        "insert into chain (id, room, device, key, seq, link, last_stamp, volume, acked, delivered)"
        " values (9, 1, 'B', x'', 0, x'', '', 0, 0, 0);"
        "insert into mark values (9, 4, 'key', 0, 1, :id, 'B', 0, '', '[]')",
        "insert into op (room, root, key, target, at) values (1, 4, 'key', :id, '')",
        "insert into hidden values (1, :id)",
        "insert into removed_message values (1, :id, 1)",
        "insert into message (room, message, reply_to, added, change) values (1, 'B', :id, 1, 1)",
    ],
)
def test_message_is_known_by_anything_that_is_here_of_it(insert: str) -> None:
    """What is not known is taken for new; then what was said of it would not count."""
    asked = [f"{number:026}" for number in range(600)]
    with make_peer(1) as peer:
        peer.create_room("Team")
        assert known_of(peer._db, 1, asked) == set()
        with peer._db.atomic():
            for statement in insert.split(";"):
                peer._db.execute(statement.replace(":id", f"'{asked[555]}'"))
        assert known_of(peer._db, 1, asked) == {asked[555]}

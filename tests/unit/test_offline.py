"""Every feature of the page of features works while nothing can be reached, and meets later."""

from __future__ import annotations

import functools
import inspect
import re
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncchat import Peer, Room
from syncchat.errors import NotFoundError
from syncchat.peer.files import PeerFiles
from syncchat.testing import World
from tests.unit.media.samples import photograph, sound

FEATURES = Path(__file__).parents[2] / "docs" / "explanation" / "features.md"

WAITS = {"fetched", "fetch_older"}
"""What is there to wait for others."""


def calls_of_the_page() -> set[str]:
    """Return the calls that the page of features names, without what is no call."""
    rows = [row.split("|") for row in FEATURES.read_text("utf-8").splitlines()[5:] if "|" in row]
    named = {words for row in rows for words in re.findall(r"`((?:peer|room)\.[a-z_.]+)", row[2])}
    return {words.rpartition(".")[2] for words in named} - WAITS


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Note what is called, and let nothing reach a network."""
    found: set[str] = set()

    def noting(name: str, member: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(member)
        def noted(*args: Any, **kwargs: Any) -> Any:
            found.add(name)
            return member(*args, **kwargs)

        return noted

    def unreachable(*_: object) -> None:
        raise AssertionError("nothing here may need a network")

    for cls in (Peer, Room, PeerFiles):
        for name, member in inspect.getmembers(cls):
            if name.startswith("_"):
                continue
            if inspect.isfunction(member):
                monkeypatch.setattr(cls, name, noting(name, member))
            elif isinstance(member, property) and member.fget is not None:
                monkeypatch.setattr(cls, name, property(noting(name, member.fget)))
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, unreachable)
    return found


def test_every_feature_works_without_a_network(called: set[str], tmp_path: Path) -> None:
    with World(seed=8, peers=3) as world:
        alice, bob, carol = world.peers
        theirs = bob.do(lambda: bob.room.send("from Bob", mentions=[alice.peer.id]))
        world.run(seconds=5)
        peer, room = alice.peer, alice.room
        called.clear()
        write(room, theirs.id, bob.peer.id)
        attach(room, tmp_path)
        arrange(peer, room, theirs.id, carol.peer.id)
        for_oneself(peer, room, theirs.id, bob.peer.id)
        live(peer, room)
        assert calls_of_the_page() - called == set()
        assert peer.check() == []
        alice.do(lambda: None)  # as an app whose device is online again
        world.run(seconds=60)
        assert {item.what for item in room.outbox()} == set()
        assert alice.room.digest() == bob.room.digest()
        assert "written offline" in {message.text for message in bob.room.messages()}
        assert bob.peer.check() == []


def write(room: Room, theirs: str, who: str) -> None:
    sent = room.send("written offline", reply_to=theirs, mentions=[who], once="key")
    room.edit(sent.id, "written offline, and changed")
    room.edit(sent.id, "written offline")
    assert room.edits(sent.id) and room.window(sent.id) and room.delivery(sent.id)
    room.delete(room.send("deleted").id)
    room.react(theirs, "👍")
    room.unreact(theirs, "👍")
    room.send("beside", thread=theirs)
    assert [thread.id for thread in room.threads()] == [theirs]
    poll = room.poll("which?", ["one", "two"])
    room.vote(poll.id, [1])
    room.close_poll(poll.id)
    item = next(item for item in room.outbox() if item.text == "beside")
    room.retry(item)
    room.discard(item)
    room.send_location(52.52, 13.405, accuracy_m=20)
    assert room.search("offl") and room.messages()


def attach(room: Room, folder: Path) -> None:
    sent = room.attach(photograph(folder / "photo.jpg"))
    room.send_voice(sound(folder / "voice.wav"))
    room.cancel(sent.id)
    room.fetch(sent.id)
    assert room.open_file(sent.id).read(2) == b"\xff\xd8"
    assert room.save_file(sent.id, folder / "saved.jpg").exists()
    assert len(room.files()) == 2
    room.set_avatar((folder / "saved.jpg").read_bytes())


def arrange(peer: Peer, room: Room, theirs: str, carol: str) -> None:
    room.pin(theirs)
    room.unpin(theirs)
    room.pin(theirs)
    assert [message.id for message in room.pins()] == [theirs]
    room.hide(theirs)
    room.hide(theirs, hidden=False)
    room.set_topic("all of it")
    assert room.topic == "all of it"
    room.set_timer(timedelta(days=7))
    room.set_timer(None)
    room.set_keep(timedelta(days=90))
    room.set_keep(None)
    assert room.keep == 0
    assert room.invite() and room.members()
    room.set_role(carol, "reader")
    room.remove(carol)
    room.report(theirs, "strange")
    assert room.reports() is not None
    peer.set_avatar(None)
    room.avatar_of(peer.id)


def for_oneself(peer: Peer, room: Room, theirs: str, bob: str) -> None:
    room.mark_read()
    room.mark_unread(theirs)
    first = room.first_unread()
    assert first is not None and first.id == theirs
    assert room.unread_counts().messages == peer.unread()[room.id].messages == 1
    room.set_receipts("private")
    peer.set_receipts_up_to(5)
    room.set_level("mentions")
    room.mute(timedelta(hours=1))
    room.keep_history("recent")
    room.keep_history("all")
    assert not room.has_older and room.history_kept == "all"
    room.unmute()
    room.set_draft("half a thought")
    assert room.draft() is not None
    room.send_draft()
    room.star(theirs)
    assert [message.id for message in room.starred()] == [theirs]
    notes = peer.notes()
    room.forward(theirs, to=notes)
    room.delete_for_me(theirs)
    room.archive()
    room.set_favourite()
    assert room in peer.rooms(archived=True)
    room.archive(archived=False)
    room.schedule("later", peer.now_ms() + 3_600_000)
    peer.remind(peer.now_ms() + 3_600_000, "call")
    assert peer.scheduled() and peer.reminders()
    direct = peer.direct(bob)
    direct.send("between us")
    assert direct.direct == bob
    peer.block(bob)
    assert peer.blocked() == [bob]
    peer.unblock(bob)
    assert peer.search("between") and list(peer.happened(peer.cursor)) == []
    with pytest.raises(NotFoundError):
        room.message(theirs)


def live(peer: Peer, room: Room) -> None:
    """What is live by nature says nothing, and fails no caller."""
    peer.events()
    peer.set_status("away")
    peer.set_invisible(True)
    room.typing()
    assert room.typists() == [] and not any(each.is_here for each in room.presence())
    assert peer.devices
    peer.files.set_limits(automatic_bytes_max=1_000)
    peer.files.free()

"""Drafts and stars: what one keeps to oneself, on all of one's devices."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import syncchat
from syncchat import Peer, Room
from syncchat.errors import NotAllowedError, NotFoundError, ValidationError
from syncchat.room import drafts


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    with syncchat.open(tmp_path / "a.db", name="Ann") as made:
        yield made


@pytest.fixture
def room(peer: Peer) -> Room:
    return peer.create_room("Team")


def test_draft_is_kept_for_the_room_and_each_thread(peer: Peer, room: Room) -> None:
    first = room.send("first")
    assert room.draft() is None and room.drafts() == []
    room.set_draft("not yet", reply_to=first.id, attachments=[{"path": "x.png"}])
    room.set_draft("in the thread", thread=first.id)
    peer.create_room("Other").set_draft("elsewhere")
    draft = room.draft()
    assert draft is not None
    assert (draft.text, draft.reply_to, draft.edits) == ("not yet", first.id, None)
    assert draft.attachments == ({"path": "x.png"},)
    assert abs(draft.saved_ms - peer.now_ms()) < 10_000
    assert [(d.text, d.thread) for d in room.drafts()] == [
        ("not yet", None),
        ("in the thread", first.id),
    ]
    assert room.count() == 1


def test_empty_draft_is_none(room: Room) -> None:
    room.set_draft("x")
    room.set_draft("")
    assert room.draft() is None and room.drafts() == []


def test_draft_that_is_the_same_is_not_saved_again(room: Room) -> None:
    room.set_draft("x")
    before = room.draft()
    room.set_draft("x")
    assert room.draft() == before


def test_sending_a_draft_clears_it_in_the_same_step(room: Room) -> None:
    first = room.send("first")
    room.set_draft("answer", reply_to=first.id)
    sent = room.send_draft()
    assert (sent.text, sent.reply_to, room.draft()) == ("answer", first.id, None)
    room.set_draft("in the thread", thread=first.id)
    assert room.send_draft(first.id).thread == first.id
    room.set_draft("changed", edits=first.id)
    assert room.send_draft().id == first.id and room.message(first.id).text == "changed"
    with pytest.raises(NotFoundError, match="no draft"):
        room.send_draft()


def test_draft_that_cannot_be_sent_is_kept(room: Room) -> None:
    sent = room.send("first")
    room.set_draft("changed", edits=sent.id)
    room.delete(sent.id)
    with pytest.raises((NotFoundError, NotAllowedError)):
        room.send_draft()
    draft = room.draft()
    assert draft is not None and draft.text == "changed"


def test_bad_drafts_are_refused(room: Room) -> None:
    for text, more in (
        ("x" * 16_385, {}),
        ("x", {"reply_to": "no"}),
        ("x", {"edits": "no"}),
        ("x", {"thread": "no"}),
        ("x", {"attachments": ["no"]}),
        (7, {}),
    ):
        with pytest.raises(ValidationError):
            room.set_draft(text, **more)  # type: ignore[arg-type]
    assert room.drafts() == []


def test_there_are_no_more_drafts_than_can_be_listed(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "DRAFTS_MAX", 2)
    threads = [room.send(str(number)).id for number in range(3)]
    for thread in threads[:2]:
        room.set_draft("in the thread", thread=thread)
    with pytest.raises(ValidationError, match="clear some first"):
        room.set_draft("one too many", thread=threads[2])
    room.set_draft("changed", thread=threads[1])
    room.set_draft("", thread=threads[0])
    room.set_draft("it fits again", thread=threads[2])
    assert {draft.text for draft in room.drafts()} == {"changed", "it fits again"}


def test_draft_survives_a_killed_process(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys, syncchat\n"
        "room = syncchat.open(sys.argv[1], name='Ann').create_room('Team')\n"
        "room.set_draft('nearly done')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "a.db"
    done = subprocess.run([sys.executable, "-c", program, str(path)], timeout=60, check=False)
    assert done.returncode != 0
    with syncchat.open(path) as peer:
        draft = peer.room("Team").draft()
        assert draft is not None and draft.text == "nearly done"


def test_what_makes_no_sense_in_a_field_is_no_draft(peer: Peer, room: Room) -> None:
    key = room._draft_key(None)
    for value in (7, "text", [1], {"text": 7, "attachments": 7, "saved": "x", "edits": "y"}):
        with peer._db.atomic():
            peer._personal.put(key, value)
        draft = room.draft()
        assert draft is None or (draft.text, draft.attachments, draft.edits) == ("", (), None)


def test_stars(room: Room) -> None:
    sent = [room.send(str(number)) for number in range(7)]
    for message in sent[:6]:
        room.star(message.id)
    room.star(sent[0].id)
    room.unstar(sent[1].id)
    room.delete(sent[2].id)
    assert [m.text for m in room.starred()] == ["0", "3", "4", "5"]
    assert [m.text for m in room.starred(limit=2)] == ["4", "5"]
    assert [m.text for m in room.starred(before=sent[4].id, limit=2)] == ["0", "3"]
    assert room.is_starred(sent[0].id) and not room.is_starred(sent[1].id)
    with pytest.raises(NotFoundError):
        room.star(sent[2].id)
    with pytest.raises(NotFoundError):
        room.star("0" * 26)
    with pytest.raises(ValidationError):
        room.starred(limit=0)

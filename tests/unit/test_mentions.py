"""Mentions are of members, not of words; an edit changes them; what is set says who hears."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import syncchat
from syncchat import Peer, Room, Settings
from syncchat.core.values import EditValue, Root, decode_value, encode_value
from syncchat.errors import ValidationError
from syncchat.room.settings import MUTED_FOR_EVER_MS
from syncchat.room.writing import MENTIONS_MAX
from tests.support.devices import Device
from tests.support.peers import LINK, Inbox, Net, make_peer, sync
from tests.support.ports import FakeClock


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Peer]:
    with syncchat.open(tmp_path / "a.db", name="Alice") as peer:
        yield peer


def test_mentions_are_ids_of_members_each_once(alone: Peer) -> None:
    room = alone.create_room("Team")
    assert room.send("me twice", mentions=[alone.id, alone.id]).mentions == (alone.id,)
    for bad in (["B" * 26], ["Alice"], alone.id, [7], [alone.id] * 2 + [""]):
        with pytest.raises(ValidationError, match="member"):
            room.send("x", mentions=bad)  # type: ignore[arg-type]
    unknown = alone.join(LINK)
    many = [f"{n:026}" for n in range(MENTIONS_MAX + 1)]
    with pytest.raises(ValidationError, match="at most"):
        unknown.send("x", mentions=many)
    assert len(unknown.send("who is in is not known yet", mentions=many[1:]).mentions) == 100


def test_edit_changes_whom_a_message_mentions_or_leaves_it() -> None:
    net, clock = Net(), FakeClock()
    with make_peer(1, clock=clock) as alice, make_peer(2, clock=clock) as bob:
        room, heard = alice.join(LINK), bob.join(LINK)
        sync(net, alice, bob)
        message = room.send("listen", mentions=[bob.id])
        assert room.edit(message.id, "pending: left as they are").mentions == (bob.id,)
        assert room.edit(message.id, "pending: none", mentions=[]).mentions == ()
        assert room.edit(message.id, "pending: back", mentions=[bob.id]).mentions == (bob.id,)
        sync(net, alice, bob)
        for text, given, expected in (
            ("left", None, (bob.id,)),
            ("none", [], ()),
            ("left again", None, ()),
            ("both", [alice.id, bob.id], (alice.id, bob.id)),
            ("as sent", [bob.id], (bob.id,)),
        ):
            room.edit(message.id, text, mentions=given)
            sync(net, alice, bob)
            for shown in (room, heard):
                found = shown.message(message.id)
                assert (found.text, found.mentions) == (text, expected)
            assert heard.unread_counts().mentions == (bob.id in expected)
        assert room.digest() == heard.digest()
        assert alice.check() == bob.check() == []


def test_edit_that_leaves_the_mentions_is_written_as_before() -> None:
    at = "0" * 13
    assert encode_value(EditValue(at, "text")) == f'["{at}","text"]'
    assert encode_value(EditValue(at, "text", ())) == f'["{at}","text",[]]'
    for raw in (f'["{at}","text"]', f'["{at}","text",null]', f'["{at}","text",null,[],"later"]'):
        assert decode_value(Root.EDITS, raw) == EditValue(at, "text")


def test_mention_counts_while_its_message_is_unread() -> None:
    inbox, device = Inbox(), Device(1)
    me = [inbox.peer.id]
    message, entry = device.message("listen", mentions=me)
    inbox.deliver(device.write(entry), device.write(device.message("not you", mentions=["x"])[1]))
    room = inbox.room
    assert (room.unread(), room.unread_counts().mentions) == (2, 1)
    room.mark_read(message)
    assert (room.unread(), room.unread_counts().mentions) == (1, 0)
    room.mark_unread(message)
    assert (room.unread(), room.unread_counts().mentions) == (2, 1)
    inbox.deliver(device.write(device.delete(message)))
    assert (room.unread(), room.unread_counts().mentions) == (1, 0)
    assert inbox.peer.check() == []


def test_own_message_that_mentions_oneself_counts_nothing(alone: Peer) -> None:
    room = alone.create_room("Team")
    room.edit(room.send("me", mentions=[alone.id]).id, "me again", mentions=[alone.id])
    assert room.unread_counts() == (0, 0, 0, 0)
    assert alone.check() == []


# What is set for a room


def test_settings_of_a_room_are_kept_and_checked(alone: Peer) -> None:
    room = alone.create_room("Team")
    assert room.settings == Settings("all", 0, None)
    room.set_level("mentions")
    room.set_receipts("private")
    room.mute(timedelta(hours=8))
    assert room.is_muted
    assert 0 < room.settings.muted_until_ms - alone.now_ms() <= 8 * 3_600_000
    room.mute()
    assert room.settings == Settings("mentions", MUTED_FOR_EVER_MS, "private")
    room.unmute()
    assert not room.is_muted
    assert room.settings == Settings("mentions", 0, "private")
    for bad in (lambda: room.set_level("some"), lambda: room.mute(timedelta(0))):
        with pytest.raises(ValidationError):
            bad()
    room.set_level("all")
    room.set_receipts(None)
    assert room.settings == Settings()
    assert alone.rooms() == [room], "they are kept in the personal room, which is not listed"


@pytest.mark.parametrize(
    "value", [None, [], "all", {"level": 7, "muted_until": "x", "receipts": 1}]
)
def test_settings_of_a_later_version_that_make_no_sense_are_as_if_not_set(
    alone: Peer, value: object
) -> None:
    room: Room = alone.create_room("Team")
    with alone._db.atomic():
        alone._personal.put(room._settings_key(), value)
    assert room.settings == Settings()
    room.set_level("none")
    assert room.settings.level == "none"

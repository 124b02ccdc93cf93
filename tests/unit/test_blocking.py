"""Who is blocked is not heard, whatever they do, and nothing is lost when they are heard again."""

from __future__ import annotations

import pytest

from syncchat import Event, MessageChanged, RoomChanged
from syncchat.core.journal import Entry
from syncchat.core.markers import marker_key
from syncchat.core.values import Root, VoteValue, encode_value
from syncchat.errors import ValidationError
from syncchat.ids import MemberId, stamp_of
from syncchat.peer import blocking
from tests.support.devices import Device
from tests.support.peers import Inbox


class Blocking:
    """Is a person in a room with somebody whom they have blocked."""

    def __init__(self) -> None:
        self.inbox, self.foe = Inbox(), Device(2)
        self.who = MemberId(self.foe.id)
        self.said, entry = self.foe.message("before")
        self.inbox.deliver(self.foe.write(entry))
        room = self.inbox.room
        self.mine = room.send("mine")
        self.poll = room.poll("which?", ["one", "two"])
        self.answer = room.send("what you said", reply_to=self.said)
        self.inbox.peer.block(self.who)

    def told(self, *entries: Entry) -> list[Event]:
        """Return what is told of entries of who is blocked."""
        peer, before = self.inbox.peer, self.inbox.peer.cursor
        self.inbox.deliver(self.foe.write(*entries))
        return [*peer.happened(before), *peer._notifications(int(before))[0]]


def test_nothing_that_a_blocked_member_does_is_told() -> None:
    it = Blocking()
    foe, me = it.foe, it.inbox.peer
    assert it.told(foe.message("hello", mentions=(me.id,))[1]) == []
    assert it.told(foe.message("an answer", reply_to=it.mine.id)[1]) == []
    assert it.told(foe.edit(it.said, "changed", mentions=(me.id,))) == []
    assert it.told(foe.react(it.mine.id, "👍")) == []
    assert it.told(foe.react(it.mine.id, "👍", on=False), foe.react(it.mine.id, "🎉")) == []
    vote = encode_value(VoteValue(foe.stamp(), (0,)))
    assert it.told(Entry(Root.VOTES, it.poll.id, vote)) == []
    assert it.told(foe.read(marker_key(me.device), stamp_of(it.mine.id))) == []
    assert it.told(foe.field(Root.PROFILE, "name", "Mallory")) == []
    assert it.told(foe.delete(it.said)) == []
    assert me.check() == []


def test_reaction_of_a_blocked_member_is_not_shown_until_they_are_heard_again() -> None:
    it = Blocking()
    friend, room = Device(3), it.inbox.room
    it.told(it.foe.react(it.mine.id, "👍"), it.foe.field(Root.PROFILE, "name", "Mallory"))
    before = it.inbox.peer.cursor
    it.inbox.deliver(friend.write(friend.react(it.mine.id, "👍")))
    (event,) = [e for e in it.inbox.peer.happened(before) if isinstance(e, MessageChanged)]
    assert [each.member for each in event.message.reactions] == [MemberId(friend.id)]
    it.inbox.peer.rebuild()
    assert [each.member for each in room.message(it.mine.id).reactions] == [MemberId(friend.id)]
    it.inbox.peer.unblock(it.who)
    names = {each.member: each.name for each in room.message(it.mine.id).reactions}
    assert set(names) == {it.who, MemberId(friend.id)} and names[it.who] == "Mallory"
    assert it.inbox.peer.check() == []


def test_who_is_heard_again_is_told_of_again() -> None:
    it = Blocking()
    it.inbox.peer.unblock(it.who)
    reacted = it.told(it.foe.react(it.mine.id, "👍"))
    assert [type(event) for event in reacted] == [MessageChanged]
    assert it.told(it.foe.field(Root.PROFILE, "name", "Bob")) == [RoomChanged(it.inbox.room.id)]


def test_nobody_blocks_more_people_than_can_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "BLOCKED_MAX", 2)
    it = Blocking()
    it.inbox.peer.block("another")
    with pytest.raises(ValidationError, match="unblock some"):
        it.inbox.peer.block("one too many")
    it.inbox.peer.block("another")
    it.inbox.peer.unblock(it.who)
    it.inbox.peer.block("one too many")
    assert it.inbox.peer.blocked() == ["another", "one too many"]

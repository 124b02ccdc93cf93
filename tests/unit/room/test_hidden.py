"""Messages that an admin hides, and reports to the admins."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from syncchat.core.values import LETTER_FIELD, Root
from syncchat.errors import NotAllowedError, NotFoundError, ValidationError
from syncchat.storage.fields import profile_fields
from syncchat.testing import SimPeer, World


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=7, peers=3) as made:
        made.run(seconds=1)
        yield made


def say(peer: SimPeer, text: str) -> str:
    return peer.do(lambda: peer.room.send(text, metadata={"n": 1})).id


def hide(world: World, message: str, *, hidden: bool = True) -> None:
    owner = world.peers[0]
    owner.do(lambda: owner.room.hide(message, hidden=hidden))
    world.run(seconds=2)


def test_hidden_message_says_nothing_to_others_unless_they_ask(world: World) -> None:
    _, bob, carol = world.peers
    message = say(bob, "rude")
    world.run(seconds=1)
    hide(world, message)
    for peer in (world.peers[0], carol):
        shown = peer.room.message(message)
        assert (shown.hidden, shown.text, shown.metadata) == (True, "", None)
        assert shown.to_json()["content"] == "" and shown.to_json()["hidden"]
        asked = peer.room.message(message, hidden=True)
        assert (asked.hidden, asked.text, asked.metadata) == (True, "rude", {"n": 1})
        assert [m.text for m in peer.room.messages(hidden=True)] == ["rude"]
        assert [m.text for m in peer.room.messages()] == [""]
    mine = bob.room.message(message)
    assert (mine.hidden, mine.text) == (True, "rude")
    assert len({peer.room.digest() for peer in world.peers}) == 1


def test_counts_leave_a_hidden_message_out_and_take_it_back_in(world: World) -> None:
    _, bob, carol = world.peers
    message = say(bob, "rude")
    say(bob, "nice")
    world.run(seconds=1)
    assert (carol.room.unread(), carol.room.count()) == (2, 2)
    hide(world, message)
    assert (carol.room.unread(), carol.room.count()) == (1, 1)
    hide(world, message, hidden=False)
    assert (carol.room.unread(), carol.room.count()) == (2, 2)
    assert carol.room.message(message).text == "rude"
    assert not carol.room.message(message).hidden
    assert [peer.peer.check() for peer in world.peers] == [[]] * 3


def test_message_that_was_read_before_it_was_hidden_stays_read(world: World) -> None:
    _, bob, carol = world.peers
    message = say(bob, "rude")
    world.run(seconds=1)
    carol.do(carol.room.mark_read)
    hide(world, message)
    hide(world, message, hidden=False)
    assert carol.room.unread() == 0


def test_who_comes_later_sees_it_hidden_and_a_rebuild_keeps_it_so(world: World) -> None:
    alice, bob, _ = world.peers
    message = say(bob, "rude")
    world.run(seconds=1)
    hide(world, message)
    newcomer = world.add_peer()
    world.run(seconds=5)
    assert newcomer.room.message(message).hidden
    assert newcomer.room.unread() == 0
    assert newcomer.room.digest() == alice.room.digest()
    for peer in (alice, newcomer):
        before = peer.room.messages(), peer.room.digest(), peer.room.unread()
        peer.peer.rebuild()
        assert (peer.room.messages(), peer.room.digest(), peer.room.unread()) == before


def test_hidden_and_shown_again_while_offline_ends_as_the_last_word_says(world: World) -> None:
    alice, bob, _ = world.peers
    message = say(bob, "fine after all")
    world.run(seconds=1)
    alice.go_offline()
    for hidden in (True, False, True, False):
        alice.do(partial(alice.room.hide, message, hidden=hidden))
    alice.go_online()
    world.run(seconds=5)
    assert [peer.room.message(message).hidden for peer in world.peers] == [False] * 3
    assert alice.room.pending_changes() == []
    alice.go_offline()
    for hidden in (True, False, True):
        alice.do(partial(alice.room.hide, message, hidden=hidden))
    alice.go_online()
    world.run(seconds=5)
    assert [peer.room.message(message).hidden for peer in world.peers] == [True] * 3


def test_message_that_comes_after_it_was_hidden_is_hidden(world: World) -> None:
    _, bob, carol = world.peers
    carol.go_offline()
    message = say(bob, "rude")
    world.run(seconds=1)
    hide(world, message)
    carol.go_online()
    world.run(seconds=3)
    assert carol.room.message(message).hidden
    assert carol.room.unread() == 0


# Reports


def test_report_goes_to_the_admins_and_to_nobody_else(world: World) -> None:
    alice, bob, carol = world.peers
    message = say(bob, "rude")
    alice.do(lambda: alice.room.set_role(carol.peer.id, "admin"))
    world.run(seconds=3)
    newcomer = world.add_peer()
    world.run(seconds=3)
    newcomer.do(lambda: newcomer.room.report(message, "spam, I think"))
    world.run(seconds=3)
    for admin in (alice, carol):
        (report,) = admin.room.reports()
        assert (report.message_id, report.member) == (message, newcomer.peer.id)
        assert (report.reason, report.name) == ("spam, I think", newcomer.peer.name)
    assert bob.room.reports() == newcomer.room.reports() == []
    stored = bob.peer._db.rows("select value from field union select value from mark")
    assert not [value for (value,) in stored if "spam" in value or message in value]


def test_report_of_somebody_else_cannot_be_passed_off_as_ones_own(world: World) -> None:
    alice, bob, carol = world.peers
    message = say(alice, "fine")
    world.run(seconds=1)
    carol.do(lambda: carol.room.report(message, "by carol"))
    world.run(seconds=2)
    ((_, key, letter),) = profile_fields(bob.peer._db, 1, LETTER_FIELD)
    with bob.peer._db.atomic():
        bob.peer._put_field(1, Root.PROFILE, key + "x", letter)
        bob.peer._put_field(1, Root.PROFILE, key + "y", {"boxes": [1, "!", "AAAA"], "sealed": "A"})
        bob.peer._put_field(1, Root.PROFILE, key + "z", [letter])
    bob.do(lambda: bob.room.send("and a message"))
    world.run(seconds=2)
    assert [(report.member, report.reason) for report in alice.room.reports()] == [
        (carol.peer.id, "by carol")
    ]


def test_newest_report_is_first_and_a_list_has_its_limit(world: World) -> None:
    alice, bob, _ = world.peers
    message = say(alice, "fine")
    world.run(seconds=1)
    for reason in ("one", "two", "three"):
        bob.do(partial(bob.room.report, message, reason))
        world.run(seconds=1)
    assert [report.reason for report in alice.room.reports()] == ["three", "two", "one"]
    assert [report.reason for report in alice.room.reports(limit=1)] == ["three"]
    with pytest.raises(ValidationError, match="limit"):
        alice.room.reports(limit=0)


def test_report_that_is_none_is_refused(world: World) -> None:
    alice, bob, _ = world.peers
    message = say(alice, "fine")
    world.run(seconds=1)
    for reason in (" ", "x" * 501, "two\nlines"):
        with pytest.raises(ValidationError, match="say why"):
            bob.room.report(message, reason)
    alice.do(lambda: alice.room.delete(message))
    world.run(seconds=1)
    with pytest.raises(NotFoundError, match="deleted"):
        bob.room.report(message, "spam")
    alice.do(lambda: alice.room.set_role(bob.peer.id, "reader"))
    world.run(seconds=3)
    other = say(alice, "fine")
    world.run(seconds=1)
    with pytest.raises(NotAllowedError, match="readers"):
        bob.room.report(other, "spam")

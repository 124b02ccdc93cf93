"""Faults of groups, each as the shortest scenario that shows it."""

from __future__ import annotations

from unittest import mock

import pytest

from syncchat.errors import NotAllowedError
from syncchat.testing import SimPeer, World
from syncchat.testing.relay import URL
from syncchat.trust import person
from syncchat.trust.boxes import box_public

from ..support.linking import linked


def _texts(peer: SimPeer) -> list[str]:
    shown = peer.room.messages()
    return [message.text.split()[-1] for message in shown if not message.deleted]


def test_newcomer_without_earlier_history_reads_on_from_the_next_key() -> None:
    """They waited for ever for the key of what they may not read, and read nothing at all."""
    with World(seed=4, peers=2) as world:
        alice, bob = world.peers
        world.write(alice, "before")
        world.run(seconds=5)
        alice.do(lambda: alice.room.set_history("from_join"))
        world.run(seconds=4)
        link = alice.do(alice.room.invite)
        world.run(seconds=4)
        late = SimPeer("late", world.loop, world.random, world.relay)
        late.peer.join(link)
        late.go_online()
        world.run(seconds=8)
        world.write(alice, "after")
        world.delete(alice, world.shown(alice)[0])  # of which the newcomer has never heard
        world.write(bob, "too")
        world.run(seconds=8)
        assert sorted(_texts(late)) == ["after", "too"]
        late.peer.rebuild()
        assert sorted(_texts(late)) == ["after", "too"]
        assert late.peer.check() == []
        assert alice.peer.check() == bob.peer.check() == []


def test_recovery_phrase_wins_over_a_thief_who_makes_a_user_key_that_it_does_not_open() -> None:
    with World(seed=1, peers=2) as world:
        alice, bob = world.peers
        world.write(alice, "before")
        world.run(seconds=3)
        phrase = alice.peer.devices.phrase()
        thief = linked(world, alice, "thief")
        with mock.patch.object(person, "root_box_key", lambda root: box_public(b"x" * 32)):
            thief.do(lambda: thief.peer.devices.revoke(alice.peer.device))
        world.run(seconds=6)
        assert (alice.room.standing, thief.room.standing) == ("removed", "member")
        world.write(bob, "meanwhile")
        world.run(seconds=3)
        again = SimPeer("again", world.loop, world.random, world.relay)
        again.peer.devices.recover(phrase, URL)
        again.go_online()
        world.run(seconds=15)
        again.do(lambda: again.peer.devices.revoke(thief.peer.device))
        world.run(seconds=10)
        world.write(bob, "afterwards")
        world.run(seconds=10)
        assert (again.room.standing, thief.room.standing) == ("member", "removed")
        assert "afterwards" in _texts(again)
        assert "afterwards" not in _texts(thief)
        assert again.room.digest() == bob.room.digest()


def test_own_messages_of_another_device_are_not_shown_as_queued() -> None:
    with World(seed=2, peers=2) as world:
        alice, _ = world.peers
        laptop = linked(world, alice, "laptop")
        world.write(alice, "from the phone")
        world.run(seconds=4)
        (shown,) = laptop.room.messages()
        assert shown.mine and shown.status.value in ("sent", "read")


def _newcomer(world: World, name: str, link: str) -> SimPeer:
    peer = SimPeer(name, world.loop, world.random, world.relay)
    peer.peer.join(link)
    peer.go_online()
    world.run(seconds=4)
    return peer


def test_member_whose_entry_the_relay_lost_writes_on_and_comes_in_anew() -> None:
    """Only they had the record of it, and others came in meanwhile; it was STALE for ever.

    Between the relay's refusal and the second try by the invite they could not write.
    """
    with World(seed=3, peers=2) as world:
        alice, bob = world.peers
        link = alice.do(lambda: alice.room.invite(uses=0))
        world.run(seconds=3)
        alice.go_offline()
        bob.go_offline()
        carol = _newcomer(world, "carol", link)
        world.write(carol, "before")
        world.run(seconds=3)
        carol.go_offline()
        world.relay.wipe()
        world.relay.start()
        alice.go_online()
        world.run(seconds=3)
        dave = _newcomer(world, "dave", link)
        carol.go_online()
        for number in range(40):  # at any moment of it
            world.write(carol, f"during{number}")
            world.run(seconds=0.1)
        bob.go_online()
        world.run(seconds=10)
        written = ["before", *(f"during{number}" for number in range(40))]
        for peer in (alice, bob, carol, dave):
            assert peer.room.standing == "member"
            assert _texts(peer) == written
            assert len(peer.room.members()) == 4
            assert peer.peer.check() == []


def test_member_who_is_put_out_cannot_write_once_the_invite_was_tried_in_vain() -> None:
    with World(seed=3, peers=2) as world:
        alice, bob = world.peers
        world.run(seconds=3)
        alice.do(lambda: alice.room.remove(bob.peer.id))
        world.run(seconds=5)
        assert bob.room.standing == "removed"
        with pytest.raises(NotAllowedError, match="no longer a member"):
            bob.room.send("still there?")


def test_member_of_a_relay_that_was_set_back_waits_for_one_of_that_time() -> None:
    with World(seed=5, peers=2) as world:
        alice, bob = world.peers
        world.run(seconds=3)
        world.relay.keep_image()
        link = alice.do(alice.room.invite)
        world.run(seconds=3)
        carol = _newcomer(world, "carol", link)
        world.write(carol, "before")
        world.run(seconds=3)
        alice.go_offline()
        bob.go_offline()
        assert world.lose_relay(world.relay.roll_back)
        world.run(seconds=10)
        assert carol.room.standing == "removed"
        with pytest.raises(NotAllowedError, match="or its relay no longer knows you"):
            carol.room.send("lost?")
        alice.go_online()
        world.run(seconds=10)
        world.write(carol, "after")
        bob.go_online()
        world.run(seconds=10)
        for peer in (alice, bob, carol):
            assert peer.room.standing == "member"
            assert _texts(peer) == ["before", "after"]


def test_newcomer_whose_entry_a_refilled_relay_lacks_is_not_parked() -> None:
    """They had pushed what they wrote twice before the relay had their entry back: the second
    refusal looked like the last word, and what they wrote stayed with them until a retry."""
    with World(seed=7, peers=2) as world:
        alice, bob = world.peers
        link = alice.do(lambda: alice.room.invite(uses=0))
        world.run(seconds=3)
        alice.go_offline()
        carol = _newcomer(world, "carol", link)
        dave = _newcomer(world, "dave", link)
        bob.go_offline()
        carol.go_offline()
        dave.go_offline()
        world.relay.wipe()
        world.relay.start()
        alice.go_online()
        world.run(seconds=3)
        dave.go_online()
        for number in range(40):
            world.write(dave, f"during{number}")
            world.run(seconds=0.1)
        assert not any(item.reason for item in dave.room.outbox())
        bob.go_online()
        carol.go_online()
        world.run(seconds=20)
        for peer in (alice, bob, carol, dave):
            assert _texts(peer) == [f"during{number}" for number in range(40)]
            assert peer.peer.check() == []

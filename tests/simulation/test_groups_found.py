"""Faults of groups, each as the shortest scenario that shows it."""

from __future__ import annotations

from unittest import mock

import pytest

from syncchat.core.clock import tick
from syncchat.core.journal import Entry
from syncchat.core.values import MessageValue, Root, encode_value
from syncchat.errors import NotAllowedError
from syncchat.storage import chains
from syncchat.testing import SimPeer, World
from syncchat.testing.ports import SeededRandom
from syncchat.testing.relay import URL
from syncchat.trust import person
from syncchat.trust.boxes import box_public
from syncchat.trust.changes import Rotate
from syncchat.trust.epochs import next_epoch
from syncchat.trust.keys import DeviceKeys
from tests.support.hostile_relays import (
    fork_log,
    group_of,
    next_envelope,
    put_into_log,
    signed_record,
)

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


def _set_history(world: World, history: str) -> None:
    alice = world.peers[0]
    alice.do(lambda: alice.room.set_history(history))
    world.run(seconds=3)


def _put_out_and_asked_in(world: World, target: SimPeer, between: str) -> None:
    """Remove somebody who stays connected, say something meanwhile, and let them join again."""
    alice = world.peers[0]
    alice.do(lambda: alice.room.remove(target.peer.id))
    world.run(seconds=3)
    world.write(alice, between)
    world.run(seconds=3)
    link = alice.do(alice.room.invite)
    world.run(seconds=2)
    target.do(lambda: target.peer.join(link))
    world.run(seconds=5)


def test_person_who_joins_again_while_online_comes_in_at_once() -> None:
    """The room was closed to their connection, and nothing opened it before the next one."""
    with World(seed=4, peers=3) as world:
        alice, _, carol = world.peers
        carol.watch = None
        world.write(alice, "before")
        world.run(seconds=3)
        _put_out_and_asked_in(world, carol, "without her")
        assert carol.room.standing == "member"
        assert _texts(carol) == ["before", "her"]


def test_person_who_comes_back_without_earlier_history_reads_on_and_folds_anew() -> None:
    """What was passed over ended the chain of who had written it, and stopped the fold."""
    with World(seed=4, peers=3) as world:
        alice, bob, carol = world.peers
        carol.watch = None
        _set_history(world, "from_join")
        world.write(alice, "before")
        world.run(seconds=3)
        first = world.shown(alice)[0]
        _put_out_and_asked_in(world, carol, "meanwhile")
        world.write(alice, "after")
        world.write(bob, "too")
        world.run(seconds=5)
        assert _texts(carol) == ["before", "after", "too"]
        assert carol.peer.check() == []
        world.delete(alice, first)  # of a volume before the one that was passed over
        world.run(seconds=5)
        assert _texts(carol) == ["after", "too"]
        carol.peer.rebuild()
        assert _texts(carol) == ["after", "too"]
        assert carol.peer.check() == []


def test_newcomer_to_history_that_is_shared_again_reads_from_the_key_in_force_then() -> None:
    """They waited for ever for keys to which no link leads, and read nothing at all."""
    with World(seed=4, peers=2) as world:
        alice, bob = world.peers
        world.write(bob, "long ago")
        world.run(seconds=3)
        _set_history(world, "from_join")
        world.write(alice, "for us")
        world.run(seconds=3)
        alice.do(alice.room.rotate_key)
        world.run(seconds=3)
        _set_history(world, "shared")
        world.write(bob, "for all")
        alice.do(alice.room.rotate_key)
        world.run(seconds=3)
        link = alice.do(alice.room.invite)
        world.run(seconds=3)
        late = _newcomer(world, "late", link)
        world.write(alice, "hello")
        world.run(seconds=5)
        assert _texts(bob) == ["ago", "us", "all", "hello"]
        assert _texts(late) == ["all", "hello"]
        assert late.peer.check() == []
        known = late.disk.latest()
        assert b"for all" in known and b"long ago" not in known and b"for us" not in known


def test_link_from_before_the_history_was_closed_lets_nobody_in() -> None:
    """It opened the key of its time, and so everything before it."""
    with World(seed=4, peers=2) as world:
        alice, _ = world.peers
        world.write(alice, "canary word")
        link = alice.do(lambda: alice.room.invite(uses=0))
        world.run(seconds=3)
        _set_history(world, "from_join")
        late = _newcomer(world, "late", link)
        assert late.room.standing != "member"
        assert b"canary word" not in late.disk.latest()
        assert alice.room.invites() == []


def test_newcomer_reads_what_somebody_wrote_before_their_removal_though_they_wrote_on() -> None:
    """A relay had put what they wrote on into its log; the newcomer read their chain nowhere."""
    with World(seed=4, peers=3) as world:
        alice, _, carol = world.peers
        world.write(carol, "honest")
        world.run(seconds=3)
        carol.go_offline()
        alice.do(lambda: alice.room.remove(carol.peer.id))
        world.run(seconds=3)
        own = chains.find_chain(carol.peer._db, carol.room._row, carol.peer.device)
        assert own is not None
        value = encode_value(MessageValue(text="dated back", kind="text"))
        raw, _ = next_envelope(carol, Entry(Root.MESSAGES, tick(own.last_stamp, 0), value))
        for peer in world.peers:
            peer.watch = None  # the relay's log is changed behind the world's back
        put_into_log(world, raw)
        link = alice.do(lambda: alice.room.invite(approve=True))
        world.run(seconds=3)
        late = _newcomer(world, "late", link)
        (request,) = alice.room.requests()
        alice.do(lambda: alice.room.add(request.id))
        world.run(seconds=5)
        assert _texts(late) == _texts(alice) == ["honest"]


def test_newcomer_to_a_forked_log_leaves_it_to_a_member_to_put_it_together() -> None:
    """Their entry stood on both branches, and a relay that had lost them took neither again."""
    with World(seed=4, peers=2) as world:
        alice, bob = world.peers
        world.run(seconds=3)
        before = group_of(bob)
        link = alice.do(lambda: alice.room.invite(uses=0))
        world.run(seconds=3)
        alice.go_offline()
        bob.go_offline()
        late = _newcomer(world, "late", link)
        late.go_offline()
        world.run(seconds=1)
        another = SimPeer("another", world.loop, world.random, world.relay)
        another.peer.join(link)
        key = next_epoch(before, bytes(32), None, at_ms=0, random=SeededRandom("fork"))
        fork_log(world, signed_record(world, bob.peer._keys, Rotate(key), on=before))
        another.go_online()
        world.run(seconds=5)
        assert another.room.standing == "joining"
        bob.go_online()
        world.run(seconds=10)
        assert another.room.standing == "member"
        world.relay.wipe()
        world.relay.start()
        for peer in (alice, late):
            peer.go_online()
        world.run(seconds=30)
        world.write(another, "here")
        world.run(seconds=5)
        for peer in (alice, bob, late, another):
            assert (peer.room.standing, _texts(peer)) == ("member", ["here"])
            assert len(peer.room.members()) == 4


def test_record_that_no_relay_would_take_stays_out_when_it_comes_a_second_time() -> None:
    """By then the log had grown, and it was taken for a fork, on which nobody else stood."""
    with World(seed=4, peers=2) as world:
        alice, bob = world.peers
        bob.go_offline()
        world.run(seconds=3)
        group = group_of(alice)
        key = next_epoch(group, bytes(32), None, at_ms=0, random=SeededRandom("injected"))
        forged = signed_record(world, DeviceKeys(bytes(range(32))), Rotate(key), on=group)
        put_into_log(world, forged.raw)
        alice.do(alice.room.rotate_key)
        world.run(seconds=5)
        bob.go_online()  # everything comes at once, and then once more
        world.run(seconds=20)
        assert group_of(bob).heads == group_of(alice).heads
        bob.do(bob.room.rotate_key)
        world.run(seconds=5)
        assert group_of(alice).epoch == 2
        assert bob.room.pending_changes() == []


@pytest.mark.parametrize("between", [[], ["between"]], ids=["silence", "talk"])
def test_fork_of_a_log_without_earlier_history_loses_no_message_and_no_newcomer(
    between: list[str],
) -> None:
    """A key that lost was tried only where another had its number, and newcomers waited for it."""
    with World(seed=5, peers=3) as world:
        alice, bob, carol = world.peers
        for peer in world.peers:
            peer.watch = None
        _set_history(world, "from_join")
        alice.go_offline()
        world.relay.keep_image()
        for number, maker in ((1, bob), (2, carol)):
            maker.do(maker.room.rotate_key)
            world.run(seconds=3)
            world.write(bob, f"under{number}")
            world.run(seconds=3)
        assert group_of(bob).epoch == 2
        bob.go_offline()
        carol.go_offline()
        world.relay.roll_back()
        world.relay.start()
        alice.do(lambda: alice.room.remove(carol.peer.id))
        alice.go_online()
        world.run(seconds=5)
        bob.go_online()
        world.run(seconds=10)
        assert group_of(alice).epoch == 1
        assert {number for number, _ in group_of(alice).lost} == {1, 2}
        for text in between:
            world.write(bob, text)
        world.run(seconds=5)
        assert _texts(alice) == _texts(bob) == ["under1", "under2", *between]
        link = alice.do(alice.room.invite)
        world.run(seconds=3)
        late = _newcomer(world, "late", link)
        world.write(bob, "after")
        world.run(seconds=5)
        assert _texts(late) == ["after"]
        for peer in (alice, bob, late):
            peer.peer.rebuild()
            assert peer.peer.check() == []


def test_who_asks_to_come_back_gives_a_relay_nothing_that_it_must_refuse() -> None:
    """It had lost what they wrote before, they brought it, and wrote no further when it refused."""
    with World(seed=5, peers=3) as world:
        alice, bob, carol = world.peers
        carol.watch = None
        world.write(carol, "before")
        world.run(seconds=3)
        alice.do(lambda: alice.room.remove(carol.peer.id))
        world.run(seconds=3)
        link = alice.do(lambda: alice.room.invite(approve=True))
        world.run(seconds=3)
        carol.do(lambda: carol.peer.join(link))
        world.run(seconds=5)
        (request,) = alice.room.requests()
        alice.go_offline()
        world.relay.wipe()
        world.relay.start()
        world.run(seconds=30)
        assert carol.room.standing == "asking"
        alice.do(lambda: alice.room.add(request.id))
        alice.go_online()
        world.run(seconds=10)
        world.write(carol, "after")
        world.run(seconds=10)
        for peer in (alice, bob, carol):
            assert (peer.room.standing, _texts(peer)) == ("member", ["before", "after"])
            assert peer.peer.check() == []

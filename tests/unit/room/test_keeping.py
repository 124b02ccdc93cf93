"""Rooms that keep messages for a time only: what is older goes everywhere, and all converge."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from syncchat import MessageAdded, MessageGone
from syncchat.core.keeping import DAY_MS, KEEP_MS_MAX
from syncchat.errors import NotAllowedError, NotFoundError, ValidationError
from syncchat.storage import keeping
from syncchat.testing import SimPeer, World

from .test_disappearing import say, shown, words_of
from .test_edits import journal

DAYS = 90


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=5, peers=3) as made:
        made.run(seconds=1)
        yield made


def set_keep(world: World, days: int) -> None:
    owner = world.peers[0]
    owner.do(lambda: owner.room.set_keep(days * DAY_MS // 1_000))
    world.run(seconds=1)


def live(world: World, *, days: float) -> None:
    """Let days pass, and then moments in which everybody notices."""
    world.sleep(days=days)
    world.run(seconds=30)


def agree(world: World) -> bool:
    """Tell whether all have the same digest, and each view is what its journals hold."""
    digests = {peer.room.digest() for peer in world.peers}
    for peer in world.peers:
        assert peer.peer.check() == []
        peer.do(peer.peer.rebuild)
        digests.add(peer.room.digest())
    return len(digests) == 1


def rows(peer: SimPeer, table: str) -> int:
    (found,) = peer.peer._db.execute(f"select count(*) from {table}").fetchone()
    return int(found)


def test_what_is_older_goes_from_every_peer_and_from_the_relay(world: World) -> None:
    alice, bob, carol = world.peers
    set_keep(world, DAYS)
    assert [peer.room.keep for peer in world.peers] == [DAYS * 86_400] * 3
    old = say(bob, "canary")
    world.run(seconds=1)
    bob.do(lambda: bob.room.edit(old, "canary again"))
    alice.do(lambda: alice.room.react(old, "👍"))
    alice.do(lambda: alice.room.pin(old))
    carol.do(lambda: carol.room.send("answer", reply_to=old))
    world.run(seconds=2)
    live(world, days=60)
    new = say(bob, "stays")
    world.run(seconds=2)
    assert len(shown(carol)) == 3
    before = len(world.relay.stored_bytes())
    live(world, days=31)
    for peer in world.peers:
        assert shown(peer) == ["stays"]
        assert peer.room.count() == 1
        assert peer.room.pins() == []
        assert "canary" not in words_of(peer)
        assert [hit.message.text for hit in peer.room.search("canary")] == []
        with pytest.raises(NotFoundError):
            peer.room.message(old)
    assert {entry for entry in journal(bob, world) if "canary" in entry} == set()
    assert agree(world)
    assert [peer.room.unread() for peer in world.peers] == [1, 0, 1]
    assert len(world.relay.stored_bytes()) != before
    assert new in {message.id for message in carol.room.messages()}


def test_it_counts_for_what_was_written_before(world: World) -> None:
    _, bob, _ = world.peers
    say(bob, "before")
    live(world, days=5)
    say(bob, "after")
    world.run(seconds=1)
    set_keep(world, 3)
    world.run(seconds=30)
    assert [shown(peer) for peer in world.peers] == [["after"]] * 3
    assert [rows(peer, "message") for peer in world.peers] == [1] * 3
    assert agree(world)


def test_what_comes_late_is_neither_shown_nor_new(world: World) -> None:
    alice, bob, carol = world.peers
    set_keep(world, 10)
    say(bob, "known")
    world.run(seconds=2)
    bob.go_offline()
    carol.go_offline()
    world.run(seconds=1)
    live(world, days=5)
    say(alice, "young")
    world.run(seconds=1)
    # Bob's clock stands: it is sent as something that is not old, and is it for the others.
    bob.clock.skew_ms = -5 * DAY_MS
    say(bob, "canary")
    live(world, days=6)
    cursor = carol.peer.cursor
    bob.clock.skew_ms = -11 * DAY_MS
    bob.go_online()
    carol.go_online()
    world.run(seconds=10)
    assert shown(carol) == ["young"]
    assert carol.room.unread() == 1
    told = [event for event in carol.peer.happened(cursor)]
    assert [e.message.text for e in told if isinstance(e, MessageAdded)] == ["young"]
    bob.clock.skew_ms = 0
    live(world, days=1)
    assert [shown(peer) for peer in world.peers] == [["young"]] * 3
    assert agree(world)


def test_what_is_too_old_before_it_was_sent_never_leaves(world: World) -> None:
    alice, bob, carol = world.peers
    set_keep(world, 10)
    told = say(alice, "young once")
    world.run(seconds=1)
    bob.go_offline()
    say(bob, "canary")
    bob.do(lambda: bob.room.react(told, "👍"))
    bob.do(lambda: bob.room.set_title("named offline"))
    live(world, days=9)
    say(bob, "in time")
    live(world, days=2)
    assert shown(bob) == ["in time"]
    assert bob.room.unread() == 0
    bob.do(bob.peer._fade)  # as a driver does, or the next start
    assert {item.what for item in bob.room.outbox()} == {"messages", "room"}
    bob.go_online()
    world.run(seconds=10)
    assert bob.room.outbox() == []
    assert [shown(peer) for peer in world.peers] == [["in time"]] * 3
    assert [peer.room.title for peer in world.peers] == ["named offline"] * 3
    assert "canary" not in words_of(carol)
    assert agree(world)


def test_nothing_of_it_is_shown_while_nobody_could_sweep(world: World) -> None:
    alice, bob, carol = world.peers
    set_keep(world, 10)
    old = say(bob, "canary")
    alice.do(lambda: alice.room.send("beside", thread=old))
    world.run(seconds=1)
    alice.do(lambda: alice.room.pin(old))
    world.run(seconds=1)
    assert carol.room.first_unread() is not None
    assert len(carol.room.search("canary")) == len(carol.room.pins()) == 1
    carol.disk.is_full = True
    carol.go_offline()
    world.sleep(days=11)
    room = carol.room
    found = (room.messages(), room.pins(), room.threads(), room.search("canary"), room.search("ca"))
    assert found == ([], [], [], [], [])
    assert (room.first_unread(), room.unread(), room.unread_counts().in_threads) == (None, 0, 0)
    with pytest.raises(NotFoundError):
        room.message(old)
    carol.disk.is_full = False
    carol.go_online()
    world.run(seconds=30)
    assert rows(carol, "message where gone = 0") == 0
    assert carol.peer.check() == []


def test_who_was_away_for_longer_converges(world: World) -> None:
    alice, bob, carol = world.peers
    set_keep(world, 10)
    for number in range(6):
        say(bob, f"old {number}")
    world.run(seconds=2)
    carol.go_offline()
    for number in range(4):
        live(world, days=5.1)
        say(alice, f"alice {number}")
        say(bob, f"bob {number}")
        world.run(seconds=5)
    carol.go_online()
    world.run(seconds=20)
    expected = ["alice 2", "alice 3", "bob 2", "bob 3"]
    assert [sorted(shown(peer)) for peer in world.peers] == [expected] * 3
    newcomer = world.add_peer()
    world.run(seconds=10)
    assert sorted(shown(newcomer)) == expected
    assert agree(world)


def test_what_is_over_stays_over_where_all_is_kept_again(world: World) -> None:
    _, bob, carol = world.peers
    set_keep(world, 10)
    say(bob, "canary")
    world.run(seconds=2)
    bob.go_offline()  # so that it stands in his journal, and at the relay
    world.run(seconds=1)
    live(world, days=11)
    assert shown(carol) == []
    set_keep(world, 0)
    world.run(seconds=5)
    say(carol, "after")
    world.run(seconds=5)
    assert [peer.room.keep for peer in world.peers[::2]] == [0, 0]
    assert shown(carol) == ["after"]
    carol.do(carol.peer.rebuild)
    assert shown(carol) == ["after"]
    newcomer = world.add_peer()
    world.run(seconds=5)
    assert shown(newcomer) == ["after"]
    bob.go_online()
    live(world, days=30)
    assert [shown(peer) for peer in world.peers] == [["after"]] * 4
    assert rows(carol, "message") == 1
    assert agree(world)


def test_digests_stay_equal_among_peers_whose_clocks_differ(world: World) -> None:
    alice, bob, carol = world.peers
    set_keep(world, 2)
    told = say(alice, "two days old")
    world.run(seconds=2)
    live(world, days=1)
    bob.clock.skew_ms = 2 * DAY_MS
    alice.do(lambda: alice.room.edit(told, "changed"))
    carol.do(lambda: carol.room.react(told, "👍"))
    world.run(seconds=30)
    assert shown(bob) == []
    assert shown(alice) == shown(carol) == ["changed"]
    assert len({peer.room.digest() for peer in world.peers}) == 1
    bob.clock.skew_ms = 0
    world.run(seconds=5)
    assert [shown(peer) for peer in world.peers] == [["changed"]] * 3
    assert bob.room.message(told).reactions
    assert agree(world)


def test_message_that_was_deleted_stays_so_while_its_entry_is_somewhere(world: World) -> None:
    _, bob, carol = world.peers
    set_keep(world, 10)
    gone = say(bob, "canary")
    world.run(seconds=2)
    bob.do(lambda: bob.room.delete(gone))
    world.run(seconds=2)
    assert [message.deleted for message in carol.room.messages()] == [True]
    live(world, days=11)
    assert carol.room.messages() == []
    assert [rows(peer, "message") for peer in world.peers] == [0] * 3
    assert rows(carol, "removed_message") == 0
    assert agree(world)


def test_others_word_about_what_is_gone_changes_nothing(world: World) -> None:
    alice, bob, carol = world.peers
    set_keep(world, 10)
    told = say(bob, "canary")
    world.run(seconds=2)
    carol.go_offline()
    carol.do(lambda: carol.room.react(told, "👍"))
    carol.clock.skew_ms = -20 * DAY_MS
    live(world, days=11)
    before = alice.room.digest()
    carol.go_online()
    world.run(seconds=20)
    assert alice.room.digest() == before
    carol.clock.skew_ms = 0
    live(world, days=1)
    assert [rows(peer, "mark where root = 4") for peer in world.peers] == [0] * 3
    assert agree(world)


def test_who_follows_the_events_hears_once_that_it_is_gone(world: World) -> None:
    _, bob, carol = world.peers
    set_keep(world, 10)
    gone = say(bob, "canary")
    world.run(seconds=2)
    cursor = carol.peer.cursor
    bob.go_offline()
    live(world, days=11)
    told = [e for e in carol.peer.happened(cursor) if isinstance(e, MessageGone)]
    assert [event.message_id for event in told] == [gone]
    cursor = told[0].cursor
    bob.go_online()
    world.run(seconds=20)
    assert rows(carol, "message") == 0
    assert not [e for e in carol.peer.happened(cursor) if isinstance(e, MessageGone)]


def test_large_rooms_go_in_steps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "SWEEP_MAX", 3)
    _, bob, _ = world.peers
    for number in range(10):
        say(bob, f"old {number}")
    world.run(seconds=2)
    set_keep(world, 10)
    live(world, days=11)
    world.run(seconds=60)
    assert [rows(peer, "message") for peer in world.peers] == [0] * 3
    assert agree(world)


def test_volume_is_written_anew_when_a_third_of_it_is_over(world: World) -> None:
    _, bob, carol = world.peers
    set_keep(world, 30)
    world.run(seconds=1)
    for number in range(8):
        say(bob, f"{number}")
        world.run(seconds=1)
        live(world, days=5)
    made = rows(carol, "snapshot")
    assert rows(carol, "message") <= 9
    for number in range(30):
        live(world, days=5)
        say(bob, f"more {number}")
        world.run(seconds=1)
    assert made <= 1
    assert rows(carol, "message") <= 10
    assert rows(carol, "envelope") <= 20
    assert len(shown(carol)) == 7  # what is thirty days old goes with the next full hour
    assert agree(world)


@pytest.mark.parametrize("wrong", [1, 86_399, True, 1.5, "90d", KEEP_MS_MAX // 1_000 + 1, -86_400])
def test_time_that_is_none_is_refused(world: World, wrong: object) -> None:
    with pytest.raises(ValidationError, match="kept"):
        world.peers[0].room.set_keep(wrong)  # type: ignore[arg-type]


def test_only_admins_say_how_long_and_others_word_does_not_count(world: World) -> None:
    alice, bob, carol = world.peers
    with pytest.raises(NotAllowedError, match="only admins"):
        bob.room.set_keep(timedelta(days=2))
    bob.peer._db.execute("insert into admin select 1, ?", (bob.peer.id,))  # a modified program
    bob.do(lambda: bob.room.set_keep(timedelta(days=2)))
    say(carol, "stays")
    world.run(seconds=2)
    assert [alice.room.keep, carol.room.keep] == [0, 0]
    live(world, days=3)
    assert shown(carol) == ["stays"]

"""Messages that disappear: on time, everywhere, also for who was away, and with all of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from syncchat import MessageGone, RoomChanged
from syncchat.core.values import EXPIRES_MS_MAX
from syncchat.errors import NotAllowedError, NotFoundError, ValidationError
from syncchat.exchange import sealing
from syncchat.room import Room
from syncchat.testing import SimPeer, World
from tests.support.devices import Device
from tests.support.linking import linked
from tests.support.peers import Inbox, make_peer
from tests.support.ports import START_MS, FakeClock

from .test_edits import journal, traces


@pytest.fixture
def world() -> Iterator[World]:
    with World(seed=5, peers=3) as made:
        made.run(seconds=1)
        yield made


def set_timer(world: World, seconds: int) -> None:
    owner = world.peers[0]
    owner.do(lambda: owner.room.set_timer(seconds))
    world.run(seconds=1)


def say(peer: SimPeer, text: str) -> str:
    return peer.do(lambda: peer.room.send(text)).id


def shown(peer: SimPeer) -> list[str]:
    return [message.text for message in peer.room.messages()]


def words_of(peer: SimPeer) -> str:
    """Return every text in a peer's database that is not sealed."""
    rows = peer.peer._db.rows(
        "select value || ifnull(edited, '') || ifnull(reactions, '') from message "
        "union select value from mark union select raw from op union select value from field"
    )
    return " ".join(value for (value,) in rows if value)


def test_message_disappears_everywhere_when_its_time_is_over(world: World) -> None:
    alice, bob, _ = world.peers
    say(alice, "stays")
    set_timer(world, 30)
    gone = say(bob, "canary")
    world.run(seconds=5)
    assert [shown(peer) for peer in world.peers] == [["stays", "canary"]] * 3
    message = alice.room.message(gone)
    assert message.expires_at == message.sent_at + 30_000
    bob.do(lambda: bob.room.edit(gone, "canary again"))
    alice.do(lambda: alice.room.react(gone, "👍"))
    alice.do(lambda: alice.room.pin(gone))
    world.run(seconds=2)
    assert [peer.room.unread() for peer in world.peers] == [1, 1, 2]
    world.run(seconds=40)
    for peer in world.peers:
        assert shown(peer) == ["stays"]
        assert "canary" not in words_of(peer)
        assert peer.room.count() == 1
        assert peer.room.pins() == []
        with pytest.raises(NotFoundError):
            peer.room.message(gone)
        assert peer.peer.check() == []
    assert [peer.room.unread() for peer in world.peers] == [0, 1, 1]
    assert len({peer.room.digest() for peer in world.peers}) == 1


def test_timer_counts_for_what_is_written_after_it_was_set(world: World) -> None:
    alice, bob, _ = world.peers
    say(bob, "before")
    set_timer(world, 20)
    assert [peer.room.timer for peer in world.peers] == [20] * 3
    say(bob, "timed")
    world.run(seconds=1)
    set_timer(world, 0)
    say(bob, "after")
    world.run(seconds=40)
    assert [shown(peer) for peer in world.peers] == [["before", "after"]] * 3
    alice.do(lambda: alice.room.set_timer(timedelta(hours=1)))
    assert alice.room.timer == 3_600
    alice.do(lambda: alice.room.set_timer(None))
    assert alice.room.timer == 0


def test_who_was_offline_shows_nothing_of_it_afterwards(world: World) -> None:
    _, bob, carol = world.peers
    set_timer(world, 20)
    say(bob, "canary one")
    world.run(seconds=2)
    carol.go_offline()
    say(bob, "canary two")
    world.run(seconds=60)
    assert shown(carol) == []  # also while nobody tells, by the own clock
    carol.do(lambda: carol.room.send("next"))
    assert "canary" not in words_of(carol)
    carol.go_online()
    world.run(seconds=5)
    assert [shown(peer) for peer in world.peers] == [["next"]] * 3
    assert "canary" not in words_of(carol)
    assert carol.room.unread() == 0


def test_what_is_over_before_it_was_sent_never_leaves(world: World) -> None:
    _, bob, carol = world.peers
    set_timer(world, 20)
    bob.go_offline()
    say(bob, "canary")
    world.run(seconds=60)
    bob.go_online()
    world.run(seconds=5)
    assert shown(bob) == shown(carol) == []
    sealed = carol.peer._db.rows("select count(*) from message where expires_ms is not null")
    assert sealed == [(0,)]


def test_author_erases_it_from_the_own_journal_for_everyone(world: World) -> None:
    alice, bob, _ = world.peers
    set_timer(world, 20)
    gone = say(bob, "canary")
    world.run(seconds=1)
    bob.do(lambda: bob.room.edit(gone, "canary again"))
    world.run(seconds=1)
    assert len(journal(bob, world)) == 2
    world.run(seconds=60)
    assert journal(bob, world) == set()
    newcomer = world.add_peer()
    world.run(seconds=5)
    assert shown(newcomer) == []
    assert newcomer.room.digest() == alice.room.digest()


def test_digests_stay_equal_among_peers_whose_clocks_differ(world: World) -> None:
    alice, bob, carol = world.peers
    set_timer(world, 600)
    say(alice, "timed")
    world.run(seconds=2)
    bob.clock.skew_ms = 2 * 3_600_000
    bob.do(lambda: bob.room.send("by a clock that is two hours ahead"))
    world.run(seconds=3)
    assert "timed" not in shown(bob)
    assert "timed" in shown(alice) and "timed" in shown(carol)
    bob.do(lambda: bob.room.react(bob.room.messages()[-1].id, "👍"))
    world.run(seconds=3)
    assert len({peer.room.digest() for peer in world.peers}) == 1
    assert [peer.peer.recount() for peer in world.peers] == [[]] * 3


def test_view_folded_anew_shows_none_of_what_has_disappeared(world: World) -> None:
    _, bob, carol = world.peers
    set_timer(world, 20)
    say(bob, "canary")
    bob.go_offline()  # so that nobody erases it for carol
    world.run(seconds=40)
    assert shown(carol) == []
    digest = carol.room.digest()
    carol.clock.skew_ms -= 60_000  # by which it is not over yet
    carol.peer.rebuild()
    assert (shown(carol), carol.room.digest()) == ([], digest)
    assert "canary" not in words_of(carol)


def test_only_admins_set_the_timer_and_others_word_does_not_count(world: World) -> None:
    alice, bob, carol = world.peers
    with pytest.raises(NotAllowedError, match="only admins"):
        bob.room.set_timer(10)
    bob.peer._db.execute("insert into admin select 1, ?", (bob.peer.id,))  # a modified program
    bob.do(lambda: bob.room.set_timer(10))
    assert bob.room.timer == 10
    world.run(seconds=2)
    assert [alice.room.timer, carol.room.timer] == [0, 0]


@pytest.mark.parametrize("wrong", [-1, EXPIRES_MS_MAX // 1_000 + 1, "1h", True, 1.5])
def test_timer_that_is_none_is_refused(world: World, wrong: object) -> None:
    with pytest.raises(ValidationError, match="timer"):
        world.peers[0].room.set_timer(wrong)  # type: ignore[arg-type]


def test_deleting_one_lets_it_disappear_at_once(world: World) -> None:
    alice, bob, _ = world.peers
    set_timer(world, 600)
    gone = say(alice, "canary")
    world.run(seconds=1)
    alice.do(lambda: alice.room.delete(gone))
    world.run(seconds=2)
    for peer in world.peers:
        assert shown(peer) == []
        assert "canary" not in words_of(peer)
    assert len({peer.room.digest() for peer in world.peers}) == 1
    assert bob.peer.check() == []


def test_both_own_devices_let_it_go(world: World) -> None:
    alice = world.peers[0]
    phone = linked(world, alice, "phone")
    room = phone.peer.room(world.room_id)
    set_timer(world, 60)
    gone = say(alice, "canary")
    world.run(seconds=1)
    phone.do(lambda: room.edit(gone, "canary by phone"))
    world.run(seconds=90)
    assert room.messages() == []
    assert "canary" not in words_of(phone) + words_of(alice)
    assert journal(phone, world) == journal(alice, world) == set()
    assert phone.peer.check() == alice.peer.check() == []


def test_message_that_was_over_when_it_came_is_never_shown() -> None:
    clock = FakeClock(START_MS + 100_000)
    inbox = Inbox(clock=clock)
    device = Device(1)
    _, stays = device.message("stays", now_ms=START_MS, expires=200_000)
    _, over = device.message("canary", now_ms=START_MS, expires=50_000)
    before = inbox.peer.cursor
    inbox.deliver(device.write(stays, over))
    assert inbox.texts() == ["stays"]
    assert inbox.room.unread() == 1
    values = inbox.db.rows("select value from message")
    assert not [value for (value,) in values if "canary" in value]
    events = list(inbox.peer.happened(before))
    assert not [event for event in events if isinstance(event, MessageGone)]
    assert inbox.peer.check() == []


def test_who_follows_the_events_hears_that_it_is_gone(world: World) -> None:
    _, bob, carol = world.peers
    set_timer(world, 20)
    gone = say(bob, "canary")
    world.run(seconds=2)
    before = carol.peer.cursor
    bob.go_offline()
    world.run(seconds=40)
    carol.room.messages()
    events = list(carol.peer.happened(before))
    assert [event for event in events if isinstance(event, MessageGone)] == [
        MessageGone(world.room_id, gone)  # type: ignore[arg-type]
    ]
    assert not [event for event in events if isinstance(event, RoomChanged)]
    before = carol.peer.cursor
    bob.go_online()  # and deletes it for everyone
    world.run(seconds=5)
    events = list(carol.peer.happened(before))
    assert not [event for event in events if isinstance(event, MessageGone)]


def test_nothing_is_left_in_the_database_file(tmp_path: Path) -> None:
    path, clock = tmp_path / "alice.db", FakeClock()
    with make_peer(1, clock=clock, path=path) as alice:
        room: Room = alice.create_room("Team")
        room.set_timer(60)
        room.send("canary " * 300)
        assert traces(path) != []
        clock.advance(60_001)
    with make_peer(1, clock=clock, path=path) as alice:
        assert traces(path) == []  # it is enough to open it
        assert alice.room("Team").messages() == []


def test_message_that_goes_takes_a_waiting_edit_with_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The erasure of what was edited once stood before the tombstone that allows it: parked."""
    monkeypatch.setattr(sealing, "SEAL_OPS_MAX", 1)
    alice, bob, _ = world.peers
    set_timer(world, 30)
    message = say(bob, "first")
    world.run(seconds=2)
    bob.do(lambda: bob.room.edit(message, "second"))
    world.run(seconds=2)
    bob.go_offline()
    bob.do(lambda: bob.room.edit(message, "third"))
    world.run(seconds=40)
    bob.go_online()
    world.run(seconds=10)
    assert bob.room.outbox() == []
    assert "second" not in words_of(alice)

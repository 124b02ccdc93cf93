"""A restored backup: the own chain comes back from the relay, and what waits follows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from syncchat.peer import Peer
from syncchat.room import Room
from syncchat.storage import chains
from tests.support.peers import LINK, Net, copy_database, make_peer, sync
from tests.support.ports import FakeClock


class Restorable:
    """Is a peer whose database can be put back to an earlier moment."""

    def __init__(self, folder: Path) -> None:
        self.path, self.backup = folder / "alice.db", folder / "backup.db"
        self.clock = FakeClock()
        self.net = Net()
        self.peer: Peer = make_peer(1, path=self.path, clock=self.clock)
        self.room: Room = self.peer.join(LINK)
        self.other = make_peer(2, clock=self.clock)
        self.heard = self.other.join(LINK)

    def sync(self) -> None:
        sync(self.net, self.peer, self.other)

    def save(self) -> None:
        copy_database(self.path, self.backup)

    def restore(self) -> None:
        self.peer.close()
        copy_database(self.backup, self.path)
        self.peer = make_peer(1, path=self.path, clock=self.clock)
        self.room = self.peer.rooms()[0]


@pytest.fixture
def alice(tmp_path: Path) -> Iterator[Restorable]:
    made = Restorable(tmp_path)
    yield made
    made.peer.close()
    made.other.close()


def texts(room: Room) -> list[str]:
    return [message.text for message in room.messages() if not message.deleted]


def assert_whole(alice: Restorable) -> None:
    for peer, room in ((alice.peer, alice.room), (alice.other, alice.heard)):
        assert peer.check() == []
        assert chains.quarantined(peer._db, room._row) == []
    assert alice.room.outbox() == []
    assert alice.room.digest() == alice.heard.digest()


def test_restored_peer_gets_back_what_it_had_sent_since(alice: Restorable) -> None:
    alice.room.send("kept")
    alice.sync()
    alice.save()
    lost = alice.room.send("sent after the backup")
    alice.room.react(lost.id, "👍")
    alice.sync()
    alice.restore()
    assert texts(alice.room) == ["kept"]
    alice.sync()
    assert texts(alice.room) == ["kept", "sent after the backup"]
    assert [r.emoji for r in alice.room.message(lost.id).reactions] == ["👍"]
    assert_whole(alice)


def test_message_written_after_a_restore_takes_no_place_of_one_sent_before_it(
    alice: Restorable,
) -> None:
    alice.save()
    for number in range(3):
        alice.room.send(f"first life {number}")
    alice.sync()
    alice.restore()
    alice.room.send("second life 0")
    alice.room.send("second life 1", reply_to=alice.room.messages()[0].id)
    alice.sync()
    assert texts(alice.room) == [
        *(f"first life {number}" for number in range(3)),
        *(f"second life {number}" for number in range(2)),
    ]
    answer = alice.heard.messages()[-1]
    assert answer.reply_to == alice.heard.messages()[-2].id
    assert_whole(alice)


def test_new_stamps_after_a_restore_do_not_meet_those_of_later_pending_messages(
    alice: Restorable,
) -> None:
    alice.save()
    alice.room.send("first life")
    alice.sync()
    alice.restore()
    for number in range(6):  # some before the last stamp of the first life, some after it
        alice.room.send(f"second life {number}")
    alice.sync()
    assert texts(alice.heard) == ["first life", *(f"second life {n}" for n in range(6))]
    assert_whole(alice)


def test_reaction_to_a_pending_message_moves_with_it_to_its_new_id(alice: Restorable) -> None:
    alice.save()
    first = alice.room.send("first life")
    alice.sync()
    alice.restore()
    second = alice.room.send("second life")
    assert second.id == first.id, "the clock stood still, so that they meet"
    alice.room.react(second.id, "👍")
    alice.sync()
    shown = {m.text: [r.emoji for r in m.reactions] for m in alice.room.messages()}
    assert shown == {"first life": [], "second life": ["👍"]}
    assert_whole(alice)


def test_pending_deletion_survives_a_restore(alice: Restorable) -> None:
    secret = alice.room.send("secret")
    alice.sync()
    alice.room.delete(secret.id)
    alice.save()
    alice.room.send("sent instead")
    alice.sync()
    alice.restore()
    alice.room.set_title("so that the stamps have to move")
    alice.sync()
    assert alice.heard.message(secret.id).deleted
    assert_whole(alice)


def test_deletion_written_before_the_first_life_ended_survives_new_stamps(
    alice: Restorable,
) -> None:
    secret = alice.room.send("secret")
    alice.sync()
    alice.save()
    for number in range(4):
        alice.room.send(f"first life {number}")
    alice.sync()
    alice.restore()
    alice.room.delete(secret.id)
    alice.sync()
    assert alice.heard.message(secret.id).deleted
    assert "secret" not in texts(alice.heard)
    assert_whole(alice)


@pytest.mark.parametrize("second", ["delete", "edit"])
def test_message_deleted_in_the_first_life_stays_so_whatever_the_second_wanted(
    alice: Restorable, second: str
) -> None:
    message = alice.room.send("hello")
    alice.sync()
    alice.save()
    alice.room.delete(message.id)
    alice.sync()
    alice.restore()
    alice.clock.advance(1)
    again: dict[str, Callable[[], object]] = {
        "delete": lambda: alice.room.delete(message.id),
        "edit": lambda: alice.room.edit(message.id, "hello again"),
    }
    again[second]()
    alice.sync()
    assert alice.heard.message(message.id).deleted
    assert alice.room.message(message.id).deleted
    assert_whole(alice)


def test_copy_that_writes_beside_the_original_is_told_so_and_keeps_what_it_wrote(
    alice: Restorable,
) -> None:
    alice.room.send("before")
    alice.sync()
    twin_path = alice.path.with_name("twin.db")
    copy_database(alice.path, twin_path)
    with make_peer(1, path=twin_path, clock=alice.clock) as twin:
        room = twin.rooms()[0]
        for _ in range(3):
            lines = [alice.net.connect(peer) for peer in (alice.peer, twin)]
            alice.net.settle()
            if "from the copy" not in texts(room):
                alice.room.send("from the original")
                room.send("from the copy")
                alice.net.settle()
            for line in lines:
                alice.net.cut(line)
        refused = room if room.outbox() else alice.room
        (item,) = refused.outbox()
        assert item.reason
        assert item.text.startswith("from the")
        assert refused.message(item.message_id or "").status == "refused"
        assert len({room.outbox() == [], alice.room.outbox() == []}) == 2, "one of them goes on"

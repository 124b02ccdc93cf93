"""The outbox: what waits, what is parked and why, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from syncchat import Peer, Refusal, Room, Status
from syncchat.core.clock import stamp
from syncchat.core.values import VALUE_BYTES_MAX, Root
from syncchat.errors import NotAllowedError, NotFoundError, ValidationError
from syncchat.ids import Stamp, message_id, stamp_of
from syncchat.storage import chains, outbox
from syncchat.testing.ports import SeededRandom
from tests.support.devices import Device
from tests.support.peers import Inbox, Net, make_peer, sync
from tests.support.ports import START_MS
from tests.support.room import LINK


def messages_of(room: Room) -> list[tuple[str, Refusal | None]]:
    return [(item.text, item.refusal) for item in room.outbox() if item.what == "messages"]


def peer_is_sound(peer: Peer) -> bool:
    """Tell whether nothing is wrong, and a view folded anew shows the same."""
    (room,) = peer.rooms()
    before = room.messages(), room.digest(), room.outbox()
    peer.rebuild()
    return peer.check() == [] and before == (room.messages(), room.digest(), room.outbox())


def make_too_large(room: Room, message: str) -> None:
    """Make a queued message what an earlier version might have let through."""
    room._peer._db.execute(
        "update op set raw = ? where target = ? and root = 1",
        ('{"text":"' + "x" * VALUE_BYTES_MAX + '"}', message),
    )


def make_invalid(room: Room, message: str) -> None:
    room._peer._db.execute(
        "update op set raw = '{\"kind\":7}' where target = ? and root = 1", (message,)
    )


@pytest.mark.parametrize(
    ("spoil", "refusal"),
    [(make_too_large, Refusal.TOO_LARGE), (make_invalid, Refusal.INVALID)],
)
def test_item_that_cannot_go_is_parked_alone_and_what_stands_behind_it_goes(
    spoil: object, refusal: Refusal, tmp_path: Path
) -> None:
    net = Net()
    path = tmp_path / "a.db"
    with make_peer(1, path=path) as alice, make_peer(2) as bob:
        room, other = alice.join(LINK), bob.join(LINK)
        sync(net, alice, bob)
        room.send("before")
        bad = room.send("bad")
        room.send("behind")
        assert callable(spoil)
        spoil(room, bad.id)
        cursor = alice.cursor
        sync(net, alice, bob)
        assert [m.text for m in other.messages()] == ["before", "behind"]
        assert messages_of(room) == [("bad", refusal)]
        assert room.outbox()[0].reason
        assert room.message(bad.id).status is Status.REFUSED
        told = [e for e in alice.happened(cursor) if getattr(e, "message", None)]
        assert any(e.message.id == bad.id for e in told)  # type: ignore[union-attr]
    with make_peer(1, path=path) as alice, make_peer(2) as bob:
        room = alice.rooms()[0]
        assert messages_of(room) == [("bad", refusal)], "the reason is still known after a restart"
        assert room.message(bad.id).status is Status.REFUSED
        room.react(bad.id, "👍")
        sync(net, alice)
        assert len(room.outbox()) == 2, "what is about it waits with it"
        edited = room.edit(bad.id, "good")
        assert edited.id > bad.id, "it stands behind what was sent meanwhile"
        assert messages_of(room) == [("good", None)]
        assert [m.text for m in room.messages()] == ["before", "behind", "good"]
        sync(net, alice)
        assert room.outbox() == [] and room.message(edited.id).status is Status.SENT
        assert [r.emoji for r in room.message(edited.id).reactions] == ["👍"]
        assert peer_is_sound(alice)


def test_entry_that_only_the_strict_reader_refuses_is_found_among_many_and_parked_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from syncchat.exchange import sealing

    net = Net()
    with make_peer(1) as alice, make_peer(2) as bob:
        room, other = alice.join(LINK), bob.join(LINK)
        sync(net, alice, bob)
        sent = [room.send(f"message {number}") for number in range(5)]
        make_too_large(room, sent[2].id)
        monkeypatch.setattr(sealing, "foreseen", lambda db, room, op: None)
        sync(net, alice, bob)
        assert [m.text for m in other.messages()] == [
            "message 0",
            "message 1",
            "message 3",
            "message 4",
        ]
        assert [item.refusal for item in room.outbox()] == [Refusal.INVALID]


def test_edit_of_a_message_that_was_deleted_meanwhile_is_parked() -> None:
    net = Net()
    with make_peer(1) as alice:
        room = alice.join(LINK)
        message = room.send("soon gone")
        sync(net, alice)
        room.edit(message.id, "words worth keeping")
        # Another device of the same person deletes it, which cannot be had in this small room.
        alice._db.execute("update message set deleted = 1 where message = ?", (message.id,))
        sync(net, alice)
        (item,) = room.outbox()
        assert (item.what, item.refusal) == ("edits", Refusal.TARGET_GONE)
        room.discard(item)
        assert room.outbox() == []


def test_retry_lets_a_parked_item_go_once_what_was_wrong_is_right() -> None:
    net = Net()
    with make_peer(1) as alice:
        room = alice.join(LINK)
        sync(net, alice)
        bad, other = room.send("bad"), room.send("bad too")
        for message in (bad, other):
            make_too_large(room, message.id)
        sync(net, alice)
        one, two = room.outbox()
        assert one.refusal is two.refusal is Refusal.TOO_LARGE
        alice._db.execute('update op set raw = \'{"text":"fine"}\' where root = 1')
        room.retry(one)
        assert [item.refusal for item in room.outbox()] == [None, Refusal.TOO_LARGE]
        assert room.message(bad.id).status is Status.QUEUED
        sync(net, alice)
        assert [item.id for item in room.outbox()] == [two.id]
        room.send("sent meanwhile")
        sync(net, alice)
        room.retry()
        sync(net, alice)
        assert room.outbox() == []
        assert [m.text for m in room.messages()] == ["fine", "sent meanwhile", "fine"]
        assert peer_is_sound(alice)


def test_discarded_message_was_never_written() -> None:
    net = Net()
    with make_peer(1) as alice, make_peer(2) as bob:
        room, other = alice.join(LINK), bob.join(LINK)
        sync(net, alice, bob)
        message = room.send("said too soon")
        room.react(message.id, "👍")
        (item,) = [i for i in room.outbox() if i.what == "messages"]
        assert (item.message_id, item.text) == (message.id, "said too soon")
        room.discard(item.id)
        assert room.outbox() == [] and room.messages() == []
        sync(net, alice, bob)
        assert other.messages() == [] and room.digest() == other.digest()
        with pytest.raises(NotFoundError, match="no item"):
            room.discard(item)


def test_discarded_edit_and_reaction_show_what_was_before() -> None:
    net = Net()
    with make_peer(1) as alice, make_peer(2) as bob:
        room, other = alice.join(LINK), bob.join(LINK)
        message = room.send("as sent")
        sync(net, alice, bob)
        room.edit(message.id, "as edited")
        room.react(message.id, "👍")
        for item in room.outbox():
            room.discard(item)
        shown = room.message(message.id)
        assert (shown.text, shown.edited_at, shown.reactions) == ("as sent", None, ())
        assert room.digest() == other.digest()


def test_what_is_sealed_or_final_cannot_be_discarded() -> None:
    inbox = Inbox()
    message = inbox.room.send("sealed")
    own = chains.add_chain(inbox.db, inbox.row, inbox.peer.device, inbox.peer._keys.public)
    inbox.db.execute("update chain set seq = 1 where id = ?", (own.id,))
    inbox.db.execute("delete from op")
    inbox.db.execute(
        "update message set chain = ?, volume = 0, clock = 0, seq = 1 where message = ?",
        (own.id, message.id),
    )
    inbox.db.execute(
        "insert into envelope (chain, seq, volume, link, held, raw) values (?, 1, 0, x'', 0, x'')",
        (own.id,),
    )
    (item,) = inbox.room.outbox()
    assert item.id == message.id
    with pytest.raises(NotAllowedError, match="sealed"):
        inbox.room.discard(item)
    inbox.room.delete(message.id)
    deletion = next(item for item in inbox.room.outbox() if item.what == "deletes")
    with pytest.raises(NotAllowedError, match="only messages"):
        inbox.room.discard(deletion)
    with pytest.raises(NotFoundError):
        inbox.room.retry("77777")


def test_outbox_pages_and_counts_beyond_its_limit() -> None:
    inbox = Inbox()
    for number in range(25):
        inbox.room.send(str(number))
    every = inbox.room.outbox()
    assert inbox.room.outbox_count() == len(every) == 26  # the own name goes, too
    paged = inbox.room.outbox(limit=10)
    while page := inbox.room.outbox(after=paged[-1].id, limit=10):
        paged += page
    assert paged == every
    for limit in (0, 1_001):
        with pytest.raises(ValidationError, match="limit"):
            inbox.room.outbox(limit=limit)


def test_restamped_ops_stay_parked() -> None:
    inbox = Inbox()
    message = inbox.room.send("bad", once="key")
    op = outbox.find(inbox.db, inbox.row, Root.MESSAGES, stamp_of(message.id))
    assert op is not None
    outbox.park(inbox.db, inbox.row, op, Refusal.TOO_LARGE, "too large")
    late = Stamp("Z" * 13)
    outbox.restamp(inbox.db, inbox.row, device=inbox.peer.device, after=op.at, now_ms=0)
    assert late > op.at
    (item,) = [i for i in inbox.room.outbox() if i.what == "messages"]
    assert item.refusal is Refusal.TOO_LARGE and item.message_id != message.id
    (kept,) = inbox.db.execute("select message from sent_once").fetchone()
    assert kept == item.message_id


def test_reason_of_a_room_that_one_may_not_write_in_is_typed() -> None:
    inbox = Inbox()
    inbox.room.send("written as a member")
    inbox.db.execute("update room set standing = 'removed'")
    assert {item.refusal for item in inbox.room.outbox()} == {Refusal.NO_MEMBER}


def test_message_sent_again_with_its_key_is_the_first_one() -> None:
    inbox, device = Inbox(), Device(1)
    inbox.deliver(device.send("theirs"))
    first = inbox.room.send("answer", once="to theirs")
    again = inbox.room.send("answer, a second time", once="to theirs")
    assert again == first and inbox.texts() == ["theirs", "answer"]
    assert inbox.room.send("another", once="to another").id != first.id
    inbox.room.discard(next(i for i in inbox.room.outbox() if i.message_id == first.id))
    assert inbox.room.send("answer", once="to theirs").id != first.id  # it had never been sent
    with pytest.raises(ValidationError, match="once"):
        inbox.room.send("x", once="")


def test_only_the_last_keys_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    from syncchat.storage import sending

    monkeypatch.setattr(sending, "SENT_ONCE_MAX", 3)
    inbox = Inbox()
    for number in range(5):
        inbox.room.send(str(number), once=str(number))
    kept = inbox.db.rows("select once from sent_once order by id")
    assert kept == [("2",), ("3",), ("4",)]


def test_answer_to_a_parked_message_follows_its_new_id_and_stays_its_own_item() -> None:
    net = Net()
    with make_peer(1) as alice, make_peer(2) as bob:
        room, other = alice.join(LINK), bob.join(LINK)
        sync(net, alice, bob)
        bad = room.send("bad")
        room.send("behind")
        make_too_large(room, bad.id)
        sync(net, alice, bob)
        answer = room.send("answer", reply_to=bad.id)
        good = room.edit(bad.id, "good")
        assert good.id != bad.id
        assert room.message(answer.id).reply_to == good.id
        room.discard(next(item for item in room.outbox() if item.text == "good"))
        assert [item.text for item in room.outbox()] == ["answer"]
        sync(net, alice, bob)
        assert [m.text for m in other.messages()] == ["behind", "answer"]
        assert peer_is_sound(alice)


def steps(peer: Peer, do: Callable[[], object]) -> int:
    """Return how many steps of SQLite's machine something takes, to the next ten."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 10
        return 0

    peer._db._conn.set_progress_handler(count, 10)
    try:
        do()
    finally:
        peer._db._conn.set_progress_handler(None, 0)
    return counted


def test_what_one_more_message_costs_does_not_grow_with_those_that_wait() -> None:
    with make_peer(1) as alice:
        room = alice.join(LINK)
        message = room.send("first")

        def costs() -> list[int]:
            return [
                steps(alice, lambda: room.send("one more")),
                steps(alice, lambda: room.edit(message.id, "changed")),
                steps(alice, lambda: room.react(message.id, "👍")),
                steps(alice, lambda: room.delete(room.send("not meant").id)),
                steps(alice, lambda: room.messages(limit=1)),
                steps(alice, lambda: outbox.rooms_with_ops(alice._db)),
                steps(alice, lambda: outbox.pending(alice._db, room._row, limit=10)),
            ]

        costs()
        few = costs()
        for number in range(1_000):
            room.send(str(number))
        for at_few, at_many in zip(few, costs(), strict=True):
            assert at_many < at_few + 500, f"{few} steps, {costs()} with 1,000 messages waiting"


@pytest.mark.parametrize("seed", range(20))
def test_what_can_go_goes_in_the_order_of_its_stamps(seed: int) -> None:
    """Erasures have the keys of what they erase, and what is about a parked message waits."""
    random = SeededRandom(f"pending {seed}")
    with make_peer(1) as alice:
        room = alice.join(LINK)
        db, row, device = alice._db, room._row, alice.device
        outbox_ops: dict[tuple[Root, str], outbox.Op] = {}
        parked: set[str] = set()
        with db.atomic():
            db.execute("delete from op")
            for number in range(60):
                at, old = stamp(START_MS + number), stamp(START_MS - 1 - random.below(50))
                op = [
                    outbox.Op(Root.MESSAGES, at, at, "{}"),
                    outbox.Op(Root.MESSAGES, at, at, "{}"),
                    outbox.Op(Root.MESSAGES, old, at, None),
                    outbox.Op(Root.EDITS, message_id(old, device), at, "{}"),
                    outbox.Op(Root.ROOM, f"field {random.below(5)}", at, "{}"),
                    outbox.Op(Root.REACTIONS, f"{message_id(at, device)}👍", at, "{}"),
                ][random.below(6)]
                outbox.put(db, row, op, device=device)
                outbox_ops[op.root, op.key] = op
                if op.root is Root.MESSAGES and op.raw and random.chance(0.2):
                    outbox.park(db, row, op, Refusal.INVALID, "bad")
                    outbox.put(
                        db,
                        row,
                        about := outbox.Op(Root.EDITS, message_id(at, device), at, "{}"),
                        device=device,
                    )
                    outbox_ops[about.root, about.key] = about
                    parked.add(message_id(at, device))
        free = sorted(
            (
                op
                for op in outbox_ops.values()
                if outbox.target_of(op.root, op.key, device) not in parked
            ),
            key=lambda op: op.at,
        )
        assert free
        for limit in (1, 7, 100):
            assert outbox.pending(db, row, limit=limit) == free[:limit]

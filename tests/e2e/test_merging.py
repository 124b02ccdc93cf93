"""Several peers write apart from each other; what they show at the end is the same."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import syncchat_relay

import syncchat
from syncchat.errors import ValidationError
from syncchat.peer import Peer
from syncchat.ports import SystemRandom
from tests.e2e.support import (
    ShiftedClock,
    all_online,
    assert_same,
    converged,
    running_relay,
    texts,
    until,
)

NAMES = ("Alice", "Bob", "Carol", "Dave")


def opened(stack: ExitStack, folder: Path, *names: str) -> list[Peer]:
    """Return a new peer for each name, open until the stack ends."""
    return [stack.enter_context(syncchat.open(folder / f"{n}.db", name=n)) for n in names]


async def test_peers_that_wrote_changed_and_read_apart_show_the_same_when_they_meet(
    tmp_path: Path,
) -> None:
    async with syncchat_relay.serve(data_dir=tmp_path / "relay") as relay:
        with ExitStack() as stack:
            peers = opened(stack, tmp_path, *NAMES)
            first = peers[0].create_room("Team", relay=relay.url)
            rooms = [first, *(peer.join(first.invite()) for peer in peers[1:])]
            expected = []
            async with all_online(peers):
                begun = [
                    room.send(f"{peer.name} is here")
                    for peer, room in zip(peers, rooms, strict=True)
                ]
                expected += [message.text for message in begun]
                await converged(*rooms, messages=4)
            # Everyone is offline: messages, changes of the own, reactions to and reads of others'.
            for number, (peer, room) in enumerate(zip(peers, rooms, strict=True)):
                other = begun[(number + 1) % 4].id
                expected += [room.send(f"{peer.name} offline {n}").text for n in range(30)]
                room.react(other, "👍")
                room.react(other, "🎉")
                room.unreact(other, "🎉")
                room.mark_read()
                room.send(f"reply by {peer.name}", reply_to=other)
                expected.append(f"reply by {peer.name}")
                never = room.send("taken back before anyone saw it")
                room.react(never.id, "👀")
                room.delete(never.id)
                better = room.send("first try")
                room.edit(better.id, f"second try of {peer.name}")
                expected.append(f"second try of {peer.name}")
            rooms[0].edit(begun[0].id, "edited while others reacted")
            expected[0] = "edited while others reacted"
            rooms[1].delete(begun[1].id)
            expected.remove("Bob is here")
            # They come back one after the other, then all together.
            for peer, room in zip(peers, rooms, strict=True):
                async with peer.online():
                    await room.synced()
            async with all_online(peers):
                await converged(*rooms, messages=len(expected))
            assert_same(peers, expected)
            shown = rooms[2].message(begun[0].id)
            assert (shown.text, [r.emoji for r in shown.reactions]) == (expected[0], ["👍"])
            assert len(shown.read_by) == 3
            assert rooms[0].message(begun[1].id).deleted


async def test_peer_that_joins_late_gets_the_whole_history(tmp_path: Path) -> None:
    async with syncchat_relay.serve(data_dir=tmp_path / "relay") as relay:
        with ExitStack() as stack:
            alice, bob, late = opened(stack, tmp_path, "Alice", "Bob", "Late")
            a = alice.create_room("Team", relay=relay.url)
            b = bob.join(a.invite())
            async with alice.online(), bob.online():
                sent = [room.send(f"{n} of {n % 2}").text for n in range(700) for room in (a, b)]
                await converged(a, b, messages=1_400)
                link = a.invite()
                await a.synced()
            room = late.join(link)
            assert texts(room) == []
            async with late.online():
                await room.synced()
            assert sorted(texts(room)) == sorted(sent)
            async with all_online([alice, bob, late]):
                await converged(a, b, room)  # with the newcomer's name
            assert_same([alice, bob, late], sent)
            assert [m.name for m in room.members()] == ["Alice", "Bob", "Late"]


async def test_twenty_peers_that_write_at_once_all_show_the_same(tmp_path: Path) -> None:
    async with syncchat_relay.serve(data_dir=tmp_path / "relay") as relay:
        with ExitStack() as stack:
            peers = opened(stack, tmp_path, *(f"P{n}" for n in range(20)))
            first = peers[0].create_room("Crowd", relay=relay.url)
            rooms = [first, *(peer.join(first.invite()) for peer in peers[1:])]
            async with all_online(peers):
                sent = []
                for turn in range(15):
                    sent += [
                        r.send(f"{turn} by {p.name}").text
                        for p, r in zip(peers, rooms, strict=True)
                    ]
                    await until(lambda turn=turn: rooms[turn].count() > 20 * turn)  # type: ignore[misc]
                await converged(*rooms, messages=300)
            assert_same(peers, sent)


async def test_many_rooms_on_two_relays_are_kept_apart_and_all_arrive(tmp_path: Path) -> None:
    with (
        running_relay(tmp_path / "one", name="1") as one,
        running_relay(tmp_path / "two", name="2") as two,
        ExitStack() as stack,
    ):
        alice, bob = opened(stack, tmp_path, "Alice", "Bob")
        mine = [alice.create_room(f"R{n}", relay=(one, two)[n % 2].url) for n in range(12)]
        theirs = [bob.join(room.invite()) for room in mine]
        async with alice.online(), bob.online():
            for n, (a, b) in enumerate(zip(mine, theirs, strict=True)):
                a.send(f"for {n} from a")
                b.send(f"for {n} from b")
            for a, b in zip(mine, theirs, strict=True):
                await converged(a, b, messages=2)
            assert set(alice.connections.values()) == {"live"}
            two.kill()
            await until(lambda: alice.connections[two.url].startswith("offline"))
            mine[0].send("the other relay is not in the way")
            mine[1].send("waits")
            await converged(mine[0], theirs[0], messages=3)
            assert alice.connections[one.url] == "live"
            with running_relay(tmp_path / "two", port=two.port, name="2b"):
                await converged(mine[1], theirs[1], messages=3)
        for n, room in enumerate(theirs):
            assert {f"for {n} from a", f"for {n} from b"} <= set(texts(room))
        assert alice.check() == bob.check() == []


async def test_clocks_a_day_apart_give_one_order_and_no_clock_follows_the_wrong_one(
    tmp_path: Path,
) -> None:
    day = 24 * 3600 * 1000
    ahead = ShiftedClock(wall_ms=day)
    async with syncchat_relay.serve(data_dir=tmp_path / "relay") as relay:
        with (
            syncchat.open(tmp_path / "a.db", name="Alice") as alice,
            syncchat.open(tmp_path / "b.db", name="Bob", clock=ahead) as bob,
        ):
            a = alice.create_room("Team", relay=relay.url)
            b = bob.join(a.invite())
            async with alice.online(), bob.online():
                for n in range(10):
                    a.send(f"a{n}")
                    b.send(f"b{n}")
                    await converged(a, b, messages=2 * n + 2)
                # Bob's clock is set right: it steps back by a day, his messages still go on.
                ahead.wall_ms = 0
                for n in range(10, 20):
                    a.send(f"a{n}")
                    b.send(f"b{n}")
                    await converged(a, b, messages=2 * n + 2)
            wanted = [f"a{n}" for n in range(20)] + [f"b{n}" for n in range(20)]
            assert texts(a) == texts(b) == wanted
            assert_same([alice, bob], wanted)
            assert {m.clock_ahead for m in a.messages(limit=20)} == {True}
            assert a.messages(limit=40)[19].sent_at < alice.now_ms() + 1
            b.mark_read()
            assert b.unread() == 0
            a.send("late, and sorted above what is read")
            async with alice.online(), bob.online():
                await converged(a, b)
            assert b.unread() == 1


async def test_message_at_the_size_limit_arrives_and_one_over_it_is_refused(tmp_path: Path) -> None:
    random = SystemRandom()
    async with syncchat_relay.serve(data_dir=tmp_path / "relay") as relay:
        with ExitStack() as stack:
            alice, bob = opened(stack, tmp_path, "Alice", "Bob")
            a = alice.create_room("Team", relay=relay.url)
            b = bob.join(a.invite())
            limit = 64 * 1024 - len('{"text":""}')
            sent = [
                "x" * limit,
                random.bytes(limit // 2).hex(),
                "é" * (limit // 2),
                "\x01" * (limit // 6),
            ]
            async with alice.online(), bob.online():
                for text in sent:
                    a.send(text)
                for text in ("x" * (limit + 1), "é" * limit, "x" * 10_000_000):
                    try:
                        a.send(text)
                    except ValidationError as exc:
                        assert "the most is 65536" in str(exc)
                    else:
                        raise AssertionError("a message over the limit was taken")
                await converged(a, b, messages=len(sent))
            assert_same([alice, bob], sent)

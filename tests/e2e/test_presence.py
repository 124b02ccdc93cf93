"""Presence and typing over a real relay: live, sealed, and stored by nobody."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import pytest
import pytest_asyncio
import syncchat_relay

import syncchat
from syncchat import Peer, PresenceChanged, Room, TypingChanged
from syncchat.sync.nearby import HERE_MS
from syncchat.sync.session import Session

from .programs import json_lines, relay_in, running
from .programs import syncchat as command
from .support import ShiftedClock, until

pytestmark = pytest.mark.timeout(120)


@pytest_asyncio.fixture
async def relay(tmp_path: Path) -> AsyncIterator[str]:
    async with syncchat_relay.serve(data_dir=tmp_path / "relay", port=0) as relay:
        yield relay.url


async def _pair(folder: Path, relay: str, stack: AsyncExitStack) -> tuple[Peer, Peer]:
    """Return Alice and Bob, who are in the room Team; nobody is online."""
    alice = stack.enter_context(syncchat.open(folder / "alice.db", name="Alice"))
    bob = stack.enter_context(syncchat.open(folder / "bob.db", name="Bob"))
    link = alice.create_room("Team", relay=relay).invite()
    bob.join(link)
    async with alice.online(visible=False), bob.online(visible=False):
        for peer in (alice, bob, alice):
            async with asyncio.timeout(20):
                await peer.room("Team").synced()
    return alice, bob


def _here(room: Room) -> dict[str, str]:
    return {p.name: p.status for p in room.presence() if p.is_here}


async def test_who_comes_and_goes_is_seen(tmp_path: Path, relay: str) -> None:
    async with AsyncExitStack() as stack:
        alice, bob = await _pair(tmp_path, relay, stack)
        ours, theirs = alice.room("Team"), bob.room("Team")
        bob.set_status("on the train")
        async with alice.online():
            await until(lambda: alice.connections == {relay: "live"})
            assert _here(ours) == {}
            async with bob.online():
                await until(lambda: _here(ours) == {"Bob": "on the train"})
                await until(lambda: _here(theirs) == {"Alice": ""}, what="the answer")
                bob.set_status("there")
                await until(lambda: _here(ours) == {"Bob": "there"})
            await until(lambda: _here(ours) == {}, what="the goodbye")
            (seen,) = [p for p in ours.presence() if p.name == "Bob"]
            assert seen.last_seen is not None and abs(seen.last_seen - alice.now_ms()) < 60_000


async def test_who_joins_while_others_are_online_is_seen_and_sees_them(
    tmp_path: Path, relay: str
) -> None:
    """Nobody has come back since, and nobody has written anything."""
    async with AsyncExitStack() as stack:
        alice = stack.enter_context(syncchat.open(tmp_path / "alice.db", name="Alice"))
        bob = stack.enter_context(syncchat.open(tmp_path / "bob.db", name="Bob"))
        ours = alice.create_room("Team", relay=relay)
        async with alice.online():
            await until(lambda: alice.connections == {relay: "live"})
            theirs = bob.join(ours.invite())
            async with bob.online():
                await until(lambda: _here(ours) == {"Bob": ""}, what="Alice sees Bob")
                await until(lambda: _here(theirs) == {"Alice": ""}, what="Bob sees Alice")


async def test_invisible_person_is_not_seen_and_does_not_type(tmp_path: Path, relay: str) -> None:
    async with AsyncExitStack() as stack:
        alice, bob = await _pair(tmp_path, relay, stack)
        ours = alice.room("Team")
        bob.set_invisible(True)
        async with alice.online(), bob.online():
            await until(lambda: "live" in bob.connections.values())
            bob.room("Team").typing()
            bob.room("Team").send("I am not here")
            await until(lambda: ours.count() == 1)
            assert _here(ours) == {} and ours.typists() == []
            bob.set_invisible(False)
            await until(lambda: _here(ours) == {"Bob": ""})
            bob.set_invisible(True)
            await until(lambda: _here(ours) == {})


async def test_typing_is_told_and_ends_with_the_message(tmp_path: Path, relay: str) -> None:
    async with AsyncExitStack() as stack:
        alice, bob = await _pair(tmp_path, relay, stack)
        ours, theirs = alice.room("Team"), bob.room("Team")
        thread = ours.send("about this").id
        events = await stack.enter_async_context(aclosing(alice.events()))
        told: list[object] = []

        async def listen() -> None:
            async for event in events:
                if isinstance(event, TypingChanged | PresenceChanged):
                    told.append(event)

        async with asyncio.TaskGroup() as tasks, alice.online(), bob.online():
            listening = tasks.create_task(listen())
            await until(lambda: _here(ours) == {"Bob": ""} and theirs.count() == 1)
            theirs.typing()
            theirs.typing(thread=thread)
            await until(lambda: ours.typists() == ours.typists(thread) == [bob.id])
            assert theirs.typists() == []
            theirs.send("done")
            await until(lambda: ours.typists() == [])
            assert ours.typists(thread) == [bob.id]
            theirs.typing(is_typing=False, thread=thread)
            await until(lambda: ours.typists(thread) == [])
            await until(lambda: len(told) == 5)
            listening.cancel()
        room = ours.id
        assert told == [
            PresenceChanged(room, bob.id),
            TypingChanged(room, bob.id, None, True),
            TypingChanged(room, bob.id, thread, True),
            TypingChanged(room, bob.id, None, False),
            TypingChanged(room, bob.id, thread, False),
        ]


async def test_peer_in_the_background_types_and_is_seen(tmp_path: Path, relay: str) -> None:
    async with AsyncExitStack() as stack:
        alice, bob = await _pair(tmp_path, relay, stack)
        ours, theirs = alice.room("Team"), bob.room("Team")
        async with alice.online():
            with bob.background():
                await until(lambda: _here(ours) == {"Bob": ""})
                theirs.typing()
                await until(lambda: ours.typists() == [bob.id])
                await until(lambda: _here(theirs) == {"Alice": ""})


async def test_nothing_of_it_is_stored_anywhere(
    tmp_path: Path, relay: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[bytes] = []
    signal = Session.signal

    def saying(session: Session, room: bytes, raw: bytes) -> None:
        said.append(raw)
        signal(session, room, raw)

    def holding(words: bytes) -> set[str]:
        found = (p for p in tmp_path.rglob("*") if p.is_file() and words in p.read_bytes())
        return {path.relative_to(tmp_path).parts[0].partition(".")[0] for path in found}

    monkeypatch.setattr(Session, "signal", saying)
    async with AsyncExitStack() as stack:
        alice, bob = await _pair(tmp_path, relay, stack)
        ours, theirs = alice.room("Team"), bob.room("Team")
        bob.set_status("a canary of a status")
        before = {row: alice._db.rows(f"select count(*) from {row}") for row in ("envelope", "op")}
        async with alice.online(), bob.online():
            await until(lambda: _here(ours) == {"Bob": "a canary of a status"})
            theirs.typing()
            await until(lambda: ours.typists() == [bob.id])
        after = {row: alice._db.rows(f"select count(*) from {row}") for row in ("envelope", "op")}
        assert after == before
        assert len(said) > 3
        assert [holding(raw[-32:]) for raw in said] == [set()] * len(said)
        assert holding(b"a canary of a status") == {"bob"}, "who set it, and nobody else"
        async with alice.online(), bob.online():  # and what is stored would be found
            sent = theirs.send("kept")
            await until(lambda: any(m.id == sent.id for m in ours.messages()))
        ((raw,),) = bob._db.rows("select raw from envelope order by id desc limit 1")
        assert holding(raw[-32:]) == {"alice", "bob", "relay"}


async def test_who_is_killed_is_here_until_they_have_been_silent_for_long(
    tmp_path: Path, relay: str
) -> None:
    clock = ShiftedClock()
    async with AsyncExitStack() as stack:
        for peer in await _pair(tmp_path, relay, stack):
            peer.close()
        alice = stack.enter_context(syncchat.open(tmp_path / "alice.db", clock=clock))
        ours = alice.room("Team")
        async with alice.online():
            with running("chat", "Team", "--db", tmp_path / "bob.db") as chat:
                await until(lambda: _here(ours) == {"Bob": ""}, what="Bob")
                chat.signal(signal.SIGKILL)
                await asyncio.to_thread(chat.stop)
            for _ in range(HERE_MS // 5_000 - 2):
                assert _here(ours) == {"Bob": ""}, f"said no goodbye, {clock.seconds} s ago"
                clock.pass_time(5)
                await asyncio.sleep(0.02)
            clock.pass_time(10)
            assert _here(ours) == {}
            assert alice.connections == {relay: "live"}


async def test_removed_member_is_heard_no_more(tmp_path: Path, relay: str) -> None:
    async with AsyncExitStack() as stack:
        alice, bob = await _pair(tmp_path, relay, stack)
        ours = alice.room("Team")
        async with alice.online(), bob.online():
            await until(lambda: _here(ours) == {"Bob": ""})
            ours.remove(bob.id)
            await until(lambda: not ours.pending_changes())
            bob.room("Team").typing()
            await asyncio.sleep(0.5)
            assert ours.typists() == [] and "Bob" not in _here(ours)


async def test_bad_arguments_say_what_is_wrong(tmp_path: Path, relay: str) -> None:
    async with AsyncExitStack() as stack:
        alice, _ = await _pair(tmp_path, relay, stack)
        room = alice.room("Team")
        with pytest.raises(syncchat.SyncchatError, match="not a message id"):
            room.typing(thread="x")
        for bad in ("a\nb", "x" * 101, "\x1b[31m"):
            with pytest.raises(syncchat.SyncchatError, match="a status has"):
                alice.set_status(bad)
        room.typing()  # offline: nothing happens
        assert [p.is_here for p in room.presence()] == [False, False]


def test_commands_tell_who_is_here(tmp_path: Path) -> None:
    alice, bob = tmp_path / "alice.db", tmp_path / "bob.db"
    with relay_in(tmp_path / "relay") as relay:
        for db in (alice, bob):
            command("init", "--name", db.stem.title(), "--skip-recovery", "--db", db)
        link = command("create", "Team", "--relay", relay.url, "--db", alice)
        command("join", "-", "--db", bob, stdin=link)
        for db in (alice, bob, alice):
            command("sync", "--db", db)
        command("status", "in a meeting", "--db", bob)
        assert command("status", "--db", bob) == "visible  in a meeting\n"
        with running("chat", "Team", "--db", bob) as chat:
            chat.wait_for("connected to")
            found = json_lines(command("who", "Team", "--seconds", "4", "--json", "--db", alice))
            assert {row["name"]: (row["here"], row["status"]) for row in found} == {
                "Alice": (False, ""),
                "Bob": (True, "in a meeting"),
            }
            chat.signal(signal.SIGKILL)
        said = command("who", "Team", "--seconds", "0.5", "--db", alice)
        assert "Bob  here" not in said and "Alice (you)" in said, "who asks hears no dead one"
        command("status", "--clear", "--invisible", "--db", bob)
        assert command("status", "--db", bob) == "invisible\n"

"""Several processes, or threads, on one database: one syncs, none is in another's way."""

from __future__ import annotations

import asyncio
import signal
import threading
from pathlib import Path

import pytest
import syncchat_relay

import syncchat
from syncchat.errors import DatabaseDamaged, StorageError
from syncchat.events import MessageAdded, MessageChanged
from syncchat.storage import lease
from tests.e2e.support import (
    Process,
    assert_same,
    converged,
    hasty,
    until,
    wait_until,
)

SYNCING = """
import asyncio, sys
import syncchat
from syncchat.storage import lease
lease.LEASE_MS, lease.RENEW_MS = int(sys.argv[2]), int(sys.argv[2]) // 4

async def main():
    with syncchat.open(sys.argv[1]) as peer:
        (room,) = peer.rooms()
        async with peer.online():
            await room.synced()
            print("synced", flush=True)
            for line in await asyncio.to_thread(sys.stdin.readlines):
                pass

asyncio.run(main())
"""


def syncing(db: Path, *, lease_ms: int = 10_000, name: str = "syncing") -> Process:
    """Start a process that syncs a peer's database until it is killed."""
    process = Process(["-c", SYNCING, db, str(lease_ms)], folder=db.parent, name=name)
    assert process.line() == "synced", process.error_text()
    return process


async def test_what_one_process_writes_goes_out_through_the_one_that_syncs(tmp_path: Path) -> None:
    async with syncchat_relay.serve() as relay:
        with (
            syncchat.open(tmp_path / "a.db", name="Alice") as alice,
            syncchat.open(tmp_path / "b.db", name="Bob") as bob,
        ):
            a = alice.create_room("Team", relay=relay.url)
            b = bob.join(a.invite())
            with await asyncio.to_thread(syncing, alice.path) as other:
                async with bob.online():
                    sent = [a.send("written here, sent by the other process").text]
                    await converged(a, b, messages=1)
                    await until(lambda: alice.connections == {relay.url: "live"})
                    async with alice.online():  # waits its turn
                        await a.synced()
                        other.kill()
                        sent.append(a.send("the other was killed").text)
                        await converged(a, b, messages=2)
                        await a.synced()
            assert_same([alice, bob], sent)


async def test_process_that_was_stopped_and_wakes_does_not_write_beside_its_successor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_MS", 400)
    monkeypatch.setattr(lease, "RENEW_MS", 100)
    async with syncchat_relay.serve() as relay:
        with (
            syncchat.open(tmp_path / "a.db", name="Alice") as alice,
            syncchat.open(tmp_path / "b.db", name="Bob") as bob,
        ):
            a = alice.create_room("Team", relay=relay.url)
            b = bob.join(a.invite())
            with await asyncio.to_thread(syncing, alice.path, lease_ms=400) as stopped:
                async with bob.online():
                    sent = [a.send("before").text]
                    await converged(a, b, messages=1)
                    stopped.signal(signal.SIGSTOP)
                    async with alice.online():
                        for n in range(20):
                            sent.append(a.send(f"while it is stopped {n}").text)
                        await converged(a, b, messages=21)
                        stopped.signal(signal.SIGCONT)
                        # Written by a third, so that both notice it equally late.
                        with syncchat.open(alice.path) as third:
                            for n in range(20):
                                sent.append(third.rooms()[0].send(f"while it is awake {n}").text)
                                await converged(a, b, messages=22 + n)
                        await a.synced()
            assert stopped.error_text() == ""
            assert_same([alice, bob], sent)
            assert a.outbox() == []


async def test_events_of_a_second_process_tell_of_each_message_exactly_once(tmp_path: Path) -> None:
    async with syncchat_relay.serve() as relay:
        with (
            syncchat.open(tmp_path / "a.db", name="Alice") as alice,
            syncchat.open(tmp_path / "b.db", name="Bob") as bob,
        ):
            a = alice.create_room("Team", relay=relay.url)
            b = bob.join(a.invite())
            with await asyncio.to_thread(syncing, alice.path):
                events = alice.events()
                async with bob.online():
                    sent = [b.send(f"{n}").text for n in range(300)]
                    added: list[str] = []
                    async with asyncio.timeout(20):
                        async for event in events:
                            if isinstance(event, MessageAdded):
                                added.append(event.message.text)
                            if len(added) >= 300:
                                break
                    assert added == sent
                    last = b.send("the last")
                    async with asyncio.timeout(20):
                        async for event in events:
                            assert (
                                not isinstance(event, MessageAdded) or event.message.id == last.id
                            )
                            if isinstance(event, MessageAdded):
                                break
                await events.aclose()


async def test_slow_reader_of_events_misses_nothing_while_5000_messages_arrive(
    tmp_path: Path,
) -> None:
    async with syncchat_relay.serve() as relay:
        with (
            syncchat.open(tmp_path / "a.db", name="Alice") as alice,
            syncchat.open(tmp_path / "b.db", name="Bob") as bob,
        ):
            a = alice.create_room("Team", relay=relay.url)
            b = bob.join(a.invite())
            async with alice.online(), bob.online():
                await b.synced()
            with hasty(bob):
                sent = {b.send(f"{n}").id for n in range(5_000)}
            async with bob.online():
                await b.synced()
            events = alice.events()
            added: list[str] = []
            async with alice.online(), asyncio.timeout(40):
                async for event in events:
                    match event:
                        case MessageAdded(message=message):
                            added.append(message.id)
                            if len(added) % 50 == 1:
                                a.react(message.id, "👍")  # changes what it is about to be told of
                                a.react(a.messages(limit=1)[0].id, "🎉")
                                await asyncio.sleep(0.001)
                        case MessageChanged(message=message):
                            assert message.id in added
                    if len(added) == 5_000:
                        break
            await events.aclose()
            assert set(added) == sent


def test_background_syncs_in_a_thread_of_its_own_for_programs_without_a_loop(
    tmp_path: Path,
) -> None:
    ready, done = threading.Event(), threading.Event()
    address: list[str] = []

    async def relay() -> None:
        async with syncchat_relay.serve() as relay:
            address.append(relay.url)
            ready.set()
            await asyncio.to_thread(done.wait, 50)

    thread = threading.Thread(target=lambda: asyncio.run(relay()))
    thread.start()
    try:
        assert ready.wait(20)
        with (
            syncchat.open(tmp_path / "a.db", name="Alice") as alice,
            syncchat.open(tmp_path / "b.db", name="Bob") as bob,
        ):
            a = alice.create_room("Team", relay=address[0])
            b = bob.join(a.invite())
            sent = []
            for turn in range(2):  # one after the other works
                with alice.background(), bob.background():
                    sent += [room.send(f"{turn}").text for room in (a, b)]
                    wait_until(lambda: a.digest() == b.digest())
                    wait_until(lambda: a.count() in (2, 4))
                    wait_until(lambda: a.outbox() == b.outbox() == [])
                    wait_until(lambda: alice.connections == {address[0]: "live"})
            with pytest.raises(ZeroDivisionError), alice.background():
                _ = 1 / 0
            assert_same([alice, bob], sent)
    finally:
        done.set()
        thread.join()
    assert not [t for t in threading.enumerate() if t.name == "syncchat"]


def test_background_that_cannot_start_says_so_before_the_block_runs(tmp_path: Path) -> None:
    with syncchat.open(tmp_path / "a.db", name="Alice") as alice:
        alice.create_room("Team")
        alice._db.execute("pragma user_version = 999")
        with pytest.raises(StorageError), alice.background():
            raise AssertionError("the block ran, and nothing would have been synced")


async def test_damage_found_while_syncing_ends_the_block_with_its_own_error(tmp_path: Path) -> None:
    async with syncchat_relay.serve() as relay:
        with syncchat.open(tmp_path / "a.db", name="Alice") as alice:
            room = alice.create_room("Team", relay=relay.url)
            with pytest.raises(DatabaseDamaged):
                async with alice.online():
                    await room.synced()

                    def damaged() -> int:
                        raise DatabaseDamaged("the disk lies")

                    alice._db.data_version = damaged  # type: ignore[method-assign]
                    await asyncio.sleep(20)

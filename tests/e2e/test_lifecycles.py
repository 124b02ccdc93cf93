"""Going online and off again: at any moment, for any reason, leaving nothing behind."""

from __future__ import annotations

import asyncio
import gc
import signal
from contextlib import suppress
from pathlib import Path

import pytest
import syncchat_relay

import syncchat
from syncchat.errors import DiskFull, ValidationError
from syncchat.storage import lease
from syncchat.storage.database import Database
from tests.e2e.support import (
    Process,
    all_online,
    assert_same,
    converged,
    hasty,
    running_relay,
    until,
)


class _Own(Exception):
    """Is somebody's own exception."""


async def test_cancelling_at_any_moment_leaves_no_task_socket_or_warning_behind(
    tmp_path: Path,
) -> None:
    with (
        running_relay(tmp_path / "relay") as relay,
        syncchat.open(tmp_path / "a.db", name="Alice") as alice,
        syncchat.open(tmp_path / "b.db", name="Bob") as bob,
    ):
        a = alice.create_room("Team", relay=relay.url)
        b = bob.join(a.invite())
        sent = []
        before = asyncio.all_tasks()
        async with alice.online(), bob.online():
            await b.synced()  # which lets him in
        async with bob.online():
            await b.synced()
            inside = asyncio.all_tasks()

            async def stay() -> None:
                async with alice.online():
                    await asyncio.Event().wait()

            for steps in range(0, 120, 3):
                sent.append(a.send(f"{steps}").text)
                async with asyncio.TaskGroup() as tasks:
                    task = tasks.create_task(stay())
                    for _ in range(steps):
                        await asyncio.sleep(0)
                    if steps % 2:
                        await asyncio.sleep(0.005)
                    task.cancel()
                assert task.cancelled()
                assert alice._driver is None
                gc.collect()
                assert asyncio.all_tasks() - inside == set(), f"cancelled after {steps} steps"
            async with alice.online():
                await converged(a, b, messages=len(sent))
        assert asyncio.all_tasks() - before == set()
        assert_same([alice, bob], sent)


async def test_what_the_block_raises_comes_out_unchanged(tmp_path: Path) -> None:
    with syncchat.open(tmp_path / "a.db", name="Alice") as alice:
        cause = ValueError("why")
        for raised in (
            _Own("x"),
            ExceptionGroup("g", [_Own("y")]),
            TimeoutError(),
            StopIteration(),
        ):
            raised.__cause__ = cause
            with suppress(RuntimeError), pytest.raises(type(raised)) as caught:
                async with alice.online():
                    await asyncio.sleep(0)
                    raise raised
            if not isinstance(raised, StopIteration):
                assert caught.value is raised
                assert raised.__cause__ is cause
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), alice.online():
                await asyncio.sleep(20)


async def test_online_again_works_in_turn_and_is_refused_inside_itself(tmp_path: Path) -> None:
    async with syncchat_relay.serve() as relay:
        with syncchat.open(tmp_path / "a.db", name="Alice") as alice:
            room = alice.create_room("Team", relay=relay.url)
            for turn in range(3):
                room.send(f"{turn}")
                async with alice.online():
                    await room.synced()
                    with pytest.raises(ValidationError):
                        async with alice.online():
                            pass
                    assert alice.connections == {relay.url: "live"}
                assert alice.connections == {relay.url: "offline"}
            assert [message.status for message in room.messages()] == ["sent"] * 3


ONLINE = """
import asyncio, sys
import syncchat

async def main():
    with syncchat.open(sys.argv[1]) as peer:
        (room,) = peer.rooms()
        async with peer.online():
            await room.synced()
            print("synced", flush=True)
            await asyncio.Event().wait()

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
"""


async def test_ctrl_c_ends_a_program_that_is_online_at_once_and_silently(tmp_path: Path) -> None:
    async with syncchat_relay.serve() as relay:
        with syncchat.open(tmp_path / "a.db", name="Alice") as alice:
            alice.create_room("Team", relay=relay.url)
        with Process(["-c", ONLINE, tmp_path / "a.db"], folder=tmp_path, name="online") as program:
            assert await asyncio.to_thread(program.line) == "synced", program.error_text()
            program.signal(signal.SIGINT)
            assert await asyncio.to_thread(program.wait) == 130
            assert program.line() == "interrupted"
            assert program.error_text() == ""


async def test_full_disk_while_receiving_is_a_state_that_ends_with_free_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncchat.driver.REST_MS", 50)
    async with syncchat_relay.serve() as relay:
        with (
            syncchat.open(tmp_path / "a.db", name="Alice") as alice,
            syncchat.open(tmp_path / "b.db", name="Bob") as bob,
        ):
            a = alice.create_room("Team", relay=relay.url)
            b = bob.join(a.invite())
            sent = [b.send("mine, before the disk was full").text]
            (pages,) = bob._db.execute("pragma page_count").fetchone()
            async with all_online([alice, bob]):
                await converged(a, b, messages=1)
                bob._db.execute(f"pragma max_page_count = {pages + 8}")
                sent += [a.send(f"{n} " + "x" * 2_000).text for n in range(300)]
                await until(lambda: "no space left" in bob.connections[relay.url])
                assert 1 <= b.count() < 301
                with pytest.raises(DiskFull):
                    for _ in range(50):
                        b.send("y" * 5_000)
                        sent.append("y" * 5_000)
                bob._db.execute("pragma max_page_count = 1000000")
                await converged(a, b, messages=len(sent))
            assert_same([alice, bob], sent)


async def test_lease_that_a_full_disk_cannot_renew_does_not_end_the_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncchat.driver.REST_MS", 300)
    monkeypatch.setattr(lease, "RENEW_MS", 50)
    renew, full = lease.renew, [False]

    def renew_if_there_is_space(db: Database, holder: str, *, now_ms: int) -> None:
        if full[0]:
            raise DiskFull("no space left")
        renew(db, holder, now_ms=now_ms)

    monkeypatch.setattr(lease, "renew", renew_if_there_is_space)
    async with syncchat_relay.serve() as relay:
        with syncchat.open(tmp_path / "a.db", name="Alice") as alice:
            room = alice.create_room("Team", relay=relay.url)
            async with alice.online():
                await room.synced()
                full[0] = True
                await until(lambda: alice.connections == {relay.url: "offline (no space left)"})
                room.send("x")
                full[0] = False
                async with asyncio.timeout(20):
                    await room.synced()


RELAY_DIES = """
import os, signal, sys
from syncchat_relay.log import sqlite
from syncchat_relay import effects, worker
moment = {moment!r}
count = 0

def die(at):
    global count
    if at == moment:
        count += 1
        if count == {turn}:
            os.kill(os.getpid(), signal.SIGKILL)

class Dying(sqlite.SqliteLog):
    def append(self, batch, *, now_ms=0):
        die("before the append")
        outcomes = super().append(batch, now_ms=now_ms)
        die("after the commit")
        return outcomes

class DyingRoom(sqlite.OpenRoom):
    def save(self):
        die("before the commit")
        super().save()

sqlite.OpenRoom = DyingRoom
import syncchat_relay.server as server
import syncchat_relay.stored as stored
stored.SqliteLog = Dying
hub_done = server.Hub.done

def done(self, answers):
    found = hub_done(self, answers)
    if any(type(answer).__name__ == "Appended" for answer in answers):
        die("before the ack")
    return found

server.Hub.done = done
"""


@pytest.mark.parametrize(
    "moment", ["before the append", "before the commit", "after the commit", "before the ack"]
)
async def test_relay_killed_between_append_commit_and_ack_costs_no_message_and_doubles_none(
    tmp_path: Path, moment: str
) -> None:
    with (
        syncchat.open(tmp_path / "a.db", name="Alice") as alice,
        syncchat.open(tmp_path / "b.db", name="Bob") as bob,
    ):
        sent: list[str] = []
        port = 0
        for turn in (1, 2, 3):
            code = RELAY_DIES.format(moment=moment, turn=turn)
            with running_relay(tmp_path / "relay", port=port, code=code, name=f"{turn}") as relay:
                if not port:
                    port = relay.port
                    a = alice.create_room("Team", relay=relay.url)
                    b = bob.join(a.invite())
                async with all_online([alice, bob]):
                    for n in range(6):
                        sent += [room.send(f"{turn} {n}").text for room in (a, b)]
                        await asyncio.sleep(0.01)
                    await until(lambda relay=relay: not relay.is_running())  # type: ignore[misc]
                    with running_relay(tmp_path / "relay", port=port, name=f"{turn} again"):
                        await converged(a, b, messages=len(sent))
                        for room in (a, b):
                            async with asyncio.timeout(20):
                                await room.synced()
        assert_same([alice, bob], sent)


CATCHING_UP = """
import asyncio, sys
import syncchat

def peak_kib():
    with open("/proc/self/status") as status:
        return int(status.read().split("VmHWM:")[1].split()[0])

async def main():
    with syncchat.open(sys.argv[1]) as peer:
        (room,) = peer.rooms()
        room.messages()
        before = peak_kib()
        async with peer.online():
            await room.synced()
            print(before, peak_kib(), room.count(), flush=True)

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_memory_stays_bounded_while_50000_messages_arrive(tmp_path: Path) -> None:
    with (
        running_relay(tmp_path / "relay") as relay,
        syncchat.open(tmp_path / "a.db", name="Alice") as alice,
        syncchat.open(tmp_path / "b.db", name="Bob") as bob,
    ):
        a = alice.create_room("Team", relay=relay.url)
        bob.join(a.invite())
        with hasty(alice):
            for n in range(50_000):
                a.send(f"message number {n}, with some words in it as people write them")
        async with alice.online(), asyncio.timeout(200):
            await a.synced()
        with Process(["-c", CATCHING_UP, bob.path], folder=tmp_path, name="late") as late:
            before, after, count = map(int, (await asyncio.to_thread(late.line)).split())
        print(f"peak memory {before} KiB before, {after} KiB after {count} messages")
        assert count == 50_000
        assert after - before < 64 * 1024

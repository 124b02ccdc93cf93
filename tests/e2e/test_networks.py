"""Networks that cut, stutter and swallow; relays that refuse."""

from __future__ import annotations

import asyncio
import random  # noqa: TID251 -- seeded, to place the cuts
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import syncchat_relay
from websockets.asyncio.server import ServerConnection, serve

import syncchat
from syncchat.sync import backoff
from syncchat.wire import frames
from syncchat.wire.codes import ErrorCode
from tests.e2e.proxy import proxy_to
from tests.e2e.support import ShiftedClock, all_online, assert_same, converged, until


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let peers connect again at once."""
    monkeypatch.setattr(backoff, "FIRST_MS", 5)
    monkeypatch.setattr(backoff, "MOST_MS", 20)


@pytest.mark.parametrize("seed", range(3))
async def test_connections_cut_at_any_byte_lose_and_repeat_nothing(
    tmp_path: Path, eager: None, seed: int
) -> None:
    chance = random.Random(seed)
    async with (
        syncchat_relay.serve(data_dir=tmp_path / "relay") as relay,
        proxy_to(relay.port) as proxy,
    ):
        with (
            syncchat.open(tmp_path / "a.db", name="Alice") as alice,
            syncchat.open(tmp_path / "b.db", name="Bob") as bob,
        ):
            a = alice.create_room("Team", relay=proxy.url)
            b = bob.join(a.invite())
            proxy.budget = lambda: chance.randrange(300, 12_000)
            sent = []
            async with all_online([alice, bob]):
                turn = 0
                while proxy.cuts < 12:
                    turn += 1
                    assert turn < 2_000
                    for room in (a, b):
                        for n in range(chance.randrange(6)):
                            sent.append(room.send(f"{seed} {turn} {n} " + "x" * n * 50).text)
                    await asyncio.sleep(0.01)
                proxy.budget = lambda: 60_000
                await converged(a, b, messages=len(sent))
            assert_same([alice, bob], sent)


async def test_slow_and_stuttering_connection_carries_everything_whole(tmp_path: Path) -> None:
    chance = random.Random(7)
    async with (
        syncchat_relay.serve(data_dir=tmp_path / "relay") as relay,
        proxy_to(relay.port) as proxy,
    ):
        proxy.stutter = lambda: chance.randrange(1, 60)
        with (
            syncchat.open(tmp_path / "a.db", name="Alice") as alice,
            syncchat.open(tmp_path / "b.db", name="Bob") as bob,
        ):
            a = alice.create_room("Team", relay=proxy.url)
            b = bob.join(a.invite())
            sent = [a.send(f"{n} " + "wörter " * n).text for n in range(60)]
            async with all_online([alice, bob]):
                await converged(a, b, messages=60)
                assert proxy.connections == 2
            assert_same([alice, bob], sent)


async def test_half_open_connection_is_noticed_within_45_seconds(tmp_path: Path) -> None:
    clock = ShiftedClock()
    async with (
        syncchat_relay.serve(data_dir=tmp_path / "relay") as relay,
        proxy_to(relay.port) as proxy,
    ):
        with syncchat.open(tmp_path / "a.db", name="Alice", clock=clock) as alice:
            room = alice.create_room("Team", relay=proxy.url)
            async with alice.online():
                await room.synced()
                proxy.is_hole = True
                room.send("into the hole")
                for _ in range(9):
                    clock.pass_time(5)
                    room.set_title(f"a sign of life from here at {clock.seconds}")
                    await asyncio.sleep(0.02)
                await until(lambda: "nothing heard" in alice.connections[proxy.url], seconds=2)
                assert clock.seconds <= 45
                proxy.is_hole = False
                await room.synced()
                assert room.message(room.messages()[0].id).status == "sent"


async def test_relay_that_hangs_up_without_a_word_is_no_busy_loop(tmp_path: Path) -> None:
    attempts = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with syncchat.open(tmp_path / "a.db", name="Alice") as alice:
        alice.create_room("Team", relay=f"ws://127.0.0.1:{port}")
        async with alice.online():
            await until(lambda: attempts >= 1)
            await asyncio.sleep(1)
            (state,) = alice.connections.values()
    server.close()
    await server.wait_closed()
    assert attempts <= 8
    assert "offline" in state or state == "connecting"


@asynccontextmanager
async def refusing(answer: Callable[[], frames.Frame]) -> AsyncIterator[tuple[str, list[int]]]:
    """Run a relay that answers every connection with one frame; count the connections."""
    seen: list[int] = []

    async def talk(connection: ServerConnection) -> None:
        seen.append(1)
        await connection.send(frames.encode(answer()))
        await connection.wait_closed()

    async with serve(talk, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (frames.Hello(9, 12, bytes(8), bytes(32)), "no common version: update this syncchat"),
        (frames.Hello(0, 0, bytes(8), bytes(32)), "no common version: update the relay"),
        (frames.Error(ErrorCode.BAD_AUTH, 0, "not my name"), "not my name"),
        (frames.Error(ErrorCode.BUSY, 60_000, "too many connections"), "too many connections"),
        (frames.Error(99, 60_000, "of a later version"), "of a later version"),
    ],
)
async def test_relay_that_refuses_is_shown_with_its_reason_and_left_alone_for_long(
    tmp_path: Path, answer: frames.Frame, words: str
) -> None:
    async with refusing(lambda: answer) as (url, seen):
        with syncchat.open(tmp_path / "a.db", name="Alice") as alice:
            room = alice.create_room("Team", relay=url)
            room.send("works all the same")
            async with alice.online():
                await until(lambda: words in alice.connections[url], what=words)
                assert alice._driver is not None
                assert alice._driver.states[url].retry_in_ms >= 30_000
                assert len(seen) == 1
            assert room.messages()[0].status == "queued"


async def test_relay_of_another_name_refuses_with_a_clear_word(tmp_path: Path) -> None:
    async with syncchat_relay.serve(names=["relay.example.org"]) as relay:
        with syncchat.open(tmp_path / "a.db", name="Alice") as alice:
            alice.create_room("Team", relay=relay.url)
            async with alice.online():
                await until(lambda: "host name" in alice.connections[relay.url])


async def test_words_of_a_hostile_relay_cannot_drive_the_terminal(tmp_path: Path) -> None:
    async with refusing(
        lambda: frames.Error(ErrorCode.BUSY, 60_000, "\x1b[2Jgone\r\n\u202e" + "x" * 900)
    ) as (url, _):
        with syncchat.open(tmp_path / "a.db", name="Alice") as alice:
            alice.create_room("Team", relay=url)
            async with alice.online():
                await until(lambda: "gone" in alice.connections[url])
                shown = alice.connections[url]
                assert shown.isprintable()
                assert len(shown) < 300

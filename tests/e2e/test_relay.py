"""The relay with real sockets, files and processes."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import syncchat_relay
from syncchat_relay import Admit
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame as WebSocketFrame
from websockets.frames import Opcode

from syncchat.errors import ConnectFailed
from syncchat.trust.keys import DeviceKeys
from syncchat.wire.codes import ErrorCode, ItemStatus
from syncchat.wire.frames import Ack, AckItem, Deliver, Error, Live, Ping, Pong
from syncchat.wire.limits import FRAME_BYTES_MAX
from tests.contracts.chains import Writer
from tests.e2e.relay_client import Client, connected, joined, relay_process

KEYS = DeviceKeys(bytes(31) + b"\7")
STORED, KNOWN = ItemStatus.STORED, ItemStatus.KNOWN

Url = str


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[Url]:
    async with syncchat_relay.serve(data_dir=tmp_path / "relay", admission=Admit.OPEN) as relay:
        yield relay.url


async def closed_with(client: Client) -> list[int]:
    """Return the error codes that came before the connection ended."""
    codes = []
    try:
        while True:
            frame = await client.next()
            if isinstance(frame, Error):
                codes.append(frame.code)
    except ConnectionClosed:
        return codes


async def test_what_one_pushes_another_gets(url: Url) -> None:
    alice = Writer(1)
    run = alice.write_many(3)
    async with joined(url, alice.keys) as (a, alias), joined(url, KEYS) as (b, _):
        await a.push(alias, 1, run)
        ack = await a.until(Ack)
        assert ack.items == [AckItem(STORED, seq) for seq in (1, 2, 3)]
        assert await b.take(3) == list(run)
    async with joined(url, KEYS) as (late, _):
        assert await late.take(3) == list(run)
        assert (await late.until(Live)).head == 3


@pytest.mark.parametrize("host", ["relay.example.org", ""])
async def test_another_host_in_the_answer_is_refused(url: Url, host: str) -> None:
    async with connected(url) as client:
        await client.enter(KEYS, host=host)
        assert await closed_with(client) == [ErrorCode.BAD_AUTH]


async def test_a_signature_of_another_key_is_refused(url: Url) -> None:
    async with connected(url) as client:
        imposter = DeviceKeys(bytes(32))
        imposter.public = KEYS.public
        await client.enter(imposter)
        assert await closed_with(client) == [ErrorCode.BAD_AUTH]


@pytest.mark.parametrize("garbage", [b"", b"\xff" * 100, "text that is no frame"])
async def test_garbage_is_told_and_closed(url: Url, garbage: bytes | str) -> None:
    async with connected(url) as client:
        await client.enter(KEYS)
        await client.websocket.send(garbage)
        assert await closed_with(client) == [ErrorCode.BAD_FRAME]


async def test_an_oversize_frame_ends_its_connection_and_no_other(url: Url) -> None:
    async with connected(url) as other, connected(url) as client:
        await other.enter(KEYS)
        await client.enter(KEYS)
        await client.websocket.send(bytes(FRAME_BYTES_MAX + 1))
        await closed_with(client)
        assert client.websocket.close_code == 1009
        await other.send(Ping(1))
        assert (await other.until(Pong)).number == 1


async def test_a_socket_that_speaks_no_http_is_dropped_and_harms_nobody(url: Url) -> None:
    port = int(url.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x16\x03\x01 not http at all\r\n\r\n")
    await reader.read()
    writer.close()
    async with joined(url, KEYS):
        pass


async def test_a_flood_of_empty_fragments_ends(url: Url) -> None:
    async with connected(url) as client:
        await client.enter(KEYS)
        await client.send(Ping(1))
        await client.until(Pong)
        empty = WebSocketFrame(Opcode.CONT, b"", fin=False).serialize(mask=True)
        first = WebSocketFrame(Opcode.BINARY, b"", fin=False).serialize(mask=True)
        client.websocket.transport.write(first + empty * 200_000)
        await closed_with(client)
        assert client.websocket.close_code != 1000
    async with joined(url, KEYS):
        pass


async def test_a_restart_keeps_seqs_and_incarnation_and_a_wipe_changes_it(tmp_path: Path) -> None:
    folder = tmp_path / "relay"
    alice = Writer(1)
    run = alice.write_many(4)
    incarnations = []
    for turn in range(2):
        async with syncchat_relay.serve(data_dir=folder, admission=Admit.OPEN) as relay:
            incarnations.append(relay.incarnation)
            async with joined(relay.url, alice.keys) as (client, alias):
                await client.push(alias, 1, run[2 * turn : 2 * turn + 2])
                first = 2 * turn + 1
                ack = await client.until(Ack)
                assert ack.items == [AckItem(STORED, first), AckItem(STORED, first + 1)]
    shutil.rmtree(folder)
    async with syncchat_relay.serve(data_dir=folder, admission=Admit.OPEN) as relay:
        incarnations.append(relay.incarnation)
        async with joined(relay.url, alice.keys) as (client, alias):
            await client.push(alias, 1, run)
            assert (await client.until(Ack)).items == [AckItem(STORED, n) for n in (1, 2, 3, 4)]
    assert incarnations[0] == incarnations[1] != incarnations[2]


async def test_what_was_committed_before_a_sigkill_is_known_after_it(tmp_path: Path) -> None:
    alice = Writer(1)
    run = alice.write_many(20)
    async with (
        relay_process(tmp_path) as relay,
        joined(relay.url, KEYS) as (reader, _),
        joined(relay.url, alice.keys) as (client, alias),
    ):
        await client.push(alias, 1, run)
        assert await reader.take(20) == list(run)  # so it is committed; the Ack is not read
        await relay.kill()
    async with relay_process(tmp_path) as relay, joined(relay.url, alice.keys) as (client, alias):
        await client.push(alias, 1, (*run, alice.write()))
        items = (await client.until(Ack)).items
        assert items == [*(AckItem(KNOWN, seq) for seq in range(1, 21)), AckItem(STORED, 21)]


async def test_a_sigkill_at_any_moment_loses_nothing_that_was_acked(tmp_path: Path) -> None:
    alice = Writer(1)
    written: list[bytes] = []
    acked = 0
    for turn in range(3):
        async with (
            relay_process(tmp_path) as relay,
            joined(relay.url, alice.keys) as (client, alias),
        ):
            for start in range(0, len(written), 200):
                await client.push(alias, start, written[start : start + 200])
                items = (await client.until(Ack)).items
                assert all(item.status in (STORED, KNOWN) for item in items)
                for seq, item in enumerate(items, start + 1):
                    assert item.seq == seq
                    assert seq > acked or item.status == KNOWN
            acked = len(written)
            for number in range(8):
                batch = alice.write_many(25)
                written += batch
                await client.push(alias, 1_000 + number, batch)
            for _ in range(turn + 1):
                acked += len((await client.until(Ack)).items)
            await relay.kill()
    async with relay_process(tmp_path) as relay, joined(relay.url, KEYS) as (reader, _):
        found = await reader.take(acked)
        assert found == written[: len(found)]


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory from /proc")
async def test_a_receiver_that_stops_reading_costs_little_and_catches_up(tmp_path: Path) -> None:
    alice = Writer(1)
    pushes, per_push, body_bytes = 250, 10, 20_000  # 50 MB
    async with relay_process(tmp_path) as relay, connected(relay.url, max_queue=1) as slow:
        await slow.enter(KEYS)
        await slow.open()
        async with joined(relay.url, alice.keys) as (client, alias):
            await client.push(alias, 0, alice.write_many(per_push, body_bytes=body_bytes))
            await client.until(Ack)
            before = peak = relay.resident_bytes
            for number in range(1, pushes):
                batch = alice.write_many(per_push, body_bytes=body_bytes)
                await client.push(alias, number, batch)
                await client.until(Ack)
                peak = max(peak, relay.resident_bytes)
        assert peak - before < 25_000_000, "the relay must not hold what the slow one misses"
        count, expected = 0, pushes * per_push
        while count < expected:
            frame = await slow.until(Deliver)
            slow.seen.clear()
            assert frame.after == count
            count += len(frame.envelopes)
        assert (await live_from(slow, relay.url)) == expected


async def live_from(slow: Client, url: Url) -> int:
    """Return the seq at which what is written next reaches a receiver live."""
    bob = Writer(2)
    async with joined(url, bob.keys) as (client, alias):
        await client.push(alias, 1, [bob.write()])
        return (await slow.until(Deliver)).after


async def test_many_connections_get_everything_in_one_order(url: Url) -> None:
    writers = [Writer(seed) for seed in range(1, 41)]
    orders: list[list[bytes]] = []

    async def chat(writer: Writer, ready: asyncio.Barrier) -> None:
        async with joined(url, writer.keys) as (client, alias):
            await ready.wait()
            log: dict[int, bytes] = {}
            sent: dict[int, bytes] = {}
            for number in range(5):
                sent[number] = writer.write(b"%d" % number)
                await client.push(alias, number, [sent[number]])
            while len(log) < 5 * len(writers):
                frame = await client.next()
                if isinstance(frame, Deliver):
                    assert frame.after == len(log)
                    log.update(enumerate(frame.envelopes, frame.after + 1))
                elif isinstance(frame, Ack) and frame.items[0].seq == len(log) + 1:
                    log[frame.items[0].seq] = sent[frame.number]
            orders.append([log[seq] for seq in range(1, len(log) + 1)])

    ready = asyncio.Barrier(len(writers))
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        for writer in writers:
            tasks.create_task(chat(writer, ready))
    assert len(orders) == 40
    assert all(order == orders[0] for order in orders)


async def test_stopping_tells_peers_and_leaves_the_command_with_exit_0(tmp_path: Path) -> None:
    async with relay_process(tmp_path) as relay, joined(relay.url, KEYS) as (client, _):
        assert await relay.stop() == 0
        assert await closed_with(client) == [ErrorCode.SHUTTING_DOWN]


async def test_the_commands_first_line_says_where_it_listens(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "syncchat_relay", "--data-dir", str(tmp_path), "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode().strip()
    assert line.startswith("relay listening on ws://127.0.0.1:")
    async with joined(line.split()[-1], KEYS):
        pass
    process.terminate()
    assert await process.wait() == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--host", "0.0.0.0"], 2, "--name"),
        (["--port", "70000"], 2, "70000"),
        (["--data-dir", "/dev/null/x"], 1, "cannot be written"),
    ],
)
async def test_what_cannot_run_is_told_in_words(
    tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "syncchat_relay", "--data-dir", str(tmp_path)),
        *("--port", "0", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, out) == (code, b"")
    assert words in err.decode()
    assert "Traceback" not in err.decode()


async def test_a_taken_port_is_told_in_words(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConnectFailed, match="choose another host or port"):
            async with syncchat_relay.serve(data_dir=tmp_path, port=port):
                pass
    async with syncchat_relay.serve(data_dir=tmp_path):
        pass  # the folder is free again


async def test_an_error_of_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(LookupError, match="mine"):
        async with syncchat_relay.serve(admission=Admit.OPEN):
            raise LookupError("mine")


async def test_a_log_in_memory_serves_too() -> None:
    alice = Writer(1)
    async with (
        syncchat_relay.serve(admission=Admit.OPEN) as relay,
        joined(relay.url, alice.keys) as (client, alias),
    ):
        await client.push(alias, 1, [alice.write()])
        assert (await client.until(Ack)).items == [AckItem(STORED, 1)]

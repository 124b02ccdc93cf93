"""Programs that are killed in the middle of a file, and go on where they were."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import syncchat_relay

import syncchat
from syncchat.ids import MessageId
from syncchat.ports import SystemRandom
from syncchat.storage import files as rows
from syncchat.trust.files import blob_name, chunk_bytes, sealed_bytes, sealed_size
from tests.e2e.programs import Program, running, two_people
from tests.e2e.programs import syncchat as command
from tests.e2e.proxy import proxy_to
from tests.e2e.support import until

CHUNKS = 60
OTHER_BYTES_MAX = 100_000
"""What a connection moves beside chunks: the handshake, questions, answers, messages."""


def file_at(path: Path) -> bytes:
    """Write a file of so many chunks, and return what is in it."""
    sent = SystemRandom().bytes(CHUNKS * chunk_bytes())
    path.write_bytes(sent)
    return sent


def chunks_here(db: Path, message: str) -> int:
    """Return how many chunks of a file lie whole on a peer's disk, noted or not."""
    with syncchat.open(db) as peer:
        ((_, row),) = rows.files_of(peer._db, peer.room("Team")._row, MessageId(message))
        found = [
            peer._db.packs.read(row.pack, number, sealed_size(row.size, number))
            for number in range(row.chunks)
        ]
        names = [blob_name(blob or b"") for blob in found]
        return sum(name == wanted for name, wanted in zip(names, row.chunk_names, strict=True))


async def killed(program: Program) -> None:
    program.signal(signal.SIGKILL)
    await asyncio.to_thread(program.ends, code=-signal.SIGKILL)


async def test_killed_sender_sends_at_most_one_chunk_again(tmp_path: Path) -> None:
    sent = file_at(tmp_path / "film.bin")
    (tmp_path / "got").mkdir()
    async with (
        syncchat_relay.serve(data_dir=tmp_path / "relay") as relay,
        proxy_to(relay.port) as proxy,
    ):
        alice, bob = await asyncio.to_thread(two_people, tmp_path, proxy.url)
        attach = ("attach", "Team", tmp_path / "film.bin", "--db", alice)
        message = (await asyncio.to_thread(command, *attach)).strip()
        proxy.bytes_up = 0
        with running("sync", "--db", alice) as program:
            await until(lambda: proxy.bytes_up > CHUNKS // 3 * sealed_bytes(), what="a part")
            await killed(program)
        assert proxy.bytes_up < CHUNKS * sealed_bytes()
        await asyncio.to_thread(command, "sync", "--db", alice)
        again = proxy.bytes_up - CHUNKS * sealed_bytes()
        assert 0 < again <= sealed_bytes() + OTHER_BYTES_MAX
        await asyncio.to_thread(command, "sync", "--db", bob)
        download = ("download", "Team", message, "--to", tmp_path / "got", "--db", bob)
        await asyncio.to_thread(command, *download)
        assert (tmp_path / "got" / "film.bin").read_bytes() == sent


async def test_killed_receiver_fetches_nothing_again_that_had_come(tmp_path: Path) -> None:
    sent = file_at(tmp_path / "film.bin")
    (tmp_path / "got").mkdir()
    async with (
        syncchat_relay.serve(data_dir=tmp_path / "relay") as relay,
        proxy_to(relay.port) as proxy,
    ):
        alice, bob = await asyncio.to_thread(two_people, tmp_path, proxy.url)
        attach = ("attach", "Team", tmp_path / "film.bin", "--wait", "20", "--db", alice)
        message = (await asyncio.to_thread(command, *attach)).strip()
        await asyncio.to_thread(command, "sync", "--db", bob)
        download = ("download", "Team", message, "--to", tmp_path / "got", "--db", bob)
        proxy.bytes_down = 0
        with running(*download) as program:
            await until(lambda: proxy.bytes_down > CHUNKS // 2 * sealed_bytes(), what="a part")
            await killed(program)
        here = await asyncio.to_thread(chunks_here, bob, message)
        assert 0 < here < CHUNKS
        proxy.bytes_down = 0
        await asyncio.to_thread(command, *download)
        left = (CHUNKS - here + 1) * sealed_bytes()
        assert proxy.bytes_down <= left + OTHER_BYTES_MAX
        assert (tmp_path / "got" / "film.bin").read_bytes() == sent

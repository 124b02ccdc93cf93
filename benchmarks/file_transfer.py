"""What a file takes from one peer to another, beside bare WebSocket copies of the same bytes.

All go from this process through a relay in a second process to a third one. The *bare* copy checks,
encrypts and keeps nothing: its relay passes each message on, and the receiver writes it to a file.
The bare copy that is *kept* does what a store-and-forward relay must at the least: its relay writes
each message to a file before it passes it on, and syncs that file at the end. Ours is what ships:
sealed chunks, each hashed twice on its way, synced to the relay's disk before it says that it has
them, and kept by the receiver so that a cut costs nothing. Copying a file in (sealing) and out
(opening) happens without the network and is measured by itself. It runs alone by
``python -m benchmarks.file_transfer [--smoke]``.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import websockets.asyncio.client
import websockets.asyncio.server
from websockets.exceptions import ConnectionClosed

import syncchat
from syncchat.ports import SystemClock, SystemRandom
from syncchat.trust.files import chunk_bytes

from . import machine
from .rivals.driver import loop_factory

NAME = "file_transfer"
SUMMARY = (
    "a file from peer to relay to peer, in three processes, beside a bare WebSocket copy of the "
    "same bytes between three processes: one whose relay keeps nothing, and one that is kept"
)
RELAY = ("-m", "syncchat_relay", "--port", "0")
HERE = ("-m", "benchmarks.file_transfer")


@dataclass(frozen=True, slots=True)
class _Round:
    """Is one file sent: the seconds on the way, and those of both copies; and the peaks in bytes of
    sender, relay and receiver."""

    took: float
    copied_in: float
    saved: float
    peaks: tuple[int, int, int]


def run(smoke: bool) -> dict[str, Any]:
    """Return the figures."""
    size, rounds, large = (1_000_000, 2, 3_000_000) if smoke else (400_000_000, 5, 2**30)
    return asyncio.run(_measure(size, rounds)) | asyncio.run(_measure_large(large))


async def _measure_large(size: int) -> dict[str, Any]:
    """Return how long one large file takes, and how much memory."""
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as folder:
        source = Path(name) / "source"
        _write_source(source, size)
        found = await _our_round(source, Path(folder))
    return {
        "large file, bytes": size,
        "large file, MB per second": round(size / found.took / 1e6, 1),
        "large file, peak MB of sender, relay, receiver": ", ".join(
            f"{peak / 1e6:.0f}" for peak in found.peaks
        ),
    }


async def _measure(size: int, rounds: int) -> dict[str, Any]:
    times: dict[str, list[float]] = {"ours": [], "bare": [], "kept": []}
    copies: list[_Round] = []
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source"
        _write_source(source, size)
        for number in range(rounds):
            ways = list(times)
            for way in ways[number % 3 :] + ways[: number % 3]:
                with tempfile.TemporaryDirectory() as folder:
                    if way == "ours":
                        copies.append(await _our_round(source, Path(folder)))
                        took = copies[-1].took
                    else:
                        took = await _bare_round(source, size, Path(folder), way)
                    times[way].append(took)
    return {
        "bytes": size,
        "rounds": rounds,
        "MB per second": _rate(size, times["ours"]),
        "bare MB per second": _rate(size, times["bare"]),
        "bare, kept, MB per second": _rate(size, times["kept"]),
        **_speeds("speed / bare", times["ours"], times["bare"]),
        **_speeds("speed / bare, kept", times["ours"], times["kept"]),
        "copied in, MB per second": _rate(size, [each.copied_in for each in copies]),
        "saved, MB per second": _rate(size, [each.saved for each in copies]),
    }


def _rate(size: int, seconds: list[float]) -> float:
    return round(size / statistics.median(seconds) / 1e6, 1)


def _write_source(path: Path, size: int) -> None:
    with path.open("wb") as source:
        while left := size - source.tell():
            source.write(SystemRandom().bytes(min(left, 1_000_000)))


def _speeds(name: str, ours: list[float], bare: list[float]) -> dict[str, Any]:
    ratios = [b / a for a, b in zip(ours, bare, strict=True)]
    return {
        name: round(statistics.median(ratios), 3),
        f"{name}, lowest to highest": f"{min(ratios):.3f} to {max(ratios):.3f}",
    }


async def _our_round(source: Path, folder: Path) -> _Round:
    """Send a file, and return how long it took until the other had all of it."""
    clock = SystemClock()
    _forget_peak()
    async with _process(*RELAY, "--data-dir", str(folder / "relay")) as relay:
        url = (await relay.line()).split()[-1]
        with syncchat.open(folder / "sender.db", name="sender") as sender:
            room = sender.create_room("benchmark", relay=url)
            link = room.invite()
            async with sender.online():
                await room.synced()
                receiving = (*HERE, "--receiver", link, str(folder / "receiver.db"))
                async with _process(*receiving) as receiver:
                    assert await receiver.line() == "joined"
                    started = clock.monotonic()
                    room.attach(source)
                    copied_in = clock.monotonic() - started
                    started = clock.monotonic()
                    assert await receiver.line() == "here"
                    took = clock.monotonic() - started
                    saved, peak = (await receiver.line()).split()
                    peaks = (_peak("self"), _peak(relay.pid), int(peak))
    return _Round(took, copied_in, float(saved), peaks)


def _forget_peak() -> None:
    """Set this process's highest mark of memory back to what it uses now, where that is known."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak(pid: int | str) -> int:
    """Return how many bytes of memory a process had at most, 0 where nobody knows."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


async def _receive(link: str, db: str) -> None:
    """Join, fetch the file of the first message, and save it."""
    clock = SystemClock()
    with syncchat.open(db, name="receiver") as peer:
        peer.files.set_limits(automatic_bytes_max=2**40)
        room = peer.join(link)
        async with peer.online():
            await room.synced()
            print("joined", flush=True)
            async for event in peer.events():
                if isinstance(event, syncchat.MessageAdded):
                    break
            (file,) = room.files()
            await room.fetched(file.message)
            print("here", flush=True)
            started = clock.monotonic()
            room.save_file(file.message, Path(db).parent)
            print(clock.monotonic() - started, _peak("self"), flush=True)


async def _bare_round(source: Path, size: int, folder: Path, way: str) -> float:
    clock = SystemClock()
    relaying = (*HERE, "--bare-relay", str(folder / "kept") if way == "kept" else "", str(size))
    async with _process(*relaying) as relay:
        url = await relay.line()
        receiving = (*HERE, "--bare-receiver", url, str(folder / "copy"), str(size))
        async with _process(*receiving) as receiver:
            assert await receiver.line() == "joined"
            async with _connection(url) as websocket:
                started = clock.monotonic()
                for chunk in _chunks(source):
                    await websocket.send(chunk)
                assert await receiver.line() == "here"
                took = clock.monotonic() - started
    assert _size(folder / "copy") == size
    return took


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as opened:
        while chunk := opened.read(chunk_bytes()):
            yield chunk


def _size(path: Path) -> int:
    return path.stat().st_size


async def _bare_receive(url: str, path: str, size: int) -> None:
    copy = os.open(path, os.O_CREAT | os.O_WRONLY)
    async with _connection(url) as websocket:
        print("joined", flush=True)
        while size > 0:
            size -= os.write(copy, await websocket.recv(decode=False))
        print("here", flush=True)


async def _bare_relay(path: str, size: int) -> None:
    kept = os.open(path, os.O_CREAT | os.O_WRONLY) if path else None
    left = size

    async def connection(websocket: websockets.asyncio.server.ServerConnection) -> None:
        nonlocal left
        with suppress(ConnectionClosed):
            while True:
                message = await websocket.recv(decode=False)
                left -= len(message)
                if kept is not None:
                    os.write(kept, message)
                    if left <= 0:
                        os.fsync(kept)
                for other in server.connections:
                    if other is not websocket:
                        await other.send(message)

    server = await websockets.asyncio.server.serve(
        connection, "127.0.0.1", 0, compression=None, ping_interval=None
    )
    print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def _connection(url: str) -> websockets.asyncio.client.connect:
    return websockets.asyncio.client.connect(
        url, compression=None, ping_interval=None, proxy=None, close_timeout=1
    )


class _Child:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def line(self) -> str:
        """Return the next line that it prints."""
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()


@asynccontextmanager
async def _process(*arguments: str) -> AsyncIterator[_Child]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield _Child(process)
    finally:
        process.kill()
        await process.wait()


def main(words: list[str]) -> None:
    """Run the scenario alone, or one of the processes that take part in it."""
    match words:
        case ["--receiver", link, db]:
            asyncio.run(_receive(link, db))
        case ["--bare-receiver", url, path, size]:
            asyncio.run(_bare_receive(url, path, int(size)))
        case ["--bare-relay", path, size]:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(_bare_relay(path, int(size)))
        case _:
            figures = machine.describe() | run(smoke="--smoke" in words)
            for name, value in figures.items():
                print(f"{name:36} {value}")


if __name__ == "__main__":
    main(sys.argv[1:])

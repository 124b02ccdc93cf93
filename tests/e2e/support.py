"""What end-to-end tests share: bounded waits, processes, and clocks that can be moved."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import TracebackType

from syncchat.peer import Peer
from syncchat.ports import SystemClock
from syncchat.room import Room
from syncchat.storage import rooms
from syncchat.trust.changes import Add, Role
from syncchat.trust.keys import DeviceKeys
from tests.support.room import person_log

WAIT_SECONDS_MAX = 20.0
"""Far more than anything here takes, even on a machine that does other things too."""


async def until(
    condition: Callable[[], bool], *, what: str = "", seconds: float = WAIT_SECONDS_MAX
) -> None:
    """Wait until a condition holds; raises ``AssertionError`` that says what did not come."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 -- conditions of all kinds, in any process
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"{what or 'what was waited for'} did not come to pass") from None


def wait_until(
    condition: Callable[[], bool], *, what: str = "", seconds: float = WAIT_SECONDS_MAX
) -> None:
    """Wait as ``until`` does, without an event loop."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what or 'what was waited for'} did not come to pass"
        time.sleep(0.005)


async def converged(*rooms: Room, messages: int | None = None) -> None:
    """Wait until all rooms show the same, and as many messages as given."""

    def are_equal() -> bool:
        return len({room.digest() for room in rooms}) == 1 and (
            messages is None or all(room.count() == messages for room in rooms)
        )

    try:
        await until(are_equal)
    except AssertionError:
        shown = [(room.digest()[:8], room.count(), room.outbox()[:3]) for room in rooms]
        raise AssertionError(f"the rooms did not become equal: {shown}") from None


def texts(room: Room) -> list[str]:
    """Return the texts of all messages of a room that are not deleted, in display order."""
    found: list[str] = []
    last: str | None = None
    while True:
        page = room.messages(after=last or "0" * 26, limit=1_000)
        found += [message.text for message in page if not message.deleted]
        if len(page) < 1_000:
            return found
        last = page[-1].id


def assert_same(peers: Sequence[Peer], expected: Sequence[str]) -> None:
    """Assert that every peer's first room shows exactly these texts, and that all is sound.

    ``expected`` is in any order. Also the view folded anew must show the same.
    """
    digests: set[str] = set()
    for peer in peers:
        (room, *_) = peer.rooms()
        assert sorted(texts(room)) == sorted(expected), peer.name
        assert peer.check() == [], peer.name
        digests.add(room.digest())
        peer.rebuild()
        digests.add(room.digest())
        assert peer.check() == [], peer.name
    assert len(digests) == 1


class ShiftedClock(SystemClock):
    """Is the machine's clock, moved: both kinds of time, each by its own shift."""

    def __init__(self, *, wall_ms: int = 0) -> None:
        self.wall_ms = wall_ms
        self.seconds = 0.0

    def now_ms(self) -> int:
        return super().now_ms() + self.wall_ms

    def monotonic(self) -> float:
        return super().monotonic() + self.seconds

    def pass_time(self, seconds: float) -> None:
        """Let time pass without waiting for it."""
        self.seconds += seconds
        self.wall_ms += round(seconds * 1000)


class Process:
    """Is a Python process under test; it reports on its standard output, line by line."""

    def __init__(self, arguments: Sequence[str | Path], *, folder: Path, name: str) -> None:
        self.errors = folder / f"{name}.err"
        with self.errors.open("ab") as errors:
            self._child = subprocess.Popen(
                [sys.executable, "-W", "error", *map(str, arguments)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        assert self._child.stdout is not None
        assert self._child.stdin is not None
        self._child.stdout.close()
        with suppress(BrokenPipeError):
            self._child.stdin.close()

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._child.pid

    def line(self) -> str:
        """Return the next line of output; empty when there will be none."""
        assert self._child.stdout is not None
        return self._child.stdout.readline().rstrip("\n")

    def tell(self, line: str) -> None:
        """Give the process a line of input."""
        assert self._child.stdin is not None
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()

    def is_running(self) -> bool:
        """Tell whether the process has not ended."""
        return self._child.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self._child.pid, number)

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        if self.is_running():
            self.signal(signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        """Wait until the process has ended and return its exit code."""
        return self._child.wait(WAIT_SECONDS_MAX)

    def error_text(self) -> str:
        """Return what the process wrote on its standard error."""
        return self.errors.read_text(encoding="utf-8")


class RelayProcess(Process):
    """Is a relay in a process of its own; ``url`` is where it listens."""

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        name: str = "relay",
        code: str = "",
        options: Sequence[str | Path] = (),
    ) -> None:
        """``code`` is run in the process before the relay starts, with more ``options``."""
        start = code + "\nfrom syncchat_relay.cli import main\nmain()"
        every = [
            "--data-dir",
            str(data_dir),
            "--port",
            str(port),
            "--json",
            "--log-level",
            "debug",
        ]
        super().__init__(["-c", start, *every, *options], folder=data_dir.parent, name=name)
        said = self.line()
        assert said, self.error_text()
        self.url: str = json.loads(said)["url"]
        self.port: int = json.loads(said)["port"]


@contextmanager
def running_relay(
    data_dir: Path,
    *,
    port: int = 0,
    name: str = "relay",
    code: str = "",
    options: Sequence[str | Path] = (),
) -> Iterator[RelayProcess]:
    """Run a relay process for the length of the block."""
    relay = RelayProcess(data_dir, port=port, name=name, code=code, options=options)
    with relay:
        yield relay


@asynccontextmanager
async def all_online(peers: Sequence[Peer]) -> AsyncIterator[None]:
    """Have all peers online for the length of the block."""
    async with AsyncExitStack() as stack:
        for peer in peers:
            await stack.enter_async_context(peer.online())
        yield


@contextmanager
def hasty(peer: Peer) -> Iterator[None]:
    """Let a peer write without waiting for the disk, where a test needs thousands of messages."""
    atomic = peer._db.atomic
    peer._db.atomic = lambda *, durable=True: atomic(durable=False)  # type: ignore[method-assign]
    try:
        yield
    finally:
        peer._db.atomic = atomic  # type: ignore[method-assign]


def let_in(peer: Peer, room: Room, device: DeviceKeys) -> None:
    """Have a room that no relay has yet let a device in, as a person of its own."""
    root = DeviceKeys(bytes(31) + device.public[:1])
    log = person_log(device, root=root, secret=bytes(32))
    membership = peer._membership
    row = rooms.load_room(peer._db, room._row)
    change = Add([log.raw], Role.MEMBER, b"", b"", None)
    with peer._db.atomic():
        group = membership.group(room._row)
        membership._take(row, membership._duties.make(row, group, change))

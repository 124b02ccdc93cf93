"""The processes of the demo: a relay and four players, which end with it whatever happens.

They get a session of their own, so that Ctrl-C reaches the conductor alone, which then ends them.
A player also ends by itself when its input closes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

from syncchat.errors import SyncchatError

from .player import Answer

START_SECONDS_MAX = 20.0
ANSWER_SECONDS_MAX = 30.0
LINE_BYTES_MAX = 1024 * 1024


class DemoFailed(SyncchatError):
    """The demo could not be played to its end."""


class Child:
    """Is a process that can be started, killed and started again."""

    def __init__(self, name: str, module: str, arguments: list[str], log: Path) -> None:
        self.name = name
        self._module = module
        self._arguments = arguments
        self._log = log
        self._process: Process | None = None

    @property
    def is_running(self) -> bool:
        """Tell whether the process is there."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the process."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._module,
                *self._arguments,
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
                start_new_session=True,
                limit=LINE_BYTES_MAX,
            )

    async def kill(self) -> list[Any]:
        """Kill the process with SIGKILL; return what it still said and nobody had read."""
        process = self._running()
        process.kill()
        assert process.stdout is not None
        rest = await process.stdout.read()
        await process.wait()
        complete = rest[: rest.rfind(b"\n") + 1]
        return [json.loads(line) for line in complete.splitlines()]

    def end_at_once(self) -> None:
        """Kill the process without waiting; harmless when it has ended."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def stop(self) -> None:
        """End the process gently, or at least end it; harmless when it has ended."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(3):
                await process.wait()
        except TimeoutError:
            pass
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def tell(self, thing: Any) -> None:
        """Write one line of JSON to the process."""
        process = self._running()
        assert process.stdin is not None
        process.stdin.write(json.dumps(thing).encode() + b"\n")

    async def hear(self, seconds: float) -> Any:
        """Return the next line of JSON that the process writes; raises ``DemoFailed``."""
        process = self._running()
        assert process.stdout is not None
        try:
            async with asyncio.timeout(seconds):
                line = await process.stdout.readline()
        except TimeoutError:
            raise DemoFailed(f"{self.name} does not answer for {seconds:.0f} s") from None
        if not line:
            said = self._log.read_text(encoding="utf-8", errors="replace").strip()
            raise DemoFailed(f"{self.name} ended by itself: {said[-600:] or 'it said nothing'}")
        return json.loads(line)

    def _running(self) -> Process:
        if self._process is None:
            raise DemoFailed(f"{self.name} is not running")
        return self._process


class RelayProcess(Child):
    """Is the relay; it keeps its port when it is started again."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "relay"
        self.url = ""
        self.port = 0
        super().__init__("the relay", "syncchat_relay", [], folder / "relay.log")

    async def start(self) -> None:
        """Start the relay and wait until it listens."""
        where = ["--data-dir", str(self.data_dir), "--port", str(self.port)]
        self._arguments = [*where, "--json"]
        await super().start()
        said = await self.hear(START_SECONDS_MAX)
        self.url, self.port = said["url"], said["port"]

    async def stop(self) -> None:
        """Ask the relay to end as an operator would."""
        if self.is_running:
            assert self._process is not None
            self._process.terminate()
        await super().stop()


class PlayerProcess(Child):
    """Is one peer; ``up`` and ``down`` are the bytes on the wire of all its lives."""

    def __init__(self, name: str, database: Path) -> None:
        self.database = database
        self._before = (0, 0)
        self._now = (0, 0)
        log = database.with_suffix(".log")
        super().__init__(name, f"{__package__}.player", [str(database), name], log)

    @property
    def up(self) -> int:
        """Return the bytes sent, by the answers so far."""
        return self._before[0] + self._now[0]

    @property
    def down(self) -> int:
        """Return the bytes received, by the answers so far."""
        return self._before[1] + self._now[1]

    async def start(self) -> None:
        """Start the peer."""
        self._before, self._now = (self.up, self.down), (0, 0)
        await super().start()

    def ask(self, what: str, **arguments: Any) -> None:
        """Send a request; ``answer`` returns its answer."""
        self.tell([what, arguments])

    async def answer(self) -> Answer:
        """Return the next answer; raises ``DemoFailed``."""
        answer: Answer = await self.hear(ANSWER_SECONDS_MAX)
        self._now = answer["up"], answer["down"]
        return answer

    async def do(self, what: str, **arguments: Any) -> Answer:
        """Send a request and return its answer; raises ``DemoFailed``."""
        self.ask(what, **arguments)
        return await self.answer()

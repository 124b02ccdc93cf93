"""Runs the commands as real processes, with bounded waits for what they print."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import syncchat as library

SECONDS_MAX = 25.0
"""How long anything may take on a busy machine; what is waited for takes well under a second."""

_MAIN = "from syncchat.apps.cli import main; main()"
COMMAND = [sys.executable, "-c", _MAIN]
AT_TERMINAL = [sys.executable, "-c", f"import os; os.login_tty(0); {_MAIN}"]
"""The same with standard input as the controlling terminal, so that ctrl-c makes a signal."""

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x1b[()][A-Z0-9]|\x1b[=>]")


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which no setting of this machine changes what commands do."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SYNCCHAT", "COV_"))}
    kept |= {"NO_COLOR": "1", "PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    return kept | {"PYTHONUTF8": "1"} | more


def syncchat(*arguments: str | Path, stdin: str = "", code: int = 0) -> str:
    """Run a command to its end and return its standard output."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        env=environment(),
        check=False,
    )
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout


def json_lines(text: str) -> list[dict[str, Any]]:
    """Return the objects of a command's ``--json`` output."""
    return [json.loads(line) for line in text.splitlines()]


class Program:
    """Is a running command whose output is read as it comes.

    With ``terminal`` it runs on a pseudo terminal, else on pipes.
    """

    def __init__(self, *arguments: str | Path, terminal: bool = False) -> None:
        command = [*(AT_TERMINAL if terminal else COMMAND), *map(str, arguments)]
        self._text = ""
        self._grown = threading.Condition()
        if terminal:
            import pty
            import termios

            master, slave = pty.openpty()
            termios.tcsetwinsize(slave, (40, 120))
            self._process = subprocess.Popen(
                command,
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env=environment(),
            )
            os.close(slave)
            self._in = self._out = master
        else:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment(),
            )
            assert self._process.stdin and self._process.stdout
            self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        """Return all that was printed so far, without escape sequences."""
        return _ESCAPES.sub("", self._text)

    def write(self, text: str) -> None:
        """Type ``text``."""
        os.write(self._in, text.encode())

    def close_input(self) -> None:
        """End standard input; of a pipe only."""
        assert self._process.stdin
        self._process.stdin.close()

    def wait_for(self, pattern: str, *, times: int = 1) -> str:
        """Wait until a pattern has been printed so often; return the whole output."""
        with self._grown:
            met = self._grown.wait_for(
                lambda: len(re.findall(pattern, self.text)) >= times, timeout=SECONDS_MAX
            )
        assert met, f"{pattern!r} was not printed {times} times in:\n{self.text}"
        return self.text

    def ends(self, *, code: int) -> str:
        """Wait for the end and return the whole output."""
        ended = self._process.wait(timeout=SECONDS_MAX)
        self._reader.join(timeout=SECONDS_MAX)
        assert ended == code, (ended, self.text)
        return self.text

    def terminal_modes(self) -> int:
        """Return the local modes of the pseudo terminal."""
        import termios

        modes: int = termios.tcgetattr(self._out)[3]
        return modes

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def stop(self) -> None:
        """End the program, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(timeout=SECONDS_MAX)
        self._reader.join(timeout=SECONDS_MAX)
        if self._process.stdin:
            self._process.stdin.close()
            assert self._process.stdout
            self._process.stdout.close()
        else:
            os.close(self._out)

    def _read(self) -> None:
        while True:
            try:
                raw = os.read(self._out, 65_536)
            except OSError:  # how a pseudo terminal ends on Linux
                raw = b""
            with self._grown:
                self._text += raw.decode("utf-8", errors="replace")
                self._grown.notify_all()
            if not raw:
                return


@contextmanager
def running(*arguments: str | Path, terminal: bool = False) -> Iterator[Program]:
    """Run a command for the length of the block."""
    program = Program(*arguments, terminal=terminal)
    try:
        yield program
    finally:
        program.stop()


class RelayProgram:
    """Is a relay that can be killed and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = "0"
        self._program: Program | None = None
        self.url = ""

    def start(self) -> None:
        """Start it; returns when it accepts connections."""
        self._program = Program("relay", "--data-dir", self._folder, "--port", self._port, "--json")
        self.url = json.loads(self._program.wait_for(r"\}\n").splitlines()[0])["url"]
        self._port = self.url.rpartition(":")[2]

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        if self._program is not None:
            self._program.stop()
            self._program = None


@contextmanager
def relay_in(folder: Path) -> Iterator[RelayProgram]:
    """Run a relay for the length of the block."""
    relay = RelayProgram(folder)
    relay.start()
    try:
        yield relay
    finally:
        relay.kill()


def two_people(folder: Path, relay_url: str) -> tuple[Path, Path]:
    """Return the databases of Alice and Bob, who are both in the room Team."""
    alice, bob = folder / "alice.db", folder / "bob.db"
    with library.open(alice, name="Alice") as peer:
        room = peer.create_room("Team", relay=relay_url)
        link = room.invite()
        asyncio.run(_synced(peer, room))
    with library.open(bob, name="Bob") as peer:
        asyncio.run(_synced(peer, peer.join(link)))
    return alice, bob


async def _synced(peer: library.Peer, room: library.Room) -> None:
    async with asyncio.timeout(SECONDS_MAX), peer.online():
        await room.synced()


def contents(db: Path) -> list[tuple[str, str]]:
    """Return who wrote what in the room Team, after a reopen."""
    with library.open(db) as peer:
        return [(m.sender_name, m.text) for m in peer.room("Team").messages(limit=1_000)]


def digest(db: Path) -> str:
    """Return the digest of the room Team; no check may find a fault."""
    with library.open(db) as peer:
        assert peer.check() == []
        return peer.room("Team").digest()

"""What a user would pick instead, measured in the same run and in turn with ours.

Each rival has a driver of its own here, ``with_NAME``, which does the same work with the rival in
its own fastest sensible way, in a process of its own: ``build`` and ``open`` a document, ``store``
texts durably, ``serve`` a room, ``fill`` it, ``catchup`` with it, and send what was written
``offline``. The rivals are installed by ``python -m benchmarks setup`` into ``benchmarks/.rivals``,
which git ignores; where one is not there, a scenario says so and goes on.

This file is imported in the rivals' environment too, so it needs the standard library only.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FOLDER = HERE.parent / ".rivals"
HOW_TO_INSTALL = "python -m benchmarks setup"
SECONDS_MAX = 300.0
"""How long a rival may take for one call, its building of a large document included."""


@dataclass(frozen=True, slots=True)
class Rival:
    """Is what is measured beside ours: its driver, its packages, and what it leaves out."""

    name: str
    what: str
    driver: str
    packages: tuple[str, ...]
    lacks: str
    needs_own_environment: bool = True

    @property
    def is_node(self) -> bool:
        """Tell whether it runs in Node, not in Python."""
        return self.driver.endswith(".mjs")

    @property
    def is_installed(self) -> bool:
        """Tell whether all of its packages are there, and what runs it."""
        if not self.needs_own_environment:
            return True
        if self.is_node and shutil.which("node") is None:
            return False
        return all(version for version in self.versions().values())

    def versions(self) -> dict[str, str]:
        """Return the versions of its packages; an empty one for what is not there."""
        found = _node_version if self.is_node else _python_version
        return {package: found(package) for package in self.packages}


BARE = Rival(
    "bare",
    "a bare WebSocket relay that keeps texts in memory and forwards them (websockets)",
    "with_bare.py",
    (),
    "everything: it is the least that any of this can cost",
    needs_own_environment=False,
)
"""The floor, which scenarios with a relay measure always."""

RIVALS = {
    rival.name: rival
    for rival in (
        Rival(
            "automerge",
            "automerge-repo, its WebSocket adapters and file storage (JavaScript and WebAssembly)",
            "with_automerge.mjs",
            (
                "@automerge/automerge",
                "@automerge/automerge-repo",
                "@automerge/automerge-repo-network-websocket",
                "@automerge/automerge-repo-storage-nodefs",
            ),
            "no encryption, no signatures; keeps all messages in memory; saves after it has sent",
        ),
        Rival(
            "hocuspocus",
            "Yjs with Hocuspocus's provider and server (JavaScript)",
            "with_hocuspocus.mjs",
            ("yjs", "@hocuspocus/provider", "@hocuspocus/server"),
            "no encryption, no signatures; keeps all messages in memory; acknowledges at once and "
            "stores the whole document two seconds later",
        ),
        Rival(
            "loro",
            "loro's document (Rust, from Python)",
            "with_loro.py",
            ("loro",),
            "a document only: no network, no store, no encryption, no signatures",
        ),
        Rival(
            "pycrdt",
            "pycrdt with pycrdt-store's SQLite and pycrdt-websocket (Rust, from Python)",
            "with_pycrdt.py",
            ("pycrdt", "pycrdt-store", "pycrdt-websocket", "websockets"),
            "no encryption, no signatures; keeps all messages in memory; sends before it stores",
        ),
        Rival(
            "yjs",
            "Yjs with y-websocket and LevelDB at its server (JavaScript)",
            "with_yjs.mjs",
            ("yjs", "y-websocket", "@y/websocket-server", "y-leveldb"),
            "no encryption, no signatures; keeps all messages in memory; sends before it stores",
        ),
    )
}


class UnknownRival(ValueError):
    """There is no rival of this name."""


def chosen(names: Sequence[str]) -> list[str]:
    """Return the names of rivals that were asked for, ``all`` standing for each of them."""
    unknown = [name for name in names if name not in RIVALS and name != "all"]
    if unknown:
        known = ", ".join([*RIVALS, "all"])
        raise UnknownRival(f"no rival {', '.join(unknown)}; there are: {known}")
    return list(RIVALS) if "all" in names else [name for name in RIVALS if name in names]


def ready(asked: Sequence[str], measured: Sequence[str]) -> tuple[list[Rival], dict[str, str]]:
    """Return the rivals that a scenario measures and that are there, and words for the others."""
    found: list[Rival] = []
    skipped: dict[str, str] = {}
    for name in chosen(asked):
        if name not in measured:
            if "all" not in asked:
                skipped[name] = "skipped: this scenario does not measure it"
        elif not RIVALS[name].is_installed:
            skipped[name] = f"skipped: not installed ({HOW_TO_INSTALL})"
        else:
            found.append(RIVALS[name])
    return found, skipped


async def call(rival: Rival, verb: str, argument: str, given: object) -> dict[str, Any]:
    """Let a rival's driver do one thing in a fresh process; return what it tells."""
    process = await asyncio.create_subprocess_exec(
        *_command(rival, verb, argument), stdin=PIPE, stdout=PIPE, env=_environment()
    )
    try:
        async with asyncio.timeout(SECONDS_MAX):
            said, _ = await process.communicate(json.dumps(given).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"{rival.name}'s driver ended with {process.returncode} at {verb}")
    found: dict[str, Any] = json.loads(said)
    return found


@asynccontextmanager
async def serving(rival: Rival, folder: Path | None) -> AsyncIterator[tuple[int, str]]:
    """Run a rival's server, which keeps what it gets in a folder, or in memory only.

    Yields its process id and its address. At the end it is closed gently, so that it writes what
    it had only planned to.
    """
    process = await asyncio.create_subprocess_exec(
        *_command(rival, "serve", str(folder) if folder else ""),
        stdin=PIPE,
        stdout=PIPE,
        env=_environment(),
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        async with asyncio.timeout(30):
            url = (await process.stdout.readline()).decode().strip()
        if not url:
            raise RuntimeError(f"{rival.name}'s server did not start")
        yield process.pid, url
        process.stdin.close()
        async with asyncio.timeout(30):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def python() -> Path:
    """Return the interpreter of the rivals' own environment."""
    if sys.platform == "win32":
        return FOLDER / "venv" / "Scripts" / "python.exe"
    return FOLDER / "venv" / "bin" / "python"


def node_version() -> str:
    """Return Node's version, or that it is not there."""
    node = shutil.which("node")
    if node is None:
        return "not installed"
    return subprocess.run(
        [node, "--version"], capture_output=True, check=True, text=True
    ).stdout.strip()


def _command(rival: Rival, verb: str, argument: str) -> list[str]:
    if rival.is_node:
        _copy_scripts()
        start = ["node", str(FOLDER / rival.driver)]
    else:
        interpreter = str(python()) if rival.needs_own_environment else sys.executable
        start = [interpreter, "-m", f"{__name__}.{Path(rival.driver).stem}"]
    return [*start, verb, argument]


def _copy_scripts() -> None:
    """Copy scripts beside the packages, for Node looks for those from where the script is."""
    for script in HERE.glob("*.mjs"):
        copy = FOLDER / script.name
        if not copy.exists() or copy.read_bytes() != script.read_bytes():
            fresh = copy.with_suffix(f".{os.getpid()}")  # another run may be reading the old one
            shutil.copy(script, fresh)
            fresh.replace(copy)


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(HERE.parent.parent), "NODE_ENV": "production"}


def _node_version(package: str) -> str:
    path = FOLDER / "node_modules" / package / "package.json"
    if not path.exists():
        return ""
    return str(json.loads(path.read_text(encoding="utf-8"))["version"])


def _python_version(package: str) -> str:
    stem = package.replace("-", "_")
    found = sorted((FOLDER / "venv").glob(f"**/site-packages/{stem}-*.dist-info"))
    return found[0].name.removesuffix(".dist-info").removeprefix(f"{stem}-") if found else ""

"""Pages of documentation that are played as their reader would: files written, commands run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 50

QUICK = "-p no:cacheprovider -p no:asyncio -p no:timeout -p no:xdist"
"""Plugins that a reader does not have, and that take a second to load."""


@dataclass(frozen=True, slots=True)
class Ran:
    """Is one command of a page, and how it ended."""

    command: str
    code: int
    output: str


def play_page(page: str, folder: Path) -> list[Ran]:
    """Do all that a page says, in order, in an empty folder; return what was run.

    A ``python`` block that begins with a file's name is written to that file; of ``sh`` blocks the
    commands ``syncchat`` and ``pytest`` are run, and must succeed unless ``# fails`` stands behind
    them; all lines of a ``text`` block must be in what the last command printed.
    """
    text = (ROOT / page).read_text(encoding="utf-8")
    done: list[Ran] = []
    for kind, block in re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        if kind == "python" and (named := re.match(r"# ([\w./]+\.py)\n", block)):
            (folder / named[1]).write_text(block, encoding="utf-8")
        elif kind == "sh":
            done += [ran for line in block.splitlines() if (ran := _run(line, folder)) is not None]
        elif kind == "text":
            missing = [line for line in block.splitlines() if line.strip() not in done[-1].output]
            assert missing == [], f"{done[-1].command} does not print these lines: {missing}"
    return done


def _run(line: str, folder: Path) -> Ran | None:
    words = shlex.split(line, comments=True)
    if not words or words[0] not in ("syncchat", "pytest"):
        return None
    program = str(Path(sys.executable).with_name(words[0]))
    done = subprocess.run(
        [program, *words[1:]],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        env={**os.environ, "PYTEST_ADDOPTS": QUICK, "COLUMNS": "100"},
    )
    output = done.stdout + done.stderr
    assert (done.returncode != 0) == ("# fails" in line), f"{line}\n{output}"
    return Ran(line, done.returncode, output)

"""The tutorial about all that a chat does, run by a shell as it stands."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from .programs import COMMAND, digest, environment, relay_in

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "a-day-in-a-chat.md"
RELAY = "ws://127.0.0.1:8765"


@pytest.mark.timeout(300)  # over a hundred processes, on a machine that may be busy
def test_shell_that_runs_the_page_ends_well_and_both_have_the_same(tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    folder, bin_ = tmp_path / "day", tmp_path / "bin"
    folder.mkdir()
    bin_.mkdir()
    (bin_ / "syncchat").write_text(f'#!/bin/sh\nexec {shlex.join(map(str, COMMAND))} "$@"\n')
    (bin_ / "syncchat").chmod(0o755)
    with relay_in(tmp_path / "relay") as relay:
        page = "\n".join(blocks).replace(RELAY, relay.url)
        done = subprocess.run(
            ["bash", "-e"],
            input=page,
            cwd=folder,
            env=environment(PATH=f"{bin_}:{environment()['PATH']}"),
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    assert digest(folder / "alice.db") == digest(folder / "bob.db")
    assert (folder / "bobs" / "menu.txt").read_text() == "soup, salad, pasta\n"
    for told in (
        *("yes please", "[poll] Where?", "2. Somewhere new: 2", "soup, salad, pasta"),
        *("**Lunch** at one?", "buy milk", "back to work", "call Bob", "a cake for Carol"),
        *("this is an advert", "hidden: ", "Alice (you)"),
    ):
        assert told in done.stdout, told

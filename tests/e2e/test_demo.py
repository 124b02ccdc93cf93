"""The demo from end to end, short: real processes, a relay and a peer killed on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from syncchat.apps.demo import demo; demo()"]


def _environment(folder: Path) -> dict[str, str]:
    """Return an environment in which temporary folders go to ``folder``."""
    return {**os.environ, **{name: str(folder) for name in ("TMPDIR", "TEMP", "TMP")}}


def test_demo_plays_200_lines_through_all_mishaps_and_loses_none(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--lines", "200", "--json"],
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
        env=_environment(tmp_path),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout)
    assert summary["ok"] and all(check["ok"] for check in summary["checks"])
    assert len(summary["checks"]) == 7
    assert summary["lines"] == sum(peer["lines"] for peer in summary["peers"]) == 200
    assert len({peer["digest"] for peer in summary["peers"]}) == 1
    assert all(peer["bytes_up"] and peer["bytes_down"] for peer in summary["peers"])
    assert "CC BY 4.0" in summary["attribution"]
    for told in ("go offline, and write on", "the relay is killed", "was killed (SIGKILL) with"):
        assert told in done.stderr
    kept = {path.suffix for path in Path(summary["folder"]).iterdir()}
    assert kept >= {"", ".db"}


def test_demo_tells_how_to_go_on_with_files_that_are_there(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--lines", "60", "--rate", "500"],
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
        env=_environment(tmp_path),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout and done.stdout.count("passed") == 7
    words = done.stdout.split()
    named = [Path(word) for word in words if word.startswith(str(tmp_path))]
    assert len([path for path in named if path.suffix == ".db"]) == 2
    assert [path for path in named if path.name == "relay"]
    assert all(path.exists() for path in named[:-1])
    assert len(list(named[0].parent.glob("*.db"))) == 2
    commands = [line.split() for line in done.stdout.splitlines() if " --db " in line]
    assert len(commands) == 2 and all(shutil.which(command[0]) for command in commands)


def test_demo_keeps_nothing_when_told_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--lines", "40", "--rate", "500", "--no-keep", "--json"],
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
        env=_environment(tmp_path),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["folder"] is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_demo_leaves_no_process_and_no_file(tmp_path: Path, number: int) -> None:
    with subprocess.Popen(
        COMMAND,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(tmp_path),
    ) as demo:
        assert demo.stderr is not None
        for line in demo.stderr:
            if "lines are played" in line:
                break
        children = Path(f"/proc/{demo.pid}/task/{demo.pid}/children").read_text().split()
        demo.send_signal(number)
        _, words = demo.communicate(timeout=20)
    assert demo.returncode == 130
    assert "interrupted" in words
    assert len(children) == 5
    assert [child for child in children if Path(f"/proc/{child}").exists()] == []
    assert list(tmp_path.iterdir()) == []

"""``syncchat simulate`` from end to end: what it prints, how it fails, and what replays it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from syncchat.apps.cli import cli
from syncchat.room import Room
from syncchat.testing import Outcome, Schedule, play
from tests.support.pages import play_page

COMMAND = [sys.executable, "-c", "from syncchat.apps.cli import main; main()", "simulate"]
WAYS_TO_WRITE = {"write", "reply", "mention", "answer in thread", "attach"}
SMALL = ["--peers", "3", "--steps", "25"]


def simulate(*arguments: str) -> Result:
    """Run the command in this process, where a test can have broken something."""
    return CliRunner().invoke(cli, ["simulate", *arguments])


@pytest.fixture
def edits_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant a defect: an edit is shown nowhere."""
    monkeypatch.setattr(
        Room, "edit", lambda room, message, text, mentions=None: room.message(message)
    )


def test_newcomer_sees_that_all_hold_and_what_was_met() -> None:
    done = subprocess.run(
        [*COMMAND, "--runs", "10", "--faults", "all"],
        check=False,
        capture_output=True,
        text=True,
        timeout=55,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    first, *rows = done.stdout.splitlines()
    assert first == "all hold: after every schedule, every peer showed what everybody wrote"
    names = [row[2:14].strip() for row in rows]
    assert names == ["schedules", "deeds", "faults", "fault pairs", "crashes", "rate"]
    assert "10 of 5 peers and 60 steps, seeds 0 to 9" in rows[0]


def test_result_does_not_depend_on_the_number_of_workers() -> None:
    found = []
    for jobs in ("1", "2"):
        done = simulate("--runs", "9", *SMALL, "--seed", "40", "--jobs", jobs, "--json")
        assert done.exit_code == 0, done.output
        fields: dict[str, Any] = json.loads(done.stdout)
        assert fields["schedules"] == 9 and fields["ok"] and fields["events"] > 1_000
        found.append({k: v for k, v in fields.items() if not k.startswith(("sec", "jobs"))})
        del found[-1]["schedulesPerSecond"]
    assert found[0] == found[1]


@pytest.mark.usefixtures("edits_are_lost")
def test_failure_is_told_in_words_and_its_printed_command_fails_the_same_way() -> None:
    done = simulate("--runs", "50", *SMALL, "--faults", "offline,kill", "--jobs", "1")
    assert done.exit_code == 3
    told = done.stdout.splitlines()
    assert re.fullmatch(r"FAILED: seed \d+: peer\d .*m\d.*", told[0])
    (again,) = [line for line in told if line.startswith("play it again with: ")]
    words = shlex.split(again.removeprefix("play it again with: syncchat simulate"))
    assert words[words.index("--faults") + 1] == "kill,offline"
    assert any(re.search(r"s  peer\d changes m[01] to “edited", line) for line in told)
    assert any(re.search(r"cut down from 25 to [23] steps of 2 peers:", line) for line in told)
    replayed = simulate(*words, "--jobs", "1")
    assert replayed.exit_code == 3
    assert replayed.stdout.splitlines()[0] == told[0]


@pytest.mark.usefixtures("edits_are_lost")
def test_failure_as_json_has_all_that_people_are_told() -> None:
    done = simulate("--runs", "50", *SMALL, "--faults", "none", "--jobs", "1", "--json")
    assert done.exit_code == 3
    found = json.loads(done.stdout)
    assert found["ok"] is False
    assert re.search(r"\bm[01]\b", found["shortFailure"])
    assert found["replay"].startswith(f"syncchat simulate --seed {found['failedSeed']} --runs 1 ")
    *before, last = (step[0] for step in found["schedule"]["steps"])
    assert last in ("edit", "edit mentions") and set(before) <= WAYS_TO_WRITE
    assert found["story"] and found["faults"] == {}


def test_saved_schedule_fails_until_the_defect_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "failed.json")
    with monkeypatch.context() as broken:
        broken.setattr(
            Room, "edit", lambda room, message, text, mentions=None: room.message(message)
        )
        done = simulate("--runs", "50", *SMALL, "--jobs", "1", "--save", file)
        assert done.exit_code == 3
        assert f"syncchat simulate --replay {file}" in done.stdout
        (failure,) = re.findall(r"^then: (.*)", done.stdout, re.MULTILINE)
        replayed = simulate("--replay", file)
        assert replayed.exit_code == 3
        assert replayed.stdout.splitlines()[-1] == f"FAILED: {failure}"
    mended = simulate("--replay", file)
    assert mended.exit_code == 0, mended.output
    assert mended.stdout.splitlines()[-1] == "it holds: every peer shows what everybody wrote"
    assert json.loads(simulate("--replay", file, "--json").stdout)["ok"] is True


def test_time_can_be_the_limit() -> None:
    done = simulate("--minutes", "0.005", *SMALL, "--jobs", "1", "--json")
    assert done.exit_code == 0
    assert 1 <= json.loads(done.stdout)["schedules"] < 200


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--faults", "fire"], "no fault is called 'fire'; there are: offline, cut,"),
        (["--faults", ""], "no fault is called ''"),
        (["--runs", "0"], "--runs"),
        (["--peers", "1"], "--peers"),
        (["--minutes", "-1"], "--minutes"),
        (["--jobs", "0"], "--jobs"),
        (["--replay", "nowhere.json"], "does not exist"),
        (["--replay", __file__], "--replay"),
        (["--replay", __file__, "--seed", "1"], "leave --seed away"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_played(
    arguments: list[str], told: str
) -> None:
    done = simulate(*arguments)
    assert done.exit_code == 2
    assert told in done.stderr


def test_file_that_cannot_be_written_does_not_hide_the_failure(
    edits_are_lost: None, tmp_path: Path
) -> None:
    file = str(tmp_path / "no such folder" / "failed.json")
    done = simulate("--runs", "50", *SMALL, "--jobs", "1", "--save", file)
    assert done.exit_code == 1
    assert done.stdout.startswith("FAILED: seed")
    assert "No such file" in done.stderr


def test_interrupt_tells_what_held_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    played = 0

    def interrupted(schedule: Schedule) -> Outcome:
        nonlocal played
        played += 1
        if played == 3:
            raise KeyboardInterrupt
        return play(schedule)

    monkeypatch.setattr("syncchat.testing.workers.play", interrupted)
    done = simulate("--runs", "9", *SMALL, "--jobs", "1")
    assert done.exit_code == 130
    assert "interrupted: 2 schedules held, from seed 0 on" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others on Windows")
def test_interrupt_ends_all_workers_quietly() -> None:
    with subprocess.Popen(
        [*COMMAND, "--minutes", "5", "--jobs", "2", "--peers", "2", "--steps", "3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        assert running.stderr is not None
        assert "playing 5 minutes of schedules, 2 at a time" in running.stderr.readline()
        assert running.stderr.readline() == "100 schedules played\n"
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does
        out, words = running.communicate(timeout=50)
    assert running.returncode == 130
    assert out == ""
    assert "Traceback" not in words
    assert re.search(r"interrupted: [1-9]\d+ schedules held", words)


@pytest.mark.timeout(180)
def test_tutorial_works_command_by_command(tmp_path: Path) -> None:
    ran = play_page("docs/tutorial/testing-convergence.md", tmp_path)
    assert [one.code for one in ran].count(1) == 2
    assert {one.command.split()[0] for one in ran} == {"syncchat", "pytest"}


@pytest.mark.timeout(180)
def test_howto_works_command_by_command(tmp_path: Path) -> None:
    ran = play_page("docs/howto/test-your-own-merge-rule.md", tmp_path)
    assert [one.code for one in ran] == [1, 0, 0]

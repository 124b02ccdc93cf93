"""The commands, one by one, on a database in a temporary folder and without a network."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import syncchat
from syncchat.apps.cli import cli

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line for a person whose data folder is empty."""
    for name in ("SYNCCHAT_DB", "SYNCCHAT_RELAY", "SYNCCHAT_DEBUG", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))

    def go(*arguments: str, stdin: str | bytes = "", code: int = 0) -> Result:
        done = CliRunner().invoke(cli, arguments, input=stdin)
        assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
        return done

    return go


@pytest.fixture
def team(run: Run, tmp_path: Path) -> Path:
    """Give the database of Alice, who has the room Team and no messages."""
    db = tmp_path / "alice.db"
    run("init", "--name", "Alice", "--db", str(db))
    run("create", "Team", "--db", str(db))
    return db


def _json_lines(done: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


# Who I am


@pytest.mark.parametrize(
    "arguments",
    [
        ["rooms"],
        ["room", "create", "Team"],
        ["join", "syncchat:x#y"],
        ["invite", "Team"],
        ["send", "Team", "hi"],
        ["history", "Team"],
        ["tail", "Team"],
        ["sync"],
        ["chat", "Team"],
        ["doctor"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_without_a_database_a_command_says_how_to_make_one_and_makes_none(
    run: Run, tmp_path: Path, arguments: list[str]
) -> None:
    db = tmp_path / "none.db"
    done = run(*arguments, "--db", str(db), code=3)
    assert done.stdout == ""
    assert f"run: syncchat init --name YOU --db {db}" in done.stderr
    assert list(tmp_path.glob("none.db*")) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the folder of Linux")
def test_init_makes_folder_and_database_for_its_owner_only(run: Run, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        run("init", "--name", "Alice")
    finally:
        os.umask(before)
    db = tmp_path / "data" / "syncchat" / "syncchat.db"
    assert stat.S_IMODE(db.stat().st_mode) == 0o600
    assert stat.S_IMODE(db.parent.stat().st_mode) == 0o700
    assert _json_lines(run("init", "--json"))[0]["db"] == str(db)


def test_init_again_keeps_the_device_and_renames(run: Run, team: Path) -> None:
    (first,) = _json_lines(run("init", "--db", str(team), "--json"))
    (second,) = _json_lines(run("init", "--db", str(team), "--name", "Alice B.", "--json"))
    assert (first["name"], second["name"]) == ("Alice", "Alice B.")
    assert first["device"] == second["device"]
    assert first["created"] is False


def test_init_asks_for_a_name_in_words_where_nobody_can_answer(run: Run, tmp_path: Path) -> None:
    done = run("init", "--db", str(tmp_path / "new.db"), code=2)
    assert "--name NAME" in done.stderr
    assert list(tmp_path.glob("new.db*")) == []


def test_a_name_that_cannot_be_used_leaves_no_database(run: Run, tmp_path: Path) -> None:
    run("init", "--name", "x" * 51, "--db", str(tmp_path / "new.db"), code=2)
    run("rooms", "--db", str(tmp_path / "new.db"), code=3)


def test_database_comes_from_flag_then_environment(
    run: Run, team: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCCHAT_DB", str(team))
    assert _json_lines(run("rooms", "--json"))[0]["title"] == "Team"
    run("rooms", "--db", str(tmp_path / "other.db"), code=3)


def test_a_file_that_is_no_database_stays_as_it_is(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"not a database, but precious\n" * 200)
    for arguments in (["rooms"], ["init", "--name", "A"], ["send", "Team", "x"]):
        done = run(*arguments, "--db", str(path), code=1)
        assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert path.read_bytes() == b"not a database, but precious\n" * 200


# Rooms


def test_create_prints_a_link_that_another_joins_by_argument_or_pipe(
    run: Run, team: Path, tmp_path: Path
) -> None:
    link = run("invite", "Team", "--db", str(team)).stdout.strip()
    assert link.startswith("syncchat:")
    for name, argument, stdin in (("bob", link, ""), ("carol", "-", link + "\n")):
        db = str(tmp_path / f"{name}.db")
        run("init", "--name", name, "--db", db)
        (joined,) = _json_lines(run("join", argument, "--db", db, "--json", stdin=stdin))
        assert joined["title"] == "Team"
        assert joined["relay"] == "ws://127.0.0.1:8765"
        (listed,) = _json_lines(run("rooms", "--db", db, "--json"))
        assert listed["id"] == joined["id"]


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_cut_link_is_refused_and_joins_nothing(run: Run, team: Path, cut: int) -> None:
    link = run("invite", "Team", "--db", str(team)).stdout.strip()
    done = run("join", link[:-cut], "--db", str(team), code=2)
    assert "copy" in done.stderr
    assert len(_json_lines(run("rooms", "--db", str(team), "--json"))) == 1


def test_rooms_are_listed_by_title_with_counts(run: Run, team: Path) -> None:
    run("create", "alpha", "--relay", "", "--db", str(team))
    run("send", "alpha", "one", "--db", str(team))
    listed = _json_lines(run("rooms", "--db", str(team), "--json"))
    assert [(row["title"], row["messages"], row["connection"]) for row in listed] == [
        ("alpha", 1, "no relay"),
        ("Team", 0, "offline"),
    ]
    text = run("rooms", "--db", str(team)).stdout.splitlines()
    assert text[0].split() == ["title", "unread", "messages", "connection", "id"]
    assert text[2].split()[:4] == ["Team", "0", "0", "offline"]


@pytest.mark.parametrize("relay", ["http://x", "ws://", "nonsense"])
def test_a_relay_address_that_is_none_is_wrong_usage(run: Run, team: Path, relay: str) -> None:
    run("room", "create", "Other", "--relay", relay, "--db", str(team), code=2)


def test_a_second_room_of_one_title_is_made_with_a_word_about_its_id(run: Run, team: Path) -> None:
    done = run("create", "team", "--db", str(team), "--json")
    assert f"this one is {_json_lines(done)[0]['id'][:8]}" in done.stderr


def test_an_unknown_room_is_not_found_and_the_known_ones_are_named(run: Run, team: Path) -> None:
    done = run("send", "Tema", "hi", "--db", str(team), code=3)
    assert "'Team'" in done.stderr


# Messages


def test_send_prints_the_id_and_history_shows_the_text(run: Run, team: Path) -> None:
    message = run("send", "Team", "the", "build", "is", "green", "--db", str(team)).stdout.strip()
    line = run("history", "Team", "--ids", "--db", str(team)).stdout.strip()
    assert line.startswith(message)
    assert line.endswith("Alice: the build is green  …")


def test_send_reads_standard_input_and_keeps_its_lines(run: Run, team: Path) -> None:
    run("send", "Team", "-", "--db", str(team), stdin="first\nsecond\n\n")
    (shown,) = _json_lines(run("history", "Team", "--json", "--db", str(team)))
    assert shown["content"] == "first\nsecond"
    assert "first\n    second" in run("history", "Team", "--db", str(team)).stdout


def test_send_carries_reply_thread_kind_and_metadata(run: Run, team: Path) -> None:
    first = run("send", "Team", "root", "--db", str(team)).stdout.strip()
    (sent,) = _json_lines(
        run(
            *("send", "Team", "--kind", "location", "--metadata", '{"lat": 48.2}', "--json"),
            *("--reply-to", first[:20], "--thread", first, "--db", str(team)),
        )
    )
    assert (sent["replyTo"], sent["thread"]) == (first, first)
    assert (sent["type"], sent["metadata"], sent["status"]) == (
        "location",
        {"lat": 48.2},
        "queued",
    )
    in_thread = _json_lines(run("history", "Team", "--thread", first, "--json", "--db", str(team)))
    assert [each["id"] for each in in_thread] == [sent["id"]]


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["send", "Team"], ""),
        (["send", "Team", "  "], ""),
        (["send", "Team", "-"], ""),
        (["send", "Team", "-"], "x" * 70_000),
        (["send", "Team", "-"], b"x" * 10_000_000),
        (["send", "Team", "-"], b"\xff\xfe"),
        (["send", "Team", "x", "--metadata", "{"], ""),
        (["send", "Team", "x", "--metadata", "[1]"], ""),
        (["send", "Team", "x", "--kind", "k" * 33], ""),
        (["send", "Team", "x", "--wait", "-1"], ""),
    ],
)
def test_what_cannot_be_sent_is_wrong_usage_and_writes_nothing(
    run: Run, team: Path, arguments: list[str], stdin: str | bytes
) -> None:
    done = run(*arguments, "--db", str(team), stdin=stdin, code=2)
    assert done.stdout == ""
    assert run("history", "Team", "--db", str(team)).stdout == ""


def test_send_with_wait_in_a_room_without_relay_writes_nothing(run: Run, team: Path) -> None:
    run("create", "Notes", "--relay", "", "--db", str(team))
    run("send", "Notes", "x", "--wait", "1", "--db", str(team), code=2)
    assert run("history", "Notes", "--db", str(team)).stdout == ""


def test_a_reply_to_a_beginning_that_fits_nothing_is_not_found(run: Run, team: Path) -> None:
    run("send", "Team", "x", "--reply-to", "ZZZZZZZZ", "--db", str(team), code=3)


def test_history_shows_the_same_messages_however_it_is_paged(
    run: Run, team: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with syncchat.open(team) as peer:
        ids = [str(peer.room("Team").send(f"number {n}").id) for n in range(23)]
    monkeypatch.setattr("syncchat.apps.cli.messages.PAGE", 5)

    def shown(*arguments: str) -> list[str]:
        done = run("history", "Team", *arguments, "--json", "--db", str(team))
        return [row["id"] for row in _json_lines(done)]

    assert shown("--all") == ids
    for limit in (1, 4, 5, 6, 10, 12, 22, 23, 24, 50):
        assert shown("--limit", str(limit)) == ids[-limit:]
        assert shown("--limit", str(limit), "--before", ids[20]) == ids[:20][-limit:]
        assert shown("--limit", str(limit), "--after", ids[2][:25]) == ids[3:][:limit]
    assert shown("--after", ids[3], "--before", ids[9], "--all") == ids[4:9]
    assert shown("--before", ids[0]) == []


def test_foreign_names_titles_and_texts_are_printed_harmlessly(run: Run, team: Path) -> None:
    with syncchat.open(team) as peer:
        peer.room("Team").send("\x1b[2J\u202eevil\x07", kind="\x1bodd")
    for command in (["history", "Team"], ["tail", "Team", "--no-follow"]):
        out = run(*command, "--db", str(team)).stdout
        assert "[␛odd] ␛[2Jevil␇" in out
        assert "\x1b" not in out and "\u202e" not in out


def test_tail_without_follow_prints_the_last_messages_and_ends(run: Run, team: Path) -> None:
    for text in ("one", "two", "three"):
        run("send", "Team", text, "--db", str(team))
    done = run("tail", "Team", "--no-follow", "-n", "2", "--json", "--db", str(team))
    assert [row["content"] for row in _json_lines(done)] == ["two", "three"]
    assert run("tail", "Team", "--no-follow", "-n", "0", "--db", str(team)).stdout == ""


# Checks


def test_sync_with_nothing_to_sync_with_says_so(run: Run, tmp_path: Path) -> None:
    db = str(tmp_path / "x.db")
    run("init", "--name", "X", "--db", db)
    assert run("sync", "--db", db).stdout == ""
    run("create", "Notes", "--relay", "", "--db", db)
    run("sync", "Notes", "--db", db, code=2)


def test_doctor_tells_what_is_there_and_that_it_is_not_encrypted(run: Run, team: Path) -> None:
    run("send", "Team", "hello", "--db", str(team))
    text = run("doctor", "--db", str(team)).stdout
    assert "this database is not encrypted" in text and "all is well" in text
    (found,) = _json_lines(run("doctor", "--db", str(team), "--json"))
    (room,) = found["rooms"]
    assert (room["title"], room["messages"], room["unread"]) == ("Team", 1, 0)
    assert found["versions"]["syncchat"] == syncchat.__version__
    assert found["faults"] == [] and found["bytes"] > 0
    with syncchat.open(team) as peer:
        assert room["digest"] == peer.room("Team").digest()


@pytest.mark.skipif(sys.platform == "win32", reason="rights of files")
def test_doctor_warns_of_a_file_that_others_can_read(run: Run, team: Path) -> None:
    assert "chmod" not in run("doctor", "--db", str(team)).stdout
    team.chmod(0o644)
    assert f"chmod 600 {team}" in run("doctor", "--db", str(team)).stdout


def test_doctor_finds_a_wrong_digest_and_rebuild_mends_it(run: Run, team: Path) -> None:
    import sqlite3

    run("send", "Team", "hello", "--db", str(team))
    good = _json_lines(run("doctor", "--db", str(team), "--json"))[0]["rooms"][0]["digest"]
    with sqlite3.connect(team) as conn:
        conn.execute("update tally set digest = zeroblob(32)")
    conn.close()
    done = run("doctor", "--db", str(team), code=3)
    assert "fault: " in done.stdout and "--rebuild" in done.stdout
    (mended,) = _json_lines(run("doctor", "--rebuild", "--db", str(team), "--json"))
    assert mended["rooms"][0]["digest"] == good


def test_doctor_reports_a_damaged_database_as_a_fault(run: Run, team: Path) -> None:
    raw = bytearray(team.read_bytes())
    raw[:100] = b"\xaa" * 100
    team.write_bytes(raw)
    (found,) = _json_lines(run("doctor", "--db", str(team), "--json", code=3))
    assert str(team) in found["faults"][0]

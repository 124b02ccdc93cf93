"""The commands about people, devices and the recovery phrase, without a network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import syncchat
from syncchat.apps.cli import cli, recovery
from syncchat.trust.phrase import phrase_of

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line on one database, that of Alice unless another is named."""
    for name in ("SYNCCHAT_RELAY", "SYNCCHAT_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SYNCCHAT_DB", str(tmp_path / "alice.db"))
    monkeypatch.setenv("NO_COLOR", "1")

    def go(*arguments: str, stdin: str = "", code: int = 0) -> Result:
        done = CliRunner().invoke(cli, arguments, input=stdin)
        assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
        return done

    return go


@pytest.fixture
def alice(run: Run, tmp_path: Path) -> Path:
    """Give the database of Alice, who has the room Team, that is on no relay."""
    run("init", "--name", "Alice", "--skip-recovery")
    run("create", "Team", "--relay", "")
    return tmp_path / "alice.db"


def _json_lines(done: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


# Invites


@pytest.mark.usefixtures("alice")
def test_invite_says_what_it_allows_and_can_be_closed_by_its_id(run: Run) -> None:
    (made,) = _json_lines(
        run("invite", "Team", "--uses", "0", "--expires", "7d", "--role", "reader", "--json")
    )
    listed = {each["id"]: each for each in _json_lines(run("invites", "Team", "--json"))}
    assert len(listed) == 2  # that of 'create' lets one member in
    found = listed[made["invite"]]
    assert (found["uses"], found["role"], found["approve"]) == (0, "reader", False)
    assert found["expires"] > 0
    run("revoke-invite", "Team", made["invite"][:8])
    (left,) = _json_lines(run("invites", "Team", "--json"))
    assert (left["uses"], left["role"], left["expires"]) == (1, "member", None)
    assert "one" not in run("invites", "Team").stdout.split("\n")[0]
    run("revoke-invite", "Team", made["invite"][:8] + "zz", code=3)


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize("span", ["7", "0d", "d", "7y", "-1h", "5000d"])
def test_a_length_of_time_that_is_none_is_refused_with_examples(run: Run, span: str) -> None:
    done = run("invite", "Team", "--expires", span, code=2)
    assert "12h" in done.stderr or "ten years" in done.stderr
    assert len(_json_lines(run("invites", "Team", "--json"))) == 1


@pytest.mark.usefixtures("alice")
def test_qr_goes_to_standard_error_and_to_a_new_file_only(run: Run, tmp_path: Path) -> None:
    png = tmp_path / "invite.png"
    done = run("invite", "Team", "--qr", "--qr-png", str(png))
    assert done.stdout.startswith("syncchat:") and len(done.stdout.splitlines()) == 1
    assert "█" in done.stderr
    assert png.read_bytes().startswith(b"\x89PNG")
    run("invite", "Team", "--qr-png", str(png), code=2)
    assert len(_json_lines(run("invites", "Team", "--json"))) == 2  # none was made in vain


@pytest.mark.usefixtures("alice")
def test_nobody_asks_and_a_request_that_is_not_there_is_not_found(run: Run) -> None:
    assert run("requests", "Team").stdout == ""
    run("approve", "Team", "abcd", code=3)


# Members


@pytest.mark.usefixtures("alice")
def test_members_shows_role_devices_and_id(run: Run) -> None:
    (me,) = _json_lines(run("members", "Team", "--json"))
    assert (me["name"], me["role"], me["isMe"], len(me["devices"])) == ("Alice", "owner", True, 1)
    head, row = run("members", "Team").stdout.splitlines()
    assert head.split() == ["name", "role", "devices", "verified", "id"]
    assert row.split() == ["Alice", "owner", "1", "you", me["id"][:8]]


@pytest.mark.usefixtures("alice")
def test_what_the_rules_forbid_ends_with_4_and_changes_nothing(run: Run) -> None:
    assert run("remove", "Team", "Alice", code=4).stdout == ""
    run("role", "Team", "alice", "reader", code=4)
    (me,) = _json_lines(run("members", "Team", "--json"))
    assert me["role"] == "owner"


@pytest.mark.usefixtures("alice")
def test_a_member_who_is_not_there_is_not_found(run: Run) -> None:
    assert "'Bob'" in run("remove", "Team", "Bob", code=3).stderr
    assert "␛" in run("verify", "show", "\x1b[2J", code=3).stderr


@pytest.mark.usefixtures("alice")
def test_a_hidden_message_is_shown_again_with_undo(run: Run) -> None:
    message = run("send", "Team", "not for here").stdout.strip()
    (hidden,) = _json_lines(run("hide", "Team", message[:12], "--json"))
    assert (hidden["message"], hidden["hidden"]) == (message, True)
    assert "hidden" in run("hide", "Team", message).stdout
    assert "shown again" in run("hide", "Team", message, "--undo").stdout
    run("hide", "Team", "0" * 26, code=3)


@pytest.mark.usefixtures("alice")
def test_rotating_gives_a_new_key_at_once_where_there_is_no_relay(run: Run) -> None:
    assert run("rotate", "Team").stdout == "new key: Team\n"
    assert run("doctor", "--json").stdout


def test_whoever_waits_to_be_let_in_is_told_so(run: Run, alice: Path, tmp_path: Path) -> None:
    with syncchat.open(alice) as peer:
        link = peer.create_room("Club", relay="ws://127.0.0.1:9").invite()
    bob = ["--db", str(tmp_path / "bob.db")]
    run("init", "--name", "Bob", "--skip-recovery", *bob)
    run("join", link, *bob)
    (row,) = _json_lines(run("rooms", "--json", *bob))
    assert row["standing"] == "joining"
    for command in (["rooms"], ["history", "Club"], ["members", "Club"], ["send", "Club", "hi"]):
        done = run(*command, *bob)
        assert "you are not a member of this room yet" in done.stderr, command
    run("invite", "Club", *bob, code=4)


# Home


def test_the_first_relay_becomes_home_once_unless_refused(run: Run) -> None:
    run("init", "--name", "Alice", "--skip-recovery")
    run("create", "None", "--relay", "ws://127.0.0.1:9", "--no-home")
    assert _json_lines(run("init", "--json"))[0]["home"] == ""
    first = run("create", "One", "--relay", "ws://127.0.0.1:9")
    assert "your home is now ws://127.0.0.1:9" in first.stderr
    assert "home" not in run("create", "Two", "--relay", "ws://127.0.0.1:8").stderr
    assert _json_lines(run("init", "--json"))[0]["home"] == "ws://127.0.0.1:9"
    assert [row["title"] for row in _json_lines(run("rooms", "--json"))] == ["None", "One", "Two"]
    run("init", "--home", "ws://127.0.0.1:8", code=2)
    run("history", "Personal", code=3)  # the list of rooms is no room to chat in


@pytest.mark.usefixtures("alice")
def test_without_a_home_a_device_cannot_be_linked_and_is_told_how(run: Run) -> None:
    assert "syncchat init --home" in run("device", "link", code=4).stderr
    run("device", "rename", "Alice", "x", code=3)


def test_a_bad_home_leaves_no_database(run: Run, tmp_path: Path) -> None:
    run("init", "--name", "Alice", "--home", "http://x", code=2)
    assert list(tmp_path.glob("alice.db*")) == []


# The recovery phrase


def test_init_without_a_terminal_warns_and_keeps_the_phrase_until_it_is_confirmed(
    run: Run,
) -> None:
    done = run("init", "--name", "Alice")
    assert "warning" in done.stderr and "syncchat recovery show" in done.stderr
    shown = run("recovery", "show")
    assert len(shown.stdout.split()) == 12 and "paper" in shown.stderr
    assert shown.stdout.strip() not in done.stderr
    run("recovery", "confirm", "-", stdin=phrase_of(bytes(16)), code=2)
    run("recovery", "confirm", "-", stdin="only three words", code=2)
    (told,) = _json_lines(run("recovery", "confirm", "-", "--json", stdin=shown.stdout.upper()))
    assert told == {"confirmed": True}
    run("recovery", "show", code=4)


@pytest.mark.parametrize(
    ("answers", "is_confirmed"),
    [
        ("{3}\n{7}\n{11}\n", True),
        ("wrong\n{3}\n{7}\n{11}\n", True),
        ("{3}\n{7}\n\n", False),
        ("wrong\nwrong\nwrong\n", False),
    ],
)
def test_at_a_terminal_init_shows_the_phrase_and_asks_for_some_words(
    run: Run, monkeypatch: pytest.MonkeyPatch, answers: str, is_confirmed: bool
) -> None:
    monkeypatch.setattr(recovery, "is_terminal", lambda: True)
    phrase = phrase_of(bytes(range(16)))
    monkeypatch.setattr("syncchat.ports.SystemRandom.bytes", lambda self, n: bytes(range(n)))
    words = ["", *phrase.split()]
    done = run("init", "--name", "Alice", stdin=answers.format(*words))
    assert all(word in done.stderr for word in phrase.split())
    assert phrase not in done.stdout
    assert ("confirmed; the words" in done.stderr) is is_confirmed
    run("recovery", "show", code=4 if is_confirmed else 0)


def test_what_is_no_phrase_or_no_link_for_a_device_makes_no_database(
    run: Run, alice: Path, tmp_path: Path
) -> None:
    new = ["--db", str(tmp_path / "new.db")]
    run("recovery", "restore", "-", "--relay", "ws://x", *new, stdin="some words", code=2)
    run("recovery", "restore", "-", "--relay", "x", *new, stdin=phrase_of(bytes(16)), code=2)
    with syncchat.open(alice) as peer:
        link = peer.room("Team").invite()
    assert "syncchat join" in run("device", "join", link, *new, code=2).stderr
    assert list(tmp_path.glob("new.db*")) == []
    run("recovery", "restore", "-", "--relay", "ws://x", stdin=phrase_of(bytes(16)), code=2)


@pytest.mark.usefixtures("alice")
def test_phrase_that_was_typed_offline_waits_for_a_sync_and_says_so(
    run: Run, tmp_path: Path
) -> None:
    new = ("--db", str(tmp_path / "new.db"))
    words = run("recovery", "show").stdout
    away = ("--relay", "ws://127.0.0.1:1", "--timeout", "0", *new)
    run("recovery", "restore", "-", *away, stdin=words, code=5)
    assert run("device", "list", "--json", *new).stdout == ""
    assert "come with the first sync" in run("device", "list", *new).stderr
    run("device", "revoke", "0EG7", *new, code=3)
    for command in (
        ("create", "Mine", "--relay", ""),
        ("create", "Mine", "--relay", "ws://127.0.0.1:1"),
    ):
        assert "sync first" in run(*command, *new, code=4).stderr
    assert run("recovery", "show", *new).stdout == words

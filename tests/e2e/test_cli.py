"""The commands as processes, over a real relay."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .programs import (
    COMMAND,
    SECONDS_MAX,
    RelayProgram,
    contents,
    digest,
    environment,
    json_lines,
    relay_in,
    running,
    syncchat,
    two_people,
)

pytestmark = pytest.mark.timeout(120)  # several processes each, on a machine that may be busy


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProgram]:
    with relay_in(tmp_path / "relay") as relay:
        yield relay


def test_what_one_sends_and_syncs_the_other_gets_with_sync(
    relay: RelayProgram, tmp_path: Path
) -> None:
    alice, bob = tmp_path / "alice.db", tmp_path / "bob.db"
    syncchat("init", "--name", "Alice", "--db", alice)
    syncchat("init", "--name", "Bob", "--db", bob)
    link = syncchat("room", "create", "Team", "--relay", relay.url, "--db", alice)
    syncchat("join", "-", "--db", bob, stdin=link)
    for text in ("written", "offline"):
        syncchat("send", "Team", text, "--db", alice)
    syncchat("send", "Team", "by Bob", "--db", bob)
    (sent,) = json_lines(syncchat("sync", "--json", "--db", alice))
    assert (sent["synced"], sent["outbox"], sent["messages"]) == (True, 0, 2)
    (got,) = json_lines(syncchat("sync", "Team", "--json", "--db", bob))
    assert (got["synced"], got["new"], got["messages"]) == (True, 2, 3)
    assert "up to date, 3 messages" in syncchat("sync", "--db", alice)
    assert contents(alice) == contents(bob)
    assert contents(alice) == [("Alice", "written"), ("Alice", "offline"), ("Bob", "by Bob")]
    assert digest(alice) == digest(bob)
    shown = syncchat("doctor", "--db", alice), syncchat("history", "Team", "--db", bob)
    assert digest(bob) in shown[0] and "Alice: offline" in shown[1]


def test_send_with_wait_ends_when_the_relay_has_it(relay: RelayProgram, tmp_path: Path) -> None:
    alice, bob = two_people(tmp_path, relay.url)
    (sent,) = json_lines(
        syncchat("send", "Team", "now", "--wait", str(SECONDS_MAX), "--json", "--db", alice)
    )
    assert sent["status"] in ("sent", "delivered")
    relay.kill()
    relay.start()
    syncchat("sync", "--db", bob)
    assert contents(bob) == [("Alice", "now")]


def test_without_the_relay_send_waits_in_vain_and_keeps_the_message(
    relay: RelayProgram, tmp_path: Path
) -> None:
    alice, bob = two_people(tmp_path, relay.url)
    relay.kill()
    syncchat("send", "Team", "kept", "--db", alice)
    printed = syncchat("send", "Team", "kept too", "--wait", "0.3", "--db", alice, code=5)
    assert len(printed.strip()) == 26
    syncchat("sync", "--timeout", "0.3", "--db", alice, code=5)
    (told,) = json_lines(syncchat("sync", "--timeout", "0", "--json", "--db", alice, code=5))
    assert told["synced"] is False and told["outbox"] > 0 and told["problem"]
    relay.start()
    syncchat("sync", "--db", alice)
    syncchat("sync", "--db", bob)
    assert contents(bob) == [("Alice", "kept"), ("Alice", "kept too")]


def test_tail_follows_others_and_ends_with_130_on_interrupt(
    relay: RelayProgram, tmp_path: Path
) -> None:
    alice, bob = two_people(tmp_path, relay.url)
    syncchat("sync", "--db", alice)
    syncchat("sync", "--db", bob)
    syncchat("send", "Team", "before", "--db", bob)
    with running("tail", "Team", "--json", "--db", bob) as tail:
        tail.wait_for('"before"')
        syncchat("send", "Team", "from Alice", "--wait", str(SECONDS_MAX), "--db", alice)
        tail.wait_for('"from Alice"')
        second = "from a second process of Bob"  # goes out with the tail, which holds the lease
        syncchat("send", "Team", second, "--wait", str(SECONDS_MAX), "--db", bob)
        tail.wait_for('"from a second process of Bob"')
        tail.signal(signal.SIGINT)
        lines = tail.ends(code=130).strip().splitlines()
    shown = [each["content"] for each in json_lines("\n".join(lines))]
    assert shown == ["before", "from Alice", "from a second process of Bob"]
    syncchat("sync", "--db", alice)
    assert ("Bob", "from a second process of Bob") in contents(alice)


def test_tail_with_changes_prints_a_message_again_when_it_gets_further(
    relay: RelayProgram, tmp_path: Path
) -> None:
    alice, _ = two_people(tmp_path, relay.url)
    with running("tail", "Team", "--json", "--changes", "--db", alice) as tail:
        message = syncchat("send", "Team", "on its way", "--db", alice).strip()
        tail.wait_for('"status":"sent"')
    states = [each["status"] for each in json_lines(tail.text) if each["id"] == message]
    assert states[-1] == "sent"


def test_a_reader_that_stops_reading_ends_a_command_quietly(tmp_path: Path) -> None:
    import syncchat as library

    db = tmp_path / "alice.db"
    with library.open(db, name="Alice") as peer:
        room = peer.create_room("Team")
        for _ in range(200):
            room.send("many words to fill the pipe " * 50)
    with subprocess.Popen(
        [*COMMAND, "history", "Team", "--all", "--db", str(db)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as history:
        assert history.stdout and history.stderr
        assert b"Alice" in history.stdout.read(100)
        history.stdout.close()
        assert history.stderr.read() == b""
        assert history.wait(timeout=SECONDS_MAX) == 0


def test_an_emoji_does_not_end_a_command_on_a_terminal_of_another_alphabet(tmp_path: Path) -> None:
    db = tmp_path / "alice.db"
    syncchat("init", "--name", "Älice", "--db", db)
    syncchat("create", "Team", "--relay", "", "--db", db)
    syncchat("send", "Team", "grün 👍", "--db", db)
    narrow = environment(PYTHONUTF8="0", PYTHONIOENCODING="latin-1", LC_ALL="C")
    for arguments, wanted in (
        (["history", "Team"], b"gr\xfcn ?"),
        (["history", "Team", "--json"], b"gr\\u00fcn \\ud83d\\udc4d"),
    ):
        done = subprocess.run(
            [*COMMAND, *arguments, "--db", str(db)],
            capture_output=True,
            env=narrow,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0 and wanted in done.stdout, done


def test_help_and_completion_load_no_engine(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom syncchat.apps.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*sorted({m.partition('.')[0] for m in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run(
        [COMMAND[0], "-c", code, "--help"],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=SECONDS_MAX,
        check=True,
    )
    heavy = {"pycrdt", "websockets", "nacl", "sqlite3", "rich", "prompt_toolkit", "asyncio"}
    assert heavy & set(done.stderr.split()) == set()
    completed = subprocess.run(
        COMMAND,
        capture_output=True,
        text=True,
        env=environment(
            _SYNCCHAT_COMPLETE="bash_complete", COMP_WORDS="syncchat his", COMP_CWORD="1"
        ),
        timeout=SECONDS_MAX,
        check=True,
    )
    assert completed.stdout == "plain,history\nplain,history-kept\n"


def test_the_shell_completes_titles_of_rooms(tmp_path: Path) -> None:
    db = tmp_path / "alice.db"
    syncchat("init", "--name", "Alice", "--db", db)
    syncchat("create", "Team", "--relay", "", "--db", db)
    completed = subprocess.run(
        COMMAND,
        capture_output=True,
        text=True,
        env=environment(
            _SYNCCHAT_COMPLETE="bash_complete",
            COMP_WORDS="syncchat chat T",
            COMP_CWORD="2",
            SYNCCHAT_DB=str(db),
        ),
        timeout=SECONDS_MAX,
        check=True,
    )
    assert completed.stdout == "plain,Team\n"


def test_place_is_written_and_shown(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    syncchat("init", "--name", "Ann", "--skip-recovery", "--db", db)
    syncchat("create", "Here", "--db", db)
    syncchat("location", "Here", "-33.8568", "151.2153", "--accuracy", "20", "--db", db)
    syncchat(
        "send", "Here", "--kind", "location", "--metadata", '{"latitude": "x"}', "?", "--db", db
    )
    said = syncchat("history", "Here", "--db", db)
    assert "[location] -33.85680, 151.21530 ±20 m" in said and "[location] ?" in said
    syncchat("location", "Here", "91", "0", "--db", db, code=2)


def test_bars_of_files_are_drawn_for_a_person_and_for_nobody_else(tmp_path: Path) -> None:
    db, source = tmp_path / "a.db", tmp_path / "film.bin"
    source.write_bytes(bytes(3_000_000))
    syncchat("init", "--name", "Ann", "--skip-recovery", "--db", db)
    syncchat("create", "Here", "--db", db)
    with running("attach", "Here", source, "--db", db, terminal=True) as person:
        person.wait_for(r"copying .*━.* 3\.0/3\.0 MB")
    with running("attach", "Here", source, "--db", db) as program:
        shown = program.ends(code=0)
    assert shown.split()[0].isalnum() and "copying" not in shown and "━" not in shown

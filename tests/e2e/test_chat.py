"""The interactive chat, as people and scripts use it: on a terminal and on pipes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .programs import (
    RelayProgram,
    contents,
    digest,
    relay_in,
    running,
    syncchat,
    two_people,
)

pytestmark = pytest.mark.timeout(120)  # several processes each, on a machine that may be busy
on_a_terminal = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProgram]:
    with relay_in(tmp_path / "relay") as relay:
        yield relay


@on_a_terminal
def test_two_people_chat_through_a_relay_that_is_killed_and_comes_back(
    relay: RelayProgram, tmp_path: Path
) -> None:
    alice, bob = two_people(tmp_path, relay.url)
    with (
        running("chat", "Team", "--db", alice, terminal=True) as a,
        running("chat", "Team", "--db", bob, terminal=True) as b,
    ):
        a.wait_for("connected to")
        b.wait_for("connected to")
        a.write("hello Bob\r")
        b.wait_for(r"\[1\] \d\d:\d\d Alice: hello Bob")
        b.write("half a line ")
        a.write("are you typing?\r")
        b.wait_for("Alice: are you typing\\?")
        b.write("and the rest\r")
        a.wait_for(r"Bob: half a line and the rest")
        a.wait_for(r"read \[1\]")

        relay.kill()
        a.wait_for("offline .*what you write is kept")
        b.wait_for("offline .*what you write is kept")
        a.write("Alice alone\r")
        a.wait_for("Alice: Alice alone  …")
        b.write("Bob alone\r")
        b.wait_for("Bob: Bob alone  …")

        relay.start()
        a.wait_for(r"\] \d\d:\d\d Bob: Bob alone")
        b.wait_for(r"\] \d\d:\d\d Alice: Alice alone")
        a.wait_for(r"✓\S* (sent|delivered|read) \[4\]")
        a.wait_for("connected to", times=2)

        b.write("to be cleared")
        b.write("\x03")  # clears the line
        b.write("/who\r")
        b.wait_for(r"Bob \(you\)")
        b.write("\x03")  # leaves from an empty line
        b.ends(code=0)
        a.write("\x04")
        a.ends(code=0)

    wanted = {
        ("Alice", "hello Bob"),
        ("Alice", "are you typing?"),
        ("Bob", "half a line and the rest"),
        ("Alice", "Alice alone"),
        ("Bob", "Bob alone"),
    }
    syncchat("sync", "--db", alice)
    syncchat("sync", "--db", bob)
    syncchat("sync", "--db", alice)
    assert contents(alice) == contents(bob)
    assert set(contents(alice)) == wanted and len(contents(alice)) == len(wanted)
    assert digest(alice) == digest(bob)


@on_a_terminal
def test_page_up_shows_earlier_messages_and_keeps_the_line_being_typed(tmp_path: Path) -> None:
    import syncchat as library

    db = tmp_path / "alice.db"
    with library.open(db, name="Alice") as peer:
        room = peer.create_room("Notes", relay="")
        for number in range(30):
            room.send(f"number {number:02}")
    with running("chat", "Notes", "-n", "5", "--db", db, terminal=True) as chat:
        chat.wait_for("number 29")
        assert "number 24" not in chat.text
        chat.write("half a line")
        chat.wait_for("half a line")
        chat.write("\x1b[5~")
        chat.wait_for("20 earlier messages:")
        chat.wait_for("number 24")
        assert "number 04" not in chat.text
        chat.write("\x1b[5~")
        chat.wait_for("this is the beginning of the room")
        chat.wait_for("number 00")
        chat.write("\r")
        chat.wait_for("Alice: half a line")
        chat.write("/quit\r")  # Ctrl-D would be lost while the line is being taken
        chat.ends(code=0)


@on_a_terminal
def test_pasted_lines_are_one_message_and_hostile_text_stays_text(
    relay: RelayProgram, tmp_path: Path
) -> None:
    alice, bob = two_people(tmp_path, relay.url)
    syncchat("sync", "--db", alice)
    syncchat("send", "Team", "\x1b]0;owned\x07\x1b[31mred", "--db", bob)
    syncchat("sync", "--db", bob)
    with running("chat", "Team", "--db", alice, terminal=True) as a:
        a.wait_for(r"␛\]0;owned␇␛\[31mred")
        a.write("\x1b[200~first line\nsecond line\x1b[201~")
        a.write("\r")
        a.wait_for("Alice: first line")
        a.write("/quit\r")
        a.ends(code=0)
    assert contents(alice)[-1] == ("Alice", "first line\nsecond line")


def test_lines_of_a_pipe_are_sent_and_the_outbox_empties_before_the_end(
    relay: RelayProgram, tmp_path: Path
) -> None:
    alice, bob = two_people(tmp_path, relay.url)
    printed = syncchat("chat", "Team", "--db", alice, stdin="one\n\n  \n//slash\r\nthree")
    assert "Alice: one" in printed and "✓" in printed
    assert "/help" in printed and "\x1b" not in printed
    syncchat("sync", "--db", bob)
    assert [text for _, text in contents(bob)] == ["one", "/slash", "three"]


def test_without_the_relay_a_pipe_ends_soon_and_its_lines_wait(
    relay: RelayProgram, tmp_path: Path
) -> None:
    alice, bob = two_people(tmp_path, relay.url)
    relay.kill()
    printed = syncchat("chat", "Team", "--db", alice, stdin="one\ntwo\n")
    assert "kept here for the relay: 2 messages" in printed
    relay.start()
    syncchat("sync", "--db", alice)
    syncchat("sync", "--db", bob)
    assert [text for _, text in contents(bob)] == ["one", "two"]


def test_each_slash_command_does_what_it_says(relay: RelayProgram, tmp_path: Path) -> None:
    alice, bob = two_people(tmp_path, relay.url)
    with (
        running("chat", "Team", "--db", alice) as a,
        running("chat", "Team", "--db", bob) as b,
    ):
        a.write("is it green?\n")
        b.wait_for(r"\[1\] \d\d:\d\d Alice: is it green\?")
        b.write("/reply 1 not yet\n")
        a.wait_for(r"  ↳ Alice: is it green\?\n\[2\] \d\d:\d\d Bob: not yet")
        b.write("/react 1 👍\n")
        a.wait_for(r"\[1\] Bob reacted 👍")
        b.write("/unreact 1 👍\n")
        a.wait_for(r"\[1\] Bob took back 👍")
        b.write("/edit 2 now it is\n")
        a.wait_for(r"\[2\] Bob edited: now it is")
        a.write("/edit 2 not mine\n")
        a.wait_for("not done: only its author may edit")
        a.write("/delete 1\n")
        b.wait_for(r"\[1\] Alice deleted this message")
        b.write("/name Robert\n")
        a.wait_for("Bob is now Robert")
        a.write("/who\n")
        a.wait_for(r"Alice \(you\)\n \*  Robert")
        a.write("/status\n")
        a.wait_for(r"Team: live\n.*relay: ws://")
        a.wait_for(r"digest [0-9a-f]{64}")
        a.write("/invite\n")
        a.wait_for("syncchat:\\S+#\\S+")
        a.write("/read\n/nonsense\n/edit\n/delete 99\n/help\n")
        a.wait_for("no command /nonsense")
        a.wait_for("say which message")
        a.wait_for(r"no message \[99\]")
        a.wait_for("/unreact N EMOJI")
        a.write("/quit\n")
        a.ends(code=0)
        b.close_input()
        b.ends(code=0)
    assert contents(bob) == [("Alice", ""), ("Robert", "now it is")]


def test_what_another_process_of_the_same_person_writes_is_shown_and_sent(
    relay: RelayProgram, tmp_path: Path
) -> None:
    alice, bob = two_people(tmp_path, relay.url)
    with (
        running("chat", "Team", "--db", alice) as first,
        running("chat", "Team", "--db", alice) as second,
    ):
        first.wait_for("connected to")
        second.wait_for("connected to")  # known from the process that syncs
        syncchat("send", "Team", "from a script", "--db", alice)
        first.wait_for("Alice: from a script")
        second.wait_for("Alice: from a script")
        first.stop()  # whoever syncs: the other goes on
        second.write("still here\n")
        second.wait_for(r"Alice: still here  ✓|sent \[2\]|delivered \[2\]")
    syncchat("sync", "--db", bob)
    assert [text for _, text in contents(bob)] == ["from a script", "still here"]


def test_an_interrupted_pipe_ends_with_130(tmp_path: Path) -> None:
    db = tmp_path / "alice.db"
    syncchat("init", "--name", "Alice", "--db", db)
    syncchat("create", "Notes", "--relay", "", "--db", db)
    with running("chat", "Notes", "--db", db) as chat:
        chat.wait_for("this room has no relay")
        chat.write("kept\n")
        chat.wait_for("Alice: kept")
        chat.signal(signal.SIGINT)
        assert "Traceback" not in chat.ends(code=130)
    assert "kept" in syncchat("history", "Notes", "--db", db)


@on_a_terminal
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_a_chat_ended_by_a_signal_gives_terminal_and_lease_back(
    tmp_path: Path, number: signal.Signals
) -> None:
    import sqlite3
    import termios

    db = tmp_path / "alice.db"
    syncchat("init", "--name", "Alice", "--db", db)
    syncchat("create", "Notes", "--relay", "", "--db", db)
    with running("chat", "Notes", "--db", db, terminal=True) as chat:
        chat.wait_for("this room has no relay")
        chat.write("typed but not sent")
        chat.wait_for(r">[\x08 ]*typed but not sent")  # drawn by the editor
        chat.signal(number)
        chat.ends(code=128 + number)
        assert chat.terminal_modes() & termios.ECHO
    conn = sqlite3.connect(db)
    assert conn.execute("select count(*) from lease").fetchone() == (0,)
    conn.close()


def test_a_chat_begins_with_the_last_messages_and_all_unread_ones_and_marks_them_read(
    relay: RelayProgram, tmp_path: Path
) -> None:
    import syncchat as library

    alice, bob = two_people(tmp_path, relay.url)
    with library.open(alice) as peer:
        for number in range(30):
            peer.room("Team").send(f"number {number:02}")
    syncchat("sync", "--db", alice)
    syncchat("sync", "--db", bob)
    with library.open(bob) as peer:
        assert peer.room("Team").unread() == 30
    first = syncchat("chat", "Team", "-n", "5", "--db", bob)
    assert "number 00" in first and "number 29" in first
    second = syncchat("chat", "Team", "-n", "5", "--db", bob)
    assert "number 24" not in second and "number 25" in second
    with library.open(bob) as peer:
        assert peer.room("Team").unread() == 0
    syncchat("sync", "--db", alice)
    with library.open(alice) as peer:
        assert {m.status for m in peer.room("Team").messages()} == {library.Status.READ}

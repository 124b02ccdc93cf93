"""People and devices, as processes over a real relay: who is in, who is out, who comes back."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import syncchat as library

from .programs import (
    SECONDS_MAX,
    RelayProgram,
    contents,
    digest,
    json_lines,
    relay_in,
    running,
    syncchat,
)

pytestmark = pytest.mark.timeout(180)  # several processes each, on a machine that may be busy
on_a_terminal = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")

EMOJI = r"\n\n  (\S+ .*)\n"


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProgram]:
    with relay_in(tmp_path / "relay") as relay:
        yield relay


def _sync(*dbs: Path) -> None:
    for db in dbs:
        syncchat("sync", "--db", db)


def _three(folder: Path, relay: RelayProgram) -> tuple[Path, Path, Path]:
    """Return the databases of Alice, Bob and Carol, who are in the room Team and synced."""
    alice, bob, carol = (folder / f"{name}.db" for name in ("alice", "bob", "carol"))
    for db in (alice, bob, carol):
        syncchat("init", "--name", db.stem.title(), "--skip-recovery", "--db", db)
    link = syncchat("create", "Team", "--uses", "2", "--relay", relay.url, "--db", alice)
    for db in (bob, carol):
        syncchat("join", "-", "--db", db, stdin=link)
    _sync(alice, bob, carol, alice)
    return alice, bob, carol


def _link(db: Path, new: Path, *, answer: str = "y\n", codes: tuple[int, int] = (0, 0)) -> None:
    """Link a new device, after the emoji of both sides were compared."""
    with running("device", "link", "--db", db) as old:
        link = re.findall(r"syncchat:\S+", old.wait_for(r"syncchat:\S+\n"))[0]
        with running("device", "join", link, "--timeout", "20", "--db", new) as joining:
            there = re.findall(EMOJI, joining.wait_for(EMOJI))[0]
            here = re.findall(EMOJI, old.wait_for(EMOJI + r"\n.*\[y/N\]"))[0]
            assert here == there and len(here.split("   ")) == 7
            old.write(answer)
            if answer == "":
                old.close_input()
            old.ends(code=codes[0])
            if codes[1] == 0:
                joining.ends(code=0)


def test_group_of_three_with_two_devices_for_one_removal_loss_and_recovery(
    relay: RelayProgram, tmp_path: Path
) -> None:
    alice, bob, carol = _three(tmp_path, relay)
    laptop, phoenix = tmp_path / "laptop.db", tmp_path / "phoenix.db"
    phrase = syncchat("recovery", "show", "--db", alice)
    syncchat("recovery", "confirm", "-", "--db", alice, stdin=phrase)
    syncchat("send", "Team", "to all three", "--db", alice)
    _sync(alice, bob, carol)

    _link(alice, laptop)
    assert contents(laptop) == [("Alice", "to all three")]
    _sync(laptop)
    syncchat("send", "Team", "from the laptop", "--wait", "20", "--db", laptop)
    _sync(alice, bob, carol)
    assert contents(carol) == contents(alice) == contents(bob) == contents(laptop)
    rows = {
        row["name"]: row for row in json_lines(syncchat("members", "Team", "--json", "--db", bob))
    }
    assert {name: len(row["devices"]) for name, row in rows.items()} == {
        "Alice": 2,
        "Bob": 1,
        "Carol": 1,
    }

    syncchat("remove", "Team", "Carol", "--db", alice)
    _sync(alice, bob, laptop)
    syncchat("send", "Team", "without Carol", "--db", bob)
    _sync(bob, alice, laptop)
    syncchat("sync", "--db", carol, code=4)
    syncchat("send", "Team", "still here?", "--db", carol, code=4)
    assert ("Bob", "without Carol") not in contents(carol)
    assert json_lines(syncchat("rooms", "--json", "--db", carol))[0]["standing"] == "removed"

    (lost,) = [
        each["id"]
        for each in json_lines(syncchat("device", "list", "--json", "--db", alice))
        if not each["isThis"]
    ]
    alice.unlink()
    syncchat("recovery", "restore", "-", "--relay", relay.url, "--db", phoenix, stdin=phrase)
    syncchat("device", "revoke", lost, "--db", phoenix)
    _sync(phoenix, bob)
    syncchat("send", "Team", "after the loss", "--wait", "20", "--db", bob)
    _sync(phoenix)
    assert contents(phoenix) == [
        ("Alice", "to all three"),
        ("Alice", "from the laptop"),
        ("Bob", "without Carol"),
        ("Bob", "after the loss"),
    ]
    assert contents(bob) == contents(phoenix)
    assert digest(bob) == digest(phoenix)
    syncchat("sync", "--timeout", "3", "--db", laptop, code=4)
    assert ("Bob", "after the loss") not in contents(laptop)


@pytest.mark.parametrize("history", ["shared", "from_join"])
async def test_who_pastes_a_link_reads_what_they_may_within_ten_seconds_though_nobody_is_online(
    relay: RelayProgram, tmp_path: Path, history: str
) -> None:
    with library.open(tmp_path / "alice.db", name="Alice") as alice:
        room = alice.create_room("Team", relay=relay.url, history=history)
        for number in range(200):
            room.send(f"line {number}")
        link = room.invite(uses=3, expires=timedelta(hours=1), role="reader")
        async with alice.online(), asyncio.timeout(SECONDS_MAX):
            await room.synced()
    with library.open(tmp_path / "bob.db", name="Bob") as bob:
        async with asyncio.timeout(10), bob.online():
            joined = bob.join(link)
            await joined.synced()
        told = [message.text for message in joined.messages(limit=1_000)]
        assert joined.standing == "member"
        assert told == ([f"line {n}" for n in range(200)] if history == "shared" else [])


def test_a_device_that_nobody_says_yes_to_gets_nothing(relay: RelayProgram, tmp_path: Path) -> None:
    alice = tmp_path / "alice.db"
    syncchat("init", "--name", "Alice", "--skip-recovery", "--db", alice)
    syncchat("create", "Team", "--relay", relay.url, "--db", alice)
    _link(alice, tmp_path / "stranger.db", answer="", codes=(4, 5))
    assert json_lines(syncchat("rooms", "--json", "--db", tmp_path / "stranger.db")) == []
    (only,) = json_lines(syncchat("device", "list", "--json", "--db", alice))
    assert only["isThis"]


def test_who_comes_by_an_invite_with_approval_is_let_in_by_an_admin(
    relay: RelayProgram, tmp_path: Path
) -> None:
    alice, bob, carol = _three(tmp_path, relay)
    dora = tmp_path / "dora.db"
    syncchat("init", "--name", "Dora", "--skip-recovery", "--db", dora)
    link = syncchat("invite", "Team", "--approve", "--role", "reader", "--db", alice)
    _sync(alice)
    syncchat("join", "-", "--db", dora, stdin=link)
    syncchat("sync", "--timeout", "2", "--db", dora, code=5)
    assert json_lines(syncchat("rooms", "--json", "--db", dora))[0]["standing"] == "asking"
    _sync(alice)
    (asking,) = json_lines(syncchat("requests", "Team", "--json", "--db", alice))
    syncchat("approve", "Team", asking["id"], "--role", "reader", "--db", alice)
    syncchat("send", "Team", "welcome", "--db", alice)
    _sync(alice, dora)
    assert contents(dora) == [("Alice", "welcome")]
    syncchat("send", "Team", "may I?", "--db", dora, code=4)
    assert syncchat("requests", "Team", "--db", alice) == ""
    syncchat("leave", "Team", "--db", carol)
    syncchat("sync", "--db", carol, code=4)
    _sync(bob)
    left = json_lines(syncchat("members", "Team", "--json", "--db", bob))
    assert {row["name"] for row in left if row["role"] != "reader"} == {"Alice", "Bob"}
    assert [row["role"] for row in left].count("reader") == 1


def test_a_new_device_of_somebody_verified_warns_until_it_is_answered(
    relay: RelayProgram, tmp_path: Path
) -> None:
    alice, bob, _ = _three(tmp_path, relay)
    (mine,) = json_lines(syncchat("verify", "show", "Bob", "--json", "--db", alice))
    (theirs,) = json_lines(syncchat("verify", "show", "Alice", "--json", "--db", bob))
    assert mine["digits"] == theirs["digits"] and mine["words"] == theirs["words"]
    syncchat("verify", "yes", "bob", "--db", alice)
    assert syncchat("verify", "warnings", "--db", alice) == ""
    _link(bob, tmp_path / "laptop.db")
    _sync(alice)
    assert "Bob" in syncchat("verify", "warnings", "--db", alice, code=3)
    with running("chat", "Team", "--db", alice) as chat:
        chat.wait_for("warning: Bob .* has a new device")
    syncchat("verify", "yes", "Bob", "--db", alice)
    assert syncchat("verify", "warnings", "--db", alice) == ""
    syncchat("verify", "forget", "Bob", "--db", alice)
    assert syncchat("verify", "list", "--db", alice) == ""


def test_scanned_safety_code_is_told_from_that_of_others_and_from_what_is_none(
    relay: RelayProgram, tmp_path: Path
) -> None:
    alice, bob, carol = _three(tmp_path, relay)
    (there,) = json_lines(syncchat("verify", "show", "Alice", "--json", "--db", bob))
    (row,) = json_lines(syncchat("verify", "scan", "Bob", there["code"], "--json", "--db", alice))
    assert (row["name"], row["scan"], row["verified"]) == ("Bob", "same", False)
    typed = f"  {there['code'].lower()}\n"
    said = syncchat("verify", "scan", "Bob", "-", "--db", alice, stdin=typed)
    assert said.startswith("the same")
    assert syncchat("verify", "list", "--db", alice) == ""  # a scan alone takes note of nothing

    _sync(bob)
    (other,) = json_lines(syncchat("verify", "show", "Carol", "--json", "--db", bob))
    (mine,) = json_lines(syncchat("verify", "show", "Alice", "--json", "--db", carol))
    for code, found in (
        (mine["code"], "theirs_differs"),
        (other["code"], "mine_differs"),
        (f"SYNCCHAT-SAFETY:1:{'0' * 52}:{'1'.zfill(52)}", "others"),
    ):
        scan = ("verify", "scan", "Bob", code, "--db", alice)
        assert json_lines(syncchat(*scan, "--json", code=3))[0]["scan"] == found
        assert syncchat(*scan, code=3).startswith("NOT the same")

    for damaged in (there["code"][:-1], there["code"][5:], there["code"].replace(":1:", ":2:")):
        syncchat("verify", "scan", "Bob", damaged, "--db", alice, code=2)
    syncchat("verify", "scan", "Bob", "-", "--db", alice, code=2)
    syncchat("verify", "scan", "Nobody", there["code"], "--db", alice, code=3)


def test_words_that_the_relay_does_not_know_are_told_from_a_relay_that_is_away(
    relay: RelayProgram, tmp_path: Path
) -> None:
    alice, new = tmp_path / "alice.db", ("--relay", relay.url, "--timeout", "1")
    syncchat("init", "--name", "Alice", "--skip-recovery", "--db", alice)
    phrase = syncchat("recovery", "show", "--db", alice)  # no home: the relay never heard of it
    one, other = tmp_path / "one.db", tmp_path / "other.db"
    syncchat("recovery", "restore", "-", *new, "--db", one, stdin=phrase, code=3)
    relay.kill()
    syncchat("recovery", "restore", "-", *new, "--db", other, stdin=phrase, code=5)


@on_a_terminal
def test_init_at_a_terminal_shows_the_phrase_and_asks_for_three_words(tmp_path: Path) -> None:
    db = tmp_path / "alice.db"
    with running("init", "--name", "Alice", "--db", db, terminal=True) as init:
        shown = init.wait_for("word 3 ")
        words = {int(n): word for n, word in re.findall(r"\b(\d{1,2}) ([a-z]{3,8})\b", shown)}
        for number in (3, 7, 11):
            init.wait_for(f"word {number} ")
            init.write(words[number] + "\n")
        assert "only on your paper" in init.ends(code=0)
    syncchat("recovery", "show", "--db", db, code=4)

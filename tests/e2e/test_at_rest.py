"""Encrypted databases in real use: several processes, a relay, real passphrases."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import syncchat_relay

import syncchat
from syncchat.storage.locks import KeyFile, Passphrase
from tests.e2e.programs import COMMAND, environment, running
from tests.e2e.support import Process, assert_same, converged

CANARY = "canary-90ce the eagle lands at nine"

WRITING = """
import sys
import syncchat
from syncchat import KeyFile

with syncchat.open(sys.argv[1], key=KeyFile(sys.argv[2])) as peer:
    (room,) = peer.rooms()
    print("open", flush=True)
    for n in range(150):
        room.send(f"there {n}")
"""

SYNCING = """
import asyncio, sys
import syncchat
from syncchat import KeyFile

async def main():
    with syncchat.open(sys.argv[1], key=KeyFile(sys.argv[2])) as peer:
        (room,) = peer.rooms()
        async with peer.online():
            await room.synced()
            print("synced", flush=True)
            for line in await asyncio.to_thread(sys.stdin.readlines):
                pass

asyncio.run(main())
"""


def words_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if b"canary" in file.read_bytes()}


def test_two_processes_write_to_one_encrypted_database_and_lose_nothing(tmp_path: Path) -> None:
    key = KeyFile.make(tmp_path / "key")
    with syncchat.open(tmp_path / "a.db", name="Alice", key=key) as alice:
        room = alice.create_room("Team")
        command: list[str | Path] = ["-c", WRITING, alice.path, Path(key.path)]
        with Process(command, folder=tmp_path, name="writing") as other:
            assert other.line() == "open", other.error_text()
            here = [room.send(f"here {n}").text for n in range(150)]
            assert other.wait() == 0, other.error_text()
        said = [message.text for message in room.messages(limit=1_000)]
        assert sorted(said) == sorted([*here, *(f"there {n}" for n in range(150))])
        assert [text for text in said if text.startswith("here")] == here
        assert alice.check() == []


async def test_what_one_process_writes_goes_out_through_another_that_syncs(tmp_path: Path) -> None:
    folder = tmp_path / "dbs"
    folder.mkdir()
    key = KeyFile.make(tmp_path / "key")
    async with syncchat_relay.serve() as relay:
        with (
            syncchat.open(folder / "a.db", name="Alice", key=key) as alice,
            syncchat.open(folder / "b.db", name="Bob", key=key) as bob,
        ):
            a = alice.create_room("Team", relay=relay.url)
            b = bob.join(a.invite())
            command: list[str | Path] = ["-c", SYNCING, alice.path, Path(key.path)]
            process = await asyncio.to_thread(Process, command, folder=tmp_path, name="syncing")
            with process as other:
                assert await asyncio.to_thread(other.line) == "synced", other.error_text()
                async with bob.online():
                    sent = [a.send(f"{CANARY} {n}").text for n in range(20)]
                    await converged(a, b, messages=20)
                    sent.append(b.send(f"{CANARY} from Bob").text)
                    await converged(a, b, messages=21)
            assert_same([alice, bob], sent)
            assert words_in(folder) == set()


def test_commands_with_a_real_passphrase_keep_no_plain_word_on_the_disk(tmp_path: Path) -> None:
    folder = tmp_path / "dbs"
    folder.mkdir()
    words = "five words that nobody guesses"
    env = environment(
        SYNCCHAT_DB=str(folder / "a.db"),
        SYNCCHAT_PASSPHRASE=words,
        SYNCCHAT_BACKUP_PASSPHRASE=words + " twice",
    )

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*COMMAND, *arguments], check=False, env=env, capture_output=True, text=True, timeout=50
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("init", "--name", "Alice", "--passphrase")
    run("create", CANARY)
    run("send", CANARY, CANARY)
    run("backup", str(folder / "a.backup"))
    run("restore", str(folder / "a.backup"), "--db", str(folder / "b.db"), "--passphrase")
    assert CANARY in run("history", CANARY, "--db", str(folder / "b.db"))
    assert sorted(file.name for file in folder.iterdir()) == ["a.backup", "a.db", "b.db"]
    assert words_in(folder) == set()
    run("decrypt")
    assert words_in(folder) == {"a.db"}
    run("encrypt")
    assert words_in(folder) == set()


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo terminals")
def test_person_at_a_terminal_is_asked_and_what_is_typed_is_not_shown(tmp_path: Path) -> None:
    words, db = "five words that nobody guesses", tmp_path / "a.db"
    syncchat.open(db, name="Alice", key=Passphrase(words)).close()
    with running("init", "--db", db, terminal=True) as program:
        program.wait_for(r"Passphrase of a\.db: ")
        program.write(words + "\n")
        shown = program.ends(code=0)
    assert "Alice, device " in shown
    assert words not in shown

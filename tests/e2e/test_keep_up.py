"""The page about keeping up with a chat, followed command by command, and its program run."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

import syncchat
from syncchat.apps.cli import cli

from .programs import Program, relay_in, two_people
from .support import until

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "keep-up-with-a-chat.md"
SOME_ID = "01K5Z3W8"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.timeout(120)


async def _talk(alice: syncchat.Peer, bob: syncchat.Peer, texts: list[str]) -> str:
    """Have Bob write, and Alice hear it; return the id of the first message."""
    room, heard = bob.room("Team"), alice.room("Team")
    async with asyncio.timeout(30), alice.online(), bob.online():
        await room.synced()
        await heard.synced()
        ids = [room.send(text, mentions=[alice.id]).id for text in texts]
        await room.synced()
        await until(lambda: heard.count() == len(texts))
    return ids[0]


def test_reader_who_follows_the_page_sees_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with relay_in(tmp_path / "relay") as relay:
        first, second = two_people(tmp_path, relay.url)
        with syncchat.open(first) as alice, syncchat.open(second) as bob:
            message = asyncio.run(_talk(alice, bob, ["one", "two", "three"]))
        monkeypatch.setenv("SYNCCHAT_DB", str(first))
        shown: dict[str, str] = {}
        for kind, block in BLOCKS:
            for line in block.splitlines() if kind == "sh" else ():
                words = shlex.split(line.replace(SOME_ID, message), comments=True)[1:]
                if words[0] == "notifications":
                    _listen([*words, "--db", str(first)], second)
                    continue
                done = CliRunner().invoke(cli, words)
                assert done.exit_code == 0, (line, done.output)
                shown.setdefault(line.split("#")[0].strip(), done.stdout)
    assert re.search(r"^Team +3 +3 +0 ", shown["syncchat unread"], re.MULTILINE)
    unread = shown["syncchat history Team --unread"].splitlines()
    assert [line.split("Bob: ")[1] for line in unread] == ["one", "two", "three"]
    assert shown["syncchat read Team"] == "read: 3 messages, 0 left\n"
    beside = shown[f"syncchat history Team --thread {SOME_ID}"]
    assert "a detail" in beside and beside.count("\n") == 1
    assert message in shown["syncchat threads Team"]
    assert shown["syncchat notify Team"] == "mentions\n"
    with syncchat.open(first) as alice:
        room = alice.room("Team")
        assert room.receipts == "private" and alice.receipts_up_to == 0
        quotes = [m.quote.text for m in room.messages() if m.quote is not None]
        assert quotes == ["one"]
        assert alice.check() == []


def _listen(words: list[str], other: Path) -> None:
    """Start to listen as the page says, and have Bob mention Alice."""
    program = Program(*words)
    try:
        with syncchat.open(other) as bob:
            room = bob.room("Team")
            (alice,) = [member.id for member in room.members() if not member.is_me]
            while not _is_told(program):
                room.send("do you hear me?", mentions=[alice])
                asyncio.run(_sent(bob, room))
    finally:
        program.stop()
    first = json.loads(program.text.splitlines()[0])
    assert (first["title"], first["mentions"]) == ("Team", 1)
    assert first["messages"][0]["content"] == "do you hear me?"


def _is_told(program: Program) -> bool:
    return "do you hear me?" in program.text and program.text.endswith("\n")


async def _sent(peer: syncchat.Peer, room: syncchat.Room) -> None:
    async with asyncio.timeout(30), peer.online():
        await room.synced()
        await asyncio.sleep(0.5)


def test_program_of_the_page_runs_as_it_stands(tmp_path: Path) -> None:
    first, second = [block for kind, block in BLOCKS if kind == "python"]
    with relay_in(tmp_path / "relay") as relay:
        one, other = two_people(tmp_path, relay.url)
        with syncchat.open(one) as peer, syncchat.open(other) as bob:
            asyncio.run(_talk(peer, bob, ["hello", "again"]))
            room = peer.room("Team")
            exec(first, {"peer": peer, "room": room, "me": peer.id})
            assert [m.text for m in room.messages() if m.mine] == ["on it", "on it"]
            assert (room.settings.level, room.unread()) == ("mentions", 1)
            asyncio.run(_told(second, peer, bob))


async def _told(program: str, peer: syncchat.Peer, bob: syncchat.Peer) -> None:
    """Run the second program while Bob writes."""
    indented = program.replace("\n", "\n    ")
    scope: dict[str, object] = {"peer": peer, "syncchat": syncchat, "print": lambda *said: None}
    exec(f"async def program():\n    {indented}", scope)
    listening = scope["program"]
    assert callable(listening)
    async with asyncio.timeout(30), peer.online(), bob.online(), asyncio.TaskGroup() as tasks:
        ended = tasks.create_task(listening())
        room = bob.room("Team")
        while not ended.done():
            room.send("listen", mentions=[peer.id])
            await asyncio.sleep(0.1)

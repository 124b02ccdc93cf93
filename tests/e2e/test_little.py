"""A peer that keeps little, with a real relay: what is recent at once, the rest on demand."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import syncchat_relay

import syncchat
from syncchat.errors import NotConnected, NotFoundError, ValidationError
from tests.support.peers import copy_database

from .little_room import SETTINGS, TEXTS, joined, small_volumes, written
from .programs import running


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    """Make volumes small, so that a few hundred messages are many of them."""
    with small_volumes():
        yield


async def test_recent_first_and_older_on_demand_until_all_is_here(tmp_path: Path) -> None:
    async with syncchat_relay.serve(SETTINGS) as relay:
        link = await written(tmp_path, relay.url)
        with (
            syncchat.open(tmp_path / "alice.db") as alice,
            syncchat.open(tmp_path / "bob.db", name="Bob") as bob,
        ):
            theirs = alice.room("Team")
            room = bob.join(link)
            room.keep_history("recent")
            assert room.history_kept == "recent"
            async with asyncio.timeout(60), alice.online(), bob.online():
                await room.synced()
                await theirs.synced()
                shown = [message.text for message in room.messages(limit=1000)]
                assert shown[-1] == TEXTS[-1]
                assert len(shown) < len(TEXTS)
                assert room.has_older
                assert room.members()[0].name in ("Alice", "Bob")
                here = room.count()
                came = await room.fetch_older(30)
                assert came >= 30
                assert room.count() == here + came
                assert room.has_older
                while await room.fetch_older(200):
                    pass
                assert not room.has_older
                assert [m.text for m in room.messages(limit=1000)] == TEXTS
                assert await room.fetch_older() == 0
                assert room.digest() == theirs.digest()
            assert bob.check() == []


async def test_offline_it_says_so_and_all_comes_when_that_is_wanted(tmp_path: Path) -> None:
    async with syncchat_relay.serve(SETTINGS) as relay:
        link = await written(tmp_path, relay.url)
        with syncchat.open(tmp_path / "bob.db", name="Bob") as bob:
            room = bob.join(link)
            room.keep_history("recent")
            async with asyncio.timeout(60), bob.online():
                await room.synced()
            assert room.has_older
            with pytest.raises(NotConnected, match="not reached"):
                await room.fetch_older()
            with pytest.raises(ValidationError):
                room.keep_history("none")
            copy_database(tmp_path / "bob.db", tmp_path / "copy.db")
            room.keep_history("all")
            async with asyncio.timeout(60), bob.online():
                while room.has_older:  # noqa: ASYNC110 - it comes by itself
                    await asyncio.sleep(0.05)
            assert [m.text for m in room.messages(limit=1000)] == TEXTS
        with syncchat.open(tmp_path / "copy.db") as copy:
            assert copy.room("Team").has_older
            assert copy.check() == []


async def test_one_message_is_fetched_by_its_id_with_few_others(tmp_path: Path) -> None:
    async with syncchat_relay.serve(SETTINGS) as relay:
        await joined(tmp_path / "bob.db", await written(tmp_path, relay.url))
        with syncchat.open(tmp_path / "alice.db") as alice:
            ids = [message.id for message in alice.room("Team").messages(limit=1_000)]
        with syncchat.open(tmp_path / "bob.db") as bob:
            room = bob.room("Team")
            before = room.older_before
            assert before is not None
            assert before == room.messages(after=before, limit=1)[0].id or before in ids
            here = {message.id for message in room.messages(limit=1_000)}
            missing = [id_ for id_ in ids if id_ not in here]
            wanted = missing[len(missing) // 3]
            with pytest.raises(NotFoundError, match="older history is at the relay"):
                room.message(wanted)
            with pytest.raises(NotConnected, match="not reached"):
                await room.fetch_message(wanted)
            count = room.count()
            async with asyncio.timeout(60), bob.online():
                found = await room.fetch_message(wanted)
                assert found.text == TEXTS[ids.index(wanted)]
                assert room.count() - count < len(missing) / 2
                assert room.has_older
                assert (await room.fetch_message(ids[-1])).text == TEXTS[-1]
                nobody = wanted[:13] + "0" * 13
                with pytest.raises(NotFoundError, match="nor at the relay"):
                    await room.fetch_message(nobody)
            assert bob.check() == []


async def test_command_fetches_when_it_is_told_to(tmp_path: Path) -> None:
    async with syncchat_relay.serve(SETTINGS) as relay:
        link = await written(tmp_path, relay.url)
        path = tmp_path / "bob.db"
        with syncchat.open(path, name="Bob") as bob:
            room = bob.join(link)
            room.keep_history("recent")
            async with asyncio.timeout(60), bob.online():
                await room.synced()
            here = room.count()

        async def told(*args: str) -> tuple[int, str]:
            program = [sys.executable, "-c", "from syncchat.apps.cli import main; main()"]
            process = await asyncio.create_subprocess_exec(
                *program, *args, "--db", str(path), stdout=asyncio.subprocess.PIPE
            )
            out, _ = await process.communicate()
            assert process.returncode is not None
            return process.returncode, out.decode()

        code, text = await told("history-kept", "Team", "--json")
        assert code == 0
        assert json.loads(text) | {"id": ""} == {
            "id": "",
            "title": "Team",
            "kept": "recent",
            "has_older": True,
        }
        code, text = await told("history", "Team", "--all")
        assert code == 0
        assert len([line for line in text.splitlines() if "text " in line]) == here
        if sys.platform != "win32":
            with running("search", "text", "--db", path, terminal=True) as search:
                search.wait_for("older history of Team is at the relay, and was not searched")
        code, text = await told("history", "Team", "--all", "--fetch", "30")
        assert code == 0, text
        assert len([line for line in text.splitlines() if "text " in line]) == len(TEXTS)
    assert (await told("history", "Team", "--fetch", "0.5"))[0] == 5

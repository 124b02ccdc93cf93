"""The relay is disposable: what it loses, the peers give back to it by themselves."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

import syncchat
from syncchat.exchange import refilling
from tests.e2e.support import all_online, assert_same, converged, running_relay, texts, until


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let peers refill others' chains soon."""
    monkeypatch.setattr(refilling, "REFILL_AFTER_MS", (100, 200))
    monkeypatch.setattr(refilling, "SEAL_AFTER_LOSS_MS", 300)


def copy_of_relay(data_dir: Path, copy: Path) -> None:
    """Copy the database of a running relay as a backup would."""
    copy.mkdir()
    with (
        closing(sqlite3.connect(data_dir / "relay.db")) as source,
        closing(sqlite3.connect(copy / "relay.db")) as target,
    ):
        source.backup(target)


async def test_wiped_relay_is_refilled_also_with_the_chain_of_an_author_who_is_away(
    tmp_path: Path,
) -> None:
    with (
        syncchat.open(tmp_path / "a.db", name="Alice") as alice,
        syncchat.open(tmp_path / "b.db", name="Bob") as bob,
        syncchat.open(tmp_path / "gone.db", name="Gone") as gone,
        syncchat.open(tmp_path / "late.db", name="Late") as late,
    ):
        with running_relay(tmp_path / "one", name="one") as relay:
            a = alice.create_room("Team", relay=relay.url)
            b, g = bob.join(a.invite()), gone.join(a.invite())
            async with all_online([alice, bob, gone]):
                sent = [f"{room} {n}" for n in range(400) for room in "abg"]
                for text in sent:
                    {"a": a, "b": b, "g": g}[text[0]].send(text)
                await converged(a, b, g, messages=1_200)
        with running_relay(tmp_path / "two", port=relay.port, name="two"):
            sent.append(a.send("written after the loss").text)
            async with all_online([alice, bob]):
                await converged(a, b, messages=1_201)
                joined = late.join(a.invite())
                async with late.online():
                    await until(lambda: joined.count() == 1_201, what="the refill")
                    await converged(a, b, joined)
        assert_same([alice, bob, late], sent)


async def test_refill_that_was_cut_off_is_taken_up_by_the_next_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        syncchat.open(tmp_path / "a.db", name="Alice") as alice,
        syncchat.open(tmp_path / "gone.db", name="Gone") as gone,
        syncchat.open(tmp_path / "late.db", name="Late") as late,
    ):
        with running_relay(tmp_path / "one", name="one") as relay:
            a = alice.create_room("Team", relay=relay.url)
            g = gone.join(a.invite())
            async with all_online([alice, gone]):
                g.send("from one who is away")
                await converged(a, g, messages=1)
        with running_relay(tmp_path / "two", port=relay.port, name="two"):
            monkeypatch.setattr(refilling, "REFILL_AFTER_MS", (60_000, 60_000))
            async with alice.online():
                await a.synced()  # and it goes before it has refilled the other's chain
            monkeypatch.setattr(refilling, "REFILL_AFTER_MS", (100, 200))
            joined = late.join(a.invite())
            async with all_online([alice, late]):
                await until(lambda: texts(joined) == ["from one who is away"], what="the refill")


async def test_synced_after_a_loss_means_that_the_own_messages_are_there_again(
    tmp_path: Path,
) -> None:
    with (
        syncchat.open(tmp_path / "a.db", name="Alice") as alice,
        syncchat.open(tmp_path / "late.db", name="Late") as late,
    ):
        with running_relay(tmp_path / "one", name="one") as relay:
            a = alice.create_room("Team", relay=relay.url)
            sent = []
            async with alice.online():
                for n in range(300):
                    sent.append(a.send(f"{n}").text)
                    if n % 20 == 0:
                        await a.synced()
                await a.synced()
        with running_relay(tmp_path / "two", port=relay.port, name="two"):
            async with alice.online():
                await a.synced()
                (own,) = alice._db.execute(
                    "select (select count(*) from envelope) + (select count(*) from record)"
                ).fetchone()
                with closing(sqlite3.connect(tmp_path / "two" / "relay.db")) as log:
                    assert log.execute("select head from room").fetchone() == (own,)
                link = a.invite()
                await a.synced()
            joined = late.join(link)
            async with late.online():
                await joined.synced()
            assert texts(joined) == sent


async def test_relay_that_was_set_back_to_an_old_copy_is_healed(tmp_path: Path) -> None:
    with (
        syncchat.open(tmp_path / "a.db", name="Alice") as alice,
        syncchat.open(tmp_path / "b.db", name="Bob") as bob,
        syncchat.open(tmp_path / "gone.db", name="Gone") as gone,
        syncchat.open(tmp_path / "late.db", name="Late") as late,
    ):
        with running_relay(tmp_path / "relay", name="one") as relay:
            a = alice.create_room("Team", relay=relay.url)
            b, g = bob.join(a.invite()), gone.join(a.invite())
            async with all_online([alice, bob, gone]):
                sent = [room.send(f"early {n}").text for n in range(50) for room in (a, b, g)]
                await converged(a, b, g, messages=150)
                copy_of_relay(tmp_path / "relay", tmp_path / "copy")
                sent += [room.send(f"lost {n}").text for n in range(50) for room in (a, b, g)]
                await converged(a, b, g, messages=300)
        shutil.rmtree(tmp_path / "relay")
        (tmp_path / "copy").rename(tmp_path / "relay")
        with running_relay(tmp_path / "relay", port=relay.port, name="two"):
            # Others write first, so that the log grows past where it had been, differently.
            sent += [b.send(f"new {n}").text for n in range(200)]
            async with bob.online():
                await until(lambda: b.outbox() == [])
            async with all_online([alice, bob]):
                await converged(a, b, messages=500)
                joined = late.join(a.invite())
                async with late.online():
                    await until(lambda: joined.count() == 500, what="the refill")
                    await converged(a, b, joined)
            async with all_online([alice, gone]):
                await converged(a, g, messages=500)
        assert_same([alice, gone], sent)
        assert bob.check() == late.check() == []


async def test_relay_restarted_on_its_own_data_goes_on_and_peers_back_off_meanwhile(
    tmp_path: Path,
) -> None:
    with (
        syncchat.open(tmp_path / "a.db", name="Alice") as alice,
        syncchat.open(tmp_path / "b.db", name="Bob") as bob,
        ExitStack() as relays,
    ):
        relay = relays.enter_context(running_relay(tmp_path / "relay", name="first"))
        url = relay.url
        a = alice.create_room("Team", relay=url)
        b = bob.join(a.invite())
        sent = []
        async with all_online([alice, bob]):
            for turn in range(3):
                sent += [room.send(f"{turn} up").text for room in (a, b)]
                await converged(a, b, messages=len(sent))
                relay.kill()
                mine, other = a.send(f"{turn} down a"), b.send(f"{turn} down b")
                sent += [mine.text, other.text]
                await until(lambda: alice.connections[url].startswith("offline ("))
                assert alice._driver is not None
                assert alice._driver.states[url].retry_in_ms <= 4_000
                assert a.message(mine.id).status == "queued"
                again = running_relay(tmp_path / "relay", port=relay.port, name=f"again{turn}")
                relay = relays.enter_context(again)
            await converged(a, b, messages=len(sent))
        assert_same([alice, bob], sent)

"""A peer is killed at every step of writing and receiving, and nothing that it promised is lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import syncchat
from syncchat.exchange import refilling
from syncchat.room import Room
from tests.e2e.crashing import Plan
from tests.e2e.proxy import proxy_to
from tests.e2e.support import Process, RelayProcess, converged, running_relay, texts, until

KILLED = -9
STEPS_MAX = 2_000

SLOW = (pytest.mark.slow, pytest.mark.timeout(1_800))

PLAN: Plan = [
    ["send", "", "one"],
    ["send", "", "two"],
    ["edit", "one", "one, better"],
    ["delete", "two", ""],
    ["react", "hello 1", "👍"],
    ["send", "", "three"],
    ["send", "", "four"],
    ["edit", "three", "three, better"],
    ["delete", "four", ""],
    ["read", "hello 1", ""],
]


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    with running_relay(tmp_path / "relay") as relay:
        yield relay


@pytest.fixture
def crasher(tmp_path: Path) -> Iterator[Process]:
    with Process(["-m", "tests.e2e.crashing"], folder=tmp_path, name="crasher") as process:
        yield process


def shown_after(acts: Plan, before: list[str]) -> list[str]:
    """Return the texts that a room shows after these acts."""
    shown = list(before)
    for act, old, new in acts:
        match act:
            case "send":
                shown.append(new)
            case "edit":
                shown[shown.index(old)] = new
            case "delete":
                shown.remove(old)
    return sorted(shown)


def run(
    crasher: Process, db: Path, last: int, *, plan: Plan, expected: int, every: bool = False
) -> tuple[int, bool]:
    """Run the plan up to a step; return how many of its acts had returned, and the whole."""
    order = {"db": str(db), "last": last, "plan": plan, "expected": expected, "every": every}
    crasher.tell(json.dumps(order))
    answer = json.loads(crasher.line() or "{}")
    assert answer, crasher.error_text()
    assert answer["code"] in (0, KILLED), crasher.error_text()
    return answer["done"], answer["code"] == 0


def assert_kept(room: Room, done: int, before: list[str], plan: Plan, last: int) -> None:
    """Assert that a room shows what had returned, and at most the one act after it."""
    allowed = [shown_after(plan[:count], before) for count in (done, min(done + 1, len(plan)))]
    assert sorted(texts(room)) in allowed, f"killed at step {last}, {done} acts done"


@pytest.mark.parametrize(
    ("every", "stride"),
    [
        pytest.param(False, 4, id="some"),
        pytest.param(False, 1, id="transactions-and-frames", marks=SLOW),
        pytest.param(True, 1, id="statements", marks=SLOW),
    ],
)
async def test_peer_killed_at_any_step_of_writing_and_receiving_keeps_what_it_promised(
    tmp_path: Path, relay: RelayProcess, crasher: Process, every: bool, stride: int
) -> None:
    hello = [f"hello {n}" for n in range(3)]
    with syncchat.open(tmp_path / "witness.db", name="Witness") as witness:
        async with witness.online():
            for last in range(1, STEPS_MAX, stride):
                seen = witness.create_room(f"R{last}", relay=relay.url)
                db = tmp_path / f"{last}.db"
                for text in hello:
                    seen.send(text)
                with syncchat.open(db, name="Victim") as victim:
                    (room,) = [victim.join(seen.invite())]
                    room.messages()
                    async with victim.online():
                        await until(lambda r=room: r.count() == 3)  # type: ignore[misc]
                more = [seen.send(f"more {n}").text for n in range(3)]
                await seen.synced()
                whole = hello + more
                count = len(shown_after(PLAN, whole))
                done, is_whole = await asyncio.to_thread(
                    run, crasher, db, last, plan=PLAN, expected=count, every=every
                )
                with syncchat.open(db) as victim:
                    (room,) = victim.rooms()
                    async with victim.online():
                        await room.synced()
                        await converged(room, seen)
                    assert_kept(room, done, whole, PLAN, last)
                    assert victim.check() == [], f"killed at step {last}"
                if is_whole:
                    break
    assert witness.path.exists()
    assert is_whole
    assert last > 60


@pytest.mark.parametrize(
    "stride", [pytest.param(5, id="some"), pytest.param(1, id="all", marks=SLOW)]
)
async def test_peer_killed_at_any_step_of_refilling_a_wiped_relay_ends_with_all_of_it_there(
    tmp_path: Path,
    relay: RelayProcess,
    crasher: Process,
    monkeypatch: pytest.MonkeyPatch,
    stride: int,
) -> None:
    monkeypatch.setattr(refilling, "REFILL_AFTER_MS", (20, 30))
    monkeypatch.setattr(refilling, "SEAL_AFTER_LOSS_MS", 40)
    plan: Plan = [["send", "", "before"], ["send", "", "after"]]
    with running_relay(tmp_path / "wiped", name="wiped") as wiped:
        async with proxy_to(relay.port) as proxy:
            for last in range(1, STEPS_MAX, stride):
                proxy.target = relay.port
                db = tmp_path / f"{last}.db"
                with (
                    syncchat.open(db, name="Victim") as victim,
                    syncchat.open(tmp_path / f"{last}-gone.db", name="Gone") as gone,
                ):
                    room = victim.create_room("Team", relay=proxy.url)
                    link = room.invite(uses=0)
                    sent = [room.send("mine").text, gone.join(link).send("of one who is away").text]
                    async with victim.online(), gone.online():
                        await until(lambda r=room: r.count() == 2)  # type: ignore[misc]
                        await room.synced()
                proxy.target = wiped.port
                done, is_whole = await asyncio.to_thread(
                    run, crasher, db, last, plan=plan, expected=4
                )
                with (
                    syncchat.open(db) as victim,
                    syncchat.open(tmp_path / f"{last}-late.db", name="Late") as late,
                ):
                    (room,) = victim.rooms()
                    joined = late.join(link)
                    async with victim.online(), late.online():
                        await room.synced()
                        await converged(room, joined)
                    assert_kept(joined, done, sent, plan, last)
                    assert victim.check() == late.check() == [], f"killed at step {last}"
                if is_whole:
                    break
    assert is_whole
    assert last > 30

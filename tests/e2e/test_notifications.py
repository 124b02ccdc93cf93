"""Notifications over a real relay: one for each message, and one for a whole absence."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import syncchat_relay

import syncchat
from syncchat import Notification, Peer
from tests.e2e.support import ShiftedClock, hasty, until

MINUTES = 60_000
MISSED = 3_000


async def test_absence_is_told_at_once_and_what_follows_message_by_message(tmp_path: Path) -> None:
    clock = ShiftedClock(wall_ms=-30 * MINUTES)
    async with syncchat_relay.serve(data_dir=tmp_path / "relay") as relay:
        with (
            syncchat.open(tmp_path / "a.db", name="Alice", clock=clock) as alice,
            syncchat.open(tmp_path / "b.db", name="Bob") as bob,
        ):
            room = alice.create_room("Team", relay=relay.url)
            heard = bob.join(room.invite())
            async with alice.online(), bob.online():
                await until(lambda: heard.standing == "member" and len(room.members()) == 2)
                await heard.synced()
            async with alice.online():
                with hasty(alice):
                    for number in range(MISSED):
                        room.send(f"missed {number}", mentions=[bob.id] if number % 100 else [])
                await room.synced()
                clock.wall_ms = 0  # half an hour later
                found: list[Notification] = []
                async with asyncio.TaskGroup() as tasks:
                    listening = tasks.create_task(_listen(bob, found))
                    async with bob.online():
                        await until(lambda: bool(found), what="a notification of the absence")
                        assert heard.count() == MISSED
                        for number in range(5):
                            room.send(f"seen {number}")
                            await until(lambda n=number: len(found) == n + 2)  # type: ignore[misc]
                        heard.set_level("none")
                        room.send("unheard")
                        await until(lambda: heard.count() == MISSED + 6)
                        heard.mark_read()
                        await until(lambda: not heard.unread())
                    listening.cancel()
                absence, *each = found
                assert (absence.count, absence.mentions) == (MISSED, MISSED - MISSED // 100)
                assert absence.messages[-1].text == f"missed {MISSED - 1}"
                assert [[m.text for m in n.messages] for n in each] == [
                    [f"seen {number}"] for number in range(5)
                ]


async def _listen(peer: Peer, found: list[Notification]) -> None:
    async with aclosing(peer.events()) as events:
        async for event in events:
            if isinstance(event, Notification):
                found.append(event)

"""Regression tests of ``peer.events()``."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import syncchat


async def test_events_do_not_miss_what_happens_before_the_first_is_asked_for(
    tmp_path: Path,
) -> None:
    with syncchat.open(tmp_path / "a.db", name="Alice") as peer:
        room = peer.create_room("Team")
        async with aclosing(peer.events()) as events, asyncio.timeout(10):
            sent = room.send("written between the call and the first await")
            event = await anext(events)
            while not isinstance(event, syncchat.MessageAdded):
                event = await anext(events)
            assert event.message.id == sent.id


async def test_reader_of_events_that_ends_does_not_unhook_another_one(tmp_path: Path) -> None:
    with syncchat.open(tmp_path / "a.db", name="ann") as peer:
        staying, leaving = peer.events(), peer.events()
        async with asyncio.TaskGroup() as tasks, asyncio.timeout(10):
            waiting = [tasks.create_task(anext(reader)) for reader in (staying, leaving)]
            await asyncio.sleep(0)  # both now wait
            waiting[1].cancel()
            await asyncio.wait([waiting[1]])
            peer._state_changed("ws://relay", syncchat.ConnectionState(syncchat.Phase.LIVE))
            event = await waiting[0]
        await staying.aclose()
        assert isinstance(event, syncchat.ConnectionChanged)

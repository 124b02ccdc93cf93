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

"""When a peer tries again after its relay was away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import syncchat_relay

import syncchat
from syncchat.sync import backoff

from .support import until


async def test_writing_while_the_relay_is_away_brings_the_next_attempt_forward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff.Backoff, "failed", lambda self, now_ms, permanent=False: 600_000)
    async with syncchat_relay.serve(data_dir=tmp_path / "relay", port=0) as relay:
        port = relay.port
    with syncchat.open(tmp_path / "a.db", name="Alice") as alice:
        room = alice.create_room("Team", relay=f"ws://127.0.0.1:{port}")
        async with alice.online():
            await until(lambda: "offline (" in alice.connections[room.relay])
            async with syncchat_relay.serve(data_dir=tmp_path / "relay", port=port):
                await asyncio.sleep(0)  # nothing is written: the rest would last ten minutes
                room.send("are you back?")
                await until(lambda: alice.connections[room.relay] == "live", seconds=10)
                await room.synced()


async def test_relay_that_is_reached_brings_the_attempt_at_another_forward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff.Backoff, "failed", lambda self, now_ms, permanent=False: 600_000)
    async with syncchat_relay.serve(data_dir=tmp_path / "one", port=0) as relay:
        port = relay.port
    with syncchat.open(tmp_path / "a.db", name="Alice") as alice:
        first = alice.create_room("First", relay=f"ws://127.0.0.1:{port}")
        async with alice.online():
            await until(lambda: "offline (" in alice.connections[first.relay])
            async with (
                syncchat_relay.serve(data_dir=tmp_path / "one", port=port),
                syncchat_relay.serve(data_dir=tmp_path / "two", port=0) as other,
            ):
                alice.create_room("Second", relay=other.url)
                await until(lambda: alice.connections[first.relay] == "live", seconds=10)

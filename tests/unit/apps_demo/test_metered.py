"""Tests of the meter: what it counts is what a WebSocket sends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.frames import Frame, Opcode

from syncchat.apps.demo.metered import Meter
from syncchat.transport.base import Transport
from syncchat.transport.memory import memory_pair


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
async def test_meter_counts_the_bytes_of_websocket_frames(size: int) -> None:
    near, far = memory_pair()

    @asynccontextmanager
    async def connect(relay: str) -> AsyncIterator[Transport]:
        yield near

    meter = Meter(connect)
    raw = bytes(size)
    async with meter.connect("ws://relay") as transport:
        await transport.send(raw)
        assert await far.receive() == raw
        await far.send(raw)
        assert await transport.receive() == raw
    frame = Frame(Opcode.BINARY, raw)
    assert meter.up == len(frame.serialize(mask=True))
    assert meter.down == len(frame.serialize(mask=False))
    assert (meter.frames_up, meter.frames_down) == (1, 1)

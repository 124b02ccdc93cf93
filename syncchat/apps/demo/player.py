"""A player: one peer as a process of its own, told what to do by lines of JSON.

``python -m syncchat.apps.demo.player DATABASE NAME`` reads one request a line and answers each
with one line, in order. A request is ``[what, {arguments}]``; an answer has what was asked for
and, under ``up`` and ``down``, the bytes on the wire so far. It ends when its input does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from typing import Any

import syncchat
from syncchat.apps.demo.metered import Meter
from syncchat.apps.demo.verdict import every_message

Answer = dict[str, Any]


class Player:
    """Answers requests for one peer in one room."""

    def __init__(self, peer: syncchat.Peer, meter: Meter) -> None:
        self._peer = peer
        self._meter = meter
        self.online = AsyncExitStack()

    @property
    def _room(self) -> syncchat.Room:
        return self._peer.rooms()[0]

    async def answer(self, what: str, arguments: dict[str, Any]) -> Answer:
        """Do what a request says and return the answer."""
        given: Answer = await getattr(self, f"do_{what}")(**arguments)
        return {**given, "up": self._meter.up, "down": self._meter.down}

    async def do_create(self, title: str, relay: str) -> Answer:
        """Create the room; the link lets others in."""
        return {"link": self._peer.create_room(title, relay=relay).invite(uses=0)}

    async def do_join(self, link: str) -> Answer:
        """Join the room."""
        self._peer.join(link)
        return {}

    async def do_online(self) -> Answer:
        """Connect, and stay connected."""
        await self.online.enter_async_context(self._peer.online(visible=False))
        return {}

    async def do_offline(self) -> Answer:
        """Disconnect."""
        await self.online.aclose()
        return {}

    async def do_write(self, text: str, reply_to: str | None, metadata: dict[str, Any]) -> Answer:
        """Write a message; the answer with its id is given when it is durable."""
        return {"id": self._room.send(text, reply_to=reply_to, metadata=metadata).id}

    async def do_written(self) -> Answer:
        """Return the ids of this peer's messages by the numbers of their lines."""
        own = (m for m in every_message(self._room) if m.sender == self._peer.id)
        return {"ids": [[(m.metadata or {})["line"], m.id] for m in own]}

    async def do_synced(self, seconds: float) -> Answer:
        """Wait until all is sent and fetched."""
        try:
            async with asyncio.timeout(seconds):
                await self._room.synced()
        except TimeoutError:
            return {"synced": False}
        return {"synced": True}

    async def do_status(self) -> Answer:
        """Say how things are."""
        (state,) = self._peer.connections.values()
        return {
            "state": state.partition(" (")[0],
            "shown": self._room.count(),
            "digest": self._room.digest(),
        }


async def run(path: str, name: str) -> None:
    """Answer requests until there are no more."""
    meter = Meter()
    with syncchat.open(path, name=name, connect=meter.connect) as peer:
        player = Player(peer, meter)
        async with player.online:
            while line := await asyncio.to_thread(sys.stdin.readline):
                what, arguments = json.loads(line)
                answer = await player.answer(what, arguments)
                sys.stdout.write(json.dumps(answer) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))

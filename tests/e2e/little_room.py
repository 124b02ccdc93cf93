"""A room in which much was said, in small volumes, and a chat in it whose lines a test types."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from unittest import mock

from syncchat_relay import Admit, Config, light

import syncchat
from syncchat.apps.cli.chat.loop import Chat
from syncchat.apps.cli.chat.screen import Screen, Style
from syncchat.core import journal, reader
from tests.support.snapshots import eager

TEXTS = [f"text {number:03}" for number in range(300)]
"""More than is shown first of a room."""

SETTINGS = Config(port=0, admission=Admit.ROOMS, deliver_bytes_max=2_000)


@contextmanager
def small_volumes() -> Iterator[None]:
    """Make volumes small, so that a few hundred messages are many of them."""
    with (
        eager(8),
        mock.patch.object(light, "STUBS_FROM_BYTES", 0),
        mock.patch.object(journal, "VOLUME_ENTRIES_MAX", 20),
        mock.patch.object(reader, "VOLUME_ENTRIES_MAX", 20),
    ):
        yield


async def written(folder: Path, relay: str, *, answered: int | None = None) -> str:
    """Have Alice write much, one at a time, the last in answer to one; return an invite."""
    with syncchat.open(folder / "alice.db", name="Alice") as alice:
        room = alice.create_room("Team", relay=relay)
        ids: list[str] = []
        async with asyncio.timeout(60), alice.online():
            for text in TEXTS:
                is_answer = answered is not None and text == TEXTS[-1]
                reply_to = ids[answered] if is_answer and answered is not None else None
                ids.append(room.send(text, reply_to=reply_to).id)
                await room.synced()
            await asyncio.sleep(0.5)  # until the last snapshot is made
            link = room.invite(uses=0)
            await room.synced()
            return str(link)


async def written_by_two(folder: Path, relay: str) -> str:
    """Have Alice and Carol write in turn, so that volumes of both are of the same time."""
    with (
        syncchat.open(folder / "alice.db", name="Alice") as alice,
        syncchat.open(folder / "carol.db", name="Carol") as carol,
    ):
        room = alice.create_room("Team", relay=relay)
        link = room.invite(uses=0)
        async with asyncio.timeout(90), alice.online():
            await room.synced()
            async with carol.online():
                theirs = carol.join(str(link))
                await theirs.synced()
                rooms = (room, theirs)
                for number, text in enumerate(TEXTS):
                    rooms[number % 2].send(text)
                    await rooms[number % 2].synced()
                    while rooms[1 - number % 2].count() <= number:  # noqa: ASYNC110 - clocks follow
                        await asyncio.sleep(0.002)
                await asyncio.sleep(0.5)  # until the last snapshots are made
                await theirs.synced()
        return str(link)


async def joined(path: Path, link: str) -> None:
    """Have Bob join with a device that keeps little, and read what is there."""
    with syncchat.open(path, name="Bob") as bob:
        room = bob.join(link)
        room.keep_history("recent")
        async with asyncio.timeout(60), bob.online():
            await room.synced()
            room.mark_read()
            await room.synced()
        assert room.has_older


class Typed:
    """Is a chat at work: what a test types, and what was printed."""

    def __init__(self) -> None:
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self.printed: list[str] = []

    async def next(self) -> str | None:
        """Return the next line."""
        return await self._lines.get()

    def refresh(self) -> None:
        """Is called where the line beside the input changes."""

    def type(self, *lines: str) -> None:
        """Type lines."""
        for line in lines:
            self._lines.put_nowait(line)

    def leave(self) -> None:
        """End the lines."""
        self._lines.put_nowait(None)

    @property
    def text(self) -> str:
        """Return all that was printed."""
        return "\n".join(self.printed)

    def texts(self) -> list[str]:
        """Return the texts of the room that were printed, in the order of printing."""
        return re.findall(r"^\[\d+\] .*: (text \d+)", self.text, re.MULTILINE)

    async def wait_for(self, pattern: str, *, times: int = 1) -> None:
        """Wait until a pattern has been printed so often."""
        try:
            async with asyncio.timeout(25):
                while len(re.findall(pattern, self.text)) < times:  # noqa: ASYNC110 - printed lines
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{pattern!r} was not printed in:\n{self.text}") from None


@asynccontextmanager
async def chatting(peer: syncchat.Peer, *, last: int = 20) -> AsyncIterator[Typed]:
    """Chat in the room Team until the block ends."""
    typed = Typed()
    room = peer.room("Team")
    chat = Chat(peer, room, typed, Screen(room, typed.printed.append, Style(plain=True)))
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(chat.run(last=last))
        try:
            yield typed
        finally:
            typed.leave()

"""The conductor: starts everybody, hands out the lines, and causes the mishaps.

It keeps what it was told: for every line the message id that its player acknowledged. The verdict
rests on the script and on these, so a line that was acknowledged and lost cannot go unnoticed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from syncchat.ports import Clock

from .processes import PlayerProcess, RelayProcess
from .script import Line, Script
from .verdict import Check, check

TITLE = "demo"
OFFLINE_SEATS = (2, 3)
KILLED_SEAT = 1
OFFLINE_AT, RELAY_KILLED_AT, RELAY_BACK_AT, ONLINE_AT, PEER_KILLED_AT = 0.2, 0.35, 0.5, 0.6, 0.75
"""When in the script things happen."""

IN_FLIGHT_MAX = 8
"""Lines that the killed peer is writing when it is killed."""

LOOK_AHEAD = 150
"""How far ahead in the script those are looked for."""

STATUS_SECONDS = 0.25
SYNC_SECONDS_MAX = 25.0


class Screen(Protocol):
    """Shows how the play goes."""

    def act(self, text: str) -> None:
        """Tell what happens now."""

    def progress(self, done: int, seats: list[SeatState], chat: list[Line]) -> None:
        """Tell how far the play is, and what was said last."""


@dataclass(frozen=True, slots=True)
class SeatState:
    """Is how one peer is doing."""

    name: str
    state: str
    shown: int


@dataclass(frozen=True, slots=True)
class Played:
    """Is what came of a play; the processes have ended.

    ``written`` has the lines of each seat in the order in which they were written; ``checks``
    are those that could only be made while it was played.
    """

    script: Script
    ids: dict[int, str]
    written: list[list[Line]]
    databases: list[Path]
    relay_dir: Path
    relay_port: int
    digests: list[str]
    up: list[int]
    down: list[int]
    seconds: float
    checks: list[Check]


class Conductor:
    """Plays a script once."""

    def __init__(
        self, script: Script, folder: Path, *, rate: float, screen: Screen, clock: Clock
    ) -> None:
        self._script = script
        self._rate = rate
        self._screen = screen
        self._clock = clock
        self._relay = RelayProcess(folder)
        self._players = [
            PlayerProcess(name, folder / f"{_file_name(name)}.db") for name in script.names
        ]
        self._states = [SeatState(name, "starting", 0) for name in script.names]
        self._ids: dict[int, str] = {}
        self._written: list[list[Line]] = [[] for _ in script.names]
        self._lost: list[str] = []
        self._kill_is_due = False
        self._status_at = 0.0

    async def play(self) -> Played:
        """Play the script to its end; raises ``DemoFailed``."""
        started = self._clock.monotonic()
        async with self._everybody():
            await self._gather()
            await self._play_lines()
            digests = await self._come_together()
            seconds = self._clock.monotonic() - started
        return Played(
            script=self._script,
            ids=self._ids,
            written=self._written,
            databases=[player.database for player in self._players],
            relay_dir=self._relay.data_dir,
            relay_port=self._relay.port,
            digests=digests,
            up=[player.up for player in self._players],
            down=[player.down for player in self._players],
            seconds=seconds,
            checks=[check("the killed peer kept every line it had acknowledged", self._lost)],
        )

    @asynccontextmanager
    async def _everybody(self) -> AsyncIterator[None]:
        """Start the processes, and leave none behind."""
        children = [*self._players, self._relay]
        try:
            async with asyncio.TaskGroup() as tasks:
                for child in children:
                    tasks.create_task(child.start())
            yield
            for child in children:
                await child.stop()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            for child in children:
                child.end_at_once()
            for child in children:
                await child.stop()

    async def _gather(self) -> None:
        self._screen.act(f"a relay and {len(self._players)} peers start, each a process")
        first, *others = self._players
        link = (await first.do("create", title=TITLE, relay=self._relay.url))["link"]
        for player in others:
            await player.do("join", link=link)
        await self._everyone(self._players, "online")

    async def _play_lines(self) -> None:
        lines = self._script.lines
        cues = self._cues(len(lines))
        self._screen.act(f"{len(lines):,} lines are played, {self._rate:.0f} a second")
        due = self._clock.monotonic()
        for place, line in enumerate(lines):
            if place in cues:
                await cues[place]()
                due = max(due, self._clock.monotonic())
            if self._kill_is_due:
                await self._kill_a_peer(lines[place : place + LOOK_AHEAD])
            if line.number not in self._ids:
                await self._play(line)
            due += 1 / self._rate
            await self._show_status()
            await asyncio.sleep(max(0.0, due - self._clock.monotonic()))

    def _cues(self, count: int) -> dict[int, Callable[[], Awaitable[None]]]:
        acts: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (OFFLINE_AT, self._go_offline),
            (RELAY_KILLED_AT, self._kill_the_relay),
            (RELAY_BACK_AT, self._start_the_relay),
            (ONLINE_AT, self._go_online),
            (PEER_KILLED_AT, self._plan_to_kill_a_peer),
        ]
        return {int(at * count): act for at, act in acts}

    async def _play(self, line: Line) -> None:
        answer = await self._players[line.seat].do("write", **self._request(line))
        self._note(line, answer["id"])

    def _request(self, line: Line) -> dict[str, Any]:
        answered = [self._ids[number] for number in line.answers]
        metadata: dict[str, Any] = {"line": line.number}
        if line.nick != self._script.names[line.seat]:
            metadata["nick"] = line.nick
        if line.is_action:
            metadata["action"] = True
        if answered[:-1]:
            metadata["also_answers"] = answered[:-1]
        return {
            "text": line.text,
            "reply_to": answered[-1] if answered else None,
            "metadata": metadata,
        }

    def _note(self, line: Line, message: str) -> None:
        self._ids[line.number] = message
        self._written[line.seat].append(line)

    # The mishaps

    async def _go_offline(self) -> None:
        names = self._names_of(OFFLINE_SEATS)
        self._screen.act(f"{names} go offline, and write on")
        await self._everyone([self._players[seat] for seat in OFFLINE_SEATS], "offline")

    async def _kill_the_relay(self) -> None:
        self._screen.act("the relay is killed (SIGKILL); everybody writes on")
        await self._relay.kill()

    async def _start_the_relay(self) -> None:
        self._screen.act("the relay starts again, from what was on its disk")
        await self._relay.start()

    async def _go_online(self) -> None:
        self._screen.act(f"{self._names_of(OFFLINE_SEATS)} come back online")
        await self._everyone([self._players[seat] for seat in OFFLINE_SEATS], "online")

    async def _plan_to_kill_a_peer(self) -> None:
        self._kill_is_due = True

    async def _kill_a_peer(self, upcoming: tuple[Line, ...]) -> None:
        """Kill a peer that has several lines to write, and start it again.

        Only lines that answer none still to come can be given out at once. What it acknowledged
        before it died must be there after it; what it did not is written again only if it is not.
        """
        burst = [
            line
            for line in upcoming
            if line.seat == KILLED_SEAT and self._ids.keys() >= set(line.answers)
        ][:IN_FLIGHT_MAX]
        if not burst:
            return
        self._kill_is_due = False
        player = self._players[KILLED_SEAT]
        for line in burst:
            player.ask("write", **self._request(line))
        answers = [await player.answer() for _ in burst[: len(burst) // 3]]
        answers += await player.kill()
        for line, answer in zip(burst, answers, strict=False):
            self._note(line, answer["id"])
        in_flight = burst[len(answers) :]
        await player.start()
        kept = {number: message for number, message in (await player.do("written"))["ids"]}
        again = 0
        for line in self._written[KILLED_SEAT]:
            if kept.get(line.number) != self._ids[line.number]:
                self._lost.append(f"line {line.number} was acknowledged and is gone")
        for line in in_flight:
            if line.number in kept:
                self._note(line, kept[line.number])
            else:
                await self._play(line)
                again += 1
        await player.do("online")
        self._screen.act(
            f"{player.name} was killed (SIGKILL) with {len(burst)} lines under way and started "
            f"again: {len(burst) - again} were kept, {again} are written again"
        )

    # The end

    async def _come_together(self) -> list[str]:
        """Wait until everybody has everything; return the digests as they are then."""
        self._screen.act("all lines are written; everybody syncs")
        end = self._clock.monotonic() + SYNC_SECONDS_MAX
        while True:
            left = max(0.1, end - self._clock.monotonic())
            await self._everyone(self._players, "synced", seconds=left)
            answers = await self._everyone(self._players, "status")
            self._show(answers)
            digests = [answer["digest"] for answer in answers]
            if len(set(digests)) == 1 or self._clock.monotonic() > end:
                return digests
            await asyncio.sleep(0.02)

    async def _show_status(self) -> None:
        if self._clock.monotonic() < self._status_at:
            return
        self._status_at = self._clock.monotonic() + STATUS_SECONDS
        self._show(await self._everyone(self._players, "status"))

    def _show(self, answers: list[dict[str, Any]]) -> None:
        self._states = [
            SeatState(player.name, answer["state"], answer["shown"])
            for player, answer in zip(self._players, answers, strict=True)
        ]
        done = len(self._ids)
        said = [line for line in self._script.lines[:done] if line.number in self._ids]
        self._screen.progress(done, self._states, said[-CHAT_LINES:])

    async def _everyone(
        self, players: list[PlayerProcess], what: str, **arguments: Any
    ) -> list[dict[str, Any]]:
        """Ask several players at once."""
        for player in players:
            player.ask(what, **arguments)
        return [await player.answer() for player in players]

    def _names_of(self, seats: tuple[int, ...]) -> str:
        return " and ".join(self._players[seat].name for seat in seats)


CHAT_LINES = 6
"""Lines of the chat on the screen."""


def _file_name(name: str) -> str:
    return "".join(char if char.isalnum() and char.isascii() else "_" for char in name)

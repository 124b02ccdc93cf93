"""The command ``sync``: exchange everything, then end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...core.files import File, FileState
from ...core.safe import safe_name
from ...errors import NotAllowedError, ValidationError
from ...ids import room_text
from .failures import Exit
from .online import LOOK_SECONDS, connection, run
from .options import (
    counted,
    db_option,
    hint,
    json_option,
    opened,
    print_json,
    say,
    token_option,
)
from .people import tell_pending

if TYPE_CHECKING:
    from ...peer import Peer
    from ...room import Room


@click.command()
@click.argument("room", required=False)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=15.0,
    show_default=True,
    metavar="SECONDS",
    help="Give up after so long without getting any further.",
)
@token_option
@db_option
@json_option
def sync(room: str | None, timeout: float, db: Path | None, as_json: bool) -> None:
    """Exchange everything with the relays, files too, then end; for one room or for all.

    \b
      syncchat sync
      syncchat sync Team --timeout 60

    Exits with 0 when nothing is left to send or to fetch, with 5 when a relay was not reached,
    with 4 when a relay refused something. What is not sent stays queued.
    """
    with opened(db) as peer:
        chosen = peer.rooms() if room is None else [peer.room(room)]
        works = [_Work(peer, each) for each in chosen if each.relay]
        home_id = peer.devices.home_room if peer.devices.home and room is None else None
        home = None if home_id is None else _Work(peer, peer.room(home_id))
        if room is not None and not works:
            raise ValidationError("this room has no relay; there is nothing to sync with")
        if not works and home is None:
            hint("no room has a relay; nothing to sync")
            return
        every = works if home is None else [*works, home]
        run(_sync_all(peer, every, timeout))
        for work in works:
            stuck = unfinished(peer, work.room)
            if work.exit_code is Exit.DONE and any(is_refused(file) for file in stuck):
                work.exit_code = Exit.REFUSED
                work.problem = "the relay refused files"
            _print(work, stuck, as_json=as_json)
            tell_pending(work.room)
        if home is not None and home.exit_code is not Exit.DONE:
            say(f"error: your list of rooms and devices: {safe_name(home.problem, chars_max=200)}")
        raise SystemExit(max(work.exit_code for work in every))


@dataclass(slots=True)
class _Work:
    """Is one room to sync, and how it went."""

    peer: Peer
    room: Room
    messages: int = 0
    problem: str = ""
    exit_code: Exit = Exit.NOT_REACHED
    seen: tuple[Any, ...] = field(default=())

    def __post_init__(self) -> None:
        self.messages = self.room.count()

    async def wait(self) -> None:
        """Wait until the room is synced, or refused."""
        try:
            await self.room.synced()
            await self.room.transferred()
            self.exit_code = Exit.DONE
        except NotAllowedError as exc:
            self.problem = str(exc)
            self.exit_code = Exit.REFUSED

    def moved(self, state: str) -> bool:
        """Tell whether the room got any further since the last call."""
        failing = state.startswith(("offline", "connecting", "no relay"))
        carried = sum(file.done for file in unfinished(self.peer, self.room))
        now = (self.exit_code, self.room.count(), carried, "" if failing else state)
        moved, self.seen = now != self.seen and not failing, now
        return moved


async def _sync_all(peer: Peer, works: list[_Work], stall_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    async with peer.online(visible=False), asyncio.TaskGroup() as tasks:
        waiting = {tasks.create_task(work.wait()) for work in works}
        deadline = loop.time() + stall_seconds
        with _progress() as show:
            while waiting and loop.time() < deadline:
                _, waiting = await asyncio.wait(waiting, timeout=LOOK_SECONDS * 2)
                states = [connection(peer, work.room) for work in works]
                if any([work.moved(state) for work, state in zip(works, states, strict=True)]):
                    deadline = loop.time() + stall_seconds
                show(_words(works, states))
        for task in waiting:
            task.cancel()
        for work in works:
            if work.exit_code is Exit.NOT_REACHED:
                state = connection(peer, work.room)
                waits = work.room.obstacle if state == "live" else ""
                work.problem = waits or f"not reached in time: {state}"


def _words(works: list[_Work], states: list[str]) -> str:
    open_ = [
        f"{safe_name(work.room.title, chars_max=20)}: {state}"
        for work, state in zip(works, states, strict=True)
        if work.exit_code is Exit.NOT_REACHED
    ]
    more = f" and {len(open_) - 3} more" if len(open_) > 3 else ""
    return "syncing  " + " · ".join(open_[:3]) + more


@contextmanager
def _progress() -> Iterator[Any]:
    """Give a function that shows words on standard error, if a person looks at it."""
    import sys

    if not sys.stderr.isatty():
        yield lambda words: None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status("syncing") as status:
        yield lambda words: status.update(Text(words))


def unfinished(peer: Peer, room: Room) -> list[File]:
    """Return a room's files that are not sent, or not here though they are wanted."""
    return [file for file in peer.files.transfers() if file.room_id == room.id]


def is_refused(file: File) -> bool:
    """Tell whether a file of one's own is not taken by the relay."""
    return file.state is FileState.STOPPED and file.done < file.size


def _print(work: _Work, stuck: list[File], *, as_json: bool) -> None:
    room, title = work.room, safe_name(work.room.title)
    left = room.outbox_count()
    done = work.exit_code is Exit.DONE
    if as_json:
        print_json(
            {
                "id": room_text(room.id),
                "title": room.title,
                "synced": done,
                "problem": work.problem,
                "new": room.count() - work.messages,
                "messages": room.count(),
                "outbox": left,
                "digest": room.digest(),
                "files": len(stuck),
            }
        )
    elif done:
        new = room.count() - work.messages
        click.echo(f"{title}: up to date, {counted(room.count(), 'message')}, {new:,} new")
    else:
        kept = f"; kept here to be sent: {counted(left, 'change')}" if left else ""
        say(f"error: {title}: {safe_name(work.problem, chars_max=200)}{kept}")
    if stuck and not as_json:
        say(f"{title}: {counted(len(stuck), 'file')} not sent or fetched; see 'syncchat files'")

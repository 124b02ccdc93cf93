"""The command ``tail``: the last messages, and new ones as they come."""

from __future__ import annotations

import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import (
    db_option,
    hint,
    json_option,
    opened,
    print_json,
    room_argument,
    token_option,
)
from .people import tell_standing

if TYPE_CHECKING:
    from ...core.message import Message
    from ...events import Event
    from ...ids import RoomId
    from ...peer import Peer
    from ...room import Room
    from .show import Names


@click.command()
@room_argument
@click.option("-n", "--lines", type=click.IntRange(0, 1_000), default=10, show_default=True)
@click.option("--follow/--no-follow", "-f", default=True, show_default=True)
@click.option("--changes", is_flag=True, help="Print a message again when it changes.")
@click.option("--ids", is_flag=True, help="Begin each line with the message's id.")
@click.option(
    "--after",
    metavar="CURSOR",
    help="Go on behind the line with this cursor, as --json prints it; instead of --lines.",
)
@token_option
@db_option
@json_option
def tail(
    room: str,
    lines: int,
    follow: bool,
    changes: bool,
    ids: bool,
    after: str | None,
    db: Path | None,
    as_json: bool,
) -> None:
    """Print the last messages of a room, and new ones as they come, until Ctrl-C.

    \b
      syncchat tail Team
      syncchat tail Team -n 0 --json | my-bot
      syncchat tail Team --no-follow -n 1
      syncchat tail Team --json --after 1764170000123-2-1-01JCH3Q8ABCDEFGHJKMNPQRSTV

    While it follows it is online, so it also carries what other commands write. With --changes a
    line whose id came before replaces that one: it was edited, deleted, reacted to, or got
    further on its way.

    With --json each line that comes while it follows has a "cursor". Who keeps that of the last
    line they have dealt with, and gives it to --after next time, misses none and gets none twice.
    """
    from .online import run
    from .show import Names

    with opened(db) as peer:
        there = peer.room(room)
        tell_standing(there)
        printer = _Printer(Names(there), ids=ids, as_json=as_json)
        if follow:
            hint("following; ctrl-c ends it")
            run(_follow(peer, there, lines, printer, changes=changes, after=after))
        elif after is not None:
            for event in peer.happened(after):
                printer.print_event(event, there.id, changes=changes)
        elif lines:
            printer.print(there.messages(limit=lines, threads=True))


class _Printer:
    def __init__(self, names: Names, *, ids: bool, as_json: bool) -> None:
        self._names = names
        self._ids = ids
        self._as_json = as_json

    def print_event(self, event: Event, room_id: RoomId, *, changes: bool) -> None:
        """Print the message of an event, if it is one to print."""
        from ...events import MessageAdded, MessageChanged

        kinds = (MessageAdded, MessageChanged) if changes else (MessageAdded,)
        if isinstance(event, kinds) and event.room_id == room_id:
            self.print([event.message], cursor=event.cursor)

    def print(self, messages: list[Message], *, cursor: str = "") -> None:
        from .show import draws, lines_of

        if self._as_json:
            for message in messages:
                print_json(message.to_json() | ({"cursor": cursor} if cursor else {}))
        else:
            for line in lines_of(messages, self._names, ids=self._ids, is_drawn=draws(sys.stdout)):
                click.echo(line)
        sys.stdout.flush()


async def _follow(
    peer: Peer, room: Room, lines: int, printer: _Printer, *, changes: bool, after: str | None
) -> None:
    room_id, start = room.id, after or peer.cursor
    async with aclosing(peer.events(after=start)) as events, peer.online(visible=False):
        if lines and after is None:
            printer.print(room.messages(limit=lines, threads=True), cursor=start)
        async for event in events:
            printer.print_event(event, room_id, changes=changes)

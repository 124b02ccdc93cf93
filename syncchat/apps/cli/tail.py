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
    from ...peer import Peer
    from ...room import Room
    from .show import Names


@click.command()
@room_argument
@click.option("-n", "--lines", type=click.IntRange(0, 1_000), default=10, show_default=True)
@click.option("--follow/--no-follow", "-f", default=True, show_default=True)
@click.option("--changes", is_flag=True, help="Print a message again when it changes.")
@click.option("--ids", is_flag=True, help="Begin each line with the message's id.")
@token_option
@db_option
@json_option
def tail(
    room: str,
    lines: int,
    follow: bool,
    changes: bool,
    ids: bool,
    db: Path | None,
    as_json: bool,
) -> None:
    """Print the last messages of a room, and new ones as they come, until Ctrl-C.

    \b
      syncchat tail Team
      syncchat tail Team -n 0 --json | my-bot
      syncchat tail Team --no-follow -n 1

    While it follows it is online, so it also carries what other commands write. With --changes a
    line whose id came before replaces that one: it was edited, deleted, reacted to, or got
    further on its way.
    """
    from .online import run
    from .show import Names

    with opened(db) as peer:
        there = peer.room(room)
        tell_standing(there)
        printer = _Printer(Names(there), ids=ids, as_json=as_json)
        if follow:
            hint("following; ctrl-c ends it")
            run(_follow(peer, there, lines, printer, changes=changes))
        elif lines:
            printer.print(there.messages(limit=lines, threads=True))


class _Printer:
    def __init__(self, names: Names, *, ids: bool, as_json: bool) -> None:
        self._names = names
        self._ids = ids
        self._as_json = as_json

    def print(self, messages: list[Message]) -> None:
        from .show import draws, lines_of

        if self._as_json:
            for message in messages:
                print_json(message.to_json())
        else:
            for line in lines_of(messages, self._names, ids=self._ids, is_drawn=draws(sys.stdout)):
                click.echo(line)
        sys.stdout.flush()


async def _follow(peer: Peer, room: Room, lines: int, printer: _Printer, *, changes: bool) -> None:
    from ...events import MessageAdded, MessageChanged

    room_id = room.id
    kinds = (MessageAdded, MessageChanged) if changes else (MessageAdded,)
    async with aclosing(peer.events()) as events, peer.online(visible=False):
        if lines:
            printer.print(room.messages(limit=lines, threads=True))
        async for event in events:
            if isinstance(event, kinds) and event.room_id == room_id:
                printer.print([event.message])

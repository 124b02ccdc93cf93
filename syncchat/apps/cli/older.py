"""Older history: how much of a room is kept here, and fetching what is not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...core.safe import safe_line
from ...errors import NotConnected, ValidationError
from ...ids import room_text
from .failures import NotReached
from .online import connection, run
from .options import db_option, hint, json_option, opened, print_json, room_argument

if TYPE_CHECKING:
    from ...peer import Peer
    from ...room import Room

PART = 500
"""Messages that are asked for at a time."""


@click.command("history-kept")
@room_argument
@click.argument("kept", required=False, metavar="[all|recent]")
@db_option
@json_option
def history_kept(room: str, kept: str | None, db: Path | None, as_json: bool) -> None:
    """Print how much of a room's history is kept on this device, or say so.

    \b
      syncchat history-kept Team
      syncchat history-kept Team recent        old history stays at the relay
      syncchat history-kept Team all

    With 'recent' old history that is not here yet stays at the relay until 'history --fetch' asks
    for it; nothing goes that is here. 'all' fetches what is missing with the next sync.
    """
    with opened(db) as peer:
        found = peer.room(room)
        if kept is not None:
            found.keep_history(kept)
        if as_json:
            print_json(
                {
                    "id": room_text(found.id),
                    "title": found.title,
                    "kept": found.history_kept,
                    "has_older": found.has_older,
                }
            )
        else:
            click.echo(found.history_kept)
            tell_older(found)


def tell_older(room: Room) -> None:
    """Say where there is history that is not here, or not yet."""
    if room.shows_ahead:
        hint("earlier messages are still to come; 'syncchat sync' fetches them")
    if room.has_older:
        hint("older history is at the relay; 'syncchat history --fetch 15' fetches some")


def fetch_older(peer: Peer, room: Room, limit: int | None, seconds: float) -> None:
    """Fetch older history, so many messages of it or all, within a time.

    Raises ``NotReached`` where that did not do.
    """
    if not room.relay:
        raise ValidationError("this room has no relay to fetch from; leave out --fetch")
    state = "offline"

    async def work() -> bool:
        nonlocal state
        async with peer.online(visible=False):
            try:
                async with asyncio.timeout(seconds):
                    await room.synced()
                    while room.has_older:
                        came = await room.fetch_older(min(limit or PART, PART))
                        if not came or limit is not None:
                            break
            except (TimeoutError, NotConnected):
                state = connection(peer, room)
                return False
            return True

    if not run(work()):
        raise NotReached(f"older history was not fetched ({safe_line(state)})")

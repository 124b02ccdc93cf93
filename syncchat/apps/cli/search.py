"""The command that finds messages."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...core.safe import safe_name, safe_text
from .failures import Exit
from .options import db_option, hint, in_room_option, json_option, opened, print_json, say

if TYPE_CHECKING:
    from ...core.hit import Hit
    from ...peer import Peer
    from ...room import Room


@click.command()
@click.argument("query", nargs=-1, required=True)
@in_room_option
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True)
@click.option("--newest", is_flag=True, help="The newest first, instead of the best.")
@click.option("--before", metavar="ID", help="Only what was written before this message.")
@click.option("--ids", is_flag=True, help="Begin each line with the message's id.")
@db_option
@json_option
def search(
    query: tuple[str, ...],
    title: str | None,
    limit: int,
    newest: bool,
    before: str | None,
    ids: bool,
    db: Path | None,
    as_json: bool,
) -> None:
    """Find messages in all rooms, or in one; works offline.

    \b
      syncchat search lunch tomorrow                both words, in any order
      syncchat search '"lunch tomorrow"'            just so
      syncchat search --in Team from:bob has:link   links that Bob sent there
      syncchat search is:unread after:yesterday --newest
      syncchat search -- lunch -cancelled           without a word

    A word is found where a word begins with it, and from three characters on anywhere; so are the
    names of files. Case and accents do not count. Filters: from:NAME (or me), in:ROOM,
    before: and after: (2026-11-20, 2026-11, 2026, today, yesterday), has:file, image, audio, video,
    location, poll or link, is:unread, starred, pinned, edited, thread, reply, mention or mine. A
    minus before a word or filter leaves out what has it.

    Ends with 3 where nothing is found.
    """
    from .messages import whole_id
    from .show import Names, clock, day

    text = " ".join(query)
    with opened(db) as peer:
        if title is None:
            hits = peer.search(text, limit=limit, newest=newest, before=before)
        else:
            room = peer.room(title)
            whole = whole_id(room, before)
            hits = room.search(text, limit=limit, newest=newest, before=whole)
        rooms = {id_: peer.room(id_) for id_ in {hit.message.room_id for hit in hits}}
        names = {id_: Names(there) for id_, there in rooms.items()}
        for hit in hits:
            message = hit.message
            if as_json:
                print_json(hit.to_json() | {"room": rooms[message.room_id].title})
                continue
            head = f"{message.id}  " if ids else ""
            where = safe_name(rooms[message.room_id].title)
            who = names[message.room_id].of(message.sender, message.sender_name)
            click.echo(f"{head}{day(message)} {clock(message)}  {where}  {who}: {_marked(hit)}")
        partly = [each for each in _searched(peer, title) if each.has_older or each.shows_ahead]
        if partly:
            titles = ", ".join(safe_name(each.title) for each in partly[:3])
            more = f" and {len(partly) - 3} more" if len(partly) > 3 else ""
            hint(f"older history of {titles}{more} is at the relay, and was not searched")
    if not hits:
        say("nothing found")
        raise SystemExit(Exit.NOT_FOUND)
    if newest and len(hits) == limit:
        hint(f"for what is before: --before {hits[-1].message.id}")


def _searched(peer: Peer, title: str | None) -> list[Room]:
    return peer.rooms() if title is None else [peer.room(title)]


def _marked(hit: Hit) -> str:
    """Return a snippet, on a terminal with what was found set off."""
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return safe_text(hit.snippet)
    parts, at = [], 0
    for start, end in hit.marks:
        parts.append(safe_text(hit.snippet[at:start]))
        parts.append(click.style(safe_text(hit.snippet[start:end]), bold=True, fg="yellow"))
        at = end
    return "".join(parts) + safe_text(hit.snippet[at:])

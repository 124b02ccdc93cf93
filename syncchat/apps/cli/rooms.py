"""Commands that set things up: who I am, which rooms there are."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import click

from ...errors import ValidationError
from ...ids import room_text
from ..safe import safe_name
from .options import (
    DEFAULT_RELAY,
    db_option,
    default_db,
    has_database,
    hint,
    json_option,
    opened,
    opened_or_made,
    print_json,
    room_argument,
    say,
    with_db,
)

LINK_BYTES_READ = 10_000
"""What is read of standard input for a link; links have at most 2,000."""


@click.command()
@click.option("--name", help="The name that others see. Given again, it renames you.")
@db_option
@json_option
def init(name: str | None, db: Path | None, as_json: bool) -> None:
    """Create your database and keys; once on each device.

    \b
      syncchat init --name Alice
      syncchat init --name "Alice B."      rename, in every room

    The database holds your keys and all messages as plain data: keep it to yourself. Where one
    exists already it is left as it is, apart from the name.
    """
    is_new = not has_database(db or default_db())
    if is_new and name is None:
        name = _asked_name()
    with opened_or_made(db, name=name) as peer:
        if as_json:
            print_json(
                {"name": peer.name, "device": peer.device, "db": str(peer.path), "created": is_new}
            )
        else:
            click.echo(f"{safe_name(peer.name)}, device {peer.device}, in {peer.path}")
    if is_new:
        hint(f"next: {with_db('syncchat room create TITLE', db)}, or join LINK")


@click.command()
@db_option
@json_option
def rooms(db: Path | None, as_json: bool) -> None:
    """List your rooms: title, unread, messages, connection, id.

    \b
      syncchat rooms
      syncchat rooms --json
    """
    with opened(db) as peer:
        connections = peer.connections
        found = sorted(peer.rooms(), key=lambda room: (room.title.casefold(), room.id))
        rows = [
            {
                "id": room_text(room.id),
                "title": room.title,
                "unread": room.unread(),
                "messages": room.count(),
                "relay": room.relay,
                "connection": connections.get(room.relay, "offline") if room.relay else "no relay",
            }
            for room in found
        ]
    if as_json:
        for row in rows:
            print_json(row)
        return
    if not rows:
        hint(f"no rooms yet; next: {with_db('syncchat room create TITLE', db)}, or join LINK")
        return
    head = ("title", "unread", "messages", "connection", "id")
    table = [head] + [
        (
            safe_name(str(row["title"])),
            str(row["unread"]),
            f"{row['messages']:,}",
            safe_name(str(row["connection"]), chars_max=60),
            str(row["id"])[:8],
        )
        for row in rows
    ]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    for row_ in table:
        cells = [
            cell.rjust(width) if column in (1, 2) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row_, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


@click.group()
def room() -> None:
    """Commands about one room.

    \b
      syncchat room create Team
    """


@room.command(name="create")
@click.argument("title")
@click.option(
    "--relay",
    default=DEFAULT_RELAY,
    show_default=True,
    envvar="SYNCCHAT_RELAY",
    show_envvar=True,
    metavar="URL",
    help="Where members meet; '' for a room that stays on this device.",
)
@db_option
@json_option
def create(title: str, relay: str, db: Path | None, as_json: bool) -> None:
    """Create a room and print the link by which others join it.

    \b
      syncchat room create Team
      syncchat room create "Book club" --relay wss://chat.example.org

    Works offline: the relay is needed only to meet others. Whoever has the link can read and
    write the room, so send it by a way that you trust.
    """
    with opened(db) as peer:
        same = [other for other in peer.rooms() if other.title.casefold() == title.casefold()]
        made = peer.create_room(title, relay=relay)
        link = made.invite()
        if as_json:
            print_json(
                {"id": room_text(made.id), "title": made.title, "relay": relay, "link": link}
            )
        else:
            click.echo(link)
        if same:
            say(f"another room has this title; this one is {room_text(made.id)[:8]}")
        else:
            hint(f"whoever has this link is in; next: {_chat(made.title, db)}")


@click.command()
@click.argument("link")
@db_option
@json_option
def join(link: str, db: Path | None, as_json: bool) -> None:
    """Join a room by its invite link; '-' reads the link from standard input.

    \b
      syncchat join 'syncchat:…#…'
      syncchat join - < link.txt           keeps it out of the shell's history

    Works offline; the history comes with the first sync. Joining again changes nothing.
    """
    if link == "-":
        link = sys.stdin.buffer.read(LINK_BYTES_READ).decode("utf-8", errors="replace")
        if not link.strip():
            raise ValidationError("there is no link on standard input")
    with opened(db) as peer:
        joined = peer.join(link)
        title, room_id = joined.title, room_text(joined.id)
        if as_json:
            print_json({"id": room_id, "title": title, "relay": joined.relay})
        else:
            click.echo(f"{safe_name(title)}  {room_id[:8]}")
            hint(f"next: {_chat(title, db)}")


@click.command()
@room_argument
@db_option
@json_option
def invite(room: str, db: Path | None, as_json: bool) -> None:
    """Print the link by which others join a room.

    \b
      syncchat invite Team
      syncchat invite Team | ssh laptop syncchat join -

    Whoever has the link can read and write the room, for good.
    """
    with opened(db) as peer:
        found = peer.room(room)
        link = found.invite()
        if as_json:
            print_json({"id": room_text(found.id), "title": found.title, "link": link})
        else:
            click.echo(link)


def _asked_name() -> str:
    if not sys.stdin.isatty():
        raise click.UsageError("say who you are: --name NAME")
    try:
        login: str | None = getpass.getuser()
    except (OSError, KeyError):
        login = None
    name: str = click.prompt("The name that others see", default=login, err=True)
    return name


def _chat(title: str, db: Path | None) -> str:
    import shlex

    return with_db(f"syncchat chat {shlex.quote(safe_name(title))}", db)

"""Commands that set things up: who I am, which rooms there are."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import click

from ...core.safe import safe_line, safe_name
from ...errors import ValidationError
from ...ids import room_text
from ...transport.base import host_of
from .homes import no_home_option, settle
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
    say,
    with_db,
)
from .people import table_lines
from .recovery import introduce

LINK_BYTES_READ = 10_000
"""What is read of standard input for a link; links have at most 2,000."""


@click.command()
@click.option("--name", help="The name that others see. Given again, it renames you.")
@click.option(
    "--home", metavar="RELAY", help="The relay that keeps your list of rooms and devices, sealed."
)
@click.option("--skip-recovery", is_flag=True, help="Do not ask for the recovery phrase now.")
@db_option
@json_option
def init(
    name: str | None, home: str | None, skip_recovery: bool, db: Path | None, as_json: bool
) -> None:
    """Create your database and keys; once on each device.

    \b
      syncchat init --name Alice
      syncchat init --name Alice --keychain  encrypt it, too
      syncchat init --name "Alice B."        rename, in every room
      syncchat init --home wss://chat.example.org

    At a terminal it shows your recovery phrase, twelve words for paper, and asks for some of them.
    With the words a relay that is your home brings everything back; without --home that is the
    relay of your first room. For one more device of yours use 'device join' instead.

    The database holds your keys and all messages. Unless you encrypt it, it holds them as plain
    data: keep it to yourself. Where one exists already it is left as it is, apart from the name.
    """
    is_new = not has_database(db or default_db())
    if is_new and name is None:
        name = _asked_name()
    if home:
        host_of(home)  # a bad address leaves no database
    with opened_or_made(db, name=name) as peer:
        if home:
            peer.devices.set_home(home)
        if as_json:
            print_json(
                {
                    "name": peer.name,
                    "id": peer.id,
                    "device": peer.device,
                    "home": peer.devices.home,
                    "db": str(peer.path),
                    "created": is_new,
                }
            )
        else:
            click.echo(f"{safe_name(peer.name)}, device {peer.device}, in {peer.path}")
        if is_new:
            introduce(peer, db, skip=skip_recovery or as_json)
    if is_new:
        hint(f"next: {with_db('syncchat room create TITLE', db)}, or join LINK")


@click.command()
@click.option("--archived", is_flag=True, help="Those that you have put out of the way.")
@db_option
@json_option
def rooms(archived: bool, db: Path | None, as_json: bool) -> None:
    """List your rooms: title, unread, messages, connection, id, and where you are no member why.

    \b
      syncchat rooms
      syncchat rooms --archived
      syncchat rooms --json

    Favourites come first; archived ones are left out.
    """
    with opened(db) as peer:
        connections, unread = peer.connections, peer.unread()
        favourites = {room.id for room in peer.rooms() if room.settings.favourite}
        found = sorted(
            peer.rooms(archived=archived),
            key=lambda room: (room.id not in favourites, room.title.casefold(), room.id),
        )
        rows = [
            {
                "id": room_text(room.id),
                "title": room.title,
                "unread": unread[room.id].messages,
                "mentions": unread[room.id].mentions + unread[room.id].mentions_in_threads,
                "unreadInThreads": unread[room.id].in_threads,
                "messages": room.count(),
                "relay": room.relay,
                "connection": connections.get(room.relay, "offline") if room.relay else "no relay",
                "standing": room.standing,
                "favourite": room.id in favourites,
            }
            for room in found
        ]
        obstacles = [
            f"{safe_name(room.title)}: {safe_line(room.obstacle)}"
            for room in found
            if room.obstacle
        ]
    if as_json:
        for row in rows:
            print_json(row)
        return
    if not rows:
        hint(f"no rooms yet; next: {with_db('syncchat room create TITLE', db)}, or join LINK")
        return
    table: list[tuple[str, ...]] = [("title", "unread", "messages", "connection", "id", "standing")]
    table += [
        (
            safe_name(str(row["title"])),
            str(row["unread"]),
            f"{row['messages']:,}",
            safe_name(str(row["connection"]), chars_max=60),
            str(row["id"])[:8],
            str(row["standing"]),
        )
        for row in rows
    ]
    if all(row["standing"] == "member" for row in rows):
        table = [line[:-1] for line in table]
    for shown in table_lines(table, right=(1, 2)):
        click.echo(shown)
    for each in obstacles:
        say(each)


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
@click.option(
    "--uses",
    type=click.IntRange(0, 1_000_000),
    default=1,
    show_default=True,
    metavar="N",
    help="How many people the link lets in; 0 for any number.",
)
@no_home_option
@db_option
@json_option
def create(
    title: str, relay: str, uses: int, no_home: bool, db: Path | None, as_json: bool
) -> None:
    """Create a room and print a link by which others join it.

    \b
      syncchat room create Team
      syncchat room create "Book club" --relay wss://chat.example.org

    Works offline: the relay is needed only to meet others. The link lets one person in, or as many
    as --uses says, so send it by a way that you trust; 'syncchat invite' makes more. If you have no
    home yet, the relay becomes it: see --no-home.
    """
    with opened(db) as peer:
        same = [other for other in peer.rooms() if other.title.casefold() == title.casefold()]
        made = peer.create_room(title, relay=relay)
        link = made.invite(uses=uses)
        settle(peer, made.relay, no_home=no_home)
        if as_json:
            print_json(
                {"id": room_text(made.id), "title": made.title, "relay": relay, "link": link}
            )
        else:
            click.echo(link)
        if same:
            say(f"another room has this title; this one is {room_text(made.id)[:8]}")
        else:
            who = "one person" if uses == 1 else f"{uses:,} people" if uses else "whoever has it"
            hint(f"the link lets {who} in; next: {_chat(made.title, db)}")


@click.command()
@click.argument("link")
@no_home_option
@db_option
@json_option
def join(link: str, no_home: bool, db: Path | None, as_json: bool) -> None:
    """Join a room by its invite link; '-' reads the link from standard input.

    \b
      syncchat join 'syncchat:…#…'
      syncchat join - < link.txt           keeps it out of the shell's history

    Works offline; the history comes with the first sync. Joining again changes nothing. If you
    have no home yet, the room's relay becomes it: see --no-home.
    """
    with opened(db) as peer:
        joined = peer.join(link_given(link))
        settle(peer, joined.relay, no_home=no_home)
        title, room_id = joined.title, room_text(joined.id)
        if as_json:
            print_json({"id": room_id, "title": title, "relay": joined.relay})
        else:
            click.echo(f"{safe_name(title)}  {room_id[:8]}")
            hint(f"next: {_chat(title, db)}")


def link_given(link: str) -> str:
    """Return a link that was given as an argument, or with ``-`` on standard input."""
    if link != "-":
        return link
    text = sys.stdin.buffer.read(LINK_BYTES_READ).decode("utf-8", errors="replace")
    if not text.strip():
        raise ValidationError("there is no link on standard input")
    return text


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

"""Commands about pinned messages."""

from __future__ import annotations

from pathlib import Path

import click

from .options import db_option, hint, json_option, opened, print_json, room_argument
from .people import tell_standing


@click.command()
@room_argument
@click.argument("message", metavar="ID")
@db_option
@json_option
def pin(room: str, message: str, db: Path | None, as_json: bool) -> None:
    """Pin a message for everyone, as an admin.

    \b
      syncchat pin Team 01K5Z3W8
    """
    _pin(room, message, db, on=True, as_json=as_json)


@click.command()
@room_argument
@click.argument("message", metavar="ID")
@db_option
@json_option
def unpin(room: str, message: str, db: Path | None, as_json: bool) -> None:
    """Take a pin off, as an admin.

    \b
      syncchat unpin Team 01K5Z3W8
    """
    _pin(room, message, db, on=False, as_json=as_json)


@click.command()
@room_argument
@click.option("-n", "--limit", type=click.IntRange(1, 1_000), default=50, show_default=True)
@click.option("--before", metavar="ID", help="The pinned ones just before this message.")
@db_option
@json_option
def pins(room: str, limit: int, before: str | None, db: Path | None, as_json: bool) -> None:
    """Print the pinned messages of a room, with their ids.

    \b
      syncchat pins Team
    """
    from .messages import whole_id
    from .show import Names, lines_of

    with opened(db) as peer:
        found = peer.room(room)
        tell_standing(found)
        pinned = found.pins(before=whole_id(found, before), limit=limit)
        if as_json:
            for message in pinned:
                print_json(message.to_json())
            return
        if not pinned:
            hint("nothing is pinned")
        for line in lines_of(pinned, Names(found), ids=True):
            click.echo(line)


def _pin(room: str, message: str, db: Path | None, *, on: bool, as_json: bool) -> None:
    with opened(db) as peer:
        found = peer.room(room)
        whole = found.message(message).id
        (found.pin if on else found.unpin)(whole)
        tell_standing(found)
        if as_json:
            print_json({"id": whole, "pinned": on})
        else:
            click.echo(f"{'pinned' if on else 'no longer pinned'}: {whole}")

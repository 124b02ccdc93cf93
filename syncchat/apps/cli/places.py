"""Places as messages."""

from __future__ import annotations

from pathlib import Path

import click

from .messages import whole_id
from .options import db_option, hint, json_option, opened, print_json, room_argument
from .people import tell_standing


@click.command(context_settings={"ignore_unknown_options": True})
@room_argument
@click.argument("latitude", type=float)
@click.argument("longitude", type=float)
@click.option("--accuracy", type=float, metavar="METRES", help="Radius in which it is true.")
@click.option("--text", default="", help="What is there.")
@click.option("--reply-to", metavar="ID", help="The message that this answers.")
@db_option
@json_option
def location(
    room: str,
    latitude: float,
    longitude: float,
    accuracy: float | None,
    text: str,
    reply_to: str | None,
    db: Path | None,
    as_json: bool,
) -> None:
    """Write where somebody or something is, and print the message's id.

    \b
      syncchat location Team 48.2082 16.3738 --accuracy 20 --text "meet here"
      syncchat location Team -33.8568 151.2153

    Degrees as maps have them: south and west are negative. Works offline.
    """
    with opened(db) as peer:
        there = peer.room(room)
        sent = there.send_location(
            latitude,
            longitude,
            accuracy_m=accuracy,
            text=text,
            reply_to=whole_id(there, reply_to),
        )
        tell_standing(there)
        if as_json:
            print_json(sent.to_json())
        else:
            click.echo(sent.id)
        hint("queued; it goes out with the next sync, chat or tail")

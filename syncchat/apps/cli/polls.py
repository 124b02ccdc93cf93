"""Commands about polls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import ValidationError
from .options import db_option, json_option, opened, print_json, room_argument
from .people import tell_standing

if TYPE_CHECKING:
    from ...core.message import Message


@click.command()
@room_argument
@click.argument("question")
@click.argument("options", nargs=-1, required=True, metavar="OPTION…")
@click.option("--multiple", is_flag=True, help="Each member may choose several.")
@db_option
@json_option
def poll(
    room: str,
    question: str,
    options: tuple[str, ...],
    multiple: bool,
    db: Path | None,
    as_json: bool,
) -> None:
    """Ask a question with 2 to 20 answers, and print the poll's id.

    \b
      syncchat poll Team "When do we meet?" Monday Tuesday Never
      syncchat poll Team "What shall we order?" Pizza Soup Rice --multiple
      syncchat vote Team 01K5Z3W8 2
    """
    with opened(db) as peer:
        found = peer.room(room)
        asked = found.poll(question, options, multiple=multiple)
        tell_standing(found)
        if as_json:
            print_json(asked.to_json())
        else:
            click.echo(asked.id)


@click.command()
@room_argument
@click.argument("message", metavar="ID")
@click.argument("numbers", nargs=-1, type=click.IntRange(min=1), metavar="NUMBER…")
@click.option("--none", "takes_back", is_flag=True, help="Take your vote back.")
@db_option
@json_option
def vote(
    room: str,
    message: str,
    numbers: tuple[int, ...],
    takes_back: bool,
    db: Path | None,
    as_json: bool,
) -> None:
    """Vote in a poll by the number of an option, counted from 1; print how it stands.

    \b
      syncchat vote Team 01K5Z3W8 2
      syncchat vote Team 01K5Z3W8 1 3       where several may be chosen
      syncchat vote Team 01K5Z3W8 --none    take your vote back

    Your last vote counts, of those cast before the poll was closed.
    """
    if takes_back is bool(numbers):
        raise ValidationError("say which options by their numbers, or --none")
    with opened(db) as peer:
        found = peer.room(room)
        voted = found.vote(message, [number - 1 for number in numbers])
        tell_standing(found)
        _print(voted, as_json=as_json)


@click.command("close-poll")
@room_argument
@click.argument("message", metavar="ID")
@db_option
@json_option
def close_poll(room: str, message: str, db: Path | None, as_json: bool) -> None:
    """Close a poll of yours for good, and print how it ended.

    \b
      syncchat close-poll Team 01K5Z3W8
    """
    with opened(db) as peer:
        found = peer.room(room)
        closed = found.close_poll(message)
        tell_standing(found)
        _print(closed, as_json=as_json)


def _print(message: Message, *, as_json: bool) -> None:
    from .show import body

    if as_json:
        print_json(message.to_json())
    else:
        click.echo(body(message))

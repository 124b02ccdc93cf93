"""Commands about one message: change it, take it back, react to it, pass it on."""

from __future__ import annotations

from pathlib import Path

import click

from ...core.safe import safe_line, safe_name, safe_text
from .messages import stdin_text
from .options import db_option, hint, json_option, opened, print_json, room_argument
from .people import tell_standing


@click.command()
@room_argument
@click.argument("message", metavar="ID")
@click.argument("text", nargs=-1, required=True)
@db_option
@json_option
def edit(room: str, message: str, text: tuple[str, ...], db: Path | None, as_json: bool) -> None:
    """Change the text of a message of yours; '-' reads the text from standard input.

    \b
      syncchat history Team --ids
      syncchat edit Team 01K5Z3W8 the build is red

    Others can look at what it said before, with 'edits', unless it was not sent yet.
    """
    said = stdin_text() if text == ("-",) else " ".join(text)
    with opened(db) as peer:
        found = peer.room(room)
        changed = found.edit(message, said)
        tell_standing(found)
        if as_json:
            print_json(changed.to_json())
        else:
            click.echo(changed.id)


@click.command()
@room_argument
@click.argument("message", metavar="ID")
@db_option
@json_option
def delete(room: str, message: str, db: Path | None, as_json: bool) -> None:
    """Delete a message of yours for everyone.

    \b
      syncchat delete Team 01K5Z3W8

    Its text goes from every database as soon as that hears of it. One that was not sent yet just
    goes.
    """
    with opened(db) as peer:
        found = peer.room(room)
        whole = found.message(message).id
        found.delete(whole)
        tell_standing(found)
        if as_json:
            print_json({"id": whole, "deleted": True})
        else:
            click.echo(f"deleted: {whole}")


@click.command()
@room_argument
@click.argument("message", metavar="ID")
@db_option
@json_option
def edits(room: str, message: str, db: Path | None, as_json: bool) -> None:
    """Print the texts that a message had, first written first.

    \b
      syncchat edits Team 01K5Z3W8

    What was corrected before it was sent is not among them.
    """
    from .show import indented, moment

    with opened(db) as peer:
        for version in peer.room(room).edits(message):
            if as_json:
                print_json({"text": version.text, "at": version.at_ms})
            else:
                click.echo(f"{moment(version.at_ms)}  {indented(safe_text(version.text), 4)}")


@click.command()
@room_argument
@click.argument("message", metavar="ID")
@click.argument("emoji")
@db_option
@json_option
def react(room: str, message: str, emoji: str, db: Path | None, as_json: bool) -> None:
    """React to a message with an emoji.

    \b
      syncchat react Team 01K5Z3W8 👍
    """
    _react(room, message, emoji, db, on=True, as_json=as_json)


@click.command()
@room_argument
@click.argument("message", metavar="ID")
@click.argument("emoji")
@db_option
@json_option
def unreact(room: str, message: str, emoji: str, db: Path | None, as_json: bool) -> None:
    """Take a reaction of yours back.

    \b
      syncchat unreact Team 01K5Z3W8 👍
    """
    _react(room, message, emoji, db, on=False, as_json=as_json)


@click.command()
@room_argument
@click.argument("message", metavar="ID")
@click.option("--to", "target", required=True, metavar="ROOM", help="The room that it goes to.")
@db_option
@json_option
def forward(room: str, message: str, target: str, db: Path | None, as_json: bool) -> None:
    """Pass a message on to another room, with the name of who wrote it; print the new id.

    \b
      syncchat forward Team 01K5Z3W8 --to "Book club"
    """
    with opened(db) as peer:
        to = peer.room(target)
        sent = peer.room(room).forward(message, to=to)
        tell_standing(to)
        if as_json:
            print_json(sent.to_json())
        else:
            click.echo(sent.id)
            hint(f"queued for {safe_name(to.title)}")


def _react(
    room: str, message: str, emoji: str, db: Path | None, *, on: bool, as_json: bool
) -> None:
    with opened(db) as peer:
        found = peer.room(room)
        whole = found.message(message).id
        (found.react if on else found.unreact)(whole, emoji)
        tell_standing(found)
        if as_json:
            print_json(found.message(whole).to_json())
        else:
            click.echo(f"{'reacted' if on else 'taken back'}: {safe_line(emoji, chars_max=32)}")

"""Commands for talking with one person, and with oneself."""

from __future__ import annotations

from pathlib import Path

import click

from ...core.safe import safe_name
from ...ids import room_text
from .messages import stdin_text
from .options import db_option, hint, json_option, opened, print_json, with_db
from .people import person_called, tell_standing


@click.command()
@click.argument("person", metavar="PERSON")
@click.argument("text", nargs=-1)
@db_option
@json_option
def direct(person: str, text: tuple[str, ...], db: Path | None, as_json: bool) -> None:
    """Print the room with one other person, making it if need be, and write there.

    \b
      syncchat direct Bob
      syncchat direct Bob are you there?
      syncchat history Bob

    PERSON is somebody in a room that you are both in, by name or id. It works offline; they get
    the room with your next sync and theirs. It is called as they are.
    """
    said = stdin_text() if text == ("-",) else " ".join(text)
    with opened(db) as peer:
        found = peer.direct(person_called(peer, person))
        sent = found.send(said) if said else None
        tell_standing(found)
        if as_json:
            told = {"id": room_text(found.id), "title": found.title, "member": found.direct}
            print_json(told | {"message": None if sent is None else sent.id})
        elif sent is not None:
            click.echo(sent.id)
        else:
            click.echo(f"{safe_name(found.title)}  {room_text(found.id)[:8]}")
            hint(f"next: {with_db('syncchat chat ' + room_text(found.id)[:8], db)}")


@click.command()
@click.argument("text", nargs=-1)
@click.option("-n", "--limit", type=click.IntRange(1, 1_000), default=50, show_default=True)
@click.option("--ids", is_flag=True, help="Begin each line with the note's id.")
@db_option
@json_option
def notes(text: tuple[str, ...], limit: int, ids: bool, db: Path | None, as_json: bool) -> None:
    """Write a note to yourself, or print your notes.

    \b
      syncchat notes buy milk
      syncchat notes
      syncchat edit Notes 01K5Z3W8 buy two

    They come to all of your devices, and to nobody else. Other commands take 'Notes' as the room.
    """
    from .show import Names, lines_of

    said = stdin_text() if text == ("-",) else " ".join(text)
    with opened(db) as peer:
        found = peer.notes()
        if said:
            sent = found.send(said)
            print_json(sent.to_json()) if as_json else click.echo(sent.id)
            return
        page = found.messages(limit=limit)
        if as_json:
            for message in page:
                print_json(message.to_json())
            return
        for line in lines_of(page, Names(found), ids=ids):
            click.echo(line)

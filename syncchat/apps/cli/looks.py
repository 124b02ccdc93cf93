"""Commands about what a room, or you, look like, and how long messages stay."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...core.safe import safe_line, safe_name
from ...errors import NotFoundError, ValidationError
from ...ids import room_text
from .options import db_option, hint, json_option, opened, print_json, room_argument
from .people import tell_standing

if TYPE_CHECKING:
    from ...room import Room

_UNITS = ((604_800, "w"), (86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


@click.command()
@room_argument
@click.argument("text", nargs=-1)
@click.option("--remove", is_flag=True, help="Leave the room without a topic.")
@db_option
@json_option
def topic(room: str, text: tuple[str, ...], remove: bool, db: Path | None, as_json: bool) -> None:
    """Print what a room is about, or say so for everyone.

    \b
      syncchat topic Team
      syncchat topic Team Ships and sealing wax
      syncchat topic Team --remove
    """
    if remove and text:
        raise ValidationError("either a new topic or --remove")
    with opened(db) as peer:
        found = peer.room(room)
        if text or remove:
            found.set_topic(" ".join(text))
            tell_standing(found)
        if as_json:
            print_json({"id": room_text(found.id), "title": found.title, "topic": found.topic})
        elif found.topic:
            click.echo(safe_line(found.topic))
        else:
            hint("no topic")


@click.command()
@room_argument
@click.argument("after", required=False, metavar="[TIME|off]")
@db_option
@json_option
def timer(room: str, after: str | None, db: Path | None, as_json: bool) -> None:
    """Print after what time messages of a room disappear, or set it, as an admin.

    \b
      syncchat timer Team
      syncchat timer Team 7d                 30s, 30m, 12h, 7d, 2w
      syncchat timer Team off

    It counts for what is written from then on. Such a message goes from every member's database
    that long after it was written, also from those who are offline, by each one's own clock.
    """
    with opened(db) as peer:
        found = peer.room(room)
        if after == "off":
            found.set_timer(None)
        elif after is not None:
            found.set_timer(_seconds(after, "off"))
        _tell_span(found, found.timer, "off", is_set=after is not None, as_json=as_json)


@click.command()
@room_argument
@click.argument("time", required=False, metavar="[TIME|all]")
@db_option
@json_option
def keep(room: str, time: str | None, db: Path | None, as_json: bool) -> None:
    """Print for how long a room keeps its messages, or set it, as an admin.

    \b
      syncchat keep Team
      syncchat keep Team 90d                 a day to ten years: 36h, 90d, 52w
      syncchat keep Team all

    It counts for all messages. What is older goes from every member's database and from the relay,
    whoever wrote it. What is over stays over, also where the room is set to keep more.
    """
    with opened(db) as peer:
        found = peer.room(room)
        if time == "all":
            found.set_keep(None)
        elif time is not None:
            found.set_keep(_seconds(time, "all"))
        _tell_span(found, found.keep, "all", is_set=time is not None, as_json=as_json)


@click.command()
@click.argument("picture", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
@click.option("--room", "of_room", metavar="ROOM", help="The picture of a room, not yours.")
@click.option("--remove", is_flag=True, help="Show none any more.")
@click.option(
    "--save",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PATH",
    help="Write the picture that is shown now to a file.",
)
@db_option
@json_option
def avatar(
    picture: Path | None,
    of_room: str | None,
    remove: bool,
    save: Path | None,
    db: Path | None,
    as_json: bool,
) -> None:
    """Show others a picture of you, or of a room, or save the one that is shown.

    \b
      syncchat avatar me.jpg
      syncchat avatar --room Team team.png
      syncchat avatar --room Team --save team.jpg
      syncchat avatar --remove

    A small copy is made, which tells nothing but what the picture shows.
    """
    if sum((picture is not None, remove, save is not None)) > 1:
        raise ValidationError("one of: a file, --remove, --save PATH")
    if picture is not None and not picture.is_file():
        raise NotFoundError(f"no file {picture}")
    with opened(db) as peer:
        shown = peer if of_room is None else peer.room(of_room)
        if picture is not None or remove:
            shown.set_avatar(picture)
        now = shown.avatar
        if save is not None:
            if now is None:
                raise NotFoundError("there is no picture to save")
            save.write_bytes(now.data)
        name = safe_name(peer.name if of_room is None else peer.room(of_room).title)
        if as_json:
            kind, size = (None, 0) if now is None else (now.type, len(now.data))
            print_json({"of": name, "type": kind, "bytes": size})
        else:
            click.echo(f"{name}: {'no picture' if now is None else now.type}")


def _tell_span(room: Room, seconds: int, none: str, *, is_set: bool, as_json: bool) -> None:
    """Print a time that counts for a room, or the word for none."""
    if is_set:
        tell_standing(room)
    if as_json:
        print_json({"id": room_text(room.id), "title": room.title, "seconds": seconds})
    else:
        click.echo(span_words(seconds) if seconds else none)


def _seconds(text: str, none: str) -> int:
    """Return the time in words such as 30s, 12h or 7d; raises ``ValidationError``."""
    found = re.fullmatch(r"([1-9]\d{0,8})\s*([smhdw])", text.strip().lower())
    if found is None:
        raise ValidationError(f"say after what time: 30s, 30m, 12h, 7d or 2w; or {none}")
    return int(found[1]) * next(size for size, unit in _UNITS if unit == found[2])


def span_words(seconds: int) -> str:
    """Return a time in the largest unit in which it is whole."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    return f"{seconds // size}{unit}"

"""What you arrange for yourself, on all of your devices: drafts, stars, order, people you block."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ...core.safe import safe_line, safe_name, safe_text
from ...errors import NotFoundError
from .messages import whole_id
from .options import db_option, json_option, opened, print_json, room_argument
from .people import member_called


@click.command()
@room_argument
@click.argument("text", nargs=-1)
@click.option("--thread", metavar="ID", help="The draft of this thread.")
@click.option("--reply-to", metavar="ID", help="The message that it answers.")
@click.option("--send", "is_sent", is_flag=True, help="Send what it says, and clear it.")
@click.option("--clear", is_flag=True, help="Forget it.")
@db_option
@json_option
def draft(
    room: str,
    text: tuple[str, ...],
    thread: str | None,
    reply_to: str | None,
    is_sent: bool,
    clear: bool,
    db: Path | None,
    as_json: bool,
) -> None:
    """Keep what you are writing in a room, or print it.

    \b
      syncchat draft Team "half a thought"
      syncchat draft Team
      syncchat draft Team --send

    Your other devices have it as well. Ends with 3 where there is none.
    """
    if sum((bool(text), is_sent, clear)) > 1:
        raise click.UsageError("give a text, --send or --clear, only one of them")
    with opened(db) as peer:
        there = peer.room(room)
        place = whole_id(there, thread)
        if is_sent:
            sent = there.send_draft(place)
            if as_json:
                print_json(sent.to_json())
            else:
                click.echo(sent.id)
            return
        if text or clear:
            there.set_draft(" ".join(text), thread=place, reply_to=whole_id(there, reply_to))
        found = there.draft(place)
        if found is None:
            if clear:
                return
            raise NotFoundError("there is no draft here")
        if as_json:
            print_json(
                {
                    "text": found.text,
                    "thread": found.thread,
                    "replyTo": found.reply_to,
                    "edits": found.edits,
                    "savedAt": found.saved_ms,
                }
            )
        elif not text:
            click.echo(safe_text(found.text))


@click.command()
@room_argument
@click.argument("message", metavar="ID")
@click.option("--undo", is_flag=True, help="Take the star away.")
@db_option
@json_option
def star(room: str, message: str, undo: bool, db: Path | None, as_json: bool) -> None:
    """Mark a message to find it again; nobody else sees it.

    \b
      syncchat star Team 01K5Z3W8
      syncchat stars Team
    """
    with opened(db) as peer:
        there = peer.room(room)
        whole = there.message(message).id
        (there.unstar if undo else there.star)(whole)
        if as_json:
            print_json({"message": whole, "starred": not undo})
        else:
            click.echo(whole)


@click.command()
@room_argument
@click.option("-n", "--limit", type=click.IntRange(1, 1_000), default=50, show_default=True)
@click.option("--before", metavar="ID", help="Those before this message.")
@db_option
@json_option
def stars(room: str, limit: int, before: str | None, db: Path | None, as_json: bool) -> None:
    """Print the messages of a room that you have starred.

    \b
      syncchat stars Team
      syncchat stars Team --limit 10 --json
    """
    from .show import Names, draws, lines_of

    with opened(db) as peer:
        there = peer.room(room)
        found = there.starred(before=whole_id(there, before), limit=limit)
        if as_json:
            for message in found:
                print_json(message.to_json())
            return
        for line in lines_of(found, Names(there), ids=True, is_drawn=draws(sys.stdout)):
            click.echo(line)


@click.command()
@room_argument
@click.option("--undo", is_flag=True, help="Put it back.")
@db_option
@json_option
def archive(room: str, undo: bool, db: Path | None, as_json: bool) -> None:
    """Put a room out of the way; it goes on as before.

    \b
      syncchat archive "Old project"
      syncchat rooms --archived
    """
    with opened(db) as peer:
        there = peer.room(room)
        there.archive(not undo)
        if as_json:
            print_json({"room": there.title, "archived": not undo})


@click.command()
@room_argument
@click.option("--undo", is_flag=True, help="No longer.")
@db_option
@json_option
def favourite(room: str, undo: bool, db: Path | None, as_json: bool) -> None:
    """Have a room come first in 'syncchat rooms'.

    \b
      syncchat favourite Team
    """
    with opened(db) as peer:
        there = peer.room(room)
        there.set_favourite(not undo)
        if as_json:
            print_json({"room": there.title, "favourite": not undo})


@click.command()
@room_argument
@click.argument("message", metavar="ID")
@db_option
@json_option
def forget(room: str, message: str, db: Path | None, as_json: bool) -> None:
    """Leave a message out of what you see, on all of your devices.

    \b
      syncchat forget Team 01K5Z3W8

    The others keep it, and so does your database until its author deletes it.
    """
    with opened(db) as peer:
        there = peer.room(room)
        whole = there.message(message).id
        there.delete_for_me(whole)
        if as_json:
            print_json({"message": whole, "forgotten": True})
        else:
            click.echo(whole)


@click.command()
@room_argument
@click.argument("member", metavar="MEMBER")
@click.option("--undo", is_flag=True, help="See and hear them again.")
@db_option
@json_option
def block(room: str, member: str, undo: bool, db: Path | None, as_json: bool) -> None:
    """See and hear no more of a member, in any room, on any device of yours.

    \b
      syncchat block Team Mallory
      syncchat block Team Mallory --undo

    ROOM is one that you are both in. They do not learn of it.
    """
    with opened(db) as peer:
        found = member_called(peer.room(room), member)
        (peer.unblock if undo else peer.block)(found)
        if as_json:
            print_json({"member": found, "blocked": not undo})
        else:
            click.echo(found)


@click.command()
@db_option
@json_option
def blocked(db: Path | None, as_json: bool) -> None:
    """List whom you have blocked.

    \b
      syncchat blocked
    """
    with opened(db) as peer:
        names = {member.id: member.name for room in peer.rooms() for member in room.members()}
        for found in peer.blocked():
            name = names.get(found, "")
            if as_json:
                print_json({"member": found, "name": name})
            else:
                click.echo(safe_line(f"{safe_name(name) if name else '?'}  {found}"))

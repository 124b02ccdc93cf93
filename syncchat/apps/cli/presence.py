"""Who is here, and what you say about yourself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...core.safe import safe_line
from ...errors import ValidationError
from .options import db_option, json_option, opened, print_json, room_argument, token_option

if TYPE_CHECKING:
    from ...peer import Peer
    from ...room import Room


@click.command()
@room_argument
@click.option(
    "--seconds",
    type=click.FloatRange(0, 120),
    default=3.0,
    show_default=True,
    help="How long to listen once connected.",
)
@token_option
@db_option
@json_option
def who(room: str, seconds: float, db: Path | None, as_json: bool) -> None:
    """Print who is in a room now, and when the others were last heard of.

    \b
      syncchat who Team
      syncchat who Team --seconds 35      also hears those who only say so twice a minute
      syncchat who Team --json

    Asks through the relay, and is seen there meanwhile; without a connection it prints when
    members were last heard of. In rooms of over 30 members nobody answers at once, in those of
    over 100 nobody tells. Who is invisible cannot ask, and listens only. Where another command of
    yours is connected already, that one hears the answers.
    """
    from .online import run
    from .show import Names, moment

    with opened(db) as peer:
        there = peer.room(room)
        if not there.relay:
            raise ValidationError("this room has no relay, so nobody else can be in it")
        run(_listen(peer, there, seconds))
        names = Names(there)
        for found in there.presence():
            if as_json:
                print_json(
                    {
                        "member": found.member,
                        "name": found.name,
                        "here": found.is_here,
                        "lastSeen": found.last_seen,
                        "status": found.status,
                    }
                )
                continue
            you = " (you)" if found.member == peer.id else ""
            if found.is_here:
                where = "here"
            else:
                where = "never heard of" if not found.last_seen else moment(found.last_seen)
            said = f"  {safe_line(found.status)}" if found.status else ""
            click.echo(f"{names.of(found.member)}{you}  {where}{said}")


@click.command()
@click.argument("text", nargs=-1)
@click.option("--clear", is_flag=True, help="Say nothing any more.")
@click.option("--invisible", is_flag=True, help="Be seen by nobody, on any device of yours.")
@click.option("--visible", is_flag=True, help="Be seen again.")
@db_option
@json_option
def status(
    text: tuple[str, ...],
    clear: bool,
    invisible: bool,
    visible: bool,
    db: Path | None,
    as_json: bool,
) -> None:
    """Say something about yourself to those who see that you are here.

    \b
      syncchat status on the train, back at 15:00
      syncchat status --clear
      syncchat status --invisible
      syncchat status

    Works offline, and holds for all devices of yours. Others see it while a 'chat' of yours runs.
    """
    if invisible and visible:
        raise click.UsageError("--invisible and --visible exclude each other")
    if clear and text:
        raise click.UsageError("give a text or --clear, not both")
    with opened(db) as peer:
        if text or clear:
            peer.set_status(" ".join(text))
        if invisible or visible:
            peer.set_invisible(invisible)
        if as_json:
            print_json({"status": peer.status, "invisible": peer.is_invisible})
            return
        seen = "invisible" if peer.is_invisible else "visible"
        click.echo(f"{seen}  {safe_line(peer.status)}" if peer.status else seen)


async def _listen(peer: Peer, room: Room, seconds: float) -> None:
    import asyncio

    from .online import connection, until

    async with peer.online():
        if await until(lambda: connection(peer, room) == "live", seconds=max(1.0, seconds)):
            await asyncio.sleep(seconds)

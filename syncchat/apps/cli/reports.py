"""Commands that tell admins of a message, and admins of what they were told."""

from __future__ import annotations

from pathlib import Path

import click

from ...core.safe import safe_line, safe_name
from .options import db_option, hint, json_option, opened, print_json, room_argument
from .people import tell_standing


@click.command()
@room_argument
@click.argument("message", metavar="ID")
@click.argument("reason", nargs=-1, required=True)
@db_option
@json_option
def report(
    room: str, message: str, reason: tuple[str, ...], db: Path | None, as_json: bool
) -> None:
    """Tell the room's admins of a message, and nobody else.

    \b
      syncchat report Team 01K5Z3W8 this is spam
    """
    with opened(db) as peer:
        found = peer.room(room)
        whole = found.message(message).id
        found.report(whole, " ".join(reason))
        tell_standing(found)
        if as_json:
            print_json({"id": whole, "reason": " ".join(reason)})
        else:
            click.echo(f"reported: {whole}")


@click.command()
@room_argument
@click.option("-n", "--limit", type=click.IntRange(1, 1_000), default=50, show_default=True)
@db_option
@json_option
def reports(room: str, limit: int, db: Path | None, as_json: bool) -> None:
    """Print what members have reported to you as an admin, newest first.

    \b
      syncchat reports Team
      syncchat hide Team 01K5Z3W8            what to do about it
    """
    from .show import moment

    with opened(db) as peer:
        found = peer.room(room)
        told = found.reports(limit=limit)
    if as_json:
        for each in told:
            print_json(
                {
                    "message": each.message_id,
                    "member": each.member,
                    "name": each.name,
                    "reason": each.reason,
                    "at": each.at_ms,
                }
            )
        return
    if not told:
        hint("nothing was reported to you")
    for each in told:
        who = f"{moment(each.at_ms)}  {safe_name(each.name)}"
        click.echo(f"{who}: {each.message_id}  {safe_line(each.reason)}")

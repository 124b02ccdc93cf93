"""Commands about invites: the links by which people come into a room, and who asks to."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from ...ids import room_text
from .codes import check_png, qr_options, show_code
from .options import db_option, hint, json_option, opened, print_json, room_argument
from .people import ID_CHARS_SHOWN, table_lines, tell_pending

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
EXPIRES_DAYS_MAX = 3_650


class Span(click.ParamType[timedelta]):
    """Is a length of time such as 30m, 12h, 7d or 2w."""

    name = "span"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        found = re.fullmatch(r"([1-9]\d{0,5})\s*([mhdw])", str(value).strip().lower())
        if found is None:
            self.fail("say how long as 30m, 12h, 7d or 2w", param, ctx)
        span = timedelta(**{_UNITS[found[2]]: int(found[1])})
        if span > timedelta(days=EXPIRES_DAYS_MAX):
            self.fail("at most ten years; leave it out where there is to be no end", param, ctx)
        return span


@click.command()
@room_argument
@click.option(
    "--uses",
    type=click.IntRange(0, 1_000_000),
    default=1,
    show_default=True,
    metavar="N",
    help="How many people it lets in; 0 for any number.",
)
@click.option("--expires", type=Span(), metavar="TIME", help="How long it works: 30m, 12h, 7d, 2w.")
@click.option(
    "--role",
    type=click.Choice(["member", "reader"]),
    default="member",
    show_default=True,
    help="What those are who come in by it.",
)
@click.option("--approve", is_flag=True, help="An admin lets each one in; see 'requests'.")
@qr_options
@db_option
@json_option
def invite(
    room: str,
    uses: int,
    expires: timedelta | None,
    role: str,
    approve: bool,
    qr: bool,
    qr_png: Path | None,
    db: Path | None,
    as_json: bool,
) -> None:
    """Print a new link by which others join a room.

    \b
      syncchat invite Team                            lets one person in
      syncchat invite Team | ssh laptop syncchat join -
      syncchat invite Team --uses 20 --expires 7d
      syncchat invite Team --role reader --approve
      syncchat invite Team --qr                       for a camera

    It works once your device has synced, and then also while you are offline. Until it is used up
    whoever has the link can come in, so send it by a way that you trust; 'revoke-invite' closes it.
    """
    check_png(qr_png)
    with opened(db) as peer:
        found = peer.room(room)
        link = found.invite(uses=uses, expires=expires, role=role, approve=approve)
        if as_json:
            print_json(
                {
                    "id": room_text(found.id),
                    "title": found.title,
                    "link": link,
                    "invite": _invite_id(link),
                    "uses": uses,
                    "role": role,
                    "approve": approve,
                }
            )
        else:
            click.echo(link)
        show_code(link, qr=qr, png=qr_png)
        who = "one person" if uses == 1 else f"{uses:,} people" if uses else "whoever has it"
        hint(f"lets {who} in{', when an admin agrees' if approve else ''}")


@click.command()
@room_argument
@db_option
@json_option
def invites(room: str, db: Path | None, as_json: bool) -> None:
    """List the invites of a room by which people can still come in.

    \b
      syncchat invites Team

    The links themselves are known only to those who have them.
    """
    with opened(db) as peer:
        found = peer.room(room)
        opened_ = found.invites()
        tell_pending(found)
    if as_json:
        for each in opened_:
            print_json(
                {
                    "id": each.id,
                    "role": each.role,
                    "uses": each.uses,
                    "used": each.used,
                    "expires": each.expires_ms or None,
                    "approve": each.needs_approval,
                }
            )
        return
    if not opened_:
        hint("no open invites")
        return
    rows: list[tuple[str, ...]] = [("id", "role", "used", "of", "until", "approval")]
    rows += [
        (
            each.id,
            each.role,
            str(each.used),
            str(each.uses or "any"),
            _until(each.expires_ms),
            "by an admin" if each.needs_approval else "none",
        )
        for each in opened_
    ]
    for line in table_lines(rows, right=(2, 3)):
        click.echo(line)


@click.command("revoke-invite")
@room_argument
@click.argument("invite_id", metavar="ID")
@db_option
@json_option
def revoke_invite(room: str, invite_id: str, db: Path | None, as_json: bool) -> None:
    """Close an invite: its link lets nobody in any more.

    \b
      syncchat invites Team                 shows the ids
      syncchat revoke-invite Team 1f0c
    """
    with opened(db) as peer:
        found = peer.room(room)
        whole = next((i.id for i in found.invites() if i.id.startswith(invite_id.lower())), None)
        found.revoke_invite(invite_id)
        if as_json:
            print_json({"id": room_text(found.id), "invite": whole or invite_id, "revoked": True})
        else:
            click.echo(f"closed: {whole or invite_id}")
        tell_pending(found)


@click.command()
@room_argument
@db_option
@json_option
def requests(room: str, db: Path | None, as_json: bool) -> None:
    """List who asks to be let into a room.

    \b
      syncchat requests Team
      syncchat approve Team 9b21

    They have a link that needs approval. A person's id is all that is known of them: have them
    read out theirs, which 'syncchat init' prints.
    """
    with opened(db) as peer:
        found = peer.room(room)
        asking = found.requests()
        tell_pending(found)
    if as_json:
        for each in asking:
            print_json({"id": each.id, "member": each.member})
        return
    if not asking:
        hint("nobody asks to be let in, as far as is known here")
        return
    rows: list[tuple[str, ...]] = [("id", "person")]
    for line in table_lines(rows + [(each.id, each.member) for each in asking]):
        click.echo(line)


@click.command()
@room_argument
@click.argument("request_id", metavar="ID")
@click.option(
    "--role",
    type=click.Choice(["member", "reader", "admin"]),
    default="member",
    show_default=True,
    help="What they are in the room.",
)
@db_option
@json_option
def approve(room: str, request_id: str, role: str, db: Path | None, as_json: bool) -> None:
    """Let somebody in who asks to; ID is that of the request, or of the person.

    \b
      syncchat requests Team                shows the ids
      syncchat approve Team 9b21
      syncchat approve Team 9b21 --role reader
    """
    with opened(db) as peer:
        found = peer.room(room)
        asks = {each.id: each.member for each in found.requests()}
        found.add(request_id, role=role)
        fitting = [
            member
            for id_, member in asks.items()
            if id_.startswith(request_id.lower()) or member.startswith(request_id.upper())
        ]
        if as_json:
            print_json({"id": room_text(found.id), "member": fitting[0], "role": role})
        else:
            click.echo(f"let in as {role}: {fitting[0][:ID_CHARS_SHOWN]}")
        tell_pending(found)


def _invite_id(link: str) -> str:
    from ...trust.keys import DeviceKeys
    from ...wire.invite import decode_invite

    return DeviceKeys(decode_invite(link).seed).public.hex()[:16]


def _until(ms: int) -> str:
    if not ms:
        return "no end"
    try:
        moment = datetime.fromtimestamp(ms / 1000, tz=UTC).astimezone()
    except (OverflowError, OSError, ValueError):
        return "no end"
    return moment.strftime("%Y-%m-%d %H:%M")

"""Commands about who is in a room: list them, remove them, give them roles, leave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...core.safe import safe_line, safe_name
from ...ids import room_text
from .options import db_option, hint, json_option, opened, print_json, room_argument, say
from .people import (
    ID_CHARS_SHOWN,
    caution_line,
    fork_lines,
    member_called,
    table_lines,
    tell_pending,
    tell_standing,
)

if TYPE_CHECKING:
    from ...contacts import Caution
    from ...peer import Peer
    from ...room import Room


@click.command()
@room_argument
@db_option
@json_option
def members(room: str, db: Path | None, as_json: bool) -> None:
    """List the members of a room: name, role, devices, whether you verified them, id.

    \b
      syncchat members Team
      syncchat verify show Bob              compare, then: syncchat verify yes Bob

    What changed about people whom you verified is told on standard error until you answer it. So
    are admins whether the room's log ever had branches, and which changes had no effect for it.
    """
    with opened(db) as peer:
        found = peer.room(room)
        cautions = cautions_in(peer, found)
        if as_json:
            _print_json(peer, found, cautions)
        else:
            _print_table(peer, found)
        for caution in cautions:
            say(f"warning: {caution_line(caution)}")
        if any(each.is_me and each.role in ("owner", "admin") for each in found.members()):
            for line in fork_lines(found):
                say(line)
        tell_standing(found)
        tell_pending(found)


def cautions_in(peer: Peer, room: Room) -> list[Caution]:
    """Return the open warnings about a room's members."""
    inside = {member.id for member in room.members()}
    return [caution for caution in peer.contacts.warnings() if caution.member in inside]


def member_lines(peer: Peer, room: Room) -> list[str]:
    """Return a room's members as lines for people."""
    from .show import Names

    names, verified = Names(room), set(peer.contacts.verified())
    rows: list[tuple[str, ...]] = [("name", "role", "devices", "verified", "id")]
    for member in room.members():
        mark = "you" if member.is_me else "yes" if member.id in verified else "no"
        name, count = names.of(member.id), str(len(member.devices))
        rows.append((name, member.role, count, mark, member.id[:ID_CHARS_SHOWN]))
    return table_lines(rows, right=(2,))


@click.command()
@room_argument
@click.argument("member")
@db_option
@json_option
def remove(room: str, member: str, db: Path | None, as_json: bool) -> None:
    """Remove a member from a room; the room gets a new key, which they do not get.

    \b
      syncchat remove Team Bob
      syncchat remove Team 0EG7QZYF         by the id, where two have a name

    What they have read they keep. Open invites that need no approval are closed with it.
    """
    with opened(db) as peer:
        found = peer.room(room)
        who = member_called(found, member)
        name = _name(found, who)
        found.remove(who)
        if as_json:
            print_json({"id": room_text(found.id), "member": who, "name": name})
        else:
            click.echo(f"removed: {safe_name(name)}  {who[:ID_CHARS_SHOWN]}")
        tell_pending(found)


@click.command()
@room_argument
@click.argument("member")
@click.argument(
    "new_role", metavar="ROLE", type=click.Choice(["owner", "admin", "member", "reader"])
)
@db_option
@json_option
def role(room: str, member: str, new_role: str, db: Path | None, as_json: bool) -> None:
    """Give a member a role: owner, admin, member or reader.

    \b
      syncchat role Team Bob admin          may invite, remove and hide
      syncchat role Team Bob reader         may read, and no more
      syncchat role Team Bob owner          hands the room over
    """
    with opened(db) as peer:
        found = peer.room(room)
        who = member_called(found, member)
        found.set_role(who, new_role)
        name = _name(found, who)
        if as_json:
            print_json({"id": room_text(found.id), "member": who, "name": name, "role": new_role})
        else:
            click.echo(f"{new_role}: {safe_name(name)}  {who[:ID_CHARS_SHOWN]}")
        tell_pending(found)


@click.command()
@room_argument
@db_option
@json_option
def leave(room: str, db: Path | None, as_json: bool) -> None:
    """Leave a room; what is here stays readable.

    \b
      syncchat leave Team

    The owner hands the room over first: syncchat role Team Bob owner.
    """
    with opened(db) as peer:
        found = peer.room(room)
        found.leave()
        _told(found, f"left: {safe_name(found.title)}", as_json=as_json)
        tell_pending(found)


@click.command()
@room_argument
@click.argument("message")
@click.option("--undo", is_flag=True, help="Show it again.")
@db_option
@json_option
def hide(room: str, message: str, undo: bool, db: Path | None, as_json: bool) -> None:
    """Hide a message from everyone, as an admin; it is not changed.

    \b
      syncchat history Team --ids           shows the ids
      syncchat hide Team 01K5Z3W8
      syncchat hide Team 01K5Z3W8 --undo
    """
    with opened(db) as peer:
        found = peer.room(room)
        whole = found.message(message).id
        found.hide(whole, hidden=not undo)
        if as_json:
            print_json({"id": room_text(found.id), "message": whole, "hidden": not undo})
        else:
            click.echo(f"{'shown again' if undo else 'hidden'}: {safe_line(whole)}")
        tell_pending(found)


@click.command()
@room_argument
@db_option
@json_option
def rotate(room: str, db: Path | None, as_json: bool) -> None:
    """Give a room a new key; what is written from then on is sealed under it.

    \b
      syncchat rotate Team

    Removing a member or revoking a device does it, too; this is for when a key may have leaked.
    """
    with opened(db) as peer:
        found = peer.room(room)
        found.rotate_key()
        _told(found, f"new key: {safe_name(found.title)}", as_json=as_json)
        tell_pending(found)


def _told(room: Room, words: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"id": room_text(room.id), "title": room.title, "standing": room.standing})
    else:
        click.echo(words)


def _name(room: Room, member: str) -> str:
    return next((each.name for each in room.members() if each.id == member), member[:6])


def _print_table(peer: Peer, room: Room) -> None:
    if not room.members():
        hint("who is in the room is not known yet; it comes with the first sync")
        return
    for line in member_lines(peer, room):
        click.echo(line)


def _print_json(peer: Peer, room: Room, cautions: list[Caution]) -> None:
    verified = set(peer.contacts.verified())
    for member in room.members():
        print_json(
            {
                "id": member.id,
                "name": member.name,
                "isMe": member.is_me,
                "role": member.role,
                "devices": list(member.devices),
                "verified": member.id in verified,
                "warnings": [each.what for each in cautions if each.member == member.id],
            }
        )

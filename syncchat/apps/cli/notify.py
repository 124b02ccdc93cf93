"""Commands about what wants one's attention, and who may know what one reads."""

from __future__ import annotations

import sys
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...core.safe import safe_line, safe_name
from ...errors import ValidationError
from ...ids import room_text
from ...room.settings import LEVELS, MUTED_FOR_EVER_MS
from .invites import Span
from .options import (
    counted,
    db_option,
    hint,
    json_option,
    opened,
    print_json,
    room_argument,
    token_option,
)

if TYPE_CHECKING:
    from ...events import Notification
    from ...peer import Peer
    from ...room import Room

DEFAULT = "default"


@click.command()
@room_argument
@click.argument("level", required=False, type=click.Choice(LEVELS))
@click.option("--mute", is_flag=True, help="Nothing, until --unmute.")
@click.option("--for", "span", type=Span(), metavar="TIME", help="Mute so long: 30m, 8h, 7d, 2w.")
@click.option("--unmute", is_flag=True, help="As the level says, from now on.")
@db_option
@json_option
def notify(
    room: str,
    level: str | None,
    mute: bool,
    span: timedelta | None,
    unmute: bool,
    db: Path | None,
    as_json: bool,
) -> None:
    """Say what of a room notifies you, or print it: all, mentions or none.

    \b
      syncchat notify Team                   prints it
      syncchat notify Team mentions          only messages that mention you
      syncchat notify Team --mute --for 8h   nothing for eight hours
      syncchat notify Team --unmute

    It holds on all of your devices, and nobody else sees it.
    """
    if (mute or span is not None) and unmute:
        raise ValidationError("mute the room or unmute it, not both")
    with opened(db) as peer:
        there = peer.room(room)
        if level is not None:
            there.set_level(level)
        if mute or span is not None:
            there.mute(span)
        elif unmute:
            there.unmute()
        settings, muted = there.settings, there.is_muted
        until = settings.muted_until_ms if muted else 0
        if as_json:
            for_ever = until == MUTED_FOR_EVER_MS
            print_json(
                {
                    "id": room_text(there.id),
                    "level": settings.level,
                    "muted": muted,
                    "mutedUntil": None if for_ever or not muted else until,
                }
            )
        else:
            click.echo(settings.level + _muted(until))


@click.command()
@click.argument("room", required=False)
@click.argument("receipts", required=False, type=click.Choice(["public", "private", DEFAULT]))
@click.option(
    "--up-to",
    type=click.IntRange(0, 2**31 - 1),
    metavar="N",
    help="Public in rooms of so many members at most, unless set otherwise for one.",
)
@db_option
@json_option
def receipts(
    room: str | None, receipts: str | None, up_to: int | None, db: Path | None, as_json: bool
) -> None:
    """Say whether others see what you have read, or print it.

    \b
      syncchat receipts Team                 prints it
      syncchat receipts Team private         nobody sees it; your own devices still follow
      syncchat receipts Team default         as the size of the room says
      syncchat receipts --up-to 0            nowhere, unless set for a room

    In rooms of more than 20 members receipts are private, unless you say otherwise.
    """
    with opened(db) as peer:
        if up_to is not None:
            peer.set_receipts_up_to(up_to)
        if room is None:
            if as_json:
                print_json({"upTo": peer.receipts_up_to})
            else:
                click.echo(f"public in rooms of up to {counted(peer.receipts_up_to, 'member')}")
            return
        there = peer.room(room)
        if receipts is not None:
            there.set_receipts(None if receipts == DEFAULT else receipts)
        chosen = there.settings.receipts
        if as_json:
            print_json({"id": room_text(there.id), "receipts": there.receipts, "set": chosen})
        else:
            click.echo(there.receipts + ("" if chosen else ", by the size of the room"))


@click.command()
@token_option
@db_option
@json_option
def notifications(db: Path | None, as_json: bool) -> None:
    """Print what wants your attention in any room, as it comes, until Ctrl-C.

    \b
      syncchat notifications
      syncchat notifications --json | my-desktop-notifier

    Each message of others comes once, as the level of its room says (see 'notify'); what came
    while you were away comes as one line for each room. It is online while it runs.
    """
    from .online import run

    with opened(db) as peer:
        hint("listening; ctrl-c ends it")
        run(_follow(peer, as_json=as_json))


async def _follow(peer: Peer, *, as_json: bool) -> None:
    from ...events import Notification

    async with aclosing(peer.events()) as events, peer.online():
        async for event in events:
            if isinstance(event, Notification):
                room = peer.room(event.room_id)
                if as_json:
                    print_json(_notification_json(room, event))
                else:
                    click.echo(_notification_line(room, event))
                sys.stdout.flush()


def _notification_json(room: Room, event: Notification) -> dict[str, Any]:
    return {
        "roomId": room_text(event.room_id),
        "title": room.title,
        "count": event.count,
        "mentions": event.mentions,
        "messages": [message.to_json() for message in event.messages],
    }


def _notification_line(room: Room, event: Notification) -> str:
    from .show import QUOTE_CHARS_MAX, Names, body

    title = safe_name(room.title)
    calls = f", {counted(event.mentions, 'mention')} of you" if event.mentions else ""
    if event.count > 1:
        return f"{title}: {counted(event.count, 'message')}{calls}"
    (message,) = event.messages
    said = safe_line(body(message), chars_max=QUOTE_CHARS_MAX)
    who = Names(room).of(message.sender, message.sender_name)
    return f"{title}: {who}: {said}{' (mentions you)' if calls else ''}"


def _muted(until_ms: int) -> str:
    from .show import moment

    if not until_ms:
        return ""
    return ", muted" if until_ms == MUTED_FOR_EVER_MS else f", muted until {moment(until_ms)}"

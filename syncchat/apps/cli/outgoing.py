"""Commands about what was written here: is it out, who has it, who has read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from ...core.safe import safe_line
from ...errors import NotFoundError, SyncchatError
from ...ids import room_text
from .options import counted, db_option, hint, json_option, opened, print_json, room_argument, say
from .people import tell_standing

if TYPE_CHECKING:
    from ...room import OutboxItem, Room

TEXT_CHARS_SHOWN = 60
COMPLETED_MAX = 20
"""Own messages that the shell offers, the last ones."""


def _complete_own_message(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    try:
        with opened(ctx.params.get("db"), may_ask=False) as peer:
            found = [m for m in peer.room(ctx.params["room"]).messages(limit=200) if m.mine]
    except (SyncchatError, KeyError):
        return []
    return [
        CompletionItem(m.id, help=safe_line(m.text, chars_max=TEXT_CHARS_SHOWN))
        for m in found[-COMPLETED_MAX:]
        if m.id.startswith(incomplete.upper())
    ]


@click.command()
@room_argument
@click.option("--retry", "retried", metavar="ID", help="Try again to send an item, or 'all'.")
@click.option("--discard", "discarded", metavar="ID", help="Take an item out: it is never sent.")
@db_option
@json_option
def outbox(
    room: str, retried: str | None, discarded: str | None, db: Path | None, as_json: bool
) -> None:
    """List what the relay does not have yet, and why; try again, or take it back.

    \b
      syncchat outbox Team
      syncchat outbox Team --retry all
      syncchat outbox Team --retry 17
      syncchat outbox Team --discard 17

    Each line has the item's ID, what it is, its text, and, where it is parked, the reason. Works
    offline; what just waits goes out with the next 'sync', 'chat' or 'tail'.
    """
    if retried and discarded:
        raise click.UsageError("--retry and --discard exclude each other")
    with opened(db) as peer:
        there = peer.room(room)
        tell_standing(there)
        if retried:
            there.retry(None if retried == "all" else _item(there, retried))
        if discarded:
            there.discard(_item(there, discarded))
        if retried or discarded:
            left = there.outbox_count()
            if as_json:
                print_json({"id": room_text(there.id), "title": there.title, "outbox": left})
            else:
                say(f"{counted(left, 'item')} in the outbox")
            return
        for item in _items(there):
            if as_json:
                print_json(_fields(item))
            else:
                click.echo(_line(item))
        hint(f"{counted(there.outbox_count(), 'item')} in the outbox")


@click.command()
@room_argument
@click.argument("message", metavar="ID", shell_complete=_complete_own_message)
@db_option
@json_option
def delivery(room: str, message: str, db: Path | None, as_json: bool) -> None:
    """Print, for each other member, how far a message of yours got.

    \b
      syncchat delivery Team 01JCH3Q8
      syncchat delivery Team 01JCH3Q8 --json

    'history --ids' shows ids. A time stands where it is known: when this device first heard that a
    device of theirs has it, and when they marked just this message as read.
    """
    from .show import Names, moment

    with opened(db) as peer:
        there = peer.room(room)
        names = Names(there)
        for receipt in there.delivery(message):
            if as_json:
                print_json(
                    {
                        "member": receipt.member,
                        "name": receipt.name,
                        "status": receipt.status.value,
                        "deliveredAt": receipt.delivered_at,
                        "readAt": receipt.read_at,
                    }
                )
                continue
            at = receipt.read_at or receipt.delivered_at
            when = "" if at is None else f"  {moment(at)}"
            click.echo(f"{names.of(receipt.member)}  {receipt.status.value}{when}")


def _items(room: Room) -> Iterator[OutboxItem]:
    """Yield the whole outbox, read in bounded parts."""
    after = None
    while page := room.outbox(after=after):
        yield from page
        after = page[-1].id


def _item(room: Room, given: str) -> OutboxItem:
    """Return the item with an id, or that is the message with this beginning of its id."""
    found = [item for item in _items(room) if item.id == given]
    if not found and len(given) >= 8:
        found = [
            item
            for item in _items(room)
            if item.what == "messages" and (item.message_id or "").startswith(given.upper())
        ]
    if len(found) != 1:
        raise NotFoundError(
            f"no item {given[:40]!r} in the outbox; 'syncchat outbox ROOM' lists them"
        )
    return found[0]


def _fields(item: OutboxItem) -> dict[str, object]:
    return {
        "id": item.id,
        "what": item.what,
        "message": item.message_id,
        "text": item.text,
        "refusal": None if item.refusal is None else item.refusal.value,
        "reason": item.reason,
    }


def _line(item: OutboxItem) -> str:
    parts = [item.id, item.what]
    if item.text:
        parts.append(safe_line(item.text, chars_max=TEXT_CHARS_SHOWN))
    elif item.message_id is not None:
        parts.append(item.message_id)
    if item.refusal is not None:
        parts.append(f"[{item.refusal.value}: {safe_line(item.reason, chars_max=200)}]")
    return "  ".join(parts)

"""Commands that write and read messages."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import NotAllowedError, ValidationError
from .failures import NotReached
from .options import (
    db_option,
    hint,
    json_option,
    opened,
    print_json,
    room_argument,
    token_option,
)
from .people import member_called, tell_standing

if TYPE_CHECKING:
    from ...core.message import Message
    from ...peer import Peer
    from ...room import Room

PAGE = 500
STDIN_BYTES_MAX = 1024 * 1024
"""What is read of standard input; the library takes 64 KiB in one message, and says so."""


@click.command()
@room_argument
@click.argument("text", nargs=-1)
@click.option("--reply-to", metavar="ID", help="The message that this one answers.")
@click.option("--thread", metavar="ID", help="The message whose thread this belongs to.")
@click.option(
    "--mention", "mentioned", multiple=True, metavar="MEMBER", help="Whom it calls; again for more."
)
@click.option("--kind", default="text", show_default=True, help="image, file, location, …")
@click.option("--metadata", metavar="JSON", help="A JSON object to go with it.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Connect, and wait so long for the relay to have it; else exit with 5.",
)
@token_option
@db_option
@json_option
def send(
    room: str,
    text: tuple[str, ...],
    reply_to: str | None,
    thread: str | None,
    mentioned: tuple[str, ...],
    kind: str,
    metadata: str | None,
    wait: float | None,
    db: Path | None,
    as_json: bool,
) -> None:
    """Write a message and print its id; '-' reads the text from standard input.

    \b
      syncchat send Team the build is green
      make 2>&1 | tail | syncchat send Team -
      syncchat send Team --wait 10 "going down for maintenance"
      syncchat send Team --reply-to 01K5Z3W8 --mention Bob "what do you think?"
      syncchat send Team --metadata '{"build": 7}' "the build is green"

    The message is safe in your database when this returns, whether or not the relay is there; it
    goes out with the next 'sync', 'chat', 'tail' or 'send --wait'.
    """
    said = stdin_text() if text == ("-",) else " ".join(text)
    fields = _json_object(metadata)
    with opened(db) as peer:
        there = peer.room(room)
        if wait is not None and not there.relay:
            raise ValidationError("this room has no relay to wait for; leave out --wait")
        message = there.send(
            said,
            reply_to=whole_id(there, reply_to),
            thread=whole_id(there, thread),
            mentions=[member_called(there, name) for name in mentioned],
            kind=kind,
            metadata=fields,
        )
        tell_standing(there)
        problem = None if wait is None else _waited(peer, there, message.id, wait)
        if as_json:
            print_json(there.message(message.id).to_json())
        else:
            click.echo(message.id)
        if problem is not None:
            raise problem
        if wait is None:
            hint("queued; it goes out with the next sync, chat or tail")


@click.command()
@room_argument
@click.option("-n", "--limit", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--all", "everything", is_flag=True, help="All messages, however many.")
@click.option("--before", metavar="ID", help="The messages just before this one.")
@click.option("--after", metavar="ID", help="The messages just after this one.")
@click.option("--thread", metavar="ID", help="Only replies of this thread.")
@click.option("--threads", is_flag=True, help="Also the replies in threads.")
@click.option("--unread", is_flag=True, help="From the first unread message on.")
@click.option("--ids", is_flag=True, help="Begin each line with the message's id.")
@click.option(
    "--fetch",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Connect, and fetch older history that is not here, within so long; else exit with 5.",
)
@db_option
@json_option
def history(
    room: str,
    limit: int,
    everything: bool,
    before: str | None,
    after: str | None,
    thread: str | None,
    threads: bool,
    unread: bool,
    ids: bool,
    fetch: float | None,
    db: Path | None,
    as_json: bool,
) -> None:
    """Print messages of a room, oldest first.

    \b
      syncchat history Team
      syncchat history Team --limit 10 --ids
      syncchat history Team --unread           where you stopped reading
      syncchat history Team --thread 01K5Z3W8
      syncchat history Team --all --json > team.jsonl
      syncchat history Team --fetch 15         more of a room that keeps what is recent

    Without --fetch it touches only your database. It marks nothing as read; 'read' does. Replies
    in threads are left out unless asked for.
    """
    from .older import fetch_older, tell_older
    from .show import Names, draws, lines_of

    with opened(db) as peer:
        there = peer.room(room)
        tell_standing(there)
        if fetch is not None:
            fetch_older(peer, there, None if everything else limit, fetch)
        names = Names(there)
        asked: dict[str, Any] = {
            "before": whole_id(there, before),
            "after": whole_id(there, after),
            "thread": whole_id(there, thread),
            "threads": threads,
        }
        if unread:
            first = there.first_unread(thread=asked["thread"])
            if first is None:
                hint("nothing is unread")
                return
            asked["after"] = max(asked["after"] or "", _just_before(there, first))
        for page in _pages(there, asked, None if everything else limit):
            if as_json:
                for message in page:
                    print_json(message.to_json())
            else:
                for line in lines_of(page, names, ids=ids, is_drawn=draws(sys.stdout)):
                    click.echo(line)
        tell_older(there)


def whole_id(room: Room, given: str | None) -> str | None:
    """Return the message id that ``given`` is, or is the beginning of."""
    from ...ids import is_message_id

    if given is None or is_message_id(given):
        return given
    return room.message(given).id


def _just_before(room: Room, message: Message) -> str:
    """Return the id of what is shown before a message, or one that is before all."""
    page = room.messages(before=message.id, limit=1, threads=True)
    return page[0].id if page else "0" * 26


def _pages(room: Room, asked: dict[str, Any], limit: int | None) -> Iterator[list[Message]]:
    """Yield messages in display order, read in bounded parts."""
    after = asked["after"]
    if after is None and limit is not None:
        if limit > PAGE:
            after = _start(room, asked, limit)
            asked = asked | {"after": after} if after else asked
        else:
            yield room.messages(**asked, limit=limit)
            return
    left = limit
    position = after or "0" * 26
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        page = _forward(room, asked | {"after": position}, size)
        if not page:
            return
        yield page
        position = page[-1].id
        left = None if left is None else left - len(page)


def _forward(room: Room, asked: dict[str, Any], size: int) -> list[Message]:
    """Return the messages just after one; none at or beyond ``before``."""
    before = asked["before"]
    page = room.messages(**asked | {"before": None}, limit=size)
    return page if before is None else [message for message in page if message.id < before]


def _start(room: Room, asked: dict[str, Any], limit: int) -> str | None:
    """Return the id just before the last ``limit`` messages, or None when there are not more."""
    before: str | None = asked["before"]
    left = limit + 1
    while left > 0:
        page = room.messages(**asked | {"before": before}, limit=min(PAGE, left))
        if not page:
            return None
        before = page[0].id
        left -= len(page)
    return before


def _waited(peer: Peer, room: Room, message: str, seconds: float) -> Exception | None:
    """Be online until the relay has the message; return what to fail with if it has not."""
    from ...core.message import Status
    from .online import connection, run, until

    waiting = (Status.QUEUED,)
    state = "offline"

    async def work() -> None:
        nonlocal state
        async with peer.online(visible=False):
            await until(lambda: room.message(message).status not in waiting, seconds=seconds)
            state = connection(peer, room)

    run(work())
    status = room.message(message).status
    if status is Status.REFUSED:
        items = [item for item in room.outbox() if item.reason]
        mine = [item.reason for item in items if item.message_id == message]
        reason = (mine or [item.reason for item in items] or ["no reason given"])[0]
        return NotAllowedError(f"it was refused: {reason}; it is kept here, see 'syncchat outbox'")
    if status is Status.QUEUED:
        return NotReached(f"queued and safe here, not yet at the relay ({state})")
    return None


def stdin_text() -> str:
    """Return the text on standard input; raises ``ValidationError``."""
    raw = sys.stdin.buffer.read(STDIN_BYTES_MAX + 1)
    if len(raw) > STDIN_BYTES_MAX:
        raise ValidationError("the text is over 1 MiB; a message has at most 64 KiB")
    try:
        return raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as exc:
        raise ValidationError("standard input is not UTF-8 text") from exc


def _json_object(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ValidationError(f"--metadata is not JSON: {exc}") from exc
    if not isinstance(fields, dict):
        raise ValidationError('--metadata must be a JSON object, such as {"build": 7}')
    return fields

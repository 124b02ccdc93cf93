"""Commands about what is read and what is not, and about threads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...core.safe import safe_line, safe_name
from ...errors import ValidationError
from ...ids import room_text
from .messages import PAGE, whole_id
from .options import counted, db_option, hint, json_option, opened, print_json, room_argument
from .people import table_lines, tell_standing

if TYPE_CHECKING:
    from ...room import Room, Thread
    from .show import Names


@click.command()
@click.argument("room", required=False)
@db_option
@json_option
def unread(room: str | None, db: Path | None, as_json: bool) -> None:
    """Print how much is unread, in one room or in all that have something unread.

    \b
      syncchat unread
      syncchat unread Team --json

    Replies in threads have a column of their own, and so have the messages that mention you.
    """
    with opened(db) as peer:
        counts = peer.unread()
        chosen = peer.rooms() if room is None else [peer.room(room)]
        rows = [
            _unread_row(each)
            for each in sorted(chosen, key=lambda each: (each.title.casefold(), each.id))
            if room is not None or counts[each.id].messages or counts[each.id].in_threads
        ]
    if as_json:
        for row in rows:
            print_json(row)
        return
    if not rows:
        hint("nothing is unread")
        return
    table: list[tuple[str, ...]] = [("title", "unread", "mentions", "in threads", "first unread")]
    table += [
        (
            safe_name(row["title"]),
            f"{row['unread']:,}",
            f"{row['mentions'] + row['mentionsInThreads']:,}",
            f"{row['unreadInThreads']:,}",
            row["first"] or "",
        )
        for row in rows
    ]
    for line in table_lines(table, right=(1, 2, 3)):
        click.echo(line)


@click.command()
@room_argument
@click.argument("message", required=False, metavar="[ID]")
@click.option("--thread", metavar="ID", help="All replies in the thread of this message.")
@db_option
@json_option
def read(
    room: str, message: str | None, thread: str | None, db: Path | None, as_json: bool
) -> None:
    """Mark messages as read: all of a room, a thread, or all up to one message.

    \b
      syncchat read Team
      syncchat read Team 01K5Z3W8          this one and what is shown before it
      syncchat read Team --thread 01K5Z3W8

    Your other devices follow. Others see it unless your receipts are private: see 'receipts'.
    """
    if message is not None and thread is not None:
        raise ValidationError("give a message or --thread: a message says which thread it is in")
    with opened(db) as peer:
        there = peer.room(room)
        before = _unread_in(there)
        there.mark_read(whole_id(there, message), thread=whole_id(there, thread))
        left = _unread_in(there)
        if as_json:
            print_json({"id": room_text(there.id), "read": before - left, "unread": left})
        else:
            click.echo(f"read: {counted(before - left, 'message')}, {left:,} left")


@click.command(name="mark-unread")
@room_argument
@click.argument("message", required=False, metavar="[ID]")
@db_option
@json_option
def mark_unread(room: str, message: str | None, db: Path | None, as_json: bool) -> None:
    """Mark a message as unread, to come back to it; without an ID the last one of others.

    \b
      syncchat mark-unread Team
      syncchat mark-unread Team 01K5Z3W8

    For you alone, on all of your devices, until it is read. Prints the message's id.
    """
    with opened(db) as peer:
        there = peer.room(room)
        marked = there.mark_unread(whole_id(there, message))
        if as_json:
            print_json({"id": marked.id, "unread": there.unread(thread=marked.thread)})
        else:
            click.echo(marked.id)


@click.command()
@room_argument
@click.option("-n", "--limit", type=click.IntRange(1, 1_000), default=20, show_default=True)
@click.option(
    "--before", metavar="ID", help="Threads whose last reply is older than this one: next page."
)
@click.option("--unread", "only_unread", is_flag=True, help="Only those with unread replies.")
@db_option
@json_option
def threads(
    room: str, limit: int, before: str | None, only_unread: bool, db: Path | None, as_json: bool
) -> None:
    """List the threads of a room, those with the newest replies first.

    \b
      syncchat threads Team
      syncchat threads Team --unread
      syncchat history Team --thread 01K5Z3W8     the replies of one

    A thread stands beside the message that was replied to, whose id names it.
    """
    from .show import Names

    with opened(db) as peer:
        there = peer.room(room)
        tell_standing(there)
        found = _threads(there, limit, whole_id(there, before), only_unread=only_unread)
        names = Names(there)
        for each in found:
            if as_json:
                print_json(_thread_json(each))
            else:
                click.echo(_thread_line(each, names))
        if not found:
            hint("no threads" if not only_unread else "no thread has unread replies")


def _unread_row(room: Room) -> dict[str, Any]:
    counts, first = room.unread_counts(), room.first_unread()
    return {
        "id": room_text(room.id),
        "title": room.title,
        "unread": counts.messages,
        "mentions": counts.mentions,
        "unreadInThreads": counts.in_threads,
        "mentionsInThreads": counts.mentions_in_threads,
        "first": None if first is None else first.id,
    }


def _unread_in(room: Room) -> int:
    counts = room.unread_counts()
    return counts.messages + counts.in_threads


def _threads(room: Room, limit: int, before: str | None, *, only_unread: bool) -> list[Thread]:
    found: list[Thread] = []
    while len(found) < limit:
        page = room.threads(before=before, limit=PAGE if only_unread else limit)
        found += [each for each in page if each.unread or not only_unread]
        if not only_unread or not page or page[-1].last is None:
            break
        before = page[-1].last.id
    return found[:limit]


def _thread_json(thread: Thread) -> dict[str, Any]:
    return {
        "id": thread.id,
        "replies": thread.replies,
        "unread": thread.unread,
        "mentions": thread.mentions,
        "root": None if thread.root is None else thread.root.to_json(),
        "last": None if thread.last is None else thread.last.to_json(),
    }


def _thread_line(thread: Thread, names: Names) -> str:
    from .show import QUOTE_CHARS_MAX, body, clock, day

    said = "a message that is not here"
    if thread.root is not None:
        text = safe_line(body(thread.root), chars_max=QUOTE_CHARS_MAX)
        who = names.of(thread.root.sender, thread.root.sender_name)
        said = f"{who}: {text}"
    last = "" if thread.last is None else f", last {day(thread.last)} {clock(thread.last)}"
    unread = f", {thread.unread:,} unread" if thread.unread else ""
    mentions = f", {counted(thread.mentions, 'mention')}" if thread.mentions else ""
    replies = counted(thread.replies, "reply", "replies")
    return f"{thread.id}  {said}  ({replies}{unread}{mentions}{last})"

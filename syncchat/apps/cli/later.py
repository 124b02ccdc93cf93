"""Messages to be sent, and reminders to be given, at a time to come."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from pathlib import Path

import click

from ...core.safe import safe_line, safe_name
from ...errors import NotFoundError
from ...ids import room_text
from .messages import whole_id
from .options import db_option, hint, json_option, opened, print_json, room_argument

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


Moment = datetime | time | timedelta


class When(click.ParamType[Moment]):
    """Is a time such as +30m, +2h, 18:30 or 2026-12-24T18:00; without a zone the local one."""

    name = "when"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Moment:
        text = str(value)
        if found := re.fullmatch(r"\+(\d{1,6})([mhdw])", text):
            return timedelta(**{_UNITS[found[2]]: int(found[1])})
        try:
            if found := re.fullmatch(r"(\d{1,2}):(\d{2})", text):
                return time(int(found[1]), int(found[2]))
            return datetime.fromisoformat(text).astimezone()
        except (ValueError, OverflowError, OSError):
            self.fail("say when as +30m, +2h, 18:30 or 2026-12-24T18:00", param, ctx)


@click.command()
@room_argument
@click.argument("when", type=When())
@click.argument("text", nargs=-1, required=True)
@click.option("--reply-to", metavar="ID", help="The message that this answers.")
@click.option("--thread", metavar="ID", help="The thread that it goes to.")
@db_option
@json_option
def schedule(
    room: str,
    when: Moment,
    text: tuple[str, ...],
    reply_to: str | None,
    thread: str | None,
    db: Path | None,
    as_json: bool,
) -> None:
    """Have a message sent at a time, and print its number for 'unschedule'.

    \b
      syncchat schedule Team +2h "the build should be done by now"
      syncchat schedule Team 2026-12-24T18:00 "merry christmas"
      syncchat scheduled

    It goes out while any device of yours is online then ('chat', 'tail', 'sync'), or as soon as
    one is.
    """
    with opened(db) as peer:
        there = peer.room(room)
        plan = there.schedule(
            " ".join(text),
            _moment(when, peer.now_ms()),
            reply_to=whole_id(there, reply_to),
            thread=whole_id(there, thread),
        )
        if as_json:
            print_json({"id": plan.id, "at": plan.at_ms, "text": plan.text})
        else:
            click.echo(plan.id)
        hint(f"it goes out at {datetime.fromtimestamp(plan.at_ms / 1000):%Y-%m-%d %H:%M}")


@click.command()
@db_option
@json_option
def scheduled(db: Path | None, as_json: bool) -> None:
    """List the messages that wait for their time.

    \b
      syncchat scheduled
      syncchat unschedule 4EHVGZK3
    """
    with opened(db) as peer:
        titles = {room.id: room.title for room in peer.rooms()}
        for plan in peer.scheduled():
            title = titles.get(plan.room_id, "?")
            if as_json:
                print_json(
                    {
                        "id": plan.id,
                        "roomId": room_text(plan.room_id),
                        "at": plan.at_ms,
                        "text": plan.text,
                        "problem": plan.problem,
                    }
                )
                continue
            at = datetime.fromtimestamp(plan.at_ms / 1000)
            behind = f"  (not sent: {plan.problem})" if plan.problem else ""
            line = f"{plan.id[:8]}  {at:%Y-%m-%d %H:%M}  {safe_name(title)}: {plan.text}{behind}"
            click.echo(safe_line(line))


@click.command()
@click.argument("plan", metavar="ID")
@db_option
@json_option
def unschedule(plan: str, db: Path | None, as_json: bool) -> None:
    """Do not send a message that waits for its time.

    \b
      syncchat unschedule 4EHVGZK3
    """
    with opened(db) as peer:
        peer.unschedule(plan)
        if as_json:
            print_json({"id": plan, "scheduled": False})


@click.command()
@click.argument("when", type=When())
@click.argument("note", nargs=-1)
@click.option("--room", metavar="ROOM", help="The room of --message.")
@click.option("--message", metavar="ID", help="A message to be reminded of.")
@db_option
@json_option
def remind(
    when: Moment,
    note: tuple[str, ...],
    room: str | None,
    message: str | None,
    db: Path | None,
    as_json: bool,
) -> None:
    """Be reminded at a time, of a note or of a message.

    \b
      syncchat remind +1h "call Bob"
      syncchat remind 09:00 --room Team --message 01K5Z3W8
      syncchat reminders

    'reminders' shows what is due; apps tell it as it happens.
    """
    if (room is None) is not (message is None):
        raise click.UsageError("--room and --message belong together")
    with opened(db) as peer:
        there = None if room is None else peer.room(room)
        whole = None if there is None else whole_id(there, message)
        made = peer.remind(
            _moment(when, peer.now_ms()),
            " ".join(note),
            room=None if there is None else there.id,
            message=whole,
        )
        if as_json:
            print_json({"id": made.id, "at": made.at_ms, "note": made.note, "message": whole})
        else:
            click.echo(made.id)


@click.command()
@click.option("--done", metavar="ID", help="Take this one as done.")
@click.option("--due", is_flag=True, help="Only those whose time has come.")
@db_option
@json_option
def reminders(done: str | None, due: bool, db: Path | None, as_json: bool) -> None:
    """List reminders, or take one as done.

    \b
      syncchat reminders --due
      syncchat reminders --done 4EHVGZK3
    """
    with opened(db) as peer:
        if done is not None:
            peer.dismiss(done)
            return
        rooms = {room.id: room for room in peer.rooms()}
        for found in peer.reminders():
            is_due = found.at_ms <= peer.now_ms()
            if due and not is_due:
                continue
            if as_json:
                print_json(
                    {
                        "id": found.id,
                        "at": found.at_ms,
                        "due": is_due,
                        "note": found.note,
                        "roomId": None if found.room_id is None else room_text(found.room_id),
                        "message": found.message_id,
                    }
                )
                continue
            about = ""
            if found.room_id in rooms and found.message_id is not None:
                try:
                    about = rooms[found.room_id].message(found.message_id).text
                except NotFoundError:
                    about = "a message that is not here"
            at = datetime.fromtimestamp(found.at_ms / 1000)
            words = ": ".join(part for part in (found.note, about) if part)
            mark = "due" if is_due else "   "
            click.echo(safe_line(f"{found.id[:8]}  {mark}  {at:%Y-%m-%d %H:%M}  {words}"))


def _moment(when: Moment, now_ms: int) -> int:
    """Return a time in ms since 1970; an hour of the day is the next one that comes."""
    match when:
        case datetime():
            return round(when.timestamp() * 1000)
        case timedelta():
            return now_ms + round(when.total_seconds() * 1000)
        case time():
            now = datetime.fromtimestamp(now_ms / 1000)
            at = datetime.combine(now.date(), when)
            if at <= now:
                at += timedelta(days=1)
            return round(at.timestamp() * 1000)

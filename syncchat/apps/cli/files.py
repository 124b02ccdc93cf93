"""Commands about files: send, list, fetch and cancel them, and say how much is kept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from ...core.files import File, FileState
from ...core.safe import safe_line
from ...errors import FileGone, NotAllowedError, ValidationError
from .failures import NotReached
from .messages import whole_id
from .options import (
    db_option,
    hint,
    json_option,
    opened,
    print_json,
    room_argument,
    token_option,
)
from .people import table_lines, tell_standing
from .sizes import Size, size_words

if TYPE_CHECKING:
    from ...core.message import Message
    from ...peer import Peer
    from ...room import Room

NAME_CHARS_MAX = 40

_place = click.option(
    "--place",
    type=click.IntRange(min=0),
    metavar="N",
    help="Only this one of the message's files; they count from 0.",
)

_wait = click.option(
    "--wait",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Connect, and wait for the relay to have it all, as long as something moves within that "
    "time; else exit with 5.",
)


@click.command()
@room_argument
@click.argument("file", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option("--text", default="", help="Words to go with it.")
@click.option("--name", help="What others see as its name.  [default: the file's own]")
@click.option(
    "--kind",
    type=click.Choice(["image", "file", "audio", "video"]),
    help="How to show it. With 'file' it goes as it is, also what a picture tells of its place.",
)
@click.option("--type", "type_", metavar="MIME", help="Its type, such as application/pdf.")
@click.option("--reply-to", metavar="ID", help="The message that this one answers.")
@click.option("--thread", metavar="ID", help="The message whose thread this belongs to.")
@_wait
@token_option
@db_option
@json_option
def attach(
    room: str,
    file: tuple[str, ...],
    text: str,
    name: str | None,
    kind: str | None,
    type_: str | None,
    reply_to: str | None,
    thread: str | None,
    wait: float | None,
    db: Path | None,
    as_json: bool,
) -> None:
    """Send a file, or several, and print the message's id; '-' reads standard input.

    \b
      syncchat attach Team report.pdf
      syncchat attach Team *.jpg --text "from the picnic"
      tar cz src | syncchat attach Team - --name src.tar.gz --wait 60

    Works offline: the bytes are copied into the files of your database and go out after the
    message, so you may move or change the file afterwards. Pictures, sound and film lose what they
    tell besides what they show, such as the place where they were taken.
    """
    from .bars import bars

    sources = [_source(each, name if len(file) == 1 else "") for each in file]
    with opened(db) as peer:
        there = _reachable(peer, room, wait)
        with bars() as show:
            message = there.attach(
                sources[0] if len(sources) == 1 else sources,
                name=name,
                kind=kind,
                type=type_,
                text=text,
                reply_to=whole_id(there, reply_to),
                thread=whole_id(there, thread),
                progress=lambda done, size: show("copying", done, size),
            )
        _tell_sent(peer, there, message, wait, as_json=as_json)


@click.command()
@room_argument
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--text", default="", help="Words to go with it.")
@click.option("--name", help="What others see as its name.  [default: the file's own]")
@click.option("--reply-to", metavar="ID", help="The message that this one answers.")
@click.option("--thread", metavar="ID", help="The message whose thread this belongs to.")
@_wait
@token_option
@db_option
@json_option
def voice(
    room: str,
    file: str,
    text: str,
    name: str | None,
    reply_to: str | None,
    thread: str | None,
    wait: float | None,
    db: Path | None,
    as_json: bool,
) -> None:
    """Send a recording as a voice message, and print the message's id; '-' reads standard input.

    \b
      syncchat voice Team memo.wav
      syncchat voice Team memo.m4a --reply-to 06G8Q1ZK --wait 20
      arecord -d 10 -f cd | syncchat voice Team - --name memo.wav

    It may last five minutes; 'syncchat attach' sends what is longer. Others see its length and a
    drawing of it before they fetch it. Works offline, as 'attach' does.
    """
    from .bars import bars

    with opened(db) as peer:
        there = _reachable(peer, room, wait)
        with bars() as show:
            message = there.send_voice(
                _source(file, name),
                name=name,
                text=text,
                reply_to=whole_id(there, reply_to),
                thread=whole_id(there, thread),
                progress=lambda done, size: show("copying", done, size),
            )
        _tell_sent(peer, there, message, wait, as_json=as_json)


@click.command()
@click.argument("room", required=False)
@click.option("--message", metavar="ID", help="Only the files of this message.")
@click.option("-n", "--limit", type=click.IntRange(1, 1_000), default=50, show_default=True)
@click.option("--before", metavar="ID", help="Those of the messages before this one.")
@click.option("--after", metavar="ID", help="Those of the messages after this one.")
@db_option
@json_option
def files(
    room: str | None,
    message: str | None,
    limit: int,
    before: str | None,
    after: str | None,
    db: Path | None,
    as_json: bool,
) -> None:
    """List the files of a room's last messages, and where their bytes are.

    \b
      syncchat files Team
      syncchat files Team --message 06G8Q1ZK
      syncchat files                       those on their way, in all rooms

    Where they are: here, sending, fetching, away (can be fetched), gone, stopped.
    """
    with opened(db) as peer:
        if room is None:
            if message or before or after:
                raise ValidationError("say in which room: syncchat files ROOM …")
            found = peer.files.transfers()
        else:
            there = peer.room(room)
            found = (
                there.files(whole_id(there, message))
                if message is not None
                else there.files(
                    before=whole_id(there, before), after=whole_id(there, after), limit=limit
                )
            )
        if as_json:
            for each in found:
                print_json(each.to_json())
            return
        if found:
            for line in table_lines([_row(each) for each in found], right=(2,)):
                click.echo(line)
        if room is None:
            kept = f"{size_words(peer.files.used_bytes)} of files are kept here"
            hint(f"{kept}, up to {size_words(peer.files.limits.cache_bytes_max)}")


@click.command()
@room_argument
@click.argument("message")
@_place
@click.option(
    "--to",
    type=click.Path(allow_dash=True),
    default=".",
    show_default=True,
    metavar="PATH",
    help="A folder, or the new file's path; '-' for standard output.",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that is at this path.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=15.0,
    show_default=True,
    metavar="SECONDS",
    help="Give up after so long without getting any further.",
)
@token_option
@db_option
@json_option
def download(
    room: str,
    message: str,
    place: int | None,
    to: str,
    overwrite: bool,
    timeout: float,
    db: Path | None,
    as_json: bool,
) -> None:
    """Fetch a message's files, save them, and print where.

    \b
      syncchat download Team 06G8Q1ZK
      syncchat download Team 06G8Q1ZK --to ~/Downloads
      syncchat download Team 06G8Q1ZK --place 1 --to - | less

    What is here already is only saved, without any network. A file is named as its sender called
    it, without what would be harmful in a name; in a folder nothing is ever overwritten.
    """
    with opened(db) as peer:
        there = peer.room(room)
        chosen = [
            each
            for each in there.files(whole_id(there, message))
            if place is None or each.place == place
        ]
        if place is not None:
            chosen = [there.file(message, place)]
        elif not chosen:
            there.fetch(message)  # says why there is none
        if len(chosen) > 1 and (to == "-" or not Path(to).is_dir()):
            raise ValidationError("several files need a folder: --to FOLDER, or choose --place N")
        _fetch(peer, there, chosen, timeout)
        for each in chosen:
            _save(there, each, to, overwrite=overwrite, as_json=as_json)


@click.command()
@room_argument
@click.argument("message")
@_place
@click.option("--undo", is_flag=True, help="Start again what was cancelled, or stopped.")
@db_option
@json_option
def cancel(
    room: str, message: str, place: int | None, undo: bool, db: Path | None, as_json: bool
) -> None:
    """Stop sending or fetching a message's files.

    \b
      syncchat cancel Team 06G8Q1ZK
      syncchat cancel Team 06G8Q1ZK --place 1
      syncchat cancel Team 06G8Q1ZK --undo

    What has come or was sent stays for a while, and --undo goes on from there. Deleting the message
    removes its files everywhere.
    """
    with opened(db) as peer:
        there = peer.room(room)
        for each in (there.fetch if undo else there.cancel)(message, place):
            if as_json:
                print_json(each.to_json())
            else:
                click.echo(f"{_name(each)}: {each.state.value}")


@click.command("file-limits")
@click.option(
    "--automatic",
    type=Size(),
    metavar="SIZE",
    help="Files of new messages come by themselves up to this size; 0 for none.",
)
@click.option("--cache", type=Size(), metavar="SIZE", help="How much of files is kept here.")
@click.option("--free", is_flag=True, help="Remove all bytes that can be fetched again.")
@db_option
@json_option
def file_limits(
    automatic: int | None, cache: int | None, free: bool, db: Path | None, as_json: bool
) -> None:
    """Show how much of files is kept on this device, or change it.

    \b
      syncchat file-limits
      syncchat file-limits --automatic 20MB --cache 10GB
      syncchat file-limits --free

    Beyond the limit, what was used least recently goes, if it can be fetched again.
    """
    with opened(db) as peer:
        limits = peer.files.set_limits(automatic_bytes_max=automatic, cache_bytes_max=cache)
        freed = peer.files.free() if free else 0
        told: dict[str, Any] = {
            "automaticBytesMax": limits.automatic_bytes_max,
            "cacheBytesMax": limits.cache_bytes_max,
            "usedBytes": peer.files.used_bytes,
            "freedBytes": freed,
        }
    if as_json:
        print_json(told)
        return
    click.echo(f"files come by themselves up to {size_words(limits.automatic_bytes_max)}")
    click.echo(
        f"kept here: {size_words(told['usedBytes'])} of {size_words(limits.cache_bytes_max)}"
    )
    if free:
        click.echo(f"removed: {size_words(freed)}")


def _source(file: str, name: str | None) -> str | BinaryIO:
    """Return what to read a file from; ``name`` is what it is called, None if nobody said."""
    if file != "-":
        return file
    if name is None:
        raise ValidationError("give what comes from standard input a name: --name report.txt")
    return sys.stdin.buffer


def _reachable(peer: Peer, room: str, wait: float | None) -> Room:
    """Return a room; raises ``ValidationError`` where there is no relay to wait for."""
    there = peer.room(room)
    if wait is not None and not there.relay:
        raise ValidationError("this room has no relay to wait for; leave out --wait")
    return there


def _tell_sent(
    peer: Peer, room: Room, message: Message, wait: float | None, *, as_json: bool
) -> None:
    """Print a message with files that was written, after its files are sent if that is wanted."""
    tell_standing(room)
    problem = None if wait is None else _sent(peer, room, message, wait)
    if as_json:
        print_json(room.message(message.id).to_json())
    else:
        click.echo(message.id)
    if problem is not None:
        raise problem
    if wait is None:
        hint("it goes out with the next sync, chat or tail")


def _sent(peer: Peer, room: Room, message: Message, seconds: float) -> Exception | None:
    """Be online until the relay has the files; return what to fail with if it has not."""
    problem = _carry(peer, room, message.id, seconds)
    stopped = [each for each in room.files(message.id) if each.state is FileState.STOPPED]
    if stopped:
        why = f"{_name(stopped[0])} is not sent: {stopped[0].reason}; it is kept here"
        return NotAllowedError(why)
    return NotReached(f"safe here, not yet at the relay ({problem})") if problem else None


def _fetch(peer: Peer, room: Room, chosen: list[File], seconds: float) -> None:
    """Fetch what is not here; raises ``FileGone``, ``NotReached``."""
    away = [e for e in chosen if e.state not in (FileState.HERE, FileState.SENDING)]
    if not away:
        return
    message = chosen[0].message
    for each in away:
        room.fetch(message, each.place)
    problem = _carry(peer, room, message, seconds)
    for each in away:
        now = room.file(message, each.place)
        if now.state in (FileState.GONE, FileState.STOPPED):
            raise FileGone(f"{_name(now)}: {now.reason}")
    if problem:
        raise NotReached(f"not all of it came; what did is kept ({problem})")


def _carry(peer: Peer, room: Room, message: str, seconds: float) -> str:
    """Be online while a message's files are on their way; return why some still are."""
    from .bars import carried
    from .online import run

    async def work() -> str:
        async with peer.online():
            return await carried(peer, room, lambda: room.files(message), stall_seconds=seconds)

    return run(work())


def _save(room: Room, file: File, to: str, *, overwrite: bool, as_json: bool) -> None:
    if to == "-":
        with room.open_file(file.message, file.place) as opened_file:
            while part := opened_file.read(1 << 20):
                sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
        return
    saved = room.save_file(file.message, to, file.place, overwrite=overwrite)
    if as_json:
        print_json(room.file(file.message, file.place).to_json() | {"path": str(saved)})
    else:
        click.echo(safe_line(str(saved)))


def _row(file: File) -> tuple[str, ...]:
    where = file.state.value
    if file.done and file.state in (FileState.SENDING, FileState.FETCHING):
        where += f" {file.done * 100 // max(1, file.size)} %"
    if file.reason:
        where += f" ({file.reason})"
    return (file.message, str(file.place), size_words(file.size), where, _name(file))


def _name(file: File) -> str:
    return safe_line(file.name, chars_max=NAME_CHARS_MAX)

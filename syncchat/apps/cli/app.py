"""The group of all commands: loads each on first use, and turns every error into one line."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

import click

from ... import __version__
from ...core.safe import safe_text
from ...errors import SyncchatError
from .failures import Exit, exit_code, first_cause

_HERE = "syncchat.apps.cli"
_COMMANDS = {
    "Start": {
        "init": (f"{_HERE}.rooms:init", "Create your database and keys, or rename yourself."),
        "create": (f"{_HERE}.rooms:create", "Short for 'room create'."),
        "room": (f"{_HERE}.rooms:room", "Create a room (room create)."),
        "join": (f"{_HERE}.rooms:join", "Join a room by its invite link."),
        "rooms": (f"{_HERE}.rooms:rooms", "List your rooms."),
    },
    "Chat": {
        "chat": (f"{_HERE}.chat.command:chat", "Chat in a room, line by line."),
        "send": (f"{_HERE}.messages:send", "Write a message; works offline."),
        "location": (f"{_HERE}.places:location", "Write where something is."),
        "history": (f"{_HERE}.messages:history", "Print messages of a room."),
        "search": (f"{_HERE}.search:search", "Find messages in all rooms, also offline."),
        "tail": (f"{_HERE}.tail:tail", "Print the last messages, and new ones as they come."),
        "unread": (f"{_HERE}.reading:unread", "Print how much is unread in your rooms."),
        "read": (f"{_HERE}.reading:read", "Mark messages as read."),
        "mark-unread": (f"{_HERE}.reading:mark_unread", "Mark a message as unread."),
        "threads": (f"{_HERE}.reading:threads", "List a room's threads."),
        "notify": (f"{_HERE}.notify:notify", "Say what of a room notifies you, or mute it."),
        "notifications": (f"{_HERE}.notify:notifications", "Print what wants your attention."),
        "receipts": (f"{_HERE}.notify:receipts", "Say whether others see what you read."),
        "outbox": (f"{_HERE}.outgoing:outbox", "List what is still to be sent, and why."),
        "delivery": (f"{_HERE}.outgoing:delivery", "Print who has a message, and who read it."),
    },
    "Messages": {
        "edit": (f"{_HERE}.editing:edit", "Change a message of yours."),
        "delete": (f"{_HERE}.editing:delete", "Delete a message of yours for everyone."),
        "edits": (f"{_HERE}.editing:edits", "Print the texts that a message had."),
        "react": (f"{_HERE}.editing:react", "React to a message with an emoji."),
        "unreact": (f"{_HERE}.editing:unreact", "Take a reaction back."),
        "forward": (f"{_HERE}.editing:forward", "Pass a message on to another room."),
        "poll": (f"{_HERE}.polls:poll", "Ask a question with answers to choose from."),
        "vote": (f"{_HERE}.polls:vote", "Vote in a poll."),
        "close-poll": (f"{_HERE}.polls:close_poll", "Close a poll of yours."),
        "pin": (f"{_HERE}.pinning:pin", "Pin a message for everyone."),
        "unpin": (f"{_HERE}.pinning:unpin", "Take a pin off."),
        "pins": (f"{_HERE}.pinning:pins", "Print the pinned messages."),
        "report": (f"{_HERE}.reports:report", "Tell the admins of a message."),
        "reports": (f"{_HERE}.reports:reports", "Print what was reported to you."),
    },
    "Rooms": {
        "direct": (f"{_HERE}.talks:direct", "Talk with one other person."),
        "notes": (f"{_HERE}.talks:notes", "Write and read notes to yourself."),
        "topic": (f"{_HERE}.looks:topic", "Print or say what a room is about."),
        "keep": (f"{_HERE}.looks:keep", "Keep messages of a room for a time only."),
        "timer": (f"{_HERE}.looks:timer", "Let messages disappear after a time."),
        "history-kept": (f"{_HERE}.older:history_kept", "Say how much of a room is kept here."),
        "avatar": (f"{_HERE}.looks:avatar", "Show a picture of you or of a room."),
    },
    "Files": {
        "attach": (f"{_HERE}.files:attach", "Send a file, or several; works offline."),
        "voice": (f"{_HERE}.files:voice", "Send a recording as a voice message."),
        "files": (f"{_HERE}.files:files", "List files, and where their bytes are."),
        "download": (f"{_HERE}.files:download", "Fetch a message's files and save them."),
        "cancel": (f"{_HERE}.files:cancel", "Stop sending or fetching a message's files."),
        "file-limits": (f"{_HERE}.files:file_limits", "Say how much of files is kept here."),
    },
    "People": {
        "invite": (f"{_HERE}.invites:invite", "Print a new invite link of a room."),
        "invites": (f"{_HERE}.invites:invites", "List a room's open invites."),
        "revoke-invite": (f"{_HERE}.invites:revoke_invite", "Close an invite."),
        "requests": (f"{_HERE}.invites:requests", "List who asks to be let in."),
        "approve": (f"{_HERE}.invites:approve", "Let somebody in who asks to."),
        "who": (f"{_HERE}.presence:who", "Print who is in a room now."),
        "members": (f"{_HERE}.members:members", "List a room's members."),
        "remove": (f"{_HERE}.members:remove", "Remove a member from a room."),
        "role": (f"{_HERE}.members:role", "Give a member a role."),
        "leave": (f"{_HERE}.members:leave", "Leave a room."),
        "hide": (f"{_HERE}.members:hide", "Hide a message from everyone."),
        "rotate": (f"{_HERE}.members:rotate", "Give a room a new key."),
        "verify": (f"{_HERE}.verify:verify", "Make sure that a person is who you think."),
    },
    "You": {
        "draft": (f"{_HERE}.mine:draft", "Keep what you are writing, on all your devices."),
        "star": (f"{_HERE}.mine:star", "Mark a message to find it again."),
        "stars": (f"{_HERE}.mine:stars", "Print the messages you have starred."),
        "archive": (f"{_HERE}.mine:archive", "Put a room out of the way."),
        "favourite": (f"{_HERE}.mine:favourite", "Have a room come first."),
        "forget": (f"{_HERE}.mine:forget", "Leave a message out of what you see."),
        "block": (f"{_HERE}.mine:block", "See and hear no more of a member."),
        "blocked": (f"{_HERE}.mine:blocked", "List whom you have blocked."),
        "schedule": (f"{_HERE}.later:schedule", "Have a message sent at a time."),
        "scheduled": (f"{_HERE}.later:scheduled", "List the messages that wait for their time."),
        "unschedule": (f"{_HERE}.later:unschedule", "Do not send one of them."),
        "remind": (f"{_HERE}.later:remind", "Be reminded of something."),
        "reminders": (f"{_HERE}.later:reminders", "List your reminders."),
        "status": (f"{_HERE}.presence:status", "Say something about yourself, or be invisible."),
        "device": (f"{_HERE}.device:device", "Link, list, name and revoke your devices."),
        "recovery": (f"{_HERE}.recovery:recovery", "Keep and use your recovery phrase."),
    },
    "Run": {
        "sync": (f"{_HERE}.sync:sync", "Exchange everything with the relays, then end."),
        "doctor": (f"{_HERE}.doctor:doctor", "Check the database, or rebuild what it shows."),
        "encrypt": (f"{_HERE}.protect:encrypt", "Encrypt your database, or change its lock."),
        "decrypt": (f"{_HERE}.protect:decrypt", "Make your database a plain file again."),
        "backup": (f"{_HERE}.protect:backup", "Write everything to one encrypted file."),
        "restore": (f"{_HERE}.protect:restore", "Make a database of a backup."),
        "relay": ("syncchat_relay.cli:main", "Run a relay."),
        "operator": (f"{_HERE}.operator:operator", "Operate a relay from your device."),
        "demo": ("syncchat.apps.demo:demo", "Watch peers chat through failures."),
        "simulate": (f"{_HERE}.simulate:simulate", "Search for faults that make peers differ."),
    },
}
_HOMES = {name: home for part in _COMMANDS.values() for name, (home, _) in part.items()}


class Commands(click.Group):
    """Loads commands on first use, so that ``syncchat --help`` and small commands start fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _HOMES:
            return None
        module, _, name = _HOMES[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, part in _COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(name, words) for name, (_, words) in part.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OSError as exc:
            if not _is_reader_gone(exc):
                raise
            _silence_stdout()
            return Exit.DONE  # here, as click makes it a failure

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *_args: Any,
        **extra: Any,
    ) -> NoReturn:
        """Run a command and exit; every error is one line on standard error."""
        arguments = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        try:
            code = super().main(arguments, prog_name, **extra)
            sys.stdout.flush()
        except SystemExit:
            raise
        except BaseException as raised:
            code = _told(first_cause(raised), debug=_wants_debug(arguments))
        sys.exit(code if isinstance(code, int) else Exit.DONE)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="COMMAND …",
)
@click.version_option(__version__, "-V", "--version", message="syncchat %(version)s")
@click.option(
    "--debug",
    is_flag=True,
    envvar="SYNCCHAT_DEBUG",
    help="Log to standard error, and show tracebacks. Stands before the command.",
)
def cli(debug: bool) -> None:
    """Offline-first chat.

    \b
      syncchat init --name Alice              your database, once
      syncchat room create Team               prints the link by which others join
      syncchat join 'syncchat:…#…'            the others
      syncchat chat Team                      works with the relay down, too
      syncchat relay                          the relay that everyone meets at

    Data goes to standard output, words to standard error. Exit codes: 0 done (also "queued"),
    1 failure, 2 usage, 3 not found or faults found, 4 refused, 5 relay not reached,
    130 interrupted.
    """
    if debug:
        import logging

        logging.basicConfig(level=logging.DEBUG, format="%(asctime)s %(name)s %(message)s")


def main() -> None:
    """Run the command line and exit."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # an emoji must not end a program
    cli.main(prog_name="syncchat")


def _told(exc: BaseException, *, debug: bool) -> int:
    """Tell about an error in one line, or quietly, and return the exit code."""
    if _is_reader_gone(exc):
        _silence_stdout()
        return Exit.DONE
    if isinstance(exc, click.Abort | KeyboardInterrupt):
        return Exit.INTERRUPTED
    if isinstance(exc, click.ClickException):
        exc.show()
        return exc.exit_code
    if debug:
        traceback.print_exception(exc)
    if isinstance(exc, SyncchatError):
        click.echo(f"error: {safe_text(str(exc))}", err=True)
        return exit_code(exc)
    words = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
    hint = "" if debug else "; 'syncchat --debug …' shows more"
    click.echo(f"error: unexpected: {safe_text(words)}{hint}", err=True)
    return Exit.FAILURE


def _is_reader_gone(exc: BaseException | None) -> bool:
    """Tell whether output failed because whoever read it has read enough."""
    return isinstance(exc, OSError) and exc.errno == errno.EPIPE


def _silence_stdout() -> None:
    """Keep the interpreter from complaining at exit that nobody reads its output."""
    with suppress(OSError, ValueError):  # a captured stream has no descriptor, no reader to lose
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _wants_debug(arguments: list[str]) -> bool:
    """Tell whether tracebacks were asked for; the context is gone when an error arrives here."""
    return "--debug" in arguments or os.environ.get("SYNCCHAT_DEBUG", "") not in ("", "0")

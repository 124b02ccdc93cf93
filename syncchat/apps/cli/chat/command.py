"""The command ``chat``."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path

import click

from ..options import db_option, opened, room_argument, token_option


@click.command()
@room_argument
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0, 1_000),
    default=20,
    show_default=True,
    help="Messages to begin with; unread ones come on top, up to 200.",
)
@token_option
@db_option
def chat(room: str, lines: int, db: Path | None) -> None:
    """Chat in a room: type a line, press enter; /help lists what else there is.

    \b
      syncchat chat Team
      echo "the build is green" | syncchat chat Team -n 0

    Works with the relay down: what you write is queued, and goes out when it is back. What is
    shown is marked as read. Ctrl-D or /quit leaves; Ctrl-C clears the line, or leaves when it is
    empty. Without a terminal, lines are read from standard input until it ends.
    """
    from ..online import run
    from .commands import NAMES
    from .lines import Lines, PipeLines, TerminalLines, above_the_input, is_terminal
    from .loop import Chat
    from .screen import Screen, Style

    with opened(db) as peer:
        there = peer.room(room)
        at_terminal = is_terminal()
        screen = Screen(there, _print, Style(plain=not at_terminal or "NO_COLOR" in os.environ))
        lines_in: Lines
        if at_terminal:
            lines_in = TerminalLines(
                toolbar=lambda: session.toolbar,
                typed=lambda text: session.typed(text),  # noqa: PLW0108 -- it comes after
                back=lambda: session.back(),  # noqa: PLW0108 -- it comes after
                commands=NAMES,
            )
        else:
            lines_in = PipeLines(sys.stdin.fileno())
        session = Chat(peer, there, lines_in, screen)
        with above_the_input() if at_terminal else nullcontext():
            run(session.run(last=lines))


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()

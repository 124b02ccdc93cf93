"""What commands share: ``--db`` and ``--json``, opening the database, printing data and words."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from ...errors import NotFoundError, StorageError, SyncchatError

if TYPE_CHECKING:
    from ...peer import Peer

DEFAULT_RELAY = "ws://127.0.0.1:8765"

_Command = TypeVar("_Command", bound=Callable[..., Any])


def db_option(command: _Command) -> _Command:
    """Add ``--db PATH``."""
    option = click.option(
        "--db",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="SYNCCHAT_DB",
        show_envvar=True,
        metavar="PATH",
        help="Your database.  [default: syncchat.db in your user data folder]",
    )
    return option(command)


def json_option(command: _Command) -> _Command:
    """Add ``--json``."""
    option = click.option(
        "--json", "as_json", is_flag=True, help="Print JSON, one object on each line."
    )
    return option(command)


def room_argument(command: _Command) -> _Command:
    """Add the argument ROOM, which the shell can complete."""
    return click.argument("room", shell_complete=_complete_room)(command)


def default_db() -> Path:
    """Return where the database is unless told: in the platform's folder for user data."""
    home = Path.home()
    match sys.platform:
        case "win32":
            folder = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
        case "darwin":
            folder = home / "Library" / "Application Support"
        case _:
            folder = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return folder / "syncchat" / "syncchat.db"


@contextmanager
def opened(db: Path | None) -> Iterator[Peer]:
    """Open the database of a person who has one; raises ``NotFoundError``."""
    path = db or default_db()
    if not has_database(path):
        first = with_db("syncchat init --name YOU", db)
        raise NotFoundError(f"no database at {path}; run: {first}")
    with _peer(path) as peer:
        yield peer


@contextmanager
def opened_or_made(db: Path | None, *, name: str | None) -> Iterator[Peer]:
    """Open the database, creating it if it is missing; its folder is this person's alone."""
    path = db or default_db()
    if db is None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.parent.chmod(0o700)
        except OSError as exc:
            raise StorageError(f"cannot create {path.parent}: {exc.strerror}") from exc
    with _peer(path, name=name) as peer:
        yield peer


def has_database(path: Path) -> bool:
    """Tell whether something is stored at ``path``; an empty file is nothing."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def say(words: str) -> None:
    """Print words for a person to standard error."""
    click.echo(words, err=True)


def hint(words: str) -> None:
    """Print words that only help a person at a terminal."""
    if sys.stderr.isatty():
        say(words)


def with_db(command: str, db: Path | None) -> str:
    """Return a command to type next, with the database that was named in this one."""
    import shlex

    return f"{command} --db {shlex.quote(str(db))}" if db else command


def counted(number: int, what: str) -> str:
    """Return a number with its noun: ``1 message``, ``2,000 messages``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def print_json(fields: dict[str, Any]) -> None:
    """Print one JSON object on a line, for programs; harmless on a terminal too."""
    stream = sys.stdout
    plain = stream.isatty() or (stream.encoding or "").lower().replace("-", "") != "utf8"
    click.echo(json.dumps(fields, ensure_ascii=plain, separators=(",", ":")))
    stream.flush()


@contextmanager
def _peer(path: Path, *, name: str | None = None) -> Iterator[Peer]:
    import logging

    from ...peer import open_peer

    if not logging.getLogger().handlers:
        # Whatever stops a message is told by its state; a chat must not be written over.
        logging.basicConfig(level=logging.CRITICAL, format="%(message)s")
    with open_peer(path, name=name) as peer:
        yield peer


def _complete_room(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    try:
        with opened(ctx.params.get("db")) as peer:
            titles = sorted({room.title for room in peer.rooms()})
    except SyncchatError:
        return []
    return [CompletionItem(t) for t in titles if t.startswith(incomplete) and t.isprintable()]

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
from .keys import key_for, key_options

if TYPE_CHECKING:
    from ...peer import Peer
    from ...transport.tokens import TokenSource

DEFAULT_RELAY = "ws://127.0.0.1:8765"

_TOKEN_FILE = "syncchat.token_file"

_Command = TypeVar("_Command", bound=Callable[..., Any])


def db_option(command: _Command) -> _Command:
    """Add ``--db PATH``, and the options that say what it is locked with."""
    option = click.option(
        "--db",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="SYNCCHAT_DB",
        show_envvar=True,
        metavar="PATH",
        help="Your database.  [default: syncchat.db in your user data folder]",
    )
    return option(key_options(command))


def token_option(command: _Command) -> _Command:
    """Add ``--token-file PATH``, which ``opened`` knows of."""
    option = click.option(
        "--token-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        envvar="SYNCCHAT_TOKEN_FILE",
        show_envvar=True,
        metavar="PATH",
        expose_value=False,
        callback=_note_token_file,
        help="What a relay's token stands in, if it wants one; read at each use. Or the token "
        "itself in the environment variable SYNCCHAT_TOKEN.",
    )
    return option(command)


def _note_token_file(ctx: click.Context, param: click.Parameter, path: Path | None) -> None:
    ctx.meta[_TOKEN_FILE] = path


def _token_source() -> TokenSource | None:
    """Return what reads the token that was given, None if there is none."""
    ctx = click.get_current_context(silent=True)
    path = ctx.meta.get(_TOKEN_FILE) if ctx is not None else None
    if path is not None:
        return lambda relay, device_key: path.read_text(encoding="utf-8").strip()
    token = os.environ.get("SYNCCHAT_TOKEN", "")
    return (lambda relay, device_key: token) if token else None


def json_option(command: _Command) -> _Command:
    """Add ``--json``."""
    option = click.option(
        "--json", "as_json", is_flag=True, help="Print JSON, one object on each line."
    )
    return option(command)


def room_argument(command: _Command) -> _Command:
    """Add the argument ROOM, which the shell can complete."""
    return click.argument("room", shell_complete=_complete_room)(command)


def in_room_option(command: _Command) -> _Command:
    """Add ``--in ROOM``, which the shell can complete."""
    option = click.option(
        "--in", "title", metavar="ROOM", shell_complete=_complete_room, help="Only this room."
    )
    return option(command)


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
def opened(db: Path | None, *, may_ask: bool = True) -> Iterator[Peer]:
    """Open the database of a person who has one, asking for its passphrase if need be.

    Raises ``NotFoundError``.
    """
    with _peer(existing_db(db), may_ask=may_ask) as peer:
        yield peer


@contextmanager
def opened_or_made(db: Path | None, *, name: str | None) -> Iterator[Peer]:
    """Open the database, creating it if it is missing; its folder is this person's alone."""
    path = db or default_db()
    if db is None:
        make_default_folder()
    with _peer(path, name=name) as peer:
        yield peer


def existing_db(db: Path | None) -> Path:
    """Return the path of the database; raises ``NotFoundError`` where there is none."""
    path = db or default_db()
    if not has_database(path):
        first = with_db("syncchat init --name YOU", db)
        raise NotFoundError(f"no database at {path}; run: {first}")
    return path


def make_default_folder() -> None:
    """Make the folder of the default database, for this person alone."""
    folder = default_db().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as exc:
        raise StorageError(f"cannot create {folder}: {exc.strerror}") from exc


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


def counted(number: int, what: str, several: str = "") -> str:
    """Return a number with its noun: ``1 message``, ``2,000 messages``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {several or what + 's'}"


def print_json(fields: dict[str, Any]) -> None:
    """Print one JSON object on a line, for programs; harmless on a terminal too."""
    stream = sys.stdout
    plain = stream.isatty() or (stream.encoding or "").lower().replace("-", "") != "utf8"
    click.echo(json.dumps(fields, ensure_ascii=plain, separators=(",", ":")))
    stream.flush()


@contextmanager
def _peer(path: Path, *, name: str | None = None, may_ask: bool = True) -> Iterator[Peer]:
    import logging

    from ...peer import open_peer

    if not logging.getLogger().handlers:
        # Whatever stops a message is told by its state; a chat must not be written over.
        logging.basicConfig(level=logging.CRITICAL, format="%(message)s")
    key = key_for(path, may_ask=may_ask)
    with open_peer(path, name=name, key=key, token=_token_source()) as peer:
        yield peer


def _complete_room(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    try:
        with opened(ctx.params.get("db"), may_ask=False) as peer:
            titles = sorted({room.title for room in peer.rooms()})
    except SyncchatError:
        return []
    return [CompletionItem(t) for t in titles if t.startswith(incomplete) and t.isprintable()]

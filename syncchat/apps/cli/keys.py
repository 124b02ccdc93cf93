"""What a database is locked with, on the command line: options, environment, questions.

A database that exists tells by itself what opens it, so that a person is only asked for a
passphrase, or told to name the key file. The options choose the lock of a new database, and must
agree with an old one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...errors import KeyNeeded

if TYPE_CHECKING:
    from ...storage.locks import Key, Passphrase

PASSPHRASE_ENV = "SYNCCHAT_PASSPHRASE"
KEY_FILE_ENV = "SYNCCHAT_KEY_FILE"
BACKUP_ENV = "SYNCCHAT_BACKUP_PASSPHRASE"

_META = "syncchat.lock"
_Command = TypeVar("_Command", bound=Callable[..., Any])


def key_options(command: _Command) -> _Command:
    """Add ``--passphrase``, ``--key-file PATH`` and ``--keychain``, of which one may be given."""
    command = click.option(
        "--keychain",
        is_flag=True,
        expose_value=False,
        callback=_choose,
        help="The database is locked with a key in this system's keychain.",
    )(command)
    command = click.option(
        "--key-file",
        type=click.Path(dir_okay=False, path_type=Path),
        expose_value=False,
        callback=_choose,
        metavar="PATH",
        help=f"The database is locked with this key file.  [env var: {KEY_FILE_ENV}]",
    )(command)
    return click.option(
        "--passphrase",
        is_flag=True,
        expose_value=False,
        callback=_choose,
        help="The database is locked with a passphrase, which is asked for.  "
        f"[env var with it: {PASSPHRASE_ENV}]",
    )(command)


def key_for(path: Path, *, may_ask: bool = True) -> Key | None:
    """Return the key for the database at ``path``, asking for a passphrase where that opens it.

    Raises ``KeyNeeded`` where it is not known and nobody can be asked.
    """
    from ...storage.headers import header_of
    from ...storage.locks import Lock, lock_of

    chosen, lock = chosen_lock(), lock_of(path)
    if chosen is not None and (header_of(path) if lock is None else chosen != lock.name):
        return _any_key(chosen)  # opening says that the database is locked otherwise
    match lock:
        case None:
            return None if chosen is None else new_key()
        case Lock.PASSPHRASE:
            return passphrase(f"Passphrase of {path.name}", PASSPHRASE_ENV, may_ask=may_ask)
        case Lock.KEY_FILE:
            return _key_file(path)
        case Lock.KEYCHAIN:
            return _any_key(chosen or lock.name)


def new_key(*, env: str = PASSPHRASE_ENV) -> Key:
    """Return the key for something new: as the options say, or with a passphrase.

    A missing key file is made. Raises ``KeyNeeded`` where nobody can be asked.
    """
    from ...storage.locks import KeyFile

    chosen = chosen_lock() or "PASSPHRASE"
    if chosen == "PASSPHRASE":
        return passphrase("New passphrase", env, is_new=True)
    path = _chosen_file()
    if path is not None and not path.exists():
        click.echo(f"made the key file {path}; without it nobody can open the database", err=True)
        return KeyFile.make(path)
    return _any_key(chosen)


def passphrase(
    question: str, env: str, *, is_new: bool = False, may_ask: bool = True
) -> Passphrase:
    """Return a passphrase from the environment, or from the person at the terminal."""
    from ...storage.locks import Passphrase

    text = os.environ.get(env)
    if not text:
        if not may_ask or not _is_somebody_there():
            raise KeyNeeded(f"a passphrase is needed, and nobody is there to ask; set {env}")
        text = click.prompt(question, hide_input=True, err=True, confirmation_prompt=is_new)
    return Passphrase(text)


def chosen_lock() -> str | None:
    """Return the name of the ``Lock`` that the options have chosen."""
    name: str | None = _meta().get(f"{_META}.name")
    return name


def _is_somebody_there() -> bool:
    return sys.stdin.isatty()


def _chosen_file() -> Path | None:
    path: Path | None = _meta().get(f"{_META}.file")
    return path


def _key_file(database: Path) -> Key:
    from ...storage.locks import KeyFile

    path = _chosen_file() or os.environ.get(KEY_FILE_ENV)
    if not path:
        raise KeyNeeded(
            f"{database} is locked with a key file; say where it is: --key-file PATH, or set "
            f"{KEY_FILE_ENV}"
        )
    return KeyFile(path)


def _any_key(chosen: str) -> Key:
    """Return a key of the chosen kind without asking anyone."""
    from ...storage.locks import Keychain, KeyFile, Passphrase

    match chosen:
        case "KEY_FILE":
            return KeyFile(_chosen_file() or "")
        case "KEYCHAIN":
            return Keychain()
        case _:
            return Passphrase("")


def _choose(ctx: click.Context, param: click.Parameter, value: object) -> None:
    """Remember an option of the lock; commands need not hand it on."""
    if not value or ctx.resilient_parsing:
        return
    if f"{_META}.name" in ctx.meta:
        raise click.UsageError("choose one of --passphrase, --key-file and --keychain")
    assert param.name is not None
    ctx.meta[f"{_META}.name"] = param.name.upper()
    if isinstance(value, Path):
        ctx.meta[f"{_META}.file"] = value


def _meta() -> dict[str, Any]:
    context = click.get_current_context(silent=True)
    return {} if context is None else context.meta

"""Commands that protect what a database holds: from other eyes, and from being lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import ValidationError
from .keys import BACKUP_ENV, PASSPHRASE_ENV, key_for, new_key, passphrase
from .options import (
    db_option,
    default_db,
    existing_db,
    has_database,
    hint,
    json_option,
    make_default_folder,
    opened,
    print_json,
    say,
    with_db,
)

if TYPE_CHECKING:
    from ...storage.locks import Key

NEW_ENV = "SYNCCHAT_NEW_PASSPHRASE"


@click.command()
@click.option(
    "--old-key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PATH",
    help="The key file that opens it now, where it has one.",
)
@db_option
@json_option
def encrypt(old_key_file: Path | None, db: Path | None, as_json: bool) -> None:
    """Encrypt your database, or lock an encrypted one with something else.

    \b
      syncchat encrypt                     with a passphrase, which you are asked for
      syncchat encrypt --keychain          with a key that this computer keeps for you
      syncchat encrypt --key-file ~/k.key  with a key file, made if it is missing

    Without the key nobody can read the database, and nobody can help: keep it, and make a backup.
    End all other programs that use the database first.
    """
    from ...storage.converting import change_key
    from ...storage.locks import lock_of

    path = existing_db(db)
    old = _present_key(path, old_key_file)
    new = new_key(env=PASSPHRASE_ENV if old is None else NEW_ENV)
    change_key(path, old=old, new=new)
    lock = lock_of(path)
    _tell_lock(path, None if lock is None else lock.words, as_json=as_json)


@click.command()
@db_option
@json_option
def decrypt(db: Path | None, as_json: bool) -> None:
    """Make your database a plain file again, which whoever has it can read.

    \b
      syncchat decrypt

    End all other programs that use the database first.
    """
    from ...storage.converting import change_key

    path = existing_db(db)
    key = key_for(path)
    if key is None:
        raise ValidationError(f"{path} is not encrypted")
    change_key(path, old=key, new=None)
    _tell_lock(path, None, as_json=as_json)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@db_option
@json_option
def backup(file: Path, db: Path | None, as_json: bool) -> None:
    """Write everything to one encrypted file: keys, rooms, messages.

    \b
      syncchat backup alice.backup

    It has a passphrase of its own, which you are asked for (or SYNCCHAT_BACKUP_PASSPHRASE). An
    older backup of this name is replaced when the new one is whole. Other programs may go on using
    the database meanwhile.
    """
    with opened(db) as peer:
        words = passphrase("Passphrase for the backup", BACKUP_ENV, is_new=True)
        peer.backup(file, words.text)
        told: dict[str, Any] = {"file": str(file), "bytes": file.stat().st_size}
    if as_json:
        print_json(told)
    else:
        click.echo(f"{file}, {told['bytes'] / 1e6:,.1f} MB")
    hint(f"next, should the worst come: {with_db(f'syncchat restore {file}', db)}")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace the database that is there.")
@db_option
@json_option
def restore(file: Path, overwrite: bool, db: Path | None, as_json: bool) -> None:
    """Make a database of a backup; you go on as the same device.

    \b
      syncchat restore alice.backup
      syncchat restore alice.backup --keychain       encrypts the new database, too

    The passphrase is that of the backup (or SYNCCHAT_BACKUP_PASSPHRASE). What came after the
    backup is fetched from the relay with the next sync. The database that the backup was made from
    must not be used any more, neither here nor elsewhere.
    """
    from ...storage.backup import restore as restored
    from ...storage.locks import lock_of

    path = db or default_db()
    if has_database(path) and not overwrite:
        raise ValidationError(f"{path} exists; choose another with --db, or say --overwrite")
    words = passphrase("Passphrase of the backup", BACKUP_ENV)
    if db is None:
        make_default_folder()
    restored(file, path, words.text, key=key_for(path), overwrite=overwrite)
    lock = lock_of(path)
    _tell_lock(path, None if lock is None else lock.words, as_json=as_json)
    say("this device goes on from here; never open the database that the backup was made from")


def _present_key(path: Path, key_file: Path | None) -> Key | None:
    """Return the key that opens the database now; the lock's options are about the new one."""
    from ...storage.locks import Keychain, KeyFile, Lock, lock_of

    match lock_of(path):
        case None:
            return None
        case Lock.PASSPHRASE:
            return passphrase("Present passphrase", PASSPHRASE_ENV)
        case Lock.KEY_FILE:
            if key_file is None:
                raise ValidationError(
                    f"{path} is encrypted with a key file; say where that is: --old-key-file PATH"
                )
            return KeyFile(key_file)
        case Lock.KEYCHAIN:
            return Keychain()


def _tell_lock(path: Path, lock: str | None, *, as_json: bool) -> None:
    if as_json:
        print_json({"db": str(path), "encryptedAtRest": lock is not None, "lock": lock})
    elif lock is None:
        click.echo(f"{path}, not encrypted: whoever has the file can read it")
    else:
        click.echo(f"{path}, encrypted, locked with: {lock}")

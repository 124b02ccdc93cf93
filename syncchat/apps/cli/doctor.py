"""The command ``doctor``: say what is there, what is well, and what is not."""

from __future__ import annotations

import platform
import sqlite3
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ... import __version__
from ...core.safe import safe_name, safe_text
from ...errors import DatabaseDamaged
from ...ids import room_text
from .failures import Exit
from .options import counted, db_option, default_db, json_option, opened, print_json
from .people import fork_lines

if TYPE_CHECKING:
    from ...peer import Peer

_LIBRARIES = ("pycrdt", "websockets", "msgspec", "pynacl", "sqlite-utils", "zstandard")


@click.command()
@click.option("--rebuild", is_flag=True, help="Fold what rooms show anew from what is stored.")
@db_option
@json_option
def doctor(rebuild: bool, db: Path | None, as_json: bool) -> None:
    """Check the database: the file, every signature, count and digest, every byte of files.

    \b
      syncchat doctor
      syncchat doctor --rebuild            after a fault in what rooms show

    Two people whose rooms show the same digest have the same history. Exits with 3 when there
    are faults. Works offline; needs time in proportion to the history.
    """
    try:
        with opened(db) as peer:
            if rebuild:
                peer.rebuild()
            found = _report(peer)
    except DatabaseDamaged as exc:
        found = {"db": str(db or default_db()), "versions": _versions(), "faults": [str(exc)]}
    if as_json:
        print_json(found)
    else:
        _print(found)
    if found["faults"]:
        raise SystemExit(Exit.NOT_FOUND)


def _report(peer: Peer) -> dict[str, Any]:
    connections = peer.connections
    return {
        "db": str(peer.path),
        "bytes": _size(peer.path),
        "fileBytes": peer.files.used_bytes,
        "encryptedAtRest": peer.lock is not None,
        "lock": peer.lock,
        "readableByOthers": _is_readable_by_others(peer.path),
        "name": peer.name,
        "device": peer.device,
        "versions": _versions(),
        "rooms": [
            {
                "id": room_text(room.id),
                "title": room.title,
                "relay": room.relay,
                "connection": connections.get(room.relay, "offline") if room.relay else "no relay",
                "members": len(room.members()),
                "messages": room.count(),
                "unread": room.unread(),
                "outbox": room.outbox_count(),
                "digest": room.digest(),
                "forks": fork_lines(room),
            }
            for room in peer.rooms()
        ],
        "faults": peer.check(),
    }


def _print(found: dict[str, Any]) -> None:
    click.echo(", ".join(f"{name} {number}" for name, number in found["versions"].items()))
    if "bytes" in found:
        files = f", and {found['fileBytes'] / 1e6:,.1f} MB of files" if found["fileBytes"] else ""
        click.echo(f"database {found['db']}, {found['bytes'] / 1e6:,.1f} MB{files}")
        if found["lock"]:
            click.echo(f"  encrypted, locked with: {found['lock']}")
        else:
            click.echo(
                "  this database is not encrypted: whoever has the file can read it; "
                "see 'syncchat encrypt'"
            )
        if found["readableByOthers"]:
            click.echo(f"  others on this machine can read it; run: chmod 600 {found['db']}")
        click.echo(f"you are {safe_name(found['name'])}, device {found['device']}")
    for room in found.get("rooms", []):
        told = (
            counted(room["messages"], "message"),
            f"{room['unread']:,} unread",
            counted(room["members"], "member"),
            counted(room["outbox"], "change") + " to send",
            safe_name(room["connection"], chars_max=80),
        )
        click.echo(f"room {safe_name(room['title'])} ({room['id'][:8]}): {', '.join(told)}")
        click.echo(f"  digest {room['digest']}")
        for line in room["forks"]:
            click.echo(f"  {line}")
    for fault in found["faults"]:
        click.echo(f"fault: {safe_text(fault)}")
    if not found["faults"]:
        click.echo("all is well: file, signatures, chains, counts and digests hold")


def _versions() -> dict[str, str]:
    found = {
        "syncchat": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "missing"
    return found


def _size(path: Path) -> int:
    """Return the bytes of the database and its write-ahead log."""
    files = [path, path.with_name(path.name + "-wal")]
    return sum(file.stat().st_size for file in files if file.exists())


def _is_readable_by_others(path: Path) -> bool:
    return sys.platform != "win32" and bool(path.stat().st_mode & 0o077)

"""Commands for whoever operates a relay."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ...core.safe import safe_line
from ...errors import ValidationError
from .online import run
from .options import db_option, json_option, opened, print_json, token_option

LINK_BYTES_READ = 10_000
"""What is read of standard input for a link; links have at most 1,000."""


@click.group()
def operator() -> None:
    """Operate a relay from your device: show it its operator link, turn devices away."""


@operator.command()
@click.argument("link")
@token_option
@db_option
@json_option
def login(link: str, db: Path | None, as_json: bool) -> None:
    """Show a relay its operator link, and keep it; '-' reads it from standard input.

    \b
      syncchat operator login - < link.txt      keeps it out of the shell's history

    From then on this device may always create rooms at that relay, and turn devices away. Whoever
    has the link can do the same.
    """
    if link == "-":
        link = sys.stdin.buffer.read(LINK_BYTES_READ).decode("utf-8", errors="replace")
        if not link.strip():
            raise ValidationError("there is no link on standard input")
    with opened(db) as peer:
        relay = run(peer.operator.login(link))
        _tell(relay, f"operator of {relay}", as_json=as_json)


@operator.command("list")
@db_option
@json_option
def list_(db: Path | None, as_json: bool) -> None:
    """List the relays that this device operates.

    \b
      syncchat operator list
    """
    with opened(db) as peer:
        for relay in peer.operator.relays():
            _tell(relay, relay, as_json=as_json)


@operator.command()
@click.argument("relay")
@db_option
@json_option
def logout(relay: str, db: Path | None, as_json: bool) -> None:
    """Forget a relay's operator link.

    \b
      syncchat operator logout wss://relay.example.org
    """
    with opened(db) as peer:
        peer.operator.logout(relay)
        _tell(relay, f"no longer operator of {relay}", as_json=as_json)


@operator.command()
@click.argument("relay")
@click.argument("device")
@click.option("--undo", is_flag=True, help="Let the device in again.")
@token_option
@db_option
@json_option
def revoke(relay: str, device: str, undo: bool, db: Path | None, as_json: bool) -> None:
    """Have a relay turn a device away: its connections end, and it is not let in any more.

    \b
      syncchat operator revoke wss://relay.example.org 0EG7QZYF3SRBW

    What the device wrote stays, and what it has it keeps; to change who may read a room, change its
    members.
    """
    with opened(db) as peer:
        run(peer.operator.revoke(relay, device, undo=undo))
        if as_json:
            print_json({"relay": relay, "device": device, "revoked": not undo})
        else:
            click.echo(f"{'let in again' if undo else 'turned away'}: {safe_line(device)}")


def _tell(relay: str, words: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"relay": relay})
    else:
        click.echo(safe_line(words))

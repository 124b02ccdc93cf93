"""The commands ``recovery``: the twelve words that bring everything back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...core.safe import safe_line, safe_name
from ...errors import NotFoundError, ValidationError
from ...ids import room_text
from .failures import NotReached
from .options import (
    counted,
    db_option,
    json_option,
    opened,
    opened_or_made,
    print_json,
    say,
    token_option,
    with_db,
)

if TYPE_CHECKING:
    from ...peer import Peer

ASKED = (3, 7, 11)
"""Which words are asked for after they were shown; enough to know that they are on paper."""

TRIES = 3
PREFIX_CHARS = 4
STDIN_BYTES_MAX = 1_000

WARNING = (
    "write these twelve words on paper and keep them where nobody else finds them. Whoever has "
    "them is you, and without them nothing can be recovered when your devices are lost"
)
SKIPPED = (
    "warning: the recovery phrase is not confirmed. If this device is lost, so are your rooms; "
    "see the words with '{show}', and when they are on paper, '{confirm}'"
)


@click.group()
def recovery() -> None:
    """Keep and use your recovery phrase: twelve words that bring everything back.

    \b
      syncchat recovery show                the words, until they are confirmed
      syncchat recovery confirm             they are on paper: forget them here
      syncchat recovery restore --relay wss://chat.example.org
    """


@recovery.command()
@db_option
@json_option
def show(db: Path | None, as_json: bool) -> None:
    """Print the twelve words.

    \b
      syncchat recovery show

    Only until they are confirmed: then they are no longer on this device.
    """
    with opened(db) as peer:
        phrase = peer.devices.phrase()
    say(WARNING)
    if as_json:
        print_json({"phrase": phrase})
    else:
        click.echo(phrase)


@recovery.command()
@click.argument("source", required=False, metavar="[-]", type=click.Choice(["-"]))
@db_option
@json_option
def confirm(source: str | None, db: Path | None, as_json: bool) -> None:
    """Type the twelve words from paper; they are then forgotten on this device.

    \b
      syncchat recovery confirm             asks for them
      syncchat recovery confirm - < words   reads them from standard input
    """
    with opened(db) as peer:
        peer.devices.confirm(_phrase(source))
        if as_json:
            print_json({"confirmed": True})
        else:
            click.echo("confirmed; the words are only on your paper now")


@recovery.command()
@click.argument("source", required=False, metavar="[-]", type=click.Choice(["-"]))
@click.option("--relay", required=True, metavar="URL", help="The relay that is your home.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Wait so long for what the relay has.",
)
@token_option
@db_option
@json_option
def restore(source: str | None, relay: str, timeout: float, db: Path | None, as_json: bool) -> None:
    """Bring everything back with the twelve words, in a new database.

    \b
      syncchat recovery restore --relay wss://chat.example.org
      syncchat recovery restore - --relay wss://chat.example.org < words

    This becomes one more device of yours; revoke the lost one afterwards: syncchat device revoke.
    """
    from ...transport.base import host_of
    from ...trust.phrase import entropy_of
    from .homes import home_of
    from .online import run

    host_of(relay)
    phrase = _phrase(source)
    entropy_of(phrase)  # what is no phrase makes no database
    with opened_or_made(db, name=None) as peer:
        peer.devices.recover(phrase, relay)
        is_live = run(_restored(peer, timeout))
        if home_of(peer).standing != "member":
            later = with_db("syncchat sync", db)
            if is_live:
                raise NotFoundError(
                    "this relay knows nobody with these words; compare them, and the relay's "
                    "address, and take a new database"
                )
            raise NotReached(f"the relay was not reached in time; {later} goes on")
        print_arrived(peer, as_json=as_json)
        say("the words are on this device until you confirm them: syncchat recovery confirm")


async def _restored(peer: Peer, seconds: float) -> bool:
    """Be online until everything is here; tell whether the relay was reached."""
    from .homes import home_of, rooms_come
    from .online import connection, until

    async with peer.online(visible=False):
        home = home_of(peer)
        is_in = await until(
            lambda: home.standing == "member" and home_is_here(peer), seconds=seconds
        )
        is_live = is_in or connection(peer, home) == "live"
        if is_in:
            await rooms_come(peer, seconds)
    return is_live


def home_is_here(peer: Peer) -> bool:
    """Tell whether the own personal room is at the head of what its relay has."""
    from .homes import home_of
    from .online import connection

    return connection(peer, home_of(peer)) == "live"


def print_arrived(peer: Peer, *, as_json: bool) -> None:
    """Print who this device is of, and which rooms came."""
    rooms = sorted(peer.rooms(), key=lambda room: (room.title.casefold(), room.id))
    if as_json:
        print_json(
            {
                "id": peer.id,
                "name": peer.name,
                "device": peer.device,
                "rooms": [
                    {
                        "id": room_text(room.id),
                        "title": room.title,
                        "standing": room.standing,
                        "messages": room.count(),
                    }
                    for room in rooms
                ],
            }
        )
        return
    click.echo(f"{safe_name(peer.name)}, device {peer.device}, {counted(len(rooms), 'room')}")
    for room in rooms:
        behind = f"  {safe_line(room.obstacle)}" if room.obstacle else ""
        count = counted(room.count(), "message")
        click.echo(f"{safe_name(room.title)}  {room_text(room.id)[:8]}  {count}{behind}")


# At the start


def introduce(peer: Peer, db: Path | None, *, skip: bool) -> None:
    """Show a new person the words and ask for some of them; without a terminal warn and go on."""
    if skip or not is_terminal() or not _is_written_down(peer.devices.phrase()):
        show_, confirm_ = (with_db(f"syncchat recovery {x}", db) for x in ("show", "confirm"))
        say(SKIPPED.format(show=show_, confirm=confirm_))
        return
    peer.devices.confirm(peer.devices.phrase())
    say("confirmed; the words are only on your paper now")


def is_terminal() -> bool:
    """Tell whether a person can be shown words and asked for them."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _is_written_down(phrase: str) -> bool:
    """Show the words and ask for some; tell whether all of these were right."""
    words = phrase.split()
    say("your recovery phrase:\n")
    for at in range(0, len(words), 4):
        row = (f"{at + i + 1:>2} {words[at + i]:<10}" for i in range(4))
        say("  " + " ".join(row).rstrip())
    say(f"\n{WARNING}.\n")
    for number in ASKED:
        for left in reversed(range(TRIES)):
            question = f"word {number} (enter alone: later)"
            typed = click.prompt(question, default="", show_default=False, err=True)
            if not typed.strip():
                return False
            if _fits(typed, words[number - 1]):
                break
            say(f"that is not word {number}; look at your paper")
            if not left:
                return False
    return True


def _fits(typed: str, word: str) -> bool:
    typed = typed.strip().lower()
    return typed == word or (len(typed) >= PREFIX_CHARS and word.startswith(typed))


def _phrase(source: str | None) -> str:
    """Return the words that a person types, or that standard input has."""
    if source is None and sys.stdin.isatty():
        typed: str = click.prompt("The twelve words", err=True)
        return typed
    phrase = sys.stdin.buffer.read(STDIN_BYTES_MAX).decode("utf-8", errors="replace")
    if not phrase.strip():
        raise ValidationError("there are no words on standard input")
    return phrase

"""The commands ``verify``: compare safety numbers, and hear of what changed since."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...core.safe import safe_line, safe_name
from ...errors import DecodeError, ValidationError
from .codes import check_png, qr_options, show_code
from .failures import Exit
from .options import db_option, hint, json_option, opened, print_json, say
from .people import ID_CHARS_SHOWN, caution_line, people_of, person_called

if TYPE_CHECKING:
    from ...trust.safety import Scan

GROUPS_ON_A_LINE = 4
WORDS_ON_A_LINE = 6
CODE_BYTES_READ = 1_000
"""A code has 124 characters."""


@click.group()
def verify() -> None:
    """Make sure that a person is who you think: compare a number with them.

    \b
      syncchat verify show Bob              both of you see the same number
      syncchat verify scan Bob CODE         or this program compares a scanned one
      syncchat verify yes Bob               if it is the same
      syncchat verify warnings              what changed since

    Compare by a way that shows you the person: face to face, or on the telephone.
    """


@verify.command()
@click.argument("member")
@qr_options
@db_option
@json_option
def show(member: str, qr: bool, qr_png: Path | None, db: Path | None, as_json: bool) -> None:
    """Print the safety number that you and a person share, as digits and as words.

    \b
      syncchat verify show Bob
      syncchat verify show Bob --qr
    """
    check_png(qr_png)
    with opened(db) as peer:
        who = person_called(peer, member)
        number = peer.contacts.safety_number(who)
        name, is_verified = people_of(peer)[who], who in peer.contacts.verified()
    if as_json:
        print_json(
            {
                "member": who,
                "name": name,
                "digits": number.digits,
                "words": list(number.words),
                "code": number.code,
                "verified": is_verified,
            }
        )
    else:
        for at in range(0, len(number.groups), GROUPS_ON_A_LINE):
            click.echo(" ".join(number.groups[at : at + GROUPS_ON_A_LINE]))
        for at in range(0, len(number.words), WORDS_ON_A_LINE):
            click.echo(" ".join(number.words[at : at + WORDS_ON_A_LINE]))
        say("the words are the same number, easier to read out; they are no recovery phrase")
    show_code(number.code, qr=qr, png=qr_png)
    if not as_json:
        state = "you have verified" if is_verified else "not verified yet:"
        hint(f"{state} {safe_name(name)}; if it is the same: syncchat verify yes {who[:8]}")


@verify.command()
@click.argument("member")
@click.argument("code")
@db_option
@json_option
def scan(member: str, code: str, db: Path | None, as_json: bool) -> None:
    """Compare the text of the QR code on a person's own screen; exit 3 unless it is the same.

    \b
      syncchat verify scan Bob 'SYNCCHAT-SAFETY:1:…'
      syncchat verify scan Bob - < scanned.txt

    Nothing is taken note of: only you know whether you scanned it from their screen.
    """
    from ...trust.safety import Scan

    text = _code_given(code)
    with opened(db) as peer:
        who = person_called(peer, member)
        name, is_verified = people_of(peer)[who], who in peer.contacts.verified()
        try:
            found = peer.contacts.scan(who, text)
        except DecodeError as exc:
            raise ValidationError(str(exc)) from exc
    if as_json:
        row = {"member": who, "name": name, "scan": found.name.lower(), "verified": is_verified}
        print_json(row)
    else:
        click.echo(safe_line(_said(found, safe_name(name))))
    if found is not Scan.SAME:
        raise SystemExit(Exit.NOT_FOUND)
    if not is_verified:
        hint(f"if that was on their own screen: syncchat verify yes {who[:ID_CHARS_SHOWN]}")


def _said(found: Scan, name: str) -> str:
    """Return what a scanned code says, in words."""
    from ...trust.safety import Scan

    match found:
        case Scan.SAME:
            return f"the same: it is the code of {name} and you"
        case Scan.THEIRS_DIFFERS:
            return f"NOT the same: this is not the {name} whom you know here; somebody may pose"
        case Scan.MINE_DIFFERS:
            return f"NOT the same: {name} knows somebody else as you; somebody may pose as you"
        case Scan.OTHERS:
            return f"NOT the same: it is of two others, or somebody stands between {name} and you"


def _code_given(code: str) -> str:
    """Return a code that was given as an argument, or with ``-`` on standard input."""
    if code != "-":
        return code
    text = sys.stdin.buffer.read(CODE_BYTES_READ).decode("utf-8", errors="replace")
    if not text.strip():
        raise ValidationError("there is no code on standard input")
    return text


@verify.command()
@click.argument("member")
@db_option
@json_option
def yes(member: str, db: Path | None, as_json: bool) -> None:
    """Take note that the number was the same; it also answers a warning about the person.

    \b
      syncchat verify yes Bob
    """
    with opened(db) as peer:
        who = person_called(peer, member)
        peer.contacts.verify(who)
        _tell(who, people_of(peer)[who], is_verified=True, as_json=as_json)


@verify.command()
@click.argument("member")
@db_option
@json_option
def forget(member: str, db: Path | None, as_json: bool) -> None:
    """Take note that a person is not verified any more.

    \b
      syncchat verify forget Bob
    """
    with opened(db) as peer:
        who = person_called(peer, member)
        name = people_of(peer)[who]
        peer.contacts.forget(who)
        _tell(who, name, is_verified=False, as_json=as_json)


@verify.command("list")
@db_option
@json_option
def list_(db: Path | None, as_json: bool) -> None:
    """List whom you have verified.

    \b
      syncchat verify list
    """
    with opened(db) as peer:
        names = people_of(peer)
        for who in peer.contacts.verified():
            _tell(who, names[who], is_verified=True, as_json=as_json)


@verify.command()
@db_option
@json_option
def warnings(db: Path | None, as_json: bool) -> None:
    """Print what changed about people you verified, until you answer it; exit 3 if anything did.

    \b
      syncchat verify warnings
      syncchat verify yes Bob               it was theirs
      syncchat verify forget Bob            it was not, or who knows
    """
    with opened(db) as peer:
        found = peer.contacts.warnings()
    for caution in found:
        if as_json:
            print_json({"member": caution.member, "name": caution.name, "what": caution.what})
        else:
            click.echo(caution_line(caution))
    if found:
        raise SystemExit(Exit.NOT_FOUND)
    hint("no warnings")


def _tell(who: str, name: str, *, is_verified: bool, as_json: bool) -> None:
    if as_json:
        print_json({"member": who, "name": name, "verified": is_verified})
    else:
        words = "verified" if is_verified else "not verified any more"
        click.echo(safe_line(f"{words}: {safe_name(name)}  {who[:ID_CHARS_SHOWN]}"))

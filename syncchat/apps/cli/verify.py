"""The commands ``verify``: compare safety numbers, and hear of what changed since."""

from __future__ import annotations

from pathlib import Path

import click

from ...core.safe import safe_line, safe_name
from .codes import check_png, qr_options, show_code
from .failures import Exit
from .options import db_option, hint, json_option, opened, print_json, say
from .people import ID_CHARS_SHOWN, caution_line, people_of, person_called

GROUPS_ON_A_LINE = 4
WORDS_ON_A_LINE = 6


@click.group()
def verify() -> None:
    """Make sure that a person is who you think: compare a number with them.

    \b
      syncchat verify show Bob              both of you see the same number
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

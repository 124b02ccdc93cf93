"""The commands ``device``: the devices of one person, and how a new one becomes theirs."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...core.safe import safe_line, safe_name
from ...errors import NotAllowedError, NotFoundError, ValidationError
from .codes import check_png, qr_options, show_code
from .failures import NotReached
from .options import (
    db_option,
    hint,
    json_option,
    opened,
    opened_or_made,
    print_json,
    say,
    token_option,
)
from .people import ID_CHARS_SHOWN, one_called, table_lines

if TYPE_CHECKING:
    from ...devices import DeviceAsking
    from ...peer import Peer

TIMEOUT_SECONDS = 900.0
"""How long both sides wait for each other; the link works as long."""

ARRIVAL_SECONDS = 20.0
"""How long the rooms are waited for after a device is linked; what is missing comes later."""

_timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=TIMEOUT_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="Wait so long for the other device.",
)


@click.group()
def device() -> None:
    """Use syncchat on several devices: link a new one, list, name and revoke them.

    \b
      syncchat device link                  on a device that you have: prints a link
      syncchat device join 'syncchat:…#…'   on the new one
      syncchat device link --code           prints a code to be typed instead
    """


@device.command("list")
@db_option
@json_option
def list_(db: Path | None, as_json: bool) -> None:
    """List your devices: id, name, since when.

    \b
      syncchat device list
    """
    with opened(db) as peer:
        devices = peer.devices.all()
        if as_json:
            for each in devices:
                print_json(
                    {
                        "id": each.id,
                        "name": each.name,
                        "isThis": each.is_this,
                        "since": each.certified_ms,
                    }
                )
        elif not devices:
            say("your devices are not known here yet; they come with the first sync")
        else:
            rows: list[tuple[str, ...]] = [("id", "name", "since", "")]
            rows += [
                (
                    each.id,
                    safe_name(each.name),
                    _day(each.certified_ms),
                    "this device" if each.is_this else "",
                )
                for each in devices
            ]
            for line in table_lines(rows):
                click.echo(line)
        for asking in peer.devices.asking() if peer.devices.home else []:
            say(f"asks to be linked: {asking.id}; see it with 'syncchat device link'")


@device.command()
@qr_options
@click.option("--code", is_flag=True, help="Print a short code to be typed, instead of a link.")
@click.option("--home", metavar="RELAY", help="The relay that becomes your home, if you have none.")
@_timeout_option
@token_option
@db_option
@json_option
def link(
    qr: bool,
    qr_png: Path | None,
    code: bool,
    home: str | None,
    timeout: float,
    db: Path | None,
    as_json: bool,
) -> None:
    """Link a new device: prints a link for it, waits for it, and asks before it lets it in.

    \b
      syncchat device link --qr
      syncchat device link --code
      syncchat device link --home wss://chat.example.org

    Both devices show seven emoji. If they are the same, nobody stands between them; if not, say no.
    The link or code works once, for 15 minutes. The new device gets all your rooms.
    """
    from .homes import need_home
    from .online import run

    if code and (qr or qr_png is not None):
        raise ValidationError("a code is there to be typed; for a QR code leave --code out")
    check_png(qr_png)
    with opened(db) as peer:
        need_home(peer, home)
        text = peer.devices.code() if code else peer.devices.link()
        if as_json:
            print_json({"code": text, "relay": peer.devices.home} if code else {"link": text})
        else:
            click.echo(text)
        sys.stdout.flush()
        show_code(text, qr=qr, png=qr_png)
        what = f"{text} --relay {safe_line(peer.devices.home)}" if code else "LINK"
        say(f"on the new device: syncchat device join {what}")
        say("waiting for it, ctrl-c ends that")
        new = _asked_about(peer, timeout)
        peer.devices.approve(new.id)
        is_in = run(_let_in(peer, new.id))
        if as_json:
            print_json({"linked": new.id, "everywhere": is_in})
        else:
            click.echo(f"linked: {new.id}")
        if not is_in:
            say("some rooms do not know the device yet; 'syncchat sync' tells them")


@device.command()
@click.argument("link")
@click.option("--relay", metavar="URL", help="With a code: the relay of your home.")
@_timeout_option
@token_option
@db_option
@json_option
def join(link: str, relay: str | None, timeout: float, db: Path | None, as_json: bool) -> None:
    """Make this a device of yours, by the link or code that 'device link' printed on another.

    \b
      syncchat device join 'syncchat:…#…'
      syncchat device join - < link.txt     keeps it out of the shell's history
      syncchat device join 7K3Q-MX9T-BR21 --relay wss://chat.example.org

    Only in a new database, which this makes. Compare the emoji, and say yes on the other device;
    with a code on both.
    """
    from .online import run
    from .recovery import print_arrived
    from .rooms import link_given

    text = link_given(link)
    is_code = _is_code(text, relay)
    with opened_or_made(db, name=None) as peer:
        if is_code:
            run(peer.devices.ask_by_code(text, relay or ""))
            if peer.devices.must_compare:
                _compare(peer, timeout)
        elif not _is_asking(peer, text):
            peer.devices.ask(text)
        run(_joined(peer, timeout, is_shown=is_code))
        print_arrived(peer, as_json=as_json)


@device.command()
@click.argument("device_id", metavar="DEVICE")
@click.argument("name")
@db_option
@json_option
def rename(device_id: str, name: str, db: Path | None, as_json: bool) -> None:
    """Give a device a name, which only you see.

    \b
      syncchat device rename 0EG7QZYF laptop
    """
    with opened(db) as peer:
        which = _called(peer, device_id)
        peer.devices.rename(which, name)
        if as_json:
            print_json({"id": which, "name": name.strip()})
        else:
            click.echo(f"{which[:ID_CHARS_SHOWN]}  {safe_name(name)}")


@device.command()
@click.argument("device_id", metavar="DEVICE")
@db_option
@json_option
def revoke(device_id: str, db: Path | None, as_json: bool) -> None:
    """Revoke a device that is lost or sold: it reads and writes nothing new in any room.

    \b
      syncchat device revoke laptop

    What is on it stays on it. Your rooms get new keys as soon as you are online.
    """
    with opened(db) as peer:
        which = _called(peer, device_id)
        peer.devices.revoke(which)
        if as_json:
            print_json({"id": which, "revoked": True})
        else:
            click.echo(f"revoked: {which}")
        if any(room.relay for room in peer.rooms()):
            say("your rooms hear of it, and get new keys, with the next sync")


def emoji_line(emoji: tuple[str, ...]) -> str:
    """Return emoji with their names, to be compared or read out."""
    from ...trust.emoji import emoji_name

    return "   ".join(f"{each} {emoji_name(each)}" for each in emoji)


# The device that lets another in


def _asked_about(peer: Peer, seconds: float) -> DeviceAsking:
    """Return the new device that the person has said yes to.

    The question is asked while offline: who types must not hold up a connection.
    """
    from .online import run

    asking = run(_next_asking(peer, seconds))
    say(f"device {asking.id} asks to be linked, and must show:\n\n  {emoji_line(asking.emoji)}\n")
    if _is_same():
        return asking
    peer.devices.turn_down(asking.id)
    run(_told_no(peer))
    raise NotAllowedError(
        "not linked: you said no; if the emoji differed, somebody may stand between. "
        "For another try: syncchat device link"
    )


def _is_same() -> bool:
    """Ask whether both devices show the same; raises ``NotAllowedError`` if nobody answers."""
    try:
        return click.confirm("are these the same on the other device?", err=True)
    except click.Abort:
        raise NotAllowedError("not linked: nobody said that the emoji are the same") from None


async def _next_asking(peer: Peer, seconds: float) -> DeviceAsking:
    from .homes import home_of
    from .online import connection, until

    def ready() -> list[DeviceAsking]:
        try:
            return [each for each in peer.devices.asking() if each.emoji]
        except NotFoundError:
            return []

    async with peer.online(visible=False):
        if not await until(lambda: bool(ready()), seconds=seconds):
            raise NotReached(f"no device came in time ({connection(peer, home_of(peer))})")
        return ready()[0]


async def _told_no(peer: Peer) -> None:
    """Be online until the relay knows that the link is closed, or for a while."""
    from .homes import home_of, settled

    async with peer.online():
        await settled(home_of(peer), ARRIVAL_SECONDS)


async def _let_in(peer: Peer, new: str) -> bool:
    """Be online until the home and every room know the new device; tell whether they do."""
    from .homes import home_of, settled
    from .online import until

    def is_everywhere() -> bool:
        return all(
            any(member.is_me and new in member.devices for member in room.members())
            for room in peer.rooms()
            if room.standing == "member"
        )

    async with peer.online(visible=False):
        if not await settled(home_of(peer), ARRIVAL_SECONDS):
            return False
        if not await until(is_everywhere, seconds=ARRIVAL_SECONDS):
            return False
        rooms = [room for room in peer.rooms() if room.relay and room.standing == "member"]
        return all([await settled(room, ARRIVAL_SECONDS) for room in rooms])


# The device that is new


def _is_code(text: str, relay: str | None) -> bool:
    """Tell whether this is a code; raises for what is neither, and for a link to a room."""
    from ...transport.base import host_of
    from ...trust.linking import read_code
    from ...wire.invite import SCHEME, InviteKind, decode_invite

    if not text.strip().startswith(SCHEME):
        read_code(text)
        if relay is None:
            raise ValidationError(
                "a code needs the relay of your home, too: --relay URL, as on the other device"
            )
        host_of(relay)
        return True
    if relay is not None:
        raise ValidationError("a link says itself at which relay; leave --relay out")
    if decode_invite(text).kind is not InviteKind.DEVICE:
        raise ValidationError("this link invites to a room; use it with: syncchat join LINK")
    return False


def _is_asking(peer: Peer, link: str) -> bool:
    """Tell whether this database waits already to be linked by this link's home."""
    from ...wire.invite import decode_invite
    from .homes import home_of

    if peer.devices.home_room != decode_invite(link).room_id:
        return False
    return home_of(peer).standing == "asking"


def _compare(peer: Peer, seconds: float) -> None:
    """Have the person compare the emoji; raises ``NotAllowedError`` unless they are the same."""
    from .online import run

    emoji = run(_emoji_shown(peer, seconds))
    say(f"compare with the other device, and say yes on both:\n\n  {emoji_line(emoji)}\n")
    if not _is_same():
        peer.devices.refuse()
        raise NotAllowedError(
            "not linked: if the emoji differed, somebody may stand between. For another try make "
            "a new code, and use a new database"
        )
    peer.devices.agree()


async def _emoji_shown(peer: Peer, seconds: float) -> tuple[str, ...]:
    from .homes import home_of
    from .online import connection, until

    async with peer.online():
        home = home_of(peer)

        def is_settled() -> bool:
            return bool(peer.devices.own_emoji()) or not peer.devices.must_compare

        if not await until(is_settled, seconds=seconds):
            raise NotReached(f"the other device was not there in time ({connection(peer, home)})")
        if not peer.devices.must_compare:
            raise NotAllowedError(f"not linked: {safe_line(home.obstacle)}")
        return peer.devices.own_emoji()


async def _joined(peer: Peer, seconds: float, *, is_shown: bool) -> None:
    """Be online until this device is linked and its rooms are here; show the emoji if needed."""
    from .homes import home_of, rooms_come, settled
    from .online import connection, until

    def is_answered() -> bool:
        return home_of(peer).standing != "asking"

    async with peer.online(visible=False):
        home = home_of(peer)
        if not is_shown and not await until(
            lambda: bool(peer.devices.own_emoji()) or is_answered(), seconds=seconds
        ):
            raise NotReached(f"the other device was not there in time ({connection(peer, home)})")
        emoji = () if is_shown else peer.devices.own_emoji()
        if emoji:
            say(f"compare with the other device, and say yes there:\n\n  {emoji_line(emoji)}\n")
        if not await until(is_answered, seconds=seconds):
            raise NotReached("the other device did not say yes in time")
        if home.standing != "member":
            raise NotAllowedError(f"not linked: {safe_line(home.obstacle)}")
        hint("linked; the rooms are coming")
        await settled(home, ARRIVAL_SECONDS)
        await rooms_come(peer, ARRIVAL_SECONDS)


def _called(peer: Peer, wanted: str) -> str:
    names = [(each.id, each.name) for each in peer.devices.all()]
    return one_called(wanted, names, "device of yours")


def _day(ms: int) -> str:
    try:
        return datetime.fromtimestamp(ms / 1000, tz=UTC).astimezone().strftime("%Y-%m-%d")
    except (OverflowError, OSError, ValueError):
        return "?"

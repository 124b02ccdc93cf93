"""A person's home: the relay that the recovery phrase alone restores everything from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...core.safe import safe_line
from ...errors import NotAllowedError
from .online import connection, until
from .options import say

if TYPE_CHECKING:
    from ...peer import Peer
    from ...room import Room

_Command = TypeVar("_Command", bound=Callable[..., Any])


def no_home_option(command: _Command) -> _Command:
    """Add ``--no-home``."""
    option = click.option(
        "--no-home",
        is_flag=True,
        help="Do not make the room's relay your home, if you have none. Without a home there is "
        "one device, and no recovery.",
    )
    return option(command)


def settle(peer: Peer, relay: str, *, no_home: bool) -> None:
    """Make a room's relay the person's home if there is none, and say so once."""
    if not relay or no_home or peer.devices.home:
        return
    peer.devices.set_home(relay)
    say(
        f"your home is now {safe_line(relay)}: it keeps the sealed list of your rooms and devices, "
        "so that the recovery phrase alone brings all back"
    )


def need_home(peer: Peer, relay: str | None) -> Room:
    """Return the personal room, made at ``relay`` if that is given and there is none.

    Raises ``NotAllowedError`` without a home, ``ValidationError`` for another relay.
    """
    if relay:
        peer.devices.set_home(relay)
    return home_of(peer)


def home_of(peer: Peer) -> Room:
    """Return the personal room; raises ``NotAllowedError`` without a home."""
    room_id = peer.devices.home_room
    if room_id is None:
        raise NotAllowedError("you have no home yet; choose its relay: syncchat init --home RELAY")
    return peer.room(room_id)


async def settled(room: Room, seconds: float) -> bool:
    """Wait until a room is synced; tell whether it was in time. While online."""
    import asyncio

    try:
        async with asyncio.timeout(seconds):
            await room.synced()
    except TimeoutError:
        return False
    except NotAllowedError:
        return False
    return True


async def rooms_come(peer: Peer, seconds: float) -> None:
    """Wait until the rooms that the home names are here and synced, or the time is over."""
    await until(
        lambda: all(
            room.standing != "recovering" and (not room.relay or connection(peer, room) == "live")
            for room in peer.rooms()
        ),
        seconds=seconds,
    )
    for room in peer.rooms():
        if room.relay and room.standing == "member":
            await settled(room, seconds)

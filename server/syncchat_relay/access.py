"""Access: who may read a room that they have open, as its records come and go.

A subscription to a room that is closed to its device just waits. When a flush stores a record in a
room, nobody gets what stands beyond it until the log has said anew who may read: whoever was live
is held, and the log is asked about all at once (``Check``). Who still may and has all there is goes
on live. Everybody else is read for, and each read asks again, for more records may have come: it
brings a new reader all from the beginning, and whoever was removed all up to what removed them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from syncchat.wire.frames import Access, encode

from . import recent
from .connection import Pace, PendingCheck, Room, Subscription
from .effects import Check, WasRead
from .fanout import fall_behind
from .log import Standing


def hold(room: Room, *, is_open: bool) -> PendingCheck:
    """Hold everyone who is live in a room until it is known whether they may read on.

    Where anybody may, it is the room's head alone that is looked at.
    """
    if is_open:
        return PendingCheck(room.name, ())
    for subscription in room.subscriptions.values():
        if subscription.is_live:
            subscription.pace = Pace.HELD
    return PendingCheck(room.name, tuple(room.subscriptions.values()))


def check_of(ticket: int, pending: PendingCheck) -> Check:
    """Return the log work that answers for all at once."""
    return Check(ticket, pending.room, tuple(found.keys for found in pending.subscriptions))


def go_on(subscriptions: Sequence[Subscription], standings: Sequence[Standing], head: int) -> None:
    """Let go live who may and has all there is; have the others read for."""
    for subscription, standing in zip(subscriptions, standings, strict=True):
        has_all = subscription.position == head == subscription.room.head
        match subscription.pace:
            case Pace.HELD if standing and has_all:
                subscription.pace = Pace.LIVE
                subscription.standing, subscription.verified = standing, head
            case Pace.HELD:
                fall_behind(subscription)
            case Pace.CLOSED if standing:
                recent.plan(subscription)
                fall_behind(subscription)
            case _:
                pass


def admit(subscription: Subscription, read: WasRead, send: Callable[[bytes], None]) -> None:
    """Take from a read how its subscription stands; say so where the room opens by that."""
    if not read.standing:
        return
    let_in(subscription, read.standing, send)
    subscription.verified = read.last


def let_in(subscription: Subscription, standing: Standing, send: Callable[[bytes], None]) -> None:
    """Take that a subscription may read; say so where the room opens by that."""
    if not subscription.standing:
        send(encode(Access(subscription.room.alias, True)))
    subscription.standing = standing


def shut(subscription: Subscription, send: Callable[[bytes], None]) -> None:
    """Close a room to a subscription that has got all it may, and have it wait."""
    if subscription.standing:
        send(encode(Access(subscription.room.alias, False)))
    subscription.standing, subscription.pace = Standing.NOBODY, Pace.CLOSED
    subscription.position = subscription.verified = 0
    subscription.told = subscription.known = 0
    subscription.owes_live_frame = True

"""Signals: said in passing, handed on to who is there, kept by nobody.

A signal may always be left out: one over the rate of its connection is, and a receiver that is slow
or not caught up gets none.
"""

from __future__ import annotations

from syncchat.wire.frames import Signal, encode

from .config import Config
from .connection import Pace, Subscription
from .effects import Send
from .log import Standing

RECEIVERS_PER_UNIT = 16
"""Receivers that cost their sender as much rate as a small frame."""


def hand_on(subscription: Subscription, frame: Signal, config: Config, now_ms: int) -> list[Send]:
    """Return what hands a signal on to the others who have its room open."""
    sender, room = subscription.connection, subscription.room
    if subscription.pace is Pace.CLOSED or subscription.standing is not Standing.MEMBER:
        return []
    if not sender.signals.has(1, now_ms):
        return []
    sender.signals.take(1, now_ms)
    data = encode(Signal(room.alias, frame.data))
    receivers = []
    for conn, other in room.subscriptions.items():
        if other is subscription or not other.is_live or other.standing is not Standing.MEMBER:
            continue
        if other.connection.unsent_bytes <= config.unsent_bytes_low:
            other.connection.unsent_bytes += len(data)
            receivers.append(conn)
    sender.frames.owe(len(receivers) // RECEIVERS_PER_UNIT)
    return [Send(tuple(receivers), data)] if receivers else []

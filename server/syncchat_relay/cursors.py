"""Device cursors: kept as a maximum, saved in batches, passed on at a leisurely pace.

They are what a sender's *delivered* comes from. A room of n devices that all apply a message would
cost n² frames if each cursor went out at once; so a room's changes are collected for a second, in
a large room for five, and each device is left out of what it is told itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from syncchat.wire.frames import ChainHead, Chains, Cursors, DeviceCursor, encode
from syncchat.wire.limits import CHAINS_PER_FRAME_MAX

from .config import Config
from .connection import Room, Subscription
from .effects import Send
from .log import CursorEntry, Standing


def note_applied(subscription: Subscription, cursor: int, now_ms: int) -> bool:
    """Take a member's Applied; tell whether there is something to save and to pass on.

    A cursor beyond the log counts as its head, an older one as nothing.
    """
    room, device = subscription.room, subscription.connection.device
    if subscription.standing is not Standing.MEMBER:
        return False
    cursor = min(cursor, room.head)
    if cursor <= max(subscription.applied, room.cursors_unsaved.get(device, 0)):
        return False
    subscription.applied = cursor
    if not room.cursors_unsent:
        room.cursors_since_ms = now_ms
    room.cursors_unsaved[device] = cursor
    room.cursors_unsent[device] = max(cursor, room.cursors_unsent.get(device, 0))
    return True


def unsaved(room: Room) -> list[CursorEntry]:
    """Return what is to be saved of a room, once."""
    entries = [CursorEntry(room.name, *item) for item in room.cursors_unsaved.items()]
    room.cursors_unsaved.clear()
    return entries


def is_due(room: Room, now_ms: int, config: Config) -> bool:
    """Tell whether a room's changed cursors are to be passed on now."""
    is_small = len(room.subscriptions) <= config.cursors_small_members
    wait_ms = config.cursors_small_ms if is_small else config.cursors_large_ms
    return bool(room.cursors_unsent) and now_ms - room.cursors_since_ms >= wait_ms


def pass_on(room: Room, config: Config) -> list[Send]:
    """Return the frames that tell a room's members of changed cursors.

    A slow receiver gets none, for they are not worth queueing: it asks again when it wants them.
    """
    changed, room.cursors_unsent = room.cursors_unsent, {}
    for_bystanders: list[int] = []
    sends: list[Send] = []
    for conn, subscription in room.subscriptions.items():
        connection = subscription.connection
        is_member = subscription.standing is Standing.MEMBER
        if not is_member or connection.unsent_bytes > config.unsent_bytes_max:
            continue
        if connection.device not in changed:
            for_bystanders.append(conn)
            continue
        others = [item for item in changed.items() if item[0] != connection.device]
        sends += _sends(room, [conn], others)
    return _sends(room, for_bystanders, list(changed.items())) + sends


def cursor_frames(alias: int, cursors: Sequence[tuple[bytes, int]]) -> list[bytes]:
    """Return Cursors frames, at least one."""
    found = [DeviceCursor(device, cursor) for device, cursor in cursors]
    step = CHAINS_PER_FRAME_MAX
    return [
        encode(Cursors(alias, found[begin : begin + step]))
        for begin in range(0, max(len(found), 1), step)
    ]


def chain_frames(alias: int, chains: Sequence[tuple[bytes, int]]) -> list[bytes]:
    """Return Chains frames, at least one, all but the last with ``more``."""
    heads = [ChainHead(device, seq) for device, seq in chains]
    step = CHAINS_PER_FRAME_MAX
    return [
        encode(Chains(alias, heads[begin : begin + step], begin + step < len(heads)))
        for begin in range(0, max(len(heads), 1), step)
    ]


def _sends(room: Room, conns: list[int], cursors: Sequence[tuple[bytes, int]]) -> list[Send]:
    if not conns or not cursors:
        return []
    frames = cursor_frames(room.alias, cursors)
    for conn in conns:
        room.subscriptions[conn].connection.unsent_bytes += sum(len(data) for data in frames)
    return [Send(tuple(conns), data) for data in frames]

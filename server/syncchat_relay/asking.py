"""Asking the log: which work answers what a connection waits for, and what frames tell of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from .config import Config
from .connection import Ask, Subscription
from .cursors import chain_frames, cursor_frames
from .effects import Read, ReadChains, ReadContents, ReadCursors, ReadNewest
from .fanout import ENVELOPES_PER_DELIVER
from .light import take_wanted


def read_effect(
    ask: Ask, subscription: Subscription, ticket: int, config: Config
) -> Read | ReadNewest | ReadContents | ReadChains | ReadCursors:
    """Return the log work for one subscription's ask."""
    name = subscription.room.name
    match ask:
        case Ask.ENVELOPES:
            return Read(
                ticket,
                name,
                subscription.position,
                ENVELOPES_PER_DELIVER,
                config.deliver_bytes_max,
                subscription.keys,
                subscription.verified,
                subscription.told,
                subscription.is_light,
                subscription.known,
            )
        case Ask.NEWEST:
            return ReadNewest(
                ticket,
                name,
                subscription.position,
                subscription.connection.recent,
                config.deliver_bytes_max,
                subscription.keys,
            )
        case Ask.CONTENTS:
            return ReadContents(ticket, name, take_wanted(subscription), subscription.keys)
        case Ask.CHAINS:
            return ReadChains(ticket, name, subscription.keys)
        case Ask.CURSORS:
            return ReadCursors(ticket, name, subscription.keys)
        case _:
            assert_never(ask)


def device_frames(
    ask: Ask, alias: int, devices: Sequence[tuple[bytes, int]], asking: bytes
) -> list[bytes]:
    """Return the frames that tell of a room's devices; the asking one knows its own cursor."""
    if ask is Ask.CURSORS:
        return cursor_frames(alias, [item for item in devices if item[0] != asking])
    return chain_frames(alias, devices)

"""Recent first: what a room's newest part is told with, ahead of its log.

A peer that says so when it opens rooms, and lacks much of one, first gets all records of the room
that it lacks (so it knows who is in it, and its keys), then the newest envelopes, and only then the
log from where it stopped. Nothing of that moves its place in the log: what it was shown comes again
where it stands, and the peer takes back what does not. Only the records do not come a second time:
in a large room they are a great part of all, and stand for nothing that a peer reads by its place.
"""

from __future__ import annotations

from collections.abc import Iterator

from syncchat.trust.chain import context, link_after
from syncchat.wire.envelope import decode_envelope
from syncchat.wire.frames import LinkBefore, Recent, encode

from .connection import Ask, Room, Subscription
from .effects import NewestRead
from .fanout import ENVELOPES_PER_DELIVER
from .log import Placed


def plan(subscription: Subscription) -> bool:
    """Have the newest of a room told first, if its peer wants that and lacks more than that.

    Only then, too, is a room light that is to be so.
    """
    connection, room = subscription.connection, subscription.room
    is_far = room.head - subscription.position > connection.recent
    subscription.is_light = subscription.wants_little and is_far
    if not connection.recent or not is_far:
        return False
    connection.asks[Ask.NEWEST, room.alias] = None
    return True


def recent_frames(room: Room, read: NewestRead, bytes_max: int) -> list[bytes]:
    """Return the frames that tell of the newest of a room, none where there is nothing to tell."""
    newest = read.newest
    if newest is None:
        return []
    placed = [Placed(seq, raw) for seq, raw in read.records]
    placed += newest.introductions + newest.envelopes
    parts = list(_parts(placed, bytes_max)) or [[]]
    return [
        encode(
            Recent(
                room.alias,
                newest.since,
                [each.seq for each in part],
                [each.raw for each in part],
                _links(room.name, part),
                number < len(parts),
            )
        )
        for number, part in enumerate(parts, 1)
    ]


def _parts(placed: list[Placed], bytes_max: int) -> Iterator[list[Placed]]:
    part: list[Placed] = []
    size = 0
    for each in placed:
        is_full = size + len(each.raw) > bytes_max or len(part) == ENVELOPES_PER_DELIVER
        if part and is_full:
            yield part
            part, size = [], 0
        part.append(each)
        size += len(each.raw)
    if part:
        yield part


def _links(room: bytes, part: list[Placed]) -> list[LinkBefore]:
    """Return the links that do not follow from the envelope before."""
    links: list[LinkBefore] = []
    behind = None
    for index, each in enumerate(part):
        if each.previous is None:
            behind = None
            continue
        if each.previous != behind:
            links.append(LinkBefore(index, each.previous))
        envelope, header = decode_envelope(each.raw)
        behind = link_after(context(room, each.previous, envelope.header), envelope, header)
    return links

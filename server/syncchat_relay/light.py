"""Snapshots ahead of their places: whole, or for a room that is light their stubs.

A peer that is set to keep little says so when it opens a room. Where it lacks much of it, a stub
tells it all that it must know to go on behind a snapshot: what that covers, and the hash of what it
says. It asks for the rest by the place in the log, now or years later.
"""

from __future__ import annotations

from collections.abc import Sequence

from syncchat.trust.chain import stub_of
from syncchat.wire.codes import ErrorCode
from syncchat.wire.envelope import decode_envelope, encode_envelope
from syncchat.wire.frames import AskContents, Contents, Snapshots, Stubs, encode
from syncchat.wire.limits import CONTENTS_IN_FLIGHT_MAX

from .admission import Refused
from .connection import Subscription
from .fanout import parts_of

STUBS_FROM_BYTES = 1_024
"""A snapshot that is smaller is told whole: its stub has some 300 bytes, and to ask takes time."""


def told_frames(
    subscription: Subscription, snapshots: Sequence[tuple[int, bytes]], bytes_max: int
) -> list[bytes]:
    """Return the frames that tell of (place, snapshot) ahead of their places."""
    alias = subscription.room.alias
    whole: list[bytes] = []
    places: list[int] = []
    stubs: list[bytes] = []
    for place, raw in snapshots:
        stub = _stub_for(subscription, raw)
        if stub is None:
            whole.append(raw)
        else:
            places.append(place)
            stubs.append(stub)
    frames = [
        encode(Snapshots(alias, whole[part.after : part.last]))
        for part in parts_of(alias, 0, whole, bytes_max)
    ]
    for part in parts_of(alias, 0, stubs, bytes_max):
        at = slice(part.after, part.last)
        frames.append(encode(Stubs(alias, places[at], stubs[at])))
    return frames


def want(subscription: Subscription, frame: AskContents) -> None:
    """Take note of the places that a peer asks for; raises ``Refused`` where it asks for more than
    it may have under way."""
    under_way = len(subscription.wanted) + subscription.being_read
    if under_way + len(frame.places) > CONTENTS_IN_FLIGHT_MAX:
        raise Refused(ErrorCode.BAD_FRAME, "more snapshots asked for than may be under way")
    subscription.wanted += frame.places


def take_wanted(subscription: Subscription) -> tuple[int, ...]:
    """Return the places to read now."""
    places, subscription.wanted = tuple(subscription.wanted), []
    subscription.being_read += len(places)
    return places


def contents_frames(
    subscription: Subscription, contents: Sequence[tuple[int, bytes]]
) -> list[bytes]:
    """Return the frames that answer for places, and count those as answered."""
    frames: list[bytes] = []
    subscription.being_read -= len(contents)
    for place, raw in contents:
        # It may have lost the right to read meanwhile.
        found = raw if subscription.standing else b""
        frames.append(encode(Contents(subscription.room.alias, place, found)))
    return frames


def _stub_for(subscription: Subscription, raw: bytes) -> bytes | None:
    """Return the stub by which a subscription is told of a snapshot, None for one to tell whole."""
    if not subscription.is_light or len(raw) < STUBS_FROM_BYTES:
        return None
    envelope, header = decode_envelope(raw)
    if header.device == subscription.connection.device:
        return None
    return encode_envelope(stub_of(envelope, header))

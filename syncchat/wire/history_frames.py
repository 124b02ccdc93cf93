"""Frames about old history that a peer leaves at the relay until somebody wants to see it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from .fields import Alias, Frame, Seq
from .limits import CONTENTS_IN_FLIGHT_MAX


class Stubs(Frame, frozen=True, array_like=True, tag=32):
    """Tells of snapshots as Snapshots does, without what they say: for a room that is light.

    Each is the envelope with the hash of its sealed rest in the place of that, as its link has it;
    so it can be verified alone. ``places`` is where they stand in the log.
    """

    alias: Alias
    places: Annotated[list[Seq], Meta(min_length=1, max_length=4096)]
    stubs: Annotated[list[bytes], Meta(min_length=1, max_length=4096)]


class AskContents(Frame, frozen=True, array_like=True, tag=33):
    """Asks for whole snapshots of which a peer has the stubs, by their places in the log."""

    alias: Alias
    places: Annotated[list[Seq], Meta(min_length=1, max_length=CONTENTS_IN_FLIGHT_MAX)]


class Contents(Frame, frozen=True, array_like=True, tag=34):
    """Answers AskContents for one place; ``envelope`` is empty where a newer snapshot has taken
    its place, or nothing is there for who asks."""

    alias: Alias
    place: Seq
    envelope: bytes

"""Why something that was written here does not go out."""

from __future__ import annotations

from enum import StrEnum


class Refusal(StrEnum):
    """Is the kind of reason why something in the outbox is parked.

    The first three are of one entry alone, found before it is sealed. The others are of everything
    that this device writes in the room: what is sealed is bound to what was sealed before it.
    """

    TOO_LARGE = "too-large"
    """The entry is larger than others take."""
    INVALID = "invalid"
    """Others would not take the entry: it is not what this version of syncchat writes."""
    TARGET_GONE = "target-gone"
    """What it changes was deleted meanwhile."""
    NO_MEMBER = "no-member"
    """This person is not, or no longer, in the room, or may only read."""
    COPIED = "copied"
    """Another copy of this database has written in the room."""
    FORBIDDEN = "forbidden"
    """The relay does not let this device write."""
    LOST = "lost"
    """The relay has lost it, and takes it no more, because this device may not write any longer."""
    MALFORMED = "malformed"
    """The relay says that an envelope is not valid."""

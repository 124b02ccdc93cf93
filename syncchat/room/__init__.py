"""Rooms: what a person can do in one room, one file for each kind of thing."""

from .delivery import Receipt
from .drafts import Draft
from .outgoing import OutboxItem
from .presence import Presence
from .room import Room
from .settings import Settings, settings_of
from .threads import Thread
from .writing import checked_title

__all__ = [
    "Draft",
    "OutboxItem",
    "Presence",
    "Receipt",
    "Room",
    "Settings",
    "Thread",
    "checked_title",
    "settings_of",
]

"""Rooms: what a person can do in one room, one file for each kind of thing."""

from .outgoing import OutboxItem
from .presence import Presence
from .room import Room
from .writing import checked_title

__all__ = ["OutboxItem", "Presence", "Room", "checked_title"]

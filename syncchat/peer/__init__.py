"""Peers: what a person can do with their database, one file for each kind of thing."""

from .base import checked_name
from .peer import Peer, open_peer

__all__ = ["Peer", "checked_name", "open_peer"]

"""Offline-first chat: the public names, each loaded on first use.

Kept lazy so that ``import syncchat.wire`` (all that a relay needs) loads nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "ConnectionChanged",
    "ConnectionState",
    "Draft",
    "Event",
    "File",
    "FileProgress",
    "FileState",
    "Hit",
    "KeyFile",
    "Keychain",
    "Member",
    "Message",
    "MessageAdded",
    "MessageChanged",
    "MessageGone",
    "Notification",
    "OutboxItem",
    "Passphrase",
    "Peer",
    "Phase",
    "Presence",
    "PresenceChanged",
    "Quote",
    "ReactionView",
    "ReadMoved",
    "Receipt",
    "Refusal",
    "Room",
    "RoomChanged",
    "Settings",
    "Status",
    "SyncchatError",
    "Thread",
    "TypingChanged",
    "UnreadCounts",
    "change_key",
    "markup",
    "open",
    "restore",
]

if TYPE_CHECKING:
    from .core import markup
    from .core.files import File, FileState
    from .core.hit import Hit
    from .core.message import Message, Quote, ReactionView, Status
    from .core.refusals import Refusal
    from .errors import SyncchatError
    from .events import (
        ConnectionChanged,
        Event,
        FileProgress,
        MessageAdded,
        MessageChanged,
        MessageGone,
        Notification,
        PresenceChanged,
        ReadMoved,
        RoomChanged,
        TypingChanged,
    )
    from .exchange.state import ConnectionState, Phase
    from .membership import Member
    from .peer import Peer
    from .peer import open_peer as open
    from .room import Draft, OutboxItem, Presence, Receipt, Room, Settings, Thread
    from .storage.backup import restore
    from .storage.converting import change_key
    from .storage.locks import Keychain, KeyFile, Passphrase
    from .storage.tallies import UnreadCounts
else:
    _HOMES = {
        "ConnectionChanged": "events",
        "ConnectionState": "exchange.state",
        "Draft": "room",
        "Event": "events",
        "Hit": "core.hit",
        "File": "core.files",
        "FileProgress": "events",
        "FileState": "core.files",
        "KeyFile": "storage.locks",
        "Keychain": "storage.locks",
        "Member": "membership",
        "Message": "core.message",
        "MessageAdded": "events",
        "MessageChanged": "events",
        "MessageGone": "events",
        "Notification": "events",
        "OutboxItem": "room",
        "Passphrase": "storage.locks",
        "Peer": "peer",
        "Phase": "exchange.state",
        "Presence": "room",
        "PresenceChanged": "events",
        "Quote": "core.message",
        "ReactionView": "core.message",
        "ReadMoved": "events",
        "Receipt": "room",
        "Refusal": "core.refusals",
        "Room": "room",
        "RoomChanged": "events",
        "Settings": "room",
        "Status": "core.message",
        "SyncchatError": "errors",
        "Thread": "room",
        "TypingChanged": "events",
        "UnreadCounts": "storage.tallies",
        "change_key": "storage.converting",
        "markup": "core.markup",
        "open": "peer",
        "restore": "storage.backup",
    }

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = import_module(f".{_HOMES[name]}", __name__)
        if name == "markup":
            return home
        return getattr(home, "open_peer" if name == "open" else name)

    def __dir__() -> list[str]:
        return [*__all__, "__version__"]

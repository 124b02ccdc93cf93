"""Files as apps see them: what a message says of one, and how far its bytes are."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..ids import MessageId, RoomId, room_text
from .attachments import Attachment


class FileState(StrEnum):
    """Says where a file's bytes are."""

    HERE = "here"
    """All of it is here, and at the relay if it was sent from here."""
    SENDING = "sending"
    """All of it is here, and goes to the relay when that can be reached."""
    FETCHING = "fetching"
    """It is wanted, and comes when the relay can be reached and has it."""
    AWAY = "away"
    """It is not here, and can be fetched."""
    GONE = "gone"
    """It is not here, and the relay does not have it any more."""
    STOPPED = "stopped"
    """It is not sent, or not fetched, and ``reason`` says why."""


@dataclass(frozen=True, slots=True)
class File:
    """Is one file of a message, as it is now.

    ``place`` counts the message's attachments from 0. ``done`` is how many of its ``size`` bytes
    are here, or while it is ``SENDING`` how many are at the relay. ``reason`` says in words why it
    waits or stopped. ``safe_name`` is the name under which it may be saved.
    """

    room_id: RoomId
    message: MessageId
    place: int
    name: str
    safe_name: str
    type: str
    kind: str
    size: int
    state: FileState
    done: int
    reason: str = ""
    attachment: Attachment = field(kw_only=True, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the file for a program; its key is not in it."""
        return {
            "roomId": room_text(self.room_id),
            "message": self.message,
            "place": self.place,
            "name": self.name,
            "safeName": self.safe_name,
            "type": self.type,
            "kind": self.kind,
            "size": self.size,
            "state": self.state.value,
            "done": self.done,
            "reason": self.reason,
        }

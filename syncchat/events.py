"""What ``peer.events()`` yields."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from .core.files import File
from .core.message import Message
from .exchange.state import ConnectionState
from .ids import DeviceId, MemberId, MessageId, RoomId

WATCH_SECONDS = 0.05
"""How long it may take until what another process wrote is noticed."""

NOTIFIED_SHOWN_MAX = 50
"""Messages in one notification; of more the last ones are there, and all are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Is what all events have: the cursor from which ``peer.events`` goes on behind this one.

    What lasts only while it happens, connections, presence and typing, has that of the event
    before it.
    """

    cursor: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class MessageAdded(Told):
    """A message is new here: just written, just received, or received late."""

    room_id: RoomId
    message: Message


@dataclass(frozen=True, slots=True)
class MessageChanged(Told):
    """A message was edited, deleted, hidden, pinned, reacted to or voted in, or got further on its
    way."""

    room_id: RoomId
    message: Message


@dataclass(frozen=True, slots=True)
class MessageGone(Told):
    """A message has disappeared, because its time was over."""

    room_id: RoomId
    message_id: MessageId


@dataclass(frozen=True, slots=True)
class ReadMoved(Told):
    """A member has read a device's messages up to ``upto_ms`` (since 1970).

    Those outside of threads, or those in ``thread``. Of oneself it is told also where others do
    not see it.
    """

    room_id: RoomId
    member: MemberId
    writer: DeviceId
    upto_ms: int
    thread: MessageId | None = None


@dataclass(frozen=True, slots=True)
class Notification(Told):
    """Something in a room wants attention: as its level says, and not while it is muted.

    Each message of others is in one notification when it comes, and in one more if it is edited
    later to mention this person. As a rule it is alone there; what was written while this person
    was away comes together, as does the first of what is more than 1,000 at once: ``count``
    messages, of which ``mentions`` mention this person, and in ``messages`` the last of them, in
    display order, as they are by now.
    """

    room_id: RoomId
    messages: tuple[Message, ...]
    count: int
    mentions: int


@dataclass(frozen=True, slots=True)
class RoomChanged(Told):
    """A room was added or renamed, a member's profile changed, or an unsent message was taken back.

    What was never sent leaves no trace: whoever shows the room asks for its messages anew.
    """

    room_id: RoomId


@dataclass(frozen=True, slots=True)
class ConnectionChanged(Told):
    """The connection to a relay has another state."""

    relay: str
    state: ConnectionState


@dataclass(frozen=True, slots=True)
class ReminderDue(Told):
    """The time of a reminder has come; told again after a restart, until it is dismissed.

    ``id`` is for ``peer.dismiss``; ``room_id`` and ``message_id`` are None for a note alone.
    """

    id: str
    at_ms: int
    room_id: RoomId | None
    message_id: MessageId | None
    note: str


@dataclass(frozen=True, slots=True)
class FileProgress(Told):
    """A file has got further on its way, or stopped; ``file`` is as it is now."""

    room_id: RoomId
    file: File


@dataclass(frozen=True, slots=True)
class PresenceChanged(Told):
    """A member came, went, or says something else about themselves; see ``room.presence()``."""

    room_id: RoomId
    member: MemberId


@dataclass(frozen=True, slots=True)
class TypingChanged(Told):
    """A member began or stopped to type, in the room or in a thread of it."""

    room_id: RoomId
    member: MemberId
    thread: MessageId | None
    is_typing: bool


Event = (
    MessageAdded
    | MessageChanged
    | MessageGone
    | Notification
    | ReadMoved
    | RoomChanged
    | FileProgress
    | ConnectionChanged
    | PresenceChanged
    | ReminderDue
    | TypingChanged
)


async def ring_or_time(bell: asyncio.Event) -> None:
    """Wait until the bell rings, or long enough that another process may have written."""
    try:
        async with asyncio.timeout(WATCH_SECONDS):
            await bell.wait()
    except TimeoutError:
        pass
    bell.clear()

"""Read markers: what a key of the root ``reads`` says.

A room has several timelines: its messages outside of threads, and the replies of each thread. What
a device wrote in one timeline arrives in the order in which it was written, so what somebody has
read is told by one stamp for each writing device and timeline. The key says of which:

==================================  ============================================================
key                                 what is read up to the stamp
==================================  ============================================================
device                              the device's messages outside of threads
device + message id                 its replies in the thread of that message
room + "/" + one of the above       the same in another room: in the personal room, where a
                                    person notes what others are not to know
==================================  ============================================================
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..ids import DEVICE_CHARS, ROOM_CHARS, DeviceId, MessageId, is_device_id, is_message_id

_ELSEWHERE = "/"
_ROOM = re.compile("[0-7][0-9A-HJKMNP-TV-Z]{25}")  # 128 bits: the first digit has three


class Marker(NamedTuple):
    """Is a key taken apart; ``room`` is the text of another room's id, empty for this one."""

    writer: DeviceId
    thread: MessageId | None = None
    room: str = ""


def marker_key(writer: DeviceId, thread: MessageId | None = None, *, room: str = "") -> str:
    """Return the key of a marker."""
    key = writer + (thread or "")
    return f"{room}{_ELSEWHERE}{key}" if room else key


def parse_marker(key: str) -> Marker | None:
    """Return what a key says, None for one that is no marker's."""
    room = ""
    if key[ROOM_CHARS : ROOM_CHARS + 1] == _ELSEWHERE:
        room, key = key[:ROOM_CHARS], key[ROOM_CHARS + 1 :]
        if _ROOM.fullmatch(room) is None:
            return None
    writer, thread = key[:DEVICE_CHARS], key[DEVICE_CHARS:]
    if not is_device_id(writer) or (thread and not is_message_id(thread)):
        return None
    return Marker(DeviceId(writer), MessageId(thread) if thread else None, room)

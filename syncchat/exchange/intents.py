"""Intents: changes to a room that a person asked for, kept until the room's log has them.

A record stands on the head of the log, which only the relay knows for sure. So what is asked for
offline is kept as an intent, and made into a record when the relay is there: anew each time that
somebody else was faster, and not at all where the room has changed so that it is done already, or
cannot be any more.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from ..trust.changes import History, Role
from ..trust.group import Group
from ..trust.keys import DeviceKeys
from ..trust.records import RecordHash


class Intent(Struct, frozen=True, tag=True):
    """Is a change that is wanted."""


class OpenInvite(Intent, frozen=True):
    """Open an invite whose keys are made from ``seed``."""

    seed: bytes
    role: Role
    uses: int
    expires_ms: int
    needs_approval: bool


class CloseInvite(Intent, frozen=True):
    """Close an invite."""

    public: bytes


class Admit(Intent, frozen=True):
    """Grant a request to be let in, or to be certified as a device in a personal room."""

    request: bytes
    role: Role


class Answer(Intent, frozen=True):
    """Answer the first device that asked by an invite with the nonce that it has committed to."""

    request: bytes
    invite: bytes


class RemovePeople(Intent, frozen=True):
    """Remove people, and change the room's key."""

    users: tuple[bytes, ...]


class LeaveRoom(Intent, frozen=True):
    """Leave."""


class ChangeRole(Intent, frozen=True):
    """Give a member another role."""

    user: bytes
    role: Role


class ChangeHistory(Intent, frozen=True):
    """Set how much of the past new members may read."""

    history: History


class HideMessage(Intent, frozen=True):
    """Hide a message from everyone, or show it again."""

    message: bytes
    is_hidden: bool


class ChangeKey(Intent, frozen=True):
    """Change the room's key, from ``epoch`` on."""

    epoch: int


AnyIntent = (
    OpenInvite
    | CloseInvite
    | Admit
    | Answer
    | RemovePeople
    | LeaveRoom
    | ChangeRole
    | ChangeHistory
    | HideMessage
    | ChangeKey
)

_decoder: msgspec.msgpack.Decoder[AnyIntent] = msgspec.msgpack.Decoder(AnyIntent)


def encode_intent(intent: AnyIntent) -> bytes:
    """Return an intent's bytes, for the database."""
    return msgspec.msgpack.encode(intent)


def decode_intent(raw: bytes) -> AnyIntent:
    """Return the intent in bytes of the database."""
    return _decoder.decode(raw)


def is_done(intent: AnyIntent, group: Group, me: bytes) -> bool:
    """Tell whether a room is as an intent wants it; ``me`` is the own person id."""
    match intent:
        case OpenInvite(seed):
            return DeviceKeys(seed).public in group.invites
        case CloseInvite(public):
            found = group.invites.get(public)
            waits = any(asked.invite == public for asked, _ in group.requests.values())
            return found is None or (found.is_revoked and not waits)
        case Admit(request):
            return RecordHash(request) not in group.requests
        case Answer(request):
            return request in group.challenges
        case RemovePeople(users):
            return not any(user in group.members for user in users)
        case LeaveRoom():
            return me not in group.members
        case ChangeRole(user, role):
            return user in group.members and group.members[user].role is role
        case ChangeHistory(history):
            return group.history is history
        case HideMessage(message, is_hidden):
            return group.hidden.get(message, False) is is_hidden
        case ChangeKey(epoch):
            return group.epoch > epoch


def replaces(new: AnyIntent, old: AnyIntent) -> bool:
    """Tell whether who wants ``new`` cannot want ``old`` any more, or wants it by that."""
    match new, old:
        case (HideMessage(one), HideMessage(other)) | (ChangeRole(one), ChangeRole(other)):
            return one == other
        case (ChangeHistory(), ChangeHistory()) | (ChangeKey(), ChangeKey()):
            return True
    return new == old

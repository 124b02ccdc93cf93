"""Invite links: what a person pastes, or scans, to enter a room or to link a device.

``syncchat:`` + base64url(msgpack [version, room id, relay address]) + ``#`` + base64url(secret).
The part before ``#`` says where the room is. The part after it is the invite's secret, from which
its keys are made, the room's name, and a check sum over all; anything that follows links treats
the fragment as private and never sends it to a server.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from enum import IntEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ..errors import InviteError, ValidationError
from ..ids import RoomId

SCHEME = "syncchat:"
LINK_CHARS_MAX = 2_000
INVITE_VERSION = 2
INVITE_SECRET_BYTES = 16
_CHECK_BYTES = 4


class InviteKind(IntEnum):
    """Is what a link is for."""

    ROOM = 0
    """Joins a room."""
    APPROVAL = 1
    """Asks an admin to be let into a room."""
    DEVICE = 2
    """Links another device of the same person."""


class _Place(Struct, frozen=True, array_like=True):
    version: int
    room: Annotated[bytes, Meta(min_length=16, max_length=16)]
    relay: Annotated[str, Meta(max_length=500)]


class _Secret(Struct, frozen=True, array_like=True):
    kind: InviteKind
    secret: Annotated[bytes, Meta(min_length=INVITE_SECRET_BYTES, max_length=INVITE_SECRET_BYTES)]
    title: Annotated[str, Meta(max_length=200)]


class InviteLink(Struct, frozen=True):
    """Is a link taken apart; ``relay`` is empty for a room that has none."""

    room_id: RoomId
    relay: str
    kind: InviteKind
    secret: bytes
    title: str

    @property
    def seed(self) -> bytes:
        """Return the seed of the invite's keys."""
        return hashlib.blake2b(
            self.room_id, key=self.secret, digest_size=32, person=b"syncchat invite"
        ).digest()


def encode_invite(invite: InviteLink) -> str:
    """Return the link of an invite.

    Raises ``ValidationError`` for a title or relay address that no link may carry.
    """
    place = msgspec.msgpack.encode(_Place(INVITE_VERSION, invite.room_id, invite.relay))
    secret = msgspec.msgpack.encode(_Secret(invite.kind, invite.secret, invite.title))
    link = f"{SCHEME}{_to_text(place)}#{_to_text(_check(place, secret) + secret)}"
    try:
        decode_invite(link)
    except InviteError as exc:
        raise ValidationError("the room's title or relay address is too long for a link") from exc
    return link


def decode_invite(link: str) -> InviteLink:
    """Return what a link says; raises ``InviteError`` with what to do about a bad one."""
    link = link.strip()
    if len(link) > LINK_CHARS_MAX:
        raise InviteError(f"an invite link has at most {LINK_CHARS_MAX} characters")
    if not link.startswith(SCHEME):
        raise InviteError(f"an invite link starts with {SCHEME!r}; copy the whole link")
    front, mark, fragment = link[len(SCHEME) :].partition("#")
    if not mark or not fragment:
        raise InviteError("the invite link has no part after '#'; copy the whole link")
    place_bytes, checked = _from_text(front), _from_text(fragment)
    try:
        version = msgspec.msgpack.decode(place_bytes, type=list[msgspec.Raw])[0]
        if msgspec.msgpack.decode(version, type=int) != INVITE_VERSION:
            raise InviteError("the invite link is of another version; update syncchat")
        check, secret_bytes = checked[:_CHECK_BYTES], checked[_CHECK_BYTES:]
        if check != _check(place_bytes, secret_bytes):
            raise InviteError("the invite link is damaged or incomplete; copy the whole link again")
        place = msgspec.msgpack.decode(place_bytes, type=_Place)
        secret = msgspec.msgpack.decode(secret_bytes, type=_Secret)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, IndexError) as exc:
        raise InviteError("the invite link is damaged; copy the whole link again") from exc
    return InviteLink(RoomId(place.room), place.relay, secret.kind, secret.secret, secret.title)


def _check(place: bytes, secret: bytes) -> bytes:
    return hashlib.blake2b(place + secret, digest_size=_CHECK_BYTES).digest()


def _to_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _from_text(text: str) -> bytes:
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError) as exc:
        raise InviteError(
            "the invite link has characters that do not belong; copy it again"
        ) from exc

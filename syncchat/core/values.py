"""Journal entries: what each root map of a journal may hold, and how it is written.

An entry's value is JSON text, one string in the CRDT map. Text keeps integers exact (the CRDT
stores numbers as floats), has one byte form on every machine (its maps have random order), and
cannot nest deeper than the JSON decoder allows.

==========  ============================  =============================================
root        key                           value
==========  ============================  =============================================
messages    HLC of the message            object, ``MessageValue``; never overwritten
edits       message id                    ``[at, text]``
deletes     message id                    ``[at]``; never overwritten or erased
reactions   message id + emoji            ``[at, on]``
reads       writing device                ``[at, up to this HLC]``
profile     field                         ``[at, value]``
room        field                         ``[at, value]``
==========  ============================  =============================================

``at`` is the HLC at which the entry was written. Unknown fields of an object and elements at the
end of an array are ignored.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import msgspec
from msgspec import Struct

from ..errors import DecodeError, ValidationError
from ..ids import DEVICE_CHARS, MESSAGE_CHARS, Stamp, is_device_id, is_message_id, is_stamp

VALUE_BYTES_MAX = 64 * 1024
"""One message's text and metadata; longer things are attachments."""

EMOJI_CHARS_MAX = 32
"""The longest emoji sequences in Unicode have about a dozen code points."""

FIELD_CHARS_MAX = 64
KIND_CHARS_MAX = 32
KINDS = ("text", "image", "file", "audio", "video", "location")
"""Kinds that apps know; others are kept and shown as text."""


class Root(IntEnum):
    """Names a root map of a journal; the number is its form in the database."""

    MESSAGES = 1
    EDITS = 2
    DELETES = 3
    REACTIONS = 4
    READS = 5
    PROFILE = 6
    ROOM = 7


ROOT_NAMES = {root: root.name.lower() for root in Root}
ROOTS_BY_NAME = {name.encode(): root for root, name in ROOT_NAMES.items()}
ABOUT_MESSAGES = frozenset({Root.EDITS, Root.DELETES, Root.REACTIONS})
OVERWRITABLE = frozenset({Root.EDITS, Root.REACTIONS, Root.READS, Root.PROFILE, Root.ROOM})
ERASABLE = frozenset({Root.MESSAGES, Root.EDITS})


class MessageValue(Struct, frozen=True, omit_defaults=True):
    """Is what a person wrote. ``mentions`` are member ids; ``attachments`` JSON objects."""

    text: str = ""
    kind: str = "text"
    reply_to: str | None = None
    thread: str | None = None
    mentions: tuple[str, ...] = ()
    attachments: tuple[dict[str, Any], ...] = ()
    metadata: dict[str, Any] | None = None


class EditValue(Struct, frozen=True, array_like=True):
    """Is a message's new text."""

    at: str
    text: str


class DeleteValue(Struct, frozen=True, array_like=True):
    """Is a message's tombstone."""

    at: str


class ReactionValue(Struct, frozen=True, array_like=True):
    """Is a reaction switched on or off."""

    at: str
    on: bool


class ReadValue(Struct, frozen=True, array_like=True):
    """Says up to which HLC a device's messages are read."""

    at: str
    upto: str


class FieldValue(Struct, frozen=True, array_like=True):
    """Is a field of a profile or of a room."""

    at: str
    value: Any


Value = MessageValue | EditValue | DeleteValue | ReactionValue | ReadValue | FieldValue

_TYPES: dict[Root, type[Struct]] = {
    Root.MESSAGES: MessageValue,
    Root.EDITS: EditValue,
    Root.DELETES: DeleteValue,
    Root.REACTIONS: ReactionValue,
    Root.READS: ReadValue,
    Root.PROFILE: FieldValue,
    Root.ROOM: FieldValue,
}
_decoders = {root: msgspec.json.Decoder(kind) for root, kind in _TYPES.items()}
_encoder = msgspec.json.Encoder(order="deterministic")


def encode_value(value: Value) -> str:
    """Return the JSON text of a value.

    Raises ``ValidationError`` for what has no JSON form or is over ``VALUE_BYTES_MAX``.
    """
    try:
        raw = _encoder.encode(value)
        text = raw.decode("utf-8")
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as exc:
        raise ValidationError(f"this cannot be written as JSON: {exc}") from exc
    if len(raw) > VALUE_BYTES_MAX:
        raise ValidationError(
            f"the message has {len(raw)} bytes, the most is {VALUE_BYTES_MAX}; send a file instead"
        )
    return text


def decode_value(root: Root, text: str) -> Any:
    """Return the value, of the root's own type, in JSON ``text``; raises ``DecodeError``."""
    try:
        return _decoders[root].decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as exc:
        raise DecodeError(f"not a value of {ROOT_NAMES[root]}: {exc}") from exc


def checked_stamp(root: Root, key: str, value: Any) -> Stamp:
    """Return when an entry was written, after checking its key and value against each other.

    Raises ``DecodeError``.
    """
    if root is Root.MESSAGES:
        _check_message(key, value)
        return Stamp(key)
    if not is_stamp(value.at):
        raise DecodeError("an entry does not begin with its stamp")
    if root is Root.REACTIONS:
        emoji = key[MESSAGE_CHARS:]
        valid = is_message_id(key[:MESSAGE_CHARS]) and 0 < len(emoji) <= EMOJI_CHARS_MAX
    elif root in ABOUT_MESSAGES:
        valid = is_message_id(key)
    elif root is Root.READS:
        valid = len(key) == DEVICE_CHARS and is_device_id(key) and is_stamp(value.upto)
    else:
        valid = 0 < len(key) <= FIELD_CHARS_MAX
    if not valid:
        raise DecodeError(f"an entry of {ROOT_NAMES[root]} has a key that is none: {key[:40]!r}")
    return Stamp(value.at)


def _check_message(key: str, value: MessageValue) -> None:
    if not is_stamp(key):
        raise DecodeError(f"a message has a key that is no stamp: {key[:40]!r}")
    for reference in (value.reply_to, value.thread):
        if reference is not None and not is_message_id(reference):
            raise DecodeError("a message refers to something that is no message id")
    if not 0 < len(value.kind) <= KIND_CHARS_MAX:
        raise DecodeError("a message's kind is empty or too long")

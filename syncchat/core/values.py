"""Journal entries: what each root map of a journal may hold, and how it is written.

An entry's value is JSON text, one string in the CRDT map. Text keeps integers exact (the CRDT
stores numbers as floats) and has one byte form on every machine (its maps have random order). It
nests at most ``NESTING_MAX`` levels and holds integers of at most 64 bits, so that whether a value
is accepted depends on nothing but the value.

==========  ============================  =============================================
root        key                           value
==========  ============================  =============================================
messages    HLC of the message            object, ``MessageValue``; never overwritten
edits       message id                    ``[at, text]``, and the mentions if it changes them
deletes     message id                    ``[at]``, and the thread that it was in, if any;
                                          never overwritten or erased
reactions   message id + emoji            ``[at, on]``
reads       of whom and where, see        ``[at, up to this HLC]``
            ``markers``
profile     field                         ``[at, value]``
room        field                         ``[at, value]``
==========  ============================  =============================================

``at`` is the HLC at which the entry was written. Unknown fields of an object and elements at the
end of an array are ignored.
"""

from __future__ import annotations

import re
import unicodedata
from enum import IntEnum
from typing import Any

import msgspec
from msgspec import Struct

from ..errors import DecodeError, ValidationError
from ..ids import MESSAGE_CHARS, Stamp, is_message_id, is_stamp
from .markers import parse_marker

VALUE_BYTES_MAX = 64 * 1024
"""One message's text and metadata; longer things are attachments."""

NESTING_MAX = 32
"""Levels of arrays and objects in a value. A decoder's own limit depends on how deep the program's
stack happens to be: one peer would refuse what another shows."""

EMOJI_CHARS_MAX = 32
"""The longest emoji sequences in Unicode have about a dozen code points."""

NAME_CHARS_MAX = 50
TITLE_CHARS_MAX = 100
"""Room enough for a line on a screen; what is longer is not shown, whoever wrote it."""

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
    """Is a message's new text; ``mentions`` is None where they are those that it was sent with."""

    at: str
    text: str
    mentions: tuple[str, ...] | None = None


class DeleteValue(Struct, frozen=True, array_like=True):
    """Is a message's tombstone; ``thread`` keeps it out of the main timeline."""

    at: str
    thread: str | None = None


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
_ROOTS_BY_TYPE = {kind: root for root, kind in _TYPES.items()}
_decoders = {root: msgspec.json.Decoder(kind) for root, kind in _TYPES.items()}
_encoder = msgspec.json.Encoder(order="deterministic")
_strings_and_brackets = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)
_EMOJI_CATEGORIES = frozenset({"So", "Sk", "Sm", "Mn", "Me", "Po", "Pd", "Nd"})
_INTEGERS = range(-(2**63), 2**64)


def encode_value(value: Value) -> str:
    """Return the JSON text of a value.

    Raises ``ValidationError`` for what has no JSON form, would not be read back as this value's
    type, or is over ``VALUE_BYTES_MAX``.
    """
    try:
        raw = _encoder.encode(_written(value))
        text = raw.decode("utf-8")
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as exc:
        raise ValidationError(f"this cannot be written as JSON: {exc}") from exc
    if len(raw) > VALUE_BYTES_MAX:
        raise ValidationError(
            f"the message has {len(raw)} bytes, the most is {VALUE_BYTES_MAX}; send a file instead"
        )
    try:
        decode_value(_ROOTS_BY_TYPE[type(value)], text)
    except DecodeError as exc:
        raise ValidationError(f"this cannot be sent: {exc}") from exc
    return text


def decode_value(root: Root, text: str) -> Any:
    """Return the value, of the root's own type, in JSON ``text``; raises ``DecodeError``."""
    if text.count("[") + text.count("{") > NESTING_MAX and _nesting(text) > NESTING_MAX:
        raise DecodeError(f"a value of {ROOT_NAMES[root]} nests over {NESTING_MAX} levels deep")
    try:
        value = _decoders[root].decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as exc:
        raise DecodeError(f"not a value of {ROOT_NAMES[root]}: {exc}") from exc
    if isinstance(value, MessageValue):
        if value.metadata or value.attachments:
            _check_integers((value.metadata, value.attachments))
    elif isinstance(value, FieldValue) and not isinstance(value.value, str):
        _check_integers(value.value)
    return value


def is_label(text: object, chars_max: int) -> bool:
    """Tell whether ``text`` can be shown as a name or a title: printable, in one line, not long.

    Joiners and emoji newer than this Python are printable here, other control characters are not.
    """
    return (
        isinstance(text, str)
        and 0 < len(text) <= chars_max
        and all(char.isprintable() or _is_part_of_emoji(char) for char in text)
    )


def is_emoji(text: str) -> bool:
    """Tell whether ``text`` can be one emoji: symbols and what combines them, no letters."""
    return (
        0 < len(text) <= EMOJI_CHARS_MAX
        and not text.isascii()
        and all(
            char == "\u2139"  # the information sign, which Unicode counts as a letter
            or _is_part_of_emoji(char)
            or unicodedata.category(char) in _EMOJI_CATEGORIES
            for char in text
        )
    )


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
        thread = value.thread if root is Root.DELETES else None
        valid = is_message_id(key) and (thread is None or is_message_id(thread))
    elif root is Root.READS:
        valid = parse_marker(key) is not None and is_stamp(value.upto)
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


def _written(value: Value) -> Any:
    """Return a value without what it does not say at its end, so that it has one form."""
    match value:
        case EditValue(mentions=None):
            return (value.at, value.text)
        case DeleteValue(thread=None):
            return (value.at,)
        case _:
            return value


def _is_part_of_emoji(char: str) -> bool:
    """Tell whether ``char`` is a joiner, a tag (as in flags), or a symbol of a later Unicode."""
    return char == "\u200d" or 0xE0020 <= ord(char) <= 0xE007F or 0x1F000 <= ord(char) <= 0x1FBFF


def _nesting(text: str) -> int:
    """Return how many levels deep JSON text nests."""
    depth = deepest = 0
    for found in _strings_and_brackets.finditer(text):
        match text[found.start()]:
            case "[" | "{":
                depth += 1
                deepest = max(deepest, depth)
            case "]" | "}":
                depth -= 1
    return deepest


def _check_integers(value: Any) -> None:
    """Raise ``DecodeError`` for an integer that the digest, in MessagePack, has no form for."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        if isinstance(value, int) and value not in _INTEGERS:
            raise DecodeError("an integer has more than 64 bits")
        return
    for each in value:
        _check_integers(each)

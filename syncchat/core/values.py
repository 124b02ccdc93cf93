"""Journal entries: what each root map of a journal may hold, and how it is written.

An entry's value is JSON text, one string in the CRDT map. Text keeps integers exact (the CRDT
stores numbers as floats) and has one byte form on every machine (its maps have random order). It
nests at most ``NESTING_MAX`` levels and holds integers of at most 64 bits, so that whether a value
is accepted depends on nothing but the value.

==========  ============================  =============================================
root        key                           value
==========  ============================  =============================================
messages    HLC of the message            object, ``MessageValue``; never overwritten
edits       message id                    ``[at, text, mentions, earlier]``
deletes     message id                    ``[at, thread, is_gone]``; never overwritten or erased
reactions   message id + emoji            ``[at, on]``
votes       message id of a poll          ``[at, choices, closed, earlier]``
reads       of whom and where, see        ``[at, up to this HLC]``
            ``markers``
profile     field                         ``[at, value]``
room        field                         ``[at, value]``
==========  ============================  =============================================

``at`` is the HLC at which the entry was written. Unknown fields of an object and elements at the
end of an array are ignored, and elements at the end that say nothing new are left out. What
overwrites an edit or a vote carries in ``earlier`` what it overwrites, as far as that still counts.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import cache
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import astuple, fields

from ..errors import DecodeError, ValidationError
from ..ids import MESSAGE_CHARS, Stamp, is_message_id, is_stamp
from .clock import MS_MAX
from .emoji import EMOJI_CHARS_MAX
from .markers import parse_marker

VALUE_BYTES_MAX = 64 * 1024
"""One message's text and metadata; longer things are attachments."""

NESTING_MAX = 32
"""Levels of arrays and objects in a value. A decoder's own limit depends on how deep the program's
stack happens to be: one peer would refuse what another shows."""

NAME_CHARS_MAX = 50
TITLE_CHARS_MAX = 100
"""Room enough for a line on a screen; what is longer is not shown, whoever wrote it."""

FIELD_CHARS_MAX = 64
KIND_CHARS_MAX = 32
KINDS = ("text", "image", "file", "audio", "video", "location", "poll")
"""Kinds that apps know; others are kept and shown as text."""

EXPIRES_MS_MAX = 366 * 24 * 3_600 * 1_000
"""A message that disappears does so within a year."""

EARLIER_MAX = 20
"""Texts, or votes, that an entry carries of those it overwrites."""


class Root(IntEnum):
    """Names a root map of a journal; the number is its form in the database."""

    MESSAGES = 1
    EDITS = 2
    DELETES = 3
    REACTIONS = 4
    READS = 5
    PROFILE = 6
    ROOM = 7
    VOTES = 8


ROOT_NAMES = {root: root.name.lower() for root in Root}
ROOTS_BY_NAME = {name.encode(): root for root, name in ROOT_NAMES.items()}
ABOUT_MESSAGES = frozenset({Root.EDITS, Root.DELETES, Root.REACTIONS, Root.VOTES})
OVERWRITABLE = frozenset(
    {Root.EDITS, Root.REACTIONS, Root.READS, Root.PROFILE, Root.ROOM, Root.VOTES}
)
PIN_FIELD = "pin/"
"""A field of a room's, with a message's id behind it: true while the message is pinned."""

TIMER_FIELD = "timer"
"""A field of a room's: after how many seconds its messages disappear, 0 for never."""

KEEP_FIELD = "keep"
"""A field of a room's: how long its messages are kept, see ``keeping``."""

LETTER_FIELD = "letter/"
"""A field of a member's profile, with a random word behind it: what some members only may read."""

ERASABLE = frozenset({Root.MESSAGES, Root.EDITS})


class Origin(Struct, frozen=True):
    """Says who wrote a forwarded message, and when (ms); its forwarder's word."""

    sender: str
    name: str
    at: int


class MessageValue(Struct, frozen=True, omit_defaults=True):
    """Is what a person wrote. ``mentions`` are member ids; ``attachments`` JSON objects.

    ``expires`` is how many ms after it was written the message disappears, None for never.
    """

    text: str = ""
    kind: str = "text"
    reply_to: str | None = None
    thread: str | None = None
    mentions: tuple[str, ...] = ()
    attachments: tuple[dict[str, Any], ...] = ()
    metadata: dict[str, Any] | None = None
    expires: int | None = None
    forwarded: Origin | None = None


class EditValue(Struct, frozen=True, array_like=True):
    """Is a message's new text.

    ``mentions`` is None where they are those that it was sent with. ``earlier`` are the texts that
    this device gave the message before, each with its stamp, oldest first.
    """

    at: str
    text: str
    mentions: tuple[str, ...] | None = None
    earlier: tuple[tuple[str, str], ...] = ()


class DeleteValue(Struct, frozen=True, array_like=True):
    """Is a message's tombstone; ``thread`` keeps it out of the main timeline.

    ``is_gone`` where the message has disappeared, and shows not even that it was there.
    """

    at: str
    thread: str | None = None
    is_gone: bool = False


class VoteValue(Struct, frozen=True, array_like=True):
    """Is somebody's vote in a poll: the places of what they chose, none to take it back.

    ``closed`` is when the poll's author closed it. ``earlier`` are votes of this device before,
    each with its stamp: those cast before the poll was closed count.
    """

    at: str
    choices: tuple[int, ...]
    closed: str | None = None
    earlier: tuple[tuple[str, tuple[int, ...]], ...] = ()


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


Value = MessageValue | EditValue | DeleteValue | ReactionValue | ReadValue | FieldValue | VoteValue

_TYPES: dict[Root, type[Struct]] = {
    Root.MESSAGES: MessageValue,
    Root.EDITS: EditValue,
    Root.DELETES: DeleteValue,
    Root.REACTIONS: ReactionValue,
    Root.READS: ReadValue,
    Root.PROFILE: FieldValue,
    Root.ROOM: FieldValue,
    Root.VOTES: VoteValue,
}
_ROOTS_BY_TYPE = {kind: root for root, kind in _TYPES.items()}
_decoders = {root: msgspec.json.Decoder(kind) for root, kind in _TYPES.items()}
_encoder = msgspec.json.Encoder(order="deterministic")
_strings_and_brackets = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)
_INTEGERS = range(-(2**63), 2**64)


def encode_value(value: Value) -> str:
    """Return the JSON text of a value.

    Raises ``ValidationError`` for what has no JSON form, would not be read back as this value's
    type, or is over ``VALUE_BYTES_MAX``.
    """
    return as_written(value)[0]


def as_written(value: Value) -> tuple[str, Any]:
    """Return the JSON text of a value, and the value as others read it: JSON has no sets, no NaN.

    Raises as ``encode_value`` does.
    """
    try:
        raw = _encoder.encode(_trimmed(value))
        text = raw.decode("utf-8")
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as exc:
        raise ValidationError(f"this cannot be written as JSON: {exc}") from exc
    if len(raw) > VALUE_BYTES_MAX:
        raise ValidationError(
            f"the message has {len(raw)} bytes, the most is {VALUE_BYTES_MAX}; send a file instead"
        )
    try:
        return text, decode_value(_ROOTS_BY_TYPE[type(value)], text)
    except DecodeError as exc:
        raise ValidationError(f"this cannot be sent: {exc}") from exc


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


def is_for_admins(root: Root, key: str) -> bool:
    """Tell whether only what admins say of a field counts."""
    return root is Root.ROOM and (key in (TIMER_FIELD, KEEP_FIELD) or key.startswith(PIN_FIELD))


def is_label(text: object, chars_max: int) -> bool:
    """Tell whether ``text`` can be shown as a name or a title: printable, in one line, not long.

    Joiners and emoji newer than this Python are printable here, other control characters are not.
    """
    return (
        isinstance(text, str)
        and 0 < len(text) <= chars_max
        and (
            text.isprintable()  # as nearly all are
            or all(char.isprintable() or _is_part_of_emoji(char) for char in text)
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
    if root in (Root.EDITS, Root.VOTES):
        _check_earlier(value)
    return Stamp(value.at)


def _check_message(key: str, value: MessageValue) -> None:
    if not is_stamp(key):
        raise DecodeError(f"a message has a key that is no stamp: {key[:40]!r}")
    for reference in (value.reply_to, value.thread):
        if reference is not None and not is_message_id(reference):
            raise DecodeError("a message refers to something that is no message id")
    if not 0 < len(value.kind) <= KIND_CHARS_MAX:
        raise DecodeError("a message's kind is empty or too long")
    if value.expires is not None and not 0 < value.expires <= EXPIRES_MS_MAX:
        raise DecodeError("a message disappears at a time that is none")
    if value.forwarded is not None and value.forwarded.at not in range(MS_MAX + 1):
        raise DecodeError("a forwarded message was written at a time that is none")


def _check_earlier(value: EditValue | VoteValue) -> None:
    """See that what an entry carries of earlier ones is in order, and before it."""
    stamps = [at for at, _ in value.earlier]
    if len(stamps) > EARLIER_MAX or not all(map(is_stamp, stamps)):
        raise DecodeError("an entry carries earlier ones without their stamps, or too many")
    if any(one >= other for one, other in pairwise((*stamps, value.at))):
        raise DecodeError("an entry carries earlier ones that are out of order")
    closed = value.closed if isinstance(value, VoteValue) else None
    if closed is not None and (not is_stamp(closed) or closed > value.at):
        raise DecodeError("a poll is closed at a time that is none")


def _trimmed(value: Value) -> Value | list[Any]:
    """Return an array without what it does not say at its end, so that it has one form."""
    if isinstance(value, MessageValue):
        return value
    said = list(astuple(value))
    for default in reversed(_defaults_of(type(value))):
        if default is NODEFAULT or said[-1] != default:
            break
        said.pop()
    return said


@cache
def _defaults_of(kind: type[Value]) -> list[Any]:
    return [field.default for field in fields(kind)]


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

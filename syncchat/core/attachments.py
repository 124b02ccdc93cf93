"""Attachments: what a message says of a file, read as the hostile thing that it may be.

In a message an attachment is a JSON object. Of the fields below ``name``, ``size``, ``key`` and
``root`` are needed to fetch the file; the others tell how to show it, and one that is not as it
should be counts as missing. Objects of another shape belong to apps; they are kept and shown, and
are no files.

===========  ===============================================================================
field        value
===========  ===============================================================================
name         what its sender calls it, shown; where it is saved ``safe_file_name`` says
type         its MIME type
size         its bytes
key          32 random bytes, base64url: what its chunks are sealed with (``trust.files``)
root         the name of its manifest, 32 bytes, base64url
kind         how to show it: one of ``KINDS``
width        pixels, and ``height``
duration_ms  of audio and video
waveform     of audio: at most 100 bytes, base64
thumb        a small picture (JPEG, PNG or WebP), base64url
===========  ===============================================================================
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import DecodeError
from ..trust.files import FILE_KEY_BYTES, NAME_BYTES, file_bytes_max
from .values import KINDS

ATTACHMENTS_MAX = 32
"""Files of one message; more are kept in it and cannot be fetched."""

NAME_CHARS_MAX = 200
NAME_BYTES_SAVED_MAX = 200
"""Bytes of a saved file's name; file systems take 255, and a number may be put to it."""

TYPE_CHARS_MAX = 100
WAVEFORM_BYTES_MAX = 100
THUMB_BYTES_MAX = 64 * 1024
PIXELS_MAX = 1_000_000
DURATION_MS_MAX = 7 * 24 * 3600 * 1000

ANY_TYPE = "application/octet-stream"

_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?", re.IGNORECASE)
_UNSAFE = frozenset('<>:"/\\|?*')


@dataclass(frozen=True, slots=True)
class Attachment:
    """Is a file as a message describes it; ``name`` is as its sender gave it."""

    name: str
    type: str
    size: int
    key: bytes
    root: bytes
    kind: str = "file"
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    waveform: bytes | None = None
    thumb: bytes | None = None

    @property
    def safe_name(self) -> str:
        """Return the name under which it may be saved."""
        return safe_file_name(self.name)

    def to_value(self) -> dict[str, Any]:
        """Return it as it stands in a message."""
        fields: dict[str, Any] = {
            "name": self.name,
            "type": self.type,
            "size": self.size,
            "key": _text(self.key),
            "root": _text(self.root),
            "kind": self.kind,
        }
        optional = {
            "width": self.width,
            "height": self.height,
            "duration_ms": self.duration_ms,
            "waveform": None
            if self.waveform is None
            else base64.b64encode(self.waveform).decode("ascii"),
            "thumb": None if self.thumb is None else _text(self.thumb),
        }
        return fields | {name: value for name, value in optional.items() if value is not None}


def read_attachment(value: Mapping[str, Any]) -> Attachment:
    """Return the file that a message describes; raises ``DecodeError`` where that is none."""
    name, size = value.get("name"), _count(value.get("size"), file_bytes_max())
    if not isinstance(name, str) or not 0 < len(name) <= NAME_CHARS_MAX:
        raise DecodeError(f"the attachment has no name of 1 to {NAME_CHARS_MAX} characters")
    if size is None:
        raise DecodeError(f"the attachment has no size from 0 to {file_bytes_max()} bytes")
    key = _octets(value.get("key"), base64.urlsafe_b64decode)
    root = _octets(value.get("root"), base64.urlsafe_b64decode)
    if key is None or len(key) != FILE_KEY_BYTES:
        raise DecodeError("the attachment has no key")
    if root is None or len(root) != NAME_BYTES:
        raise DecodeError("the attachment does not say where its bytes are")
    kind = value.get("kind")
    type_: Any = value.get("type")
    waveform = _octets(value.get("waveform"), base64.b64decode)
    thumb = _octets(value.get("thumb"), base64.urlsafe_b64decode)
    return Attachment(
        name=name,
        type=type_ if is_type(type_) else ANY_TYPE,
        size=size,
        key=key,
        root=root,
        kind=kind if kind in KINDS else "file",
        width=_count(value.get("width"), PIXELS_MAX),
        height=_count(value.get("height"), PIXELS_MAX),
        duration_ms=_count(value.get("duration_ms"), DURATION_MS_MAX),
        waveform=waveform if waveform and len(waveform) <= WAVEFORM_BYTES_MAX else None,
        thumb=thumb if thumb and len(thumb) <= THUMB_BYTES_MAX else None,
    )


def files_in(attachments: tuple[dict[str, Any], ...]) -> list[tuple[int, Attachment]]:
    """Return the files among a message's attachments, each with its place."""
    found = []
    for place, value in enumerate(attachments[:ATTACHMENTS_MAX]):
        try:
            found.append((place, read_attachment(value)))
        except DecodeError:
            continue
    return found


def is_type(text: object) -> bool:
    """Tell whether ``text`` is a MIME type in its plain form."""
    return (
        isinstance(text, str) and len(text) <= TYPE_CHARS_MAX and _TYPE.fullmatch(text) is not None
    )


def safe_file_name(name: str) -> str:
    """Return a name that is a file's own on every system, whatever somebody called a file.

    No folder, no control or invisible character, none that a system forbids, no name that is a
    device on Windows, and no dot in front, which hides files. The end of a name, which says what
    kind of file it is, stays. Without anything left it is ``file``.
    """
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(
        "_" if char in _UNSAFE else char
        for char in unicodedata.normalize("NFC", last)
        if unicodedata.category(char)[0] not in "CZ" or char == " "
    )
    kept = kept.lstrip(". ").rstrip(". ")
    if _RESERVED.fullmatch(kept):
        kept = "_" + kept
    return _shortened(kept) or "file"


def _shortened(name: str) -> str:
    """Return a name of at most ``NAME_BYTES_SAVED_MAX`` bytes that keeps its ending."""
    if len(name.encode()) <= NAME_BYTES_SAVED_MAX:
        return name
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending.encode()) > 20:
        stem, dot, ending = name, "", ""
    room = NAME_BYTES_SAVED_MAX - len((dot + ending).encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(". ") + dot + ending


def _octets(text: object, decode: Any) -> bytes | None:
    """Return the bytes in base64 text, with or without padding; None for anything else."""
    if not isinstance(text, str) or not text.isascii() or len(text) > 2 * THUMB_BYTES_MAX:
        return None
    try:
        found: bytes = decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    return found


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode("ascii").rstrip("=")


def _count(value: object, most: int) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
    return int(value) if is_count else None  # type: ignore[call-overload]

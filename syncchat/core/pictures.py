"""Pictures of people and rooms: small enough to stand in a field."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from ..errors import ValidationError

AVATAR_BYTES_MAX = 32 * 1024
"""A square of 256 pixels fits; what is bigger is no avatar."""

_TYPES = (
    ("image/png", 0, b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", 0, b"\xff\xd8\xff"),
    ("image/webp", 8, b"WEBP"),
)
_TELLTALES = (b"Exif\0\0", b"eXIf", b"EXIF", b"http://ns.adobe.com/xap/", b"XMP ", b"XML:com.adobe")
"""What begins a part of a picture that says where, when and with what it was taken."""


@dataclass(frozen=True, slots=True)
class Avatar:
    """Is a small picture; ``type`` is its MIME type."""

    type: str
    data: bytes

    def to_json(self) -> dict[str, str]:
        """Return the picture as it stands in a field."""
        return {"type": self.type, "data": base64.urlsafe_b64encode(self.data).decode("ascii")}


def avatar_in(image: bytes) -> Avatar:
    """Return the picture in a file's bytes; raises ``ValidationError`` with what to do."""
    if not isinstance(image, bytes):
        raise ValidationError(f"a picture must be bytes, not {type(image).__name__}")
    if len(image) > AVATAR_BYTES_MAX:
        raise ValidationError(
            f"the picture has {len(image)} bytes, the most is {AVATAR_BYTES_MAX}; make it smaller"
        )
    kind = _type_of(image)
    if not kind:
        raise ValidationError("the picture must be a PNG, JPEG or WebP")
    if any(telltale in image for telltale in _TELLTALES):
        raise ValidationError(
            "the picture says more than it shows, perhaps where it was taken; "
            "save it without metadata"
        )
    return Avatar(kind, image)


def avatar_of(field: Any) -> Avatar | None:
    """Return the picture in a field that anybody may have written, None for what is none."""
    if not isinstance(field, dict) or not isinstance(field.get("data"), str):
        return None
    try:
        data = base64.b64decode(field["data"].encode("ascii"), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    kind = _type_of(data)
    if len(data) > AVATAR_BYTES_MAX or not kind or kind != field.get("type"):
        return None
    return Avatar(kind, data)


def _type_of(image: bytes) -> str:
    """Return the MIME type that a picture's first bytes tell, empty for another."""
    return next((kind for kind, at, head in _TYPES if image[at : at + len(head)] == head), "")

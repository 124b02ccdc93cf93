"""Letters: what a member says in a room to some of its members only.

A letter is sealed with a key of its own, which is sealed to the user key of each who may read it;
it is bound to the room and to who wrote it, so that nobody can pass it off as theirs. Where it
lies, in a field of the writer's profile, everybody sees that there is one and for how many; not
for whom, nor what it says.

    sealed = nonce(24) ‖ XChaCha20-Poly1305( key, associated data, content ‖ 0x80 ‖ zeros )
    associated data = "syncchat letter 1\\0" ‖ room(16) ‖ writer's person id(16)
    box    = a sealed box of the key (``boxes``), one for each reader
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import nacl.bindings as sodium
from msgspec import Struct
from nacl.exceptions import CryptoError

from ..errors import SealBroken
from ..ports import Random
from .boxes import BOX_BYTES, SECRET_BYTES, open_box, seal_box

READERS_MAX = 100
"""So many boxes are made, and tried; a room has fewer admins."""

PADDED_BYTES = 256
"""A letter's content is padded to a multiple of this."""

_NONCE_BYTES = 24
_DOMAIN = b"syncchat letter 1\0"


class DirectRoom(Struct, frozen=True, tag="direct", array_like=True):
    """Tells somebody of a room that was made for them and the writer."""

    room: bytes
    relay: str


class Complaint(Struct, frozen=True, tag="report", array_like=True):
    """Reports a message to the room's admins; ``at`` is when, in ms since 1970."""

    message: str
    reason: str
    at: int


Content = DirectRoom | Complaint

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Content] = msgspec.msgpack.Decoder(Content)


def seal_letter(
    content: Content, *, room: bytes, writer: bytes, readers: Sequence[bytes], random: Random
) -> dict[str, Any]:
    """Return a letter, as it stands in a field, to the holders of user keys."""
    key, nonce = random.bytes(SECRET_BYTES), random.bytes(_NONCE_BYTES)
    text = _encoder.encode(content) + b"\x80"
    text += bytes(-len(text) % PADDED_BYTES)
    sealed = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
        text, _DOMAIN + room + writer, nonce, key
    )
    boxes = [seal_box(reader, key, random) for reader in readers[:READERS_MAX]]
    return {"sealed": _text(nonce + bytes(sealed)), "boxes": [_text(box) for box in boxes]}


def open_letter(
    field: Any, *, room: bytes, writer: bytes, secrets: Iterable[bytes]
) -> Content | None:
    """Return what a letter says to the holder of user secrets, None where it is not for them.

    ``field`` may be anything that somebody wrote there.
    """
    if not isinstance(field, dict) or not isinstance(field.get("boxes"), list):
        return None
    sealed = _bytes(field.get("sealed"))
    if len(sealed) < _NONCE_BYTES:
        return None
    for box in field["boxes"][:READERS_MAX]:
        raw = _bytes(box)
        if len(raw) != BOX_BYTES:
            continue
        for secret in secrets:
            with suppress(SealBroken):
                return _opened(open_box(secret, raw), sealed, _DOMAIN + room + writer)
    return None


def _opened(key: bytes, sealed: bytes, authenticated: bytes) -> Content | None:
    nonce = sealed[:_NONCE_BYTES]
    try:
        text = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
            sealed[_NONCE_BYTES:], authenticated, nonce, key
        )
        return _decoder.decode(bytes(text).rstrip(b"\0")[:-1])
    except (CryptoError, ValueError, TypeError, msgspec.MsgspecError, RecursionError):
        return None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode("ascii")


def _bytes(text: Any) -> bytes:
    """Return the bytes in base64 text, none in anything else."""
    if not isinstance(text, str):
        return b""
    try:
        return base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return b""

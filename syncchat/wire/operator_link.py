"""Operator links: what a relay's operator pastes to be known as such on a device.

``syncchat-relay:`` + base64url(relay address) + ``#`` + base64url(check ‖ secret). What follows
``#`` is the relay's operator secret: whoever has the link can do what the operator can. It is
never sent to the relay either, which sees a keyed hash over its own nonce.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from ..errors import InviteError

SCHEME = "syncchat-relay:"
LINK_CHARS_MAX = 1_000
SECRET_BYTES = 32
_CHECK_BYTES = 4


def encode_operator_link(relay: str, secret: bytes) -> str:
    """Return the link of a relay's address and operator secret."""
    place = relay.encode("utf-8")
    return f"{SCHEME}{_to_text(place)}#{_to_text(_check(place, secret) + secret)}"


def decode_operator_link(link: str) -> tuple[str, bytes]:
    """Return the relay's address and the secret; raises ``InviteError`` for what is no link."""
    link = link.strip()
    front, mark, fragment = link.removeprefix(SCHEME).partition("#")
    if not link.startswith(SCHEME) or not mark or len(link) > LINK_CHARS_MAX:
        raise InviteError(
            f"an operator link starts with {SCHEME!r} and has a part after '#'; copy all of it"
        )
    try:
        place, checked = _from_text(front), _from_text(fragment)
        relay = place.decode("utf-8")
    except (UnicodeError, binascii.Error, ValueError) as exc:
        raise InviteError("the operator link is damaged; copy the whole link again") from exc
    check, secret = checked[:_CHECK_BYTES], checked[_CHECK_BYTES:]
    if len(secret) != SECRET_BYTES or check != _check(place, secret):
        raise InviteError("the operator link is damaged or incomplete; copy it again")
    return relay, secret


def _check(place: bytes, secret: bytes) -> bytes:
    return hashlib.blake2b(place + secret, digest_size=_CHECK_BYTES).digest()


def _to_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _from_text(text: str) -> bytes:
    padded = text.encode("ascii") + b"=" * (-len(text) % 4)
    return base64.b64decode(padded, altchars=b"-_", validate=True)

"""Admission: who may come in. For now everyone who proves a device key for one of our names.

The challenge is bound to the host name that the peer dialled, so that a relay which passes ours
on to its own visitors gets answers that are of no use here.
"""

from __future__ import annotations

from syncchat.errors import SignatureInvalid
from syncchat.trust.keys import auth_text, verify
from syncchat.wire.codes import ErrorCode
from syncchat.wire.frames import AnyFrame, Auth
from syncchat.wire.limits import VERSION

from .connection import DEVICE_BYTES


class Refused(Exception):
    """Ends a connection with a code and a text; never leaves the hub."""

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code


def authenticate(
    frame: AnyFrame | None, *, incarnation: bytes, nonce: bytes, names: frozenset[str]
) -> bytes:
    """Return the device that a connection's first frame proves; raises ``Refused``."""
    if not isinstance(frame, Auth):
        raise Refused(ErrorCode.BAD_FRAME, "the first frame must be Auth")
    if frame.version != VERSION:
        raise Refused(ErrorCode.BAD_VERSION, f"this relay speaks version {VERSION}")
    if frame.host.lower() not in names:
        raise Refused(ErrorCode.BAD_AUTH, "the host name is not one of this relay's")
    text = auth_text(host=frame.host, incarnation=incarnation, nonce=nonce, version=frame.version)
    try:
        verify(frame.device_key, text, frame.signature)
    except SignatureInvalid as exc:
        raise Refused(ErrorCode.BAD_AUTH, "the signature does not hold") from exc
    return frame.device_key[:DEVICE_BYTES]

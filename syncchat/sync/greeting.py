"""The answer to a relay's greeting: who this device is, and what vouches for it."""

from __future__ import annotations

from ..trust.keys import DeviceKeys, auth_text, operator_proof
from ..wire.frames import Auth, Hello
from ..wire.limits import VERSION


def auth_for(
    hello: Hello, keys: DeviceKeys, *, host: str, token: str = "", operator_secret: bytes = b""
) -> Auth:
    """Return the Auth that answers ``hello`` of the relay that was dialled as ``host``."""
    text = auth_text(host=host, incarnation=hello.incarnation, nonce=hello.nonce, version=VERSION)
    proof = b""
    if operator_secret:
        proof = operator_proof(operator_secret, device_key=keys.public, text=text)
    return Auth(VERSION, keys.public, host, keys.sign(text), token, proof)

"""The transport interface."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from urllib.parse import urlsplit

from ..errors import ValidationError


class Transport(Protocol):
    """Is one open pipe. Messages arrive whole and in order, or the pipe is lost."""

    async def send(self, raw: bytes) -> None:
        """Send one message; waits while the pipe is full. Raises ``ConnectionLost``."""

    async def receive(self) -> bytes:
        """Return the next message. Raises ``ConnectionLost`` when there will be none."""

    async def close(self) -> None:
        """Close the pipe; again is harmless."""


Connect = Callable[[str], AbstractAsyncContextManager[Transport]]
"""Opens a transport to a relay address; raises ``ConnectFailed``."""


def host_of(relay: str) -> str:
    """Return the host name of a relay address, which the challenge is bound to.

    Raises ``ValidationError`` for what is no ``ws://`` or ``wss://`` address.
    """
    if not relay.isprintable() or " " in relay:
        raise ValidationError(f"{relay!r} is not a relay address: it has blanks or control codes")
    try:
        parts = urlsplit(relay)
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        raise ValidationError(f"{relay!r} is not a relay address: {exc}") from exc
    if parts.scheme not in ("ws", "wss") or not host or port == 0:
        raise ValidationError(
            f"{relay!r} is not a relay address; it looks like ws://127.0.0.1:8765 or "
            "wss://relay.example.org"
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise ValidationError(f"{relay!r}: a relay address has no user, query or fragment")
    try:
        host.encode("idna")
    except UnicodeError as exc:
        raise ValidationError(f"{relay!r} is not a relay address: no host is named so") from exc
    return host

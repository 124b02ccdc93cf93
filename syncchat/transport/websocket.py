"""The WebSocket transport: one binary message for each frame, no compression, bounded sizes."""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from ..errors import ConnectFailed, ConnectionLost
from ..wire.limits import FRAME_BYTES_MAX
from .base import Transport, host_of

OPEN_SECONDS_MAX = 10.0
CLOSE_SECONDS_MAX = 1.0
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class WebSocketTransport:
    """Is one WebSocket to a relay."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, raw: bytes) -> None:
        try:
            await self._connection.send(raw)
        except ConnectionClosed as exc:
            raise ConnectionLost(_reason(exc)) from exc

    async def receive(self) -> bytes:
        try:
            message = await self._connection.recv()
        except ConnectionClosed as exc:
            raise ConnectionLost(_reason(exc)) from exc
        if isinstance(message, str):
            raise ConnectionLost("the other end sent text, a relay sends binary messages")
        return message

    async def close(self) -> None:
        await self._connection.close()


@asynccontextmanager
async def connect_websocket(
    relay: str, *, ssl_context: ssl.SSLContext | None = None
) -> AsyncIterator[Transport]:
    """Open a WebSocket to ``relay`` for the length of the block; raises ``ConnectFailed``.

    A relay's certificate is trusted as the system does, or as the environment variable
    ``SSL_CERT_FILE`` or an ``ssl_context`` says.

    The protocol has its own heartbeat (Ping and Pong frames), so the library's is off. The
    system's proxy is used, as browsers do, but not to reach this machine itself.
    """
    is_here = host_of(relay) in LOOPBACK
    tls: dict[str, Any] = {}
    if ssl_context is not None and relay.startswith("wss:"):
        tls["ssl"] = ssl_context
    try:
        connection = await connect(
            relay,
            compression=None,
            max_size=FRAME_BYTES_MAX,
            open_timeout=OPEN_SECONDS_MAX,
            close_timeout=CLOSE_SECONDS_MAX,
            ping_interval=None,
            user_agent_header=None,
            proxy=None if is_here else True,
            logger=_Quiet(logging.getLogger("websockets.client"), None),
            **tls,
        )
    except TimeoutError as exc:
        raise ConnectFailed(f"{relay} does not answer") from exc
    except ssl.SSLError as exc:
        raise ConnectFailed(f"{relay}: no trusted TLS connection: {exc.reason}") from exc
    except (WebSocketException, ValueError, ImportError) as exc:  # an odd reply, name, or proxy
        raise ConnectFailed(f"{relay} is not a syncchat relay: {exc}") from exc
    except (OSError, EOFError) as exc:
        raise ConnectFailed(f"{relay} is not reached: {_os_reason(exc)}") from exc
    try:
        yield WebSocketTransport(connection)
    finally:
        await connection.close()


if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class _Quiet(_Adapter):
    """Is a logger that never debugs: the library would log frames, and a token is in one."""

    def isEnabledFor(self, level: int) -> bool:
        return level > logging.DEBUG and super().isEnabledFor(level)


def _reason(exc: ConnectionClosed) -> str:
    closing = exc.rcvd or exc.sent
    if closing is None:
        return "the connection was cut"
    words = "".join(c if c.isprintable() else "?" for c in closing.reason)
    return f"the connection was closed ({closing.code} {words})".replace(" )", ")")


def _os_reason(exc: Exception) -> str:
    errors = getattr(exc, "exceptions", None)
    first = errors[0] if errors else exc
    return getattr(first, "strerror", None) or str(first) or type(first).__name__
